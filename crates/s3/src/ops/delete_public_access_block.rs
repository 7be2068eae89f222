//! Amazon S3 API reference, DeletePublicAccessBlock.

use s3s::dto::{DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::PUBLIC_ACCESS_BLOCK;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeletePublicAccessBlockInput>,
) -> S3Result<S3Response<DeletePublicAccessBlockOutput>> {
    let owner = request.input.expected_bucket_owner.as_deref();
    carob.set(PUBLIC_ACCESS_BLOCK, &request.extensions, owner, None).await?;
    Ok(S3Response::new(DeletePublicAccessBlockOutput::default()))
}
