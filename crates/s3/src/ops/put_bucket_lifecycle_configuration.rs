//! Amazon S3 API reference, PutBucketLifecycleConfiguration, and PutBucketLifecycle, which asks for less.

use bytes::Bytes;
use s3s::dto::{
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
    TransitionDefaultMinimumObjectSize as Size,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::context::RequestContext;
use crate::documents;
use crate::error::malformed_xml;
use crate::lifecycle::{self, Rules};
use crate::table::Carob;

/// What is not moved to another storage class unless a rule says so: nothing below 128 KiB. It is kept for whoever asks.
pub(super) const DEFAULT: &str = Size::ALL_STORAGE_CLASSES_128K;

/// What `x-amz-transition-default-minimum-object-size` says.
///
/// # Errors
/// InvalidRequest for what Amazon S3 does not know.
fn minimum_size(asked: Option<Size>) -> S3Result<Size> {
    let size = asked.unwrap_or_else(|| Size::from_static(DEFAULT));
    match size.as_str() {
        DEFAULT | Size::VARIES_BY_STORAGE_CLASS => Ok(size),
        other => Err(s3_error!(InvalidRequest, "Invalid TransitionDefaultMinimumObjectSize found: {other}")),
    }
}

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
    let unique = RequestContext::of(&request.extensions).map_or("rule", |context| context.id());
    let input = request.input;
    let size = minimum_size(input.transition_default_minimum_object_size)?;
    let mut document = input.lifecycle_configuration.ok_or_else(malformed_xml)?;
    Rules::parse(&document)?;
    lifecycle::in_utc(&mut document)?;
    for (number, rule) in document.rules.iter_mut().enumerate() {
        // Amazon S3 names rules that come without a name, too.
        if rule.id.as_ref().is_none_or(String::is_empty) {
            rule.id = Some(format!("{unique}-{number}"));
        }
    }
    let text = documents::write(&document)?;
    let kept = (size.as_str() != DEFAULT).then(|| Bytes::copy_from_slice(size.as_str().as_bytes()));
    let owner = input.expected_bucket_owner.as_deref();
    let settings = [(documents::LIFECYCLE, Some(text)), (documents::LIFECYCLE_SIZE, kept)];
    carob.set_all(settings, &request.extensions, owner).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(size),
    }))
}
