//! Amazon S3 API reference, PutBucketEncryption.

use s3s::dto::{PutBucketEncryptionInput, PutBucketEncryptionOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::table::Carob;
use crate::{documents, encryption};

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketEncryptionInput>,
) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
    let input = request.input;
    let setting = input.server_side_encryption_configuration;
    encryption::check(&setting)?;
    let text = documents::write(&setting)?;
    let owner = input.expected_bucket_owner.as_deref();
    carob.set(encryption::DOCUMENT, &request.extensions, owner, Some(text)).await?;
    Ok(S3Response::new(PutBucketEncryptionOutput::default()))
}
