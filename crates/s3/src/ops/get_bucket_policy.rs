//! Amazon S3 API reference, GetBucketPolicy.

use s3s::dto::{GetBucketPolicyInput, GetBucketPolicyOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::access::POLICY;
use crate::error::internal;
use crate::ops::unset::not_found;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketPolicyInput>,
) -> S3Result<S3Response<GetBucketPolicyOutput>> {
    let owner = request.input.expected_bucket_owner.as_deref();
    let config = carob.config(&request.extensions, owner).await?;
    let document = config.documents.get(POLICY);
    let document =
        document.ok_or_else(|| not_found("NoSuchBucketPolicy", "The bucket policy does not exist"))?;
    let policy = String::from_utf8(document.to_vec()).map_err(|error| internal(error.into()))?;
    let mut response = S3Response::new(GetBucketPolicyOutput { policy: Some(policy) });
    let json = http::HeaderValue::from_static("application/json");
    response.headers.insert(http::header::CONTENT_TYPE, json);
    Ok(response)
}
