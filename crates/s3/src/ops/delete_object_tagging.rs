//! Amazon S3 API reference, DeleteObjectTagging.

use std::collections::BTreeMap;

use carob_bucket::Amendment;
use s3s::dto::{DeleteObjectTaggingInput, DeleteObjectTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::table::Carob;
use crate::target::NamesVersion;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let version_id =
        carob.amend(&request.extensions, request.input.target()?, Amendment::Tags(BTreeMap::new())).await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
}
