//! Amazon S3 API reference, GetBucketEncryption. A bucket without the setting stores bodies as they are, and says so.

use http::StatusCode;
use s3s::dto::{GetBucketEncryptionInput, GetBucketEncryptionOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::encryption::DOCUMENT;
use crate::error::custom;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketEncryptionInput>,
) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
    let input = request.input;
    let setting =
        carob.setting(DOCUMENT, &request.extensions, input.expected_bucket_owner.as_deref()).await?;
    let setting = setting.ok_or_else(|| {
        custom(
            "ServerSideEncryptionConfigurationNotFoundError",
            StatusCode::NOT_FOUND,
            "The server side encryption configuration was not found",
        )
    })?;
    Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(setting) }))
}
