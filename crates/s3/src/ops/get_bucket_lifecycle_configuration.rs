//! Amazon S3 API reference, GetBucketLifecycleConfiguration.

use s3s::dto::{
    BucketLifecycleConfiguration, GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::documents;
use crate::ops::put_bucket_lifecycle_configuration::DEFAULT;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<GetBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
    let input = request.input;
    let owner = input.expected_bucket_owner.as_deref();
    let found: Option<BucketLifecycleConfiguration> =
        carob.setting(documents::LIFECYCLE, &request.extensions, owner).await?;
    let found = found.ok_or_else(|| {
        s3_error!(NoSuchLifecycleConfiguration, "The lifecycle configuration does not exist")
    })?;
    let size = carob.config(&request.extensions, owner).await?;
    let size = size.documents.get(documents::LIFECYCLE_SIZE).and_then(|size| std::str::from_utf8(size).ok());
    Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
        rules: Some(found.rules),
        transition_default_minimum_object_size: Some(size.unwrap_or(DEFAULT).to_owned().into()),
    }))
}
