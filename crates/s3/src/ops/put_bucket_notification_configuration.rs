//! Amazon S3 API reference, PutBucketNotificationConfiguration. There is nobody to notify, so only that nobody shall be
//! is accepted.

use s3s::dto::{
    NotificationConfiguration, PutBucketNotificationConfigurationInput,
    PutBucketNotificationConfigurationOutput,
};
use s3s::{S3Request, S3Response, S3Result};

use crate::error::not_implemented;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketNotificationConfigurationInput>,
) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
    let input = request.input;
    carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    if asks_for_any(&input.notification_configuration) {
        return Err(not_implemented("event notifications"));
    }
    Ok(S3Response::new(PutBucketNotificationConfigurationOutput::default()))
}

fn asks_for_any(document: &NotificationConfiguration) -> bool {
    let NotificationConfiguration {
        event_bridge_configuration,
        lambda_function_configurations,
        queue_configurations,
        topic_configurations,
    } = document;
    event_bridge_configuration.is_some()
        || lambda_function_configurations.as_ref().is_some_and(|list| !list.is_empty())
        || queue_configurations.as_ref().is_some_and(|list| !list.is_empty())
        || topic_configurations.as_ref().is_some_and(|list| !list.is_empty())
}
