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
    let owner = input.expected_bucket_owner.as_deref();
    let settings = [(documents::LIFECYCLE, None), (documents::LIFECYCLE_SIZE, None)];
    carob.set_all(settings, &request.extensions, owner).await?;
    Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
}
