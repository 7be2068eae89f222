//! Amazon S3 API reference, PutBucketVersioning.

use carob_bucket::{BucketError, Versioning};
use s3s::dto::{MFADelete, PutBucketVersioningInput, PutBucketVersioningOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::error::{from_bucket, malformed_xml, not_implemented};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let input = request.input;
    let asked = input.versioning_configuration;
    if asked.mfa_delete.is_some_and(|mfa| mfa.as_str() != MFADelete::DISABLED) {
        return Err(not_implemented("MfaDelete"));
    }
    let versioning = match asked.status.as_ref().map(s3s::dto::BucketVersioningStatus::as_str) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(malformed_xml()),
        None => {
            return Err(s3_error!(
                IllegalVersioningConfigurationException,
                "The Versioning element must be specified"
            ));
        }
    };
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let change = move |config: &mut carob_bucket::Config| {
        config.versioning = versioning;
        Ok(())
    };
    bucket.configure(change).await.map_err(|error| match error {
        BucketError::VersioningState(_) => s3_error!(
            InvalidBucketState,
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."
        ),
        error => from_bucket(error),
    })?;
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}
