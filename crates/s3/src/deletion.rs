//! What must hold of an object that is to be deleted (Amazon S3 user guide, "How to perform conditional deletes").
//!
//! Amazon S3 compares times and sizes in directory buckets alone; what it says of them there holds here in every bucket.
//! Only what is there can fail a condition: a delete marker is there, and has neither entity tag nor size.

use std::sync::Arc;

use carob_bucket::{DeleteOptions, EtagCondition, Found, Precondition, Record, VersionName};
use s3s::{S3Result, dto};
use time::OffsetDateTime;

use crate::error::precondition_failed;

/// The conditions of one deletion.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) etag: Option<EtagCondition>,
    /// To the second.
    pub(crate) modified: Option<dto::Timestamp>,
    pub(crate) size: Option<i64>,
}

impl Expected {
    /// Whether there is any.
    pub(crate) fn is_none(&self) -> bool {
        self.etag.is_none() && !self.looks_inside()
    }

    fn looks_inside(&self) -> bool {
        self.modified.is_some() || self.size.is_some()
    }

    /// How `found` is deleted, the version or else what is current, so that nothing else is that has come there since.
    ///
    /// # Errors
    /// PreconditionFailed.
    pub(crate) fn of(self, found: &Found, version: Option<VersionName>) -> S3Result<DeleteOptions> {
        let looks_inside = self.looks_inside();
        let nothing = || EtagCondition::OneOf(Vec::new());
        let (if_match, unchanged) = match found {
            Found::Nothing => (self.etag.or_else(|| looks_inside.then(nothing)), None),
            Found::DeleteMarker(_) => match self.etag {
                etag @ (None | Some(EtagCondition::Any)) if !looks_inside => (etag, None),
                _ => return Err(precondition_failed()),
            },
            Found::Object(object) if looks_inside => {
                let record = object.record();
                if !self.holds(record) {
                    return Err(precondition_failed());
                }
                let same = || EtagCondition::OneOf(vec![record.etag.to_string()]);
                let unchanged = version.is_none().then(|| Arc::new(record.clone()));
                (Some(self.etag.unwrap_or_else(same)), unchanged)
            }
            Found::Object(_) => (self.etag, None),
        };
        let precondition = Precondition { if_match, if_none_match: None };
        Ok(DeleteOptions { version, precondition, unchanged, ..DeleteOptions::default() })
    }

    fn holds(&self, record: &Record) -> bool {
        let modified = self.modified.clone().map(|time| OffsetDateTime::from(time).unix_timestamp());
        modified.is_none_or(|modified| u64::try_from(modified) == Ok(record.modified.seconds()))
            && self.size.is_none_or(|size| u64::try_from(size) == Ok(record.size))
    }
}
