//! What CopyObject and UploadPartCopy share: the source, and whether it may be copied.

use carob_bucket::VersionName;
use carob_identity::{Action, Resource};
use http::Extensions;
use s3s::dto::CopySource;
use s3s::{S3ErrorCode, S3Result, s3_error};

use crate::conditions::SourceConditional;
use crate::error::{not_implemented, precondition_failed};
use crate::locate::Located;
use crate::table::{Carob, identity};
use crate::target::{Target, parse_version};

/// Finds what is to be copied, if the caller may read it and it is as the conditions say.
///
/// # Errors
/// AccessDenied before anything else is told; NoSuchBucket, NoSuchKey, NoSuchVersion, InvalidRequest for a delete
/// marker, PreconditionFailed.
pub(super) async fn find(
    carob: &Carob,
    extensions: &mut Extensions,
    source: &CopySource,
    expected_owner: Option<&str>,
) -> S3Result<Located> {
    let Source { bucket, key, version } = Source::of(source)?;
    let resource = Resource::Object { bucket, key };
    let right = if version.is_some() { Action::GET_OBJECT_VERSION } else { Action::GET_OBJECT };
    carob.gatekeeper.require(&identity(extensions)?, right, resource, None).await?;
    let found = carob.object(Target { bucket, key, version, expected_owner }).await.map_err(|error| {
        if *error.code() != S3ErrorCode::MethodNotAllowed {
            return error;
        }
        s3_error!(
            InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    })?;
    let conditions = extensions.remove::<SourceConditional>().unwrap_or_default();
    if conditions.holds(found.object.record()) { Ok(found) } else { Err(precondition_failed()) }
}

/// What `x-amz-copy-source` names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) version: Option<VersionName>,
}

impl<'a> Source<'a> {
    /// # Errors
    /// InvalidArgument without a key or with a version that is none, NotImplemented for access points.
    pub(super) fn of(source: &'a CopySource) -> S3Result<Self> {
        match source {
            CopySource::Bucket { key, .. } if key.is_empty() => Err(s3_error!(
                InvalidArgument,
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
            )),
            CopySource::Bucket { bucket, key, version_id } => {
                Ok(Self { bucket, key, version: parse_version(version_id.as_deref())? })
            }
            CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
                Err(not_implemented("access points"))
            }
        }
    }
}

/// Bucket and key of a source, for fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn copied(source: &CopySource) -> Option<(&str, &str)> {
    Source::of(source).ok().map(|source| (source.bucket, source.key))
}
