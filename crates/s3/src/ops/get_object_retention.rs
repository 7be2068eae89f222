//! Amazon S3 API reference, GetObjectRetention.

use s3s::dto::{GetObjectRetentionInput, GetObjectRetentionOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::protection::to_document;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetObjectRetentionInput>,
) -> S3Result<S3Response<GetObjectRetentionOutput>> {
    let lock = carob.lock(&request.extensions, request.input.target()?).await?;
    let retention = lock.retention.ok_or_else(super::no_object_lock)?;
    Ok(S3Response::new(GetObjectRetentionOutput { retention: Some(to_document(retention)) }))
}
