//! Amazon S3 API reference, PutObjectTagging.

use carob_bucket::Amendment;
use s3s::dto::{PutObjectTaggingInput, PutObjectTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::table::Carob;
use crate::tags::{self, Tagged};
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = request.input;
    let tags = tags::from_document(input.tagging.clone(), Tagged::Object)?;
    let version_id = carob.amend(input.target()?, Amendment::Tags(tags)).await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}
