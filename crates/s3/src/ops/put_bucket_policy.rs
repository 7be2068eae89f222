//! Amazon S3 API reference, PutBucketPolicy.

use carob_policy::Policy;
use s3s::dto::{PutBucketPolicyInput, PutBucketPolicyOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::access::{POLICY, here};
use crate::error::access_denied;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketPolicyInput>,
) -> S3Result<S3Response<PutBucketPolicyOutput>> {
    let input = request.input;
    let policy = Policy::parse(input.policy.as_bytes(), &input.bucket)
        .map_err(|malformed| s3_error!(MalformedPolicy, "{malformed}"))?;
    if here(&request.extensions)?.rules.block.block_public_policy && policy.is_public() {
        return Err(access_denied());
    }
    // Kept as it came, since it is told so again.
    let owner = input.expected_bucket_owner.as_deref();
    carob.set(POLICY, &request.extensions, owner, Some(input.policy.into())).await?;
    Ok(S3Response::new(PutBucketPolicyOutput::default()))
}
