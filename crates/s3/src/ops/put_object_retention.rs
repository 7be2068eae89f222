//! Amazon S3 API reference, PutObjectRetention.

use carob_bucket::Amendment;
use s3s::dto::{PutObjectRetentionInput, PutObjectRetentionOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::protection::from_document;
use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectRetentionInput>,
) -> S3Result<S3Response<PutObjectRetentionOutput>> {
    let input = request.input;
    let target = input.target()?;
    let retention = from_document(input.retention.as_ref())?;
    let asked = input.bypass_governance_retention.unwrap_or(false);
    let bypass = carob.bypasses(asked, &request.extensions, target.key)?;
    carob.amend(&request.extensions, target, Amendment::Retention { retention, bypass }).await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}
