//! Amazon S3 API reference, DeleteBucketEncryption.

use s3s::dto::{DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::encryption::DOCUMENT;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketEncryptionInput>,
) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
    let input = request.input;
    carob.set(DOCUMENT, &request.extensions, input.expected_bucket_owner.as_deref(), None).await?;
    Ok(S3Response::new(DeleteBucketEncryptionOutput::default()))
}
