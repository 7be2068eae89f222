//! What CopyObject and UploadPartCopy share: the source, and whether it may be copied.

use std::ops::Range;

use carob_bucket::{Bucket, ChecksumAlgorithm, Found, Object, Seal, Share, Uploaded, VersionName};
use carob_identity::Action;
use futures::StreamExt;
use http::{Extensions, HeaderMap};
use s3s::dto::CopySource;
use s3s::{S3ErrorCode, S3Result, s3_error};

use crate::access::{Deed, Here, asker};
use crate::conditions::SourceConditional;
use crate::context::{FailedSource, RequestContext};
use crate::error::{access_denied, from_bucket, internal, not_implemented, precondition_failed, slow_down};
use crate::locate::{Located, located};
use crate::table::{Carob, check_owner};
use crate::target::parse_version;

/// What is to be copied, and the bucket that it is in.
pub(super) struct Copied {
    pub(super) here: Here,
    pub(super) located: Located,
}

/// What a copy takes of any size: two leaves on their way out of the store, and two on their way in; twice that, where
/// they are encrypted.
const COPY_MEMORY: usize = 8 << 20;

/// Memory for a copy that reads `size` bytes, all at once: one that holds what it reads while it waits for what it writes
/// could wait for itself.
///
/// # Errors
/// SlowDown.
pub(super) async fn memory(carob: &Carob, size: u64) -> S3Result<Share> {
    let memory = usize::try_from(size.saturating_mul(4)).unwrap_or(COPY_MEMORY).min(COPY_MEMORY);
    carob.bodies.enter(memory).await.ok_or_else(slow_down)
}

/// Reads bytes `range` of a source and stores them anew.
///
/// # Errors
/// What the bucket says.
pub(super) async fn rewrite(
    bucket: &Bucket,
    source: &Object,
    range: Range<u64>,
    checksums: &[ChecksumAlgorithm],
    seal: Option<&Seal>,
) -> S3Result<Uploaded> {
    let length = range.end.saturating_sub(range.start);
    let mut upload = bucket.sealed_upload(checksums, seal);
    let mut body = source.read(range);
    while let Some(chunk) = body.next().await {
        upload.write(chunk.map_err(from_bucket)?).await.map_err(from_bucket)?;
    }
    if upload.written() != length {
        return Err(internal("the source ended early".into()));
    }
    upload.finish().await.map_err(from_bucket)
}

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
) -> S3Result<Copied> {
    let source = Source::of(source)?;
    let found = find_source(carob, extensions, source, expected_owner).await;
    if let (Err(_), Some(context)) = (&found, RequestContext::of(extensions)) {
        context.set_failed_source(FailedSource {
            bucket: source.bucket.to_owned(),
            key: source.key.to_owned(),
            version: source.version.map(|version| version.to_string()),
        });
    }
    found
}

async fn find_source(
    carob: &Carob,
    extensions: &mut Extensions,
    source: Source<'_>,
    expected_owner: Option<&str>,
) -> S3Result<Copied> {
    let Source { bucket, key, version } = source;
    let (gatekeeper, asker) = (&carob.gatekeeper, asker(extensions)?);
    let here = gatekeeper.resolve(asker, bucket, None).await?;
    let found = here.snapshot.find(key, version).await.map_err(from_bucket)?;
    let right = if version.is_some() { Action::GET_OBJECT_VERSION } else { Action::GET_OBJECT };
    let deed = Deed::on_key(right, key).of_version(version);
    let allowed = match &found {
        Found::Object(object) => gatekeeper.allows(asker, &here, deed.to(Some(object.record()))),
        Found::DeleteMarker(_) | Found::Nothing => gatekeeper.tells_of_absence(asker, &here, key, version),
    };
    if !allowed {
        return Err(access_denied());
    }
    check_owner(&here.bucket, expected_owner)?;
    let located = located(found, here.snapshot.config(), key, version).map_err(|error| {
        if *error.code() != S3ErrorCode::MethodNotAllowed {
            return error;
        }
        s3_error!(
            InvalidRequest,
            "The source of a copy request may not specifically refer to a delete marker by version id."
        )
    })?;
    let conditions = extensions.remove::<SourceConditional>().unwrap_or_default();
    if conditions.holds(located.object.record()) {
        Ok(Copied { here, located })
    } else {
        Err(precondition_failed())
    }
}

/// Takes each `+` of the header for a space, as Amazon S3 does and s3s does not: clients that escape as in a form
/// write one so, and all others write a plus as `%2B`.
///
/// # Errors
/// InvalidArgument for a header that cannot be read.
pub(super) fn read_plus(headers: &HeaderMap, source: &mut CopySource) -> S3Result<()> {
    let text = headers.get("x-amz-copy-source").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if text.contains('+') {
        let spaced = text.replace('+', "%20");
        *source = CopySource::parse(&spaced)
            .map_err(|error| s3_error!(error, InvalidArgument, "Invalid copy source"))?;
    }
    Ok(())
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
