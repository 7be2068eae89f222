//! What the operations on tags, retention and legal holds share.

use std::sync::Arc;

use carob_bucket::{Amendment, BucketError, Config, Lock};
use carob_identity::Action;
use http::Extensions;
use s3s::{S3Result, s3_error};

use crate::access::{Deed, asker, here};
use crate::error::{from_bucket, method_not_allowed};
use crate::locate::{find, of_marker, version_id};
use crate::table::Carob;
use crate::target::Target;

/// Whether a request asks to bypass governance.
///
/// # Errors
/// InvalidArgument in a bucket without object lock, whatever it says.
pub(crate) fn asks_to_bypass(stated: Option<bool>, extensions: &Extensions) -> S3Result<bool> {
    if stated.is_some() && here(extensions)?.snapshot.config().object_lock.is_none() {
        return Err(s3_error!(
            InvalidArgument,
            "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets."
        ));
    }
    Ok(stated.unwrap_or(false))
}

impl Carob {
    /// How a bucket is configured.
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied.
    pub(crate) async fn config(
        &self,
        extensions: &Extensions,
        expected_owner: Option<&str>,
    ) -> S3Result<Arc<Config>> {
        let bucket = self.bucket(extensions, expected_owner)?;
        Ok(Arc::clone(bucket.snapshot().await.map_err(from_bucket)?.config()))
    }

    /// Amends a version, and says what S3 calls it.
    ///
    /// # Errors
    /// As [`Carob::object`]; what the bucket says.
    pub(crate) async fn amend(
        &self,
        extensions: &Extensions,
        target: Target<'_>,
        amendment: Amendment,
    ) -> S3Result<Option<String>> {
        let bucket = self.bucket(extensions, target.expected_owner)?;
        match bucket.amend(target.key, target.version, amendment).await {
            Ok(written) => {
                let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
                Ok(version_id(&written.record, snapshot.config()))
            }
            // What was refused is not looked for again: meanwhile something else may stand there, not amended.
            Err(BucketError::IsDeleteMarker(marker)) => Err(of_marker(marker, method_not_allowed())),
            Err(error) => Err(from_bucket(error)),
        }
    }

    /// What protects a version.
    ///
    /// # Errors
    /// As [`Carob::object`]; InvalidRequest in a bucket without object lock.
    pub(crate) async fn lock(&self, extensions: &Extensions, target: Target<'_>) -> S3Result<Lock> {
        let bucket = self.bucket(extensions, target.expected_owner)?;
        let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
        let located = find(&snapshot, target.key, target.version).await?;
        if snapshot.config().object_lock.is_none() {
            return Err(from_bucket(BucketError::LockNotEnabled));
        }
        Ok(located.object.record().lock)
    }

    /// Whether governance is bypassed: asked for, and allowed.
    ///
    /// # Errors
    /// AccessDenied for who asks without the right.
    pub(crate) fn bypasses(&self, asked: bool, extensions: &Extensions, key: &str) -> S3Result<bool> {
        if asked {
            let deed = Deed::on_key(Action::BYPASS_GOVERNANCE_RETENTION, key);
            self.gatekeeper.require(asker(extensions)?, here(extensions)?, deed)?;
        }
        Ok(asked)
    }
}
