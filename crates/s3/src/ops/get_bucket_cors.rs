//! Amazon S3 API reference, GetBucketCors.

use s3s::dto::{CORSConfiguration, GetBucketCorsInput, GetBucketCorsOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketCorsInput>,
) -> S3Result<S3Response<GetBucketCorsOutput>> {
    let input = request.input;
    let owner = input.expected_bucket_owner.as_deref();
    let found: Option<CORSConfiguration> = carob.setting(documents::CORS, &request.extensions, owner).await?;
    let found =
        found.ok_or_else(|| s3_error!(NoSuchCORSConfiguration, "The CORS configuration does not exist"))?;
    Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(found.cors_rules) }))
}
