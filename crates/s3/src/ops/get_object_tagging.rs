//! Amazon S3 API reference, GetObjectTagging.

use s3s::dto::{GetObjectTaggingInput, GetObjectTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::locate::Located;
use crate::table::Carob;
use crate::tags;
use crate::target::NamesVersion;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let Located { object, version_id, .. } =
        carob.amendable(&request.extensions, request.input.target()?).await?;
    let tag_set = tags::to_tags(&object.record().tags, Names::of(&request.extensions, false));
    Ok(S3Response::new(GetObjectTaggingOutput { tag_set, version_id }))
}
