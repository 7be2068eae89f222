//! What CopyObject and UploadPartCopy share: the source, and whether it may be copied.

use carob_bucket::Object;
use carob_identity::{Action, Resource};
use http::Extensions;
use s3s::dto::CopySource;
use s3s::{S3Result, s3_error};

use crate::conditions::SourceConditional;
use crate::error::{access_denied, not_implemented, precondition_failed};
use crate::table::{Carob, identity};
use crate::target::{Target, Version};

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
    let Source { bucket, key, version_id } = Source::of(source)?;
    let resource = Resource::Object { bucket, key };
    if !carob.gatekeeper.allows(&identity(extensions)?, Action::GET_OBJECT, resource).await? {
        return Err(access_denied());
    }
    let version = Version::parse(version_id)?;
    let object = carob.object(Target { bucket, key, version, expected_owner }).await?;
    let conditions = extensions.remove::<SourceConditional>().unwrap_or_default();
    if conditions.holds(object.record()) { Ok(object) } else { Err(precondition_failed()) }
}

/// What `x-amz-copy-source` names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) version_id: Option<&'a str>,
}

impl<'a> Source<'a> {
    /// # Errors
    /// InvalidArgument without a key, NotImplemented for access points.
    pub(super) fn of(source: &'a CopySource) -> S3Result<Self> {
        match source {
            CopySource::Bucket { key, .. } if key.is_empty() => Err(s3_error!(
                InvalidArgument,
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
            )),
            CopySource::Bucket { bucket, key, version_id } => {
                Ok(Self { bucket, key, version_id: version_id.as_deref() })
            }
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
                Err(not_implemented("access points"))
            }
        }
    }
}
