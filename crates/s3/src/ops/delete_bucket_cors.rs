//! Amazon S3 API reference, DeleteBucketCors.

use s3s::dto::{DeleteBucketCorsInput, DeleteBucketCorsOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::documents;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketCorsInput>,
) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
    let input = request.input;
    carob.set(documents::CORS, &request.extensions, input.expected_bucket_owner.as_deref(), None).await?;
    Ok(S3Response::new(DeleteBucketCorsOutput::default()))
}
