//! Object lock as requests and answers write it.

use carob_bucket::{BucketError, Config, Lock, Retention, RetentionMode};
use carob_identity::Timestamp;
use s3s::dto::{
    ObjectLockLegalHoldStatus, ObjectLockMode, ObjectLockRetention, ObjectLockRetentionMode,
    Timestamp as Date,
};
use s3s::{S3Result, s3_error};
use time::OffsetDateTime;

use crate::error::{from_bucket, malformed_xml};
use crate::headers;

/// The `x-amz-object-lock-*` headers of a request that makes an object.
///
/// # Errors
/// InvalidArgument for one of mode and date without the other, or a value that is none.
pub(crate) fn from_headers(
    mode: Option<&ObjectLockMode>,
    until: Option<&Date>,
    hold: Option<&ObjectLockLegalHoldStatus>,
) -> S3Result<Lock> {
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let mode = self::mode(mode.as_str())
                .ok_or_else(|| s3_error!(InvalidArgument, "Unknown wormMode directive."))?;
            Some(Retention { mode, until: timestamp(until) })
        }
        _ => {
            return Err(s3_error!(
                InvalidArgument,
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
            ));
        }
    };
    let is_on = |hold| {
        is_on(hold).ok_or_else(|| s3_error!(InvalidArgument, "Legal Hold must be either of 'ON' or 'OFF'"))
    };
    let legal_hold = hold.map(is_on).transpose()?;
    Ok(Lock { retention, legal_hold })
}

/// Whether a new object may be protected so, before its body is read; the committer decides.
///
/// # Errors
/// InvalidArgument for a date that is over, InvalidRequest in a bucket without object lock.
pub(crate) fn check_new(asked: Lock, config: &Config, now: Timestamp) -> S3Result<()> {
    if asked.retention.is_some_and(|retention| retention.until <= now) {
        return Err(from_bucket(BucketError::RetentionDate));
    }
    if config.object_lock.is_none() {
        // Amazon S3 has other words for it where an object is there already.
        return Err(s3_error!(InvalidRequest, "Bucket is missing ObjectLockConfiguration"));
    }
    Ok(())
}

/// The document of PutObjectRetention; an empty one lifts the retention.
///
/// # Errors
/// MalformedXML.
pub(crate) fn from_document(document: Option<&ObjectLockRetention>) -> S3Result<Option<Retention>> {
    let document = document.ok_or_else(malformed_xml)?;
    match (&document.mode, &document.retain_until_date) {
        (None, None) => Ok(None),
        (Some(mode), Some(until)) => {
            let mode = self::mode(mode.as_str()).ok_or_else(malformed_xml)?;
            Ok(Some(Retention { mode, until: timestamp(until) }))
        }
        _ => Err(malformed_xml()),
    }
}

pub(crate) fn to_document(retention: Retention) -> ObjectLockRetention {
    ObjectLockRetention {
        mode: Some(ObjectLockRetentionMode::from_static(mode_name(retention.mode))),
        retain_until_date: Some(headers::timestamp(retention.until)),
    }
}

/// `None` for what is no mode.
pub(crate) fn mode(name: &str) -> Option<RetentionMode> {
    match name {
        "GOVERNANCE" => Some(RetentionMode::Governance),
        "COMPLIANCE" => Some(RetentionMode::Compliance),
        _ => None,
    }
}

pub(crate) fn mode_name(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

/// `None` for what is neither ON nor OFF.
pub(crate) fn is_on(status: &ObjectLockLegalHoldStatus) -> Option<bool> {
    match status.as_str() {
        "ON" => Some(true),
        "OFF" => Some(false),
        _ => None,
    }
}

pub(crate) fn hold_status(on: bool) -> ObjectLockLegalHoldStatus {
    ObjectLockLegalHoldStatus::from_static(if on { "ON" } else { "OFF" })
}

/// Rounded up, so that nothing is kept shorter than was asked. A date before 1970 is 1970.
fn timestamp(date: &Date) -> Timestamp {
    let nanos = OffsetDateTime::from(date.clone()).unix_timestamp_nanos().max(0);
    let millis = nanos.saturating_add(999_999) / 1_000_000;
    Timestamp(u64::try_from(millis).unwrap_or(u64::MAX))
}
