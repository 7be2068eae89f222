//! Amazon S3 API reference, GetBucketTagging.

use s3s::dto::{GetBucketTaggingInput, GetBucketTaggingOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::table::Carob;
use crate::tags;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketTaggingInput>,
) -> S3Result<S3Response<GetBucketTaggingOutput>> {
    let input = request.input;
    let config = carob.config(&request.extensions, input.expected_bucket_owner.as_deref()).await?;
    if config.tags.is_empty() {
        return Err(s3_error!(NoSuchTagSet, "The TagSet does not exist"));
    }
    let tag_set = tags::to_tags(&config.tags, Names::of(&request.extensions, false));
    Ok(S3Response::new(GetBucketTaggingOutput { tag_set }))
}
