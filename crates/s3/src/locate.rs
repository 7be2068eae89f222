//! Finding an object, or a version of it, and saying what is there instead.

use std::sync::Arc;

use carob_bucket::{Bucket, Config, DeleteMarker, Found, Object, Record, Snapshot, VersionName, Versioning};
use carob_identity::Timestamp;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header};
use s3s::{S3Error, S3Result};

use crate::access::here;
use crate::error::{access_denied, from_bucket, method_not_allowed, no_such_key, no_such_version};
use crate::lifecycle::Abort;
use crate::table::Carob;
use crate::target::Target;
use crate::{instant, lifecycle};

/// An object that was found.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) object: Object,
    /// `x-amz-version-id`; `None` in a bucket that never had versioning.
    pub(crate) version_id: Option<String>,
    /// When a lifecycle rule takes it away, if it is the current object.
    pub(crate) expiration: Option<String>,
}

impl Carob {
    /// The object, or the version of it that is named, in its bucket: where it had to be looked at before the request was
    /// let in, the very one that was.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied, NoSuchKey, NoSuchVersion, MethodNotAllowed for a delete marker.
    pub(crate) async fn object(&self, extensions: &Extensions, target: Target<'_>) -> S3Result<Located> {
        let (found, config) = self.found(extensions, target).await?;
        located(found, &config, target.key, target.version)
    }

    /// As [`Carob::object`], for what a delete marker has none of: tags, and a list to be put. S3 says so also of one that
    /// is current, where reads of the object find nothing.
    ///
    /// # Errors
    /// As [`Carob::object`].
    pub(crate) async fn amendable(&self, extensions: &Extensions, target: Target<'_>) -> S3Result<Located> {
        match self.found(extensions, target).await? {
            (Found::DeleteMarker(marker), _) => Err(of_marker(marker, method_not_allowed())),
            (found, config) => located(found, &config, target.key, target.version),
        }
    }

    async fn found(&self, extensions: &Extensions, target: Target<'_>) -> S3Result<(Found, Arc<Config>)> {
        let bucket = self.bucket(extensions, target.expected_owner)?;
        let here = here(extensions)?;
        match &here.found {
            Some((key, version, found)) if key == target.key && *version == target.version => {
                Ok((found.clone(), Arc::clone(here.snapshot.config())))
            }
            // Another one than was decided about.
            Some(_) => Err(access_denied()),
            None => {
                let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
                let found = snapshot.find(target.key, target.version).await.map_err(from_bucket)?;
                Ok((found, Arc::clone(snapshot.config())))
            }
        }
    }
}

/// As [`Carob::object`], in a state of a bucket.
pub(crate) async fn find(snapshot: &Snapshot, key: &str, version: Option<VersionName>) -> S3Result<Located> {
    let found = snapshot.find(key, version).await.map_err(from_bucket)?;
    located(found, snapshot.config(), key, version)
}

/// What was found, if it is an object.
///
/// # Errors
/// As [`Carob::object`].
pub(crate) fn located(
    found: Found,
    config: &Config,
    key: &str,
    version: Option<VersionName>,
) -> S3Result<Located> {
    match found {
        Found::Object(object) => {
            let version_id = version_id(object.record(), config);
            let current = version.is_none();
            let expiration = current.then(|| lifecycle::expiration(config, key, object.record()));
            Ok(Located { object, version_id, expiration: expiration.flatten() })
        }
        Found::DeleteMarker(marker) => Err(deleted(marker, version)),
        Found::Nothing if version.is_some() => Err(no_such_version()),
        Found::Nothing => Err(no_such_key()),
    }
}

/// What S3 calls a version in an answer about it: nothing, while the bucket never had versioning.
pub(crate) fn version_id(record: &Record, config: &Config) -> Option<String> {
    let versioned = config.versioning != Versioning::Unversioned;
    versioned.then(|| record.version_name().to_string())
}

/// What S3 calls a version that was just written: nothing, unless the bucket makes versions.
pub(crate) fn written_version(record: &Record) -> Option<String> {
    match record.version_name() {
        VersionName::Null => None,
        VersionName::Id(id) => Some(id.to_string()),
    }
}

/// When a lifecycle rule takes away what was just written. That it is written does not hang on whether this can be
/// told.
pub(crate) async fn expiration(bucket: &Bucket, key: &str, record: &Record) -> Option<String> {
    let snapshot = bucket.snapshot().await.ok()?;
    lifecycle::expiration(snapshot.config(), key, record)
}

/// When a lifecycle rule aborts an upload that began then, as far as this can be told.
pub(crate) async fn abort(bucket: &Bucket, key: &str, initiated: Timestamp) -> Option<Abort> {
    let snapshot = bucket.snapshot().await.ok()?;
    lifecycle::abort(snapshot.config(), key, initiated)
}

/// Says that it is a delete marker that is there, where the current object or this version was asked for.
fn deleted(marker: DeleteMarker, version: Option<VersionName>) -> S3Error {
    of_marker(marker, if version.is_some() { method_not_allowed() } else { no_such_key() })
}

/// Tells in an error which delete marker is there.
pub(crate) fn of_marker(marker: DeleteMarker, mut error: S3Error) -> S3Error {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    headers.insert(HeaderName::from_static("x-amz-delete-marker"), HeaderValue::from_static("true"));
    if let Ok(name) = HeaderValue::try_from(marker.name().to_string()) {
        headers.insert(HeaderName::from_static("x-amz-version-id"), name);
    }
    if *error.code() == s3s::S3ErrorCode::MethodNotAllowed {
        headers.insert(header::ALLOW, HeaderValue::from_static("DELETE"));
        if let Ok(date) = HeaderValue::try_from(instant::http_date(marker.version.time())) {
            headers.insert(header::LAST_MODIFIED, date);
        }
    }
    error.set_headers(headers);
    error
}
