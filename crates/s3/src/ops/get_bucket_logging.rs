//! Amazon S3 API reference, GetBucketLogging.

use s3s::dto::{BucketLoggingStatus, GetBucketLoggingInput, GetBucketLoggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketLoggingInput>,
) -> S3Result<S3Response<GetBucketLoggingOutput>> {
    let input = request.input;
    let owner = input.expected_bucket_owner.as_deref();
    let found: Option<BucketLoggingStatus> =
        carob.setting(documents::LOGGING, &request.extensions, owner).await?;
    let logging_enabled = found.and_then(|found| found.logging_enabled);
    Ok(S3Response::new(GetBucketLoggingOutput { logging_enabled }))
}
