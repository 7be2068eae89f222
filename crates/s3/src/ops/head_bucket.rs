//! Amazon S3 API reference, HeadBucket.

use s3s::dto::{HeadBucketInput, HeadBucketOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<HeadBucketInput>,
) -> S3Result<S3Response<HeadBucketOutput>> {
    let input = request.input;
    carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let bucket_region = Some(carob.region.to_string());
    Ok(S3Response::new(HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() }))
}
