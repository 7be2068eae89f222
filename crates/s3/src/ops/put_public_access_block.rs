//! Amazon S3 API reference, PutPublicAccessBlock.

use carob_policy::PublicAccessBlock;
use s3s::dto::{PublicAccessBlockConfiguration, PutPublicAccessBlockInput, PutPublicAccessBlockOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::PUBLIC_ACCESS_BLOCK;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutPublicAccessBlockInput>,
) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
    let input = request.input;
    let text = read(&input.public_access_block_configuration).to_text();
    let owner = input.expected_bucket_owner.as_deref();
    carob.set(PUBLIC_ACCESS_BLOCK, &request.extensions, owner, Some(text.into())).await?;
    Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
}

/// What is not said is off.
fn read(configuration: &PublicAccessBlockConfiguration) -> PublicAccessBlock {
    PublicAccessBlock {
        block_public_acls: configuration.block_public_acls.unwrap_or(false),
        ignore_public_acls: configuration.ignore_public_acls.unwrap_or(false),
        block_public_policy: configuration.block_public_policy.unwrap_or(false),
        restrict_public_buckets: configuration.restrict_public_buckets.unwrap_or(false),
    }
}
