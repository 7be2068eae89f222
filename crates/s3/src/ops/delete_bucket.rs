//! Amazon S3 API reference, DeleteBucket.

use s3s::dto::{DeleteBucketInput, DeleteBucketOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::error::from_bucket;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let input = request.input;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    bucket.delete_bucket().await.map_err(from_bucket)?;
    // Another bucket of the name is not logged because this one was.
    carob.access_logs.set(bucket.info(), None);
    Ok(S3Response::new(DeleteBucketOutput::default()))
}
