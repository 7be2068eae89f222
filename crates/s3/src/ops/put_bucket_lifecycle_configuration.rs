//! Amazon S3 API reference, PutBucketLifecycleConfiguration, and PutBucketLifecycle, which asks for less.

use s3s::dto::{PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::context::RequestContext;
use crate::documents;
use crate::error::malformed_xml;
use crate::lifecycle::{self, Rules};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<PutBucketLifecycleConfigurationInput>,
) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
    let unique = RequestContext::of(&request.extensions).map_or("rule", |context| context.id());
    let input = request.input;
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
    let owner = input.expected_bucket_owner.as_deref();
    carob.set(documents::LIFECYCLE, &request.extensions, owner, Some(text)).await?;
    Ok(S3Response::new(PutBucketLifecycleConfigurationOutput::default()))
}
