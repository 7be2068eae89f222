//! Amazon S3 API reference, DeleteBucketTagging.

use std::collections::BTreeMap;

use s3s::dto::{DeleteBucketTaggingInput, DeleteBucketTaggingOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::ops::put_bucket_tagging::set;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<DeleteBucketTaggingInput>,
) -> S3Result<S3Response<DeleteBucketTaggingOutput>> {
    let input = request.input;
    set(carob, &request.extensions, input.expected_bucket_owner.as_deref(), BTreeMap::new()).await?;
    Ok(S3Response::new(DeleteBucketTaggingOutput::default()))
}
