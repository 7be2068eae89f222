//! What CopyObject and UploadPartCopy share: the source, and whether it may be copied.

use carob_bucket::Object;
use carob_identity::{Action, Resource};
use http::Extensions;
use s3s::dto::CopySource;
use s3s::{S3Result, s3_error};

use crate::conditions::SourceConditional;
use crate::error::{access_denied, from_bucket, no_such_key, not_implemented, precondition_failed};
use crate::ops::reading::check_version;
use crate::table::{Carob, identity};

/// Finds what is to be copied, if the caller may read it and it is as the conditions say.
///
/// # Errors
/// AccessDenied before anything else is told; NoSuchBucket, NoSuchKey, InvalidArgument for a version that is not
/// there, PreconditionFailed.
pub(super) async fn find(
    carob: &Carob,
    extensions: &mut Extensions,
    source: &CopySource,
    expected_owner: Option<&str>,
) -> S3Result<Object> {
    let (bucket, key, version) = named(source)?;
    let resource = Resource::Object { bucket, key };
    if !carob.gatekeeper.allows(&identity(extensions)?, Action::GET_OBJECT, resource).await? {
        return Err(access_denied());
    }
    check_version(version)?;
    let bucket = carob.bucket(bucket, expected_owner).await?;
    let object = bucket.get(key).await.map_err(from_bucket)?.ok_or_else(no_such_key)?;
    let conditions = extensions.remove::<SourceConditional>().unwrap_or_default();
    if conditions.holds(object.record()) { Ok(object) } else { Err(precondition_failed()) }
}

/// Bucket, key and version of a source.
///
/// # Errors
/// NotImplemented for access points.
pub(super) fn named(source: &CopySource) -> S3Result<(&str, &str, Option<&str>)> {
    match source {
        CopySource::Bucket { key, .. } if key.is_empty() => Err(s3_error!(
            InvalidArgument,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        )),
        CopySource::Bucket { bucket, key, version_id } => Ok((bucket, key, version_id.as_deref())),
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => Err(not_implemented("access points")),
    }
}
