//! What a bucket encrypts by itself.

use carob_bucket::Bucket;
use s3s::dto::{ServerSideEncryptionConfiguration, ServerSideEncryptionRule};
use s3s::{S3Result, s3_error};

use super::asked::{Named, managed, named_key};
use super::{AES256, Wanted};
use crate::documents;
use crate::error::{from_bucket, malformed_xml};

/// The name of the setting.
pub(crate) const DOCUMENT: &str = "encryption";

/// What a bucket may block.
const SSE_C: &str = "SSE-C";

/// What new objects of a bucket are encrypted under that bring nothing themselves.
///
/// # Errors
/// NoSuchBucket; InternalError for a setting that cannot be read.
pub(super) async fn default_of(bucket: &Bucket) -> S3Result<Option<Wanted>> {
    match rule_of(bucket).await? {
        Some(rule) => wanted(&rule),
        None => Ok(None),
    }
}

/// Whether a bucket takes no objects that a customer's key encrypts (Amazon S3 user guide, "Blocking or unblocking
/// SSE-C").
///
/// # Errors
/// As [`default_of`].
pub(super) async fn blocks_customer_keys(bucket: &Bucket) -> S3Result<bool> {
    let blocked = rule_of(bucket).await?.and_then(|rule| rule.blocked_encryption_types?.encryption_type);
    Ok(blocked.unwrap_or_default().iter().any(|kind| kind.as_str() == SSE_C))
}

async fn rule_of(bucket: &Bucket) -> S3Result<Option<ServerSideEncryptionRule>> {
    let snapshot = bucket.snapshot().await.map_err(from_bucket)?;
    let Some(text) = snapshot.config().documents.get(DOCUMENT) else { return Ok(None) };
    let setting: ServerSideEncryptionConfiguration = documents::read(text)?;
    Ok(setting.rules.into_iter().next())
}

/// Checks a setting that is to be stored.
///
/// # Errors
/// MalformedXML, InvalidArgument.
pub(crate) fn check(setting: &ServerSideEncryptionConfiguration) -> S3Result<()> {
    let [rule] = &setting.rules[..] else { return Err(malformed_xml()) };
    let blocked =
        rule.blocked_encryption_types.as_ref().and_then(|blocked| blocked.encryption_type.as_deref());
    if blocked.is_some_and(|kinds| kinds.iter().any(|kind| ![SSE_C, "NONE"].contains(&kind.as_str()))) {
        return Err(malformed_xml());
    }
    let Some(default) = &rule.apply_server_side_encryption_by_default else {
        return if blocked.is_some() { Ok(()) } else { Err(malformed_xml()) };
    };
    let method = default.sse_algorithm.as_str();
    if ![AES256, "aws:kms", "aws:kms:dsse"].contains(&method) {
        return Err(malformed_xml());
    }
    match &default.kms_master_key_id {
        Some(_) if method == AES256 => Err(s3_error!(
            InvalidArgument,
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
        )),
        Some(key) => named_key(key).map(drop),
        None => Ok(()),
    }
}

fn wanted(rule: &ServerSideEncryptionRule) -> S3Result<Option<Wanted>> {
    let Some(default) = &rule.apply_server_side_encryption_by_default else { return Ok(None) };
    let method = default.sse_algorithm.as_str();
    if method == AES256 {
        return Ok(Some(Wanted::Space));
    }
    let key = default.kms_master_key_id.as_deref().map(named_key).transpose()?.unwrap_or_else(managed);
    let bucket_key = rule.bucket_key_enabled;
    Ok(Some(Wanted::Named(Named { key, dual: method == "aws:kms:dsse", context: None, bucket_key })))
}
