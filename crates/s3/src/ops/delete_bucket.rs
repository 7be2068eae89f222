//! Amazon S3 API reference, DeleteBucket.

use carob_bucket::{BucketError, Versioning};
use s3s::dto::{DeleteBucketInput, DeleteBucketOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::here;
use crate::error::from_bucket;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketInput>,
) -> S3Result<S3Response<DeleteBucketOutput>> {
    let input = request.input;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let versioned = here(&request.extensions)?.snapshot.config().versioning != Versioning::Unversioned;
    bucket.delete_bucket().await.map_err(|error| match error {
        BucketError::BucketNotEmpty(_) if versioned => s3_error!(
            BucketNotEmpty,
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        ),
        error => from_bucket(error),
    })?;
    // Another bucket of the name is not logged because this one was.
    carob.access_logs.set(bucket.info(), None);
    Ok(S3Response::new(DeleteBucketOutput::default()))
}
