//! Amazon S3 API reference, DeleteBucketLifecycle.

use s3s::dto::{DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketLifecycleInput>,
) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
    let input = request.input;
    carob
        .set(documents::LIFECYCLE, &request.extensions, input.expected_bucket_owner.as_deref(), None)
        .await?;
    Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
}
