//! Amazon S3 API reference, GetObjectLockConfiguration.

use carob_bucket::{DefaultRetention, RetentionPeriod};
use s3s::dto::{
    self, GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, ObjectLockConfiguration,
    ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::protection::mode_name;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetObjectLockConfigurationInput>,
) -> S3Result<S3Response<GetObjectLockConfigurationOutput>> {
    let input = request.input;
    let config = carob.config(&request.extensions, input.expected_bucket_owner.as_deref()).await?;
    let Some(object_lock) = config.object_lock else {
        return Err(s3_error!(
            ObjectLockConfigurationNotFoundError,
            "Object Lock configuration does not exist for this bucket"
        ));
    };
    let object_lock_configuration = Some(ObjectLockConfiguration {
        object_lock_enabled: Some(ObjectLockEnabled::from_static(ObjectLockEnabled::ENABLED)),
        rule: object_lock.default.map(rule),
    });
    Ok(S3Response::new(GetObjectLockConfigurationOutput { object_lock_configuration }))
}

fn rule(default: DefaultRetention) -> ObjectLockRule {
    let (days, years) = match default.period {
        RetentionPeriod::Days(days) => (i32::try_from(days).ok(), None),
        RetentionPeriod::Years(years) => (None, i32::try_from(years).ok()),
    };
    let mode = Some(ObjectLockRetentionMode::from_static(mode_name(default.mode)));
    ObjectLockRule { default_retention: Some(dto::DefaultRetention { days, mode, years }) }
}
