//! Amazon S3 API reference, PutBucketTagging.

use std::collections::BTreeMap;

use http::{Extensions, StatusCode};
use s3s::dto::{PutBucketTaggingInput, PutBucketTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::answer::Success;
use crate::error::from_bucket;
use crate::table::Carob;
use crate::tags::{self, Tagged};

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketTaggingInput>,
) -> S3Result<S3Response<PutBucketTaggingOutput>> {
    let input = request.input;
    let tags = tags::from_document(input.tagging, Tagged::Bucket)?;
    set(carob, &request.extensions, input.expected_bucket_owner.as_deref(), tags).await?;
    let mut response = S3Response::new(PutBucketTaggingOutput::default());
    response.extensions.insert(Success(StatusCode::NO_CONTENT));
    Ok(response)
}

/// Puts these tags in place of the bucket's.
pub(super) async fn set(
    carob: &Carob,
    extensions: &Extensions,
    owner: Option<&str>,
    tags: BTreeMap<String, String>,
) -> S3Result<()> {
    let bucket = carob.bucket(extensions, owner)?;
    let change = move |config: &mut carob_bucket::Config| {
        config.tags.clone_from(&tags);
        Ok(())
    };
    bucket.configure(change).await.map(drop).map_err(from_bucket)
}
