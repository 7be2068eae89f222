//! Amazon S3 API reference, AbortMultipartUpload.

use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::error::from_bucket;
use crate::ops::multipart::upload_id;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = request.input;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let id = upload_id(&input.upload_id)?;
    bucket.abort_upload(&input.key, id).await.map_err(from_bucket)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
