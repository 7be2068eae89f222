//! Amazon S3 API reference, DeleteBucketOwnershipControls.

use s3s::dto::{DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::OWNERSHIP;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketOwnershipControlsInput>,
) -> S3Result<S3Response<DeleteBucketOwnershipControlsOutput>> {
    let owner = request.input.expected_bucket_owner.as_deref();
    carob.set(OWNERSHIP, &request.extensions, owner, None).await?;
    Ok(S3Response::new(DeleteBucketOwnershipControlsOutput::default()))
}
