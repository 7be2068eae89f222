//! Amazon S3 API reference, PutBucketCors.

use s3s::dto::{PutBucketCorsInput, PutBucketCorsOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::table::Carob;
use crate::{cors, documents};

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketCorsInput>,
) -> S3Result<S3Response<PutBucketCorsOutput>> {
    let input = request.input;
    cors::check(&input.cors_configuration)?;
    let text = documents::write(&input.cors_configuration)?;
    carob
        .set(documents::CORS, &request.extensions, input.expected_bucket_owner.as_deref(), Some(text))
        .await?;
    Ok(S3Response::new(PutBucketCorsOutput::default()))
}
