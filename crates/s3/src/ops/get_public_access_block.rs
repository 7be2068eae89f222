//! Amazon S3 API reference, GetPublicAccessBlock.

use s3s::dto::{GetPublicAccessBlockInput, GetPublicAccessBlockOutput, PublicAccessBlockConfiguration};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::{PUBLIC_ACCESS_BLOCK, here};
use crate::ops::unset::not_found;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetPublicAccessBlockInput>,
) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
    carob.bucket(&request.extensions, request.input.expected_bucket_owner.as_deref())?;
    let here = here(&request.extensions)?;
    if !here.snapshot.config().documents.contains_key(PUBLIC_ACCESS_BLOCK) {
        return Err(not_found(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        ));
    }
    let block = here.rules.block;
    Ok(S3Response::new(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_public_acls),
            ignore_public_acls: Some(block.ignore_public_acls),
            block_public_policy: Some(block.block_public_policy),
            restrict_public_buckets: Some(block.restrict_public_buckets),
        }),
    }))
}
