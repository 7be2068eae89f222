//! Amazon S3 API reference, PutBucketLogging.

use carob_identity::Action;
use s3s::dto::{LoggingEnabled, PutBucketLoggingInput, PutBucketLoggingOutput};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use crate::access::{Deed, asker};
use crate::access_log::{bad_target, check};
use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketLoggingInput>,
) -> S3Result<S3Response<PutBucketLoggingOutput>> {
    let S3Request { input, extensions, .. } = request;
    let owner = input.expected_bucket_owner.as_deref();
    let source = carob.bucket(&extensions, owner)?.info().clone();
    let logging = input.bucket_logging_status.logging_enabled.as_ref();
    if let Some(logging) = logging {
        check(logging)?;
        carob.access_logs.check_key(&source, logging)?;
        let LoggingEnabled { target_bucket, target_prefix, .. } = logging;
        let asker = asker(&extensions)?;
        let there = match carob.gatekeeper.resolve(asker, target_bucket, None).await {
            // A past state, by its name, takes nothing up.
            Ok(there) if there.bucket.name() == target_bucket => there,
            Err(error) if *error.code() != S3ErrorCode::NoSuchBucket => return Err(error),
            Ok(_) | Err(_) => return Err(bad_target("The target bucket for logging does not exist")),
        };
        if there.bucket.info().owner != source.owner {
            return Err(bad_target(
                "The owner for the bucket to be logged and the target bucket must be the same.",
            ));
        }
        // The lines are written on the caller's word.
        if !carob.gatekeeper.allows(asker, &there, Deed::on_key(Action::PUT_OBJECT, target_prefix)) {
            return Err(bad_target("You may not put objects into the target bucket under this prefix."));
        }
    }
    let setting = logging.map(|_| documents::write(&input.bucket_logging_status)).transpose()?;
    carob.set(documents::LOGGING, &extensions, owner, setting).await?;
    carob.access_logs.set(&source, logging);
    Ok(S3Response::new(PutBucketLoggingOutput::default()))
}
