//! Amazon S3 API reference, PutObjectLockConfiguration.

use carob_bucket::{
    BucketError, DefaultRetention, MAX_RETENTION_DAYS, ObjectLock, RetentionPeriod, Versioning,
};
use s3s::dto::{
    self, ObjectLockConfiguration, ObjectLockEnabled, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::error::{custom, from_bucket, malformed_xml};
use crate::protection;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
    let input = request.input;
    if input.object_lock_configuration.is_none() {
        return Err(s3_error!(MissingRequestBodyError, "Request Body is empty"));
    }
    let object_lock = object_lock(input.object_lock_configuration.as_ref())?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let change = move |config: &mut carob_bucket::Config| {
        if config.versioning != Versioning::Enabled {
            return Err(BucketError::VersioningState("versioning must be enabled first"));
        }
        config.object_lock = Some(object_lock);
        Ok(())
    };
    bucket.configure(change).await.map_err(|error| match error {
        BucketError::VersioningState(_) => s3_error!(
            InvalidBucketState,
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        ),
        error => from_bucket(error),
    })?;
    Ok(S3Response::new(PutObjectLockConfigurationOutput::default()))
}

/// # Errors
/// MalformedXML, InvalidArgument, InvalidRetentionPeriod.
pub(crate) fn object_lock(document: Option<&ObjectLockConfiguration>) -> S3Result<ObjectLock> {
    let document = document.ok_or_else(malformed_xml)?;
    let enabled = document.object_lock_enabled.as_ref().map(s3s::dto::ObjectLockEnabled::as_str);
    if enabled != Some(ObjectLockEnabled::ENABLED) {
        return Err(malformed_xml());
    }
    let Some(rule) = &document.rule else { return Ok(ObjectLock { default: None }) };
    let default = default_retention(rule.default_retention.as_ref().ok_or_else(malformed_xml)?)?;
    Ok(ObjectLock { default: Some(default) })
}

fn default_retention(document: &dto::DefaultRetention) -> S3Result<DefaultRetention> {
    let mode = document.mode.as_ref().and_then(|mode| protection::mode(mode.as_str()));
    let mode = mode.ok_or_else(malformed_xml)?;
    let (count, most): (i32, u32) = match (document.days, document.years) {
        (Some(days), None) => (days, MAX_RETENTION_DAYS),
        (None, Some(years)) => (years, MAX_RETENTION_DAYS / 365),
        _ => return Err(malformed_xml()),
    };
    let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) else {
        return Err(custom(
            "InvalidRetentionPeriod",
            http::StatusCode::BAD_REQUEST,
            "Default retention period must be a positive integer value.",
        ));
    };
    if count > most {
        return Err(s3_error!(InvalidArgument, "Default retention period too long"));
    }
    let period = if document.days.is_some() { RetentionPeriod::Days } else { RetentionPeriod::Years };
    Ok(DefaultRetention { mode, period: period(count) })
}
