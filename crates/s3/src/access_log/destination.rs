//! Where a bucket's lines go.

use carob_bucket::BucketInfo;
use carob_identity::{AccountNumber, Did};
use http::StatusCode;
use s3s::dto::{LoggingEnabled, PartitionDateSource};
use s3s::{S3Error, S3Result, s3_error};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::error::{custom, malformed_xml};

/// Where a bucket's lines go, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The bucket that is logged.
    pub(super) source: String,
    pub(super) owner: Did,
    /// The bucket that the lines go to.
    pub(super) target: String,
    prefix: String,
    partitioned: bool,
}

impl Destination {
    pub(super) fn of(source: &BucketInfo, logging: &LoggingEnabled) -> Self {
        let format = logging.target_object_key_format.as_ref();
        Self {
            source: source.name.clone(),
            owner: source.owner,
            target: logging.target_bucket.clone(),
            prefix: logging.target_prefix.clone(),
            partitioned: format.is_some_and(|format| format.partitioned_prefix.is_some()),
        }
    }

    /// The key of an object with lines; `unique` tells those of the same second apart.
    pub(super) fn key(&self, now: OffsetDateTime, region: &str, unique: &str) -> String {
        let format = |description| now.format(description).unwrap_or_default();
        let second = format(format_description!("[year]-[month]-[day]-[hour]-[minute]-[second]"));
        let Self { source, owner, prefix, .. } = self;
        if !self.partitioned {
            return format!("{prefix}{second}-{unique}");
        }
        let (account, day) = (AccountNumber::of(owner), format(format_description!("[year]/[month]/[day]")));
        format!("{prefix}{account}/{region}/{source}/{day}/{second}-{unique}")
    }
}

/// What PutBucketLogging refuses whatever the target is.
///
/// # Errors
/// MalformedXML, InvalidArgument.
pub(crate) fn check(logging: &LoggingEnabled) -> S3Result<()> {
    if logging.target_grants.as_ref().is_some_and(|grants| !grants.is_empty()) {
        return Err(s3_error!(
            InvalidArgument,
            "TargetGrants cannot be given: the bucket owner owns whatever is in the target bucket."
        ));
    }
    let Some(format) = &logging.target_object_key_format else { return Ok(()) };
    match (&format.partitioned_prefix, &format.simple_prefix) {
        (None, Some(_)) => Ok(()),
        (Some(partitioned), None) => match partitioned.partition_date_source.as_ref() {
            None => Ok(()),
            // Lines are delivered together whenever they came, so that their own time names no object.
            Some(source) if source.as_str() == PartitionDateSource::EVENT_TIME => {
                Err(crate::error::not_implemented("PartitionDateSource EventTime"))
            }
            Some(source) if source.as_str() == PartitionDateSource::DELIVERY_TIME => Ok(()),
            Some(_) => Err(malformed_xml()),
        },
        _ => Err(malformed_xml()),
    }
}

/// S3's word on a target that will not do.
pub(crate) fn bad_target(message: &'static str) -> S3Error {
    custom("InvalidTargetBucketForLogging", StatusCode::BAD_REQUEST, message)
}
