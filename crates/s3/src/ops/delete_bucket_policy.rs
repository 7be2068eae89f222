//! Amazon S3 API reference, DeleteBucketPolicy.

use s3s::dto::{DeleteBucketPolicyInput, DeleteBucketPolicyOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::POLICY;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketPolicyInput>,
) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
    let owner = request.input.expected_bucket_owner.as_deref();
    carob.set(POLICY, &request.extensions, owner, None).await?;
    Ok(S3Response::new(DeleteBucketPolicyOutput::default()))
}
