//! The few XML documents that the client reads and writes.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Answer of ListObjectsV2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListBucketResult {
    pub(super) is_truncated: bool,
    pub(super) next_continuation_token: Option<String>,
    #[serde(default)]
    pub(super) contents: Vec<Contents>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Contents {
    pub(super) key: String,
    /// s3s-fs leaves it out.
    #[serde(rename = "ETag", default)]
    pub(super) etag: String,
    pub(super) size: u64,
}

/// Body of DeleteObjects.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Delete<'a> {
    pub(super) object: Vec<ObjectIdentifier<'a>>,
    pub(super) quiet: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ObjectIdentifier<'a> {
    pub(super) key: &'a str,
}

/// Answer of DeleteObjects.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteResult {
    #[serde(default)]
    pub(super) deleted: Vec<Deleted>,
    #[serde(default)]
    pub(super) error: Vec<DeleteError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Deleted {
    pub(super) key: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteError {
    pub(super) key: String,
    pub(super) code: String,
}

/// Answer of CreateMultipartUpload.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InitiateMultipartUploadResult {
    pub(super) upload_id: String,
}

/// Answer of CopyObject and UploadPartCopy.
#[derive(Debug, Deserialize)]
pub(super) struct CopyResult {
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

/// Body of CompleteMultipartUpload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CompleteMultipartUpload {
    pub(super) part: Vec<CompletedPart>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CompletedPart {
    pub(super) part_number: u16,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

/// Answer of CompleteMultipartUpload.
#[derive(Debug, Deserialize)]
pub(super) struct CompleteMultipartUploadResult {
    #[serde(rename = "ETag")]
    pub(super) etag: String,
}

/// Answer of ListMultipartUploads.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListMultipartUploadsResult {
    pub(super) is_truncated: bool,
    #[serde(default)]
    pub(super) upload: Vec<Upload>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) upload_id: String,
}

/// Answer of ListParts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPartsResult {
    pub(super) is_truncated: bool,
    #[serde(default)]
    pub(super) part: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Part {
    pub(super) part_number: u16,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    pub(super) size: u64,
}

/// Any error answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ErrorAnswer {
    pub(super) code: String,
    #[serde(default)]
    pub(super) message: String,
}

/// Body of PutBucketVersioning, answer of GetBucketVersioning.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersioningConfiguration {
    pub(super) status: Option<String>,
}

/// Answer of ListObjectVersions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListVersionsResult {
    pub(super) is_truncated: bool,
    pub(super) next_key_marker: Option<String>,
    pub(super) next_version_id_marker: Option<String>,
    // Named, so that only the entries are left for the list.
    _name: IgnoredAny,
    _prefix: IgnoredAny,
    _max_keys: IgnoredAny,
    _key_marker: IgnoredAny,
    _version_id_marker: IgnoredAny,
    /// In the order of the document.
    #[serde(rename = "$value", default)]
    pub(super) entries: Vec<VersionsEntry>,
}

#[derive(Debug, Deserialize)]
pub(super) enum VersionsEntry {
    Version(ObjectVersion),
    DeleteMarker(DeleteMarker),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ObjectVersion {
    pub(super) key: String,
    pub(super) version_id: String,
    pub(super) is_latest: bool,
    #[serde(rename = "ETag")]
    pub(super) etag: String,
    pub(super) size: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMarker {
    pub(super) key: String,
    pub(super) version_id: String,
    pub(super) is_latest: bool,
}

/// Body of PutObjectTagging, answer of GetObjectTagging.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tagging {
    pub(super) tag_set: TagSet,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagSet {
    #[serde(default)]
    pub(super) tag: Vec<Tag>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

/// Body of PutObjectRetention.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Retention<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retain_until_date: Option<&'a str>,
}

/// Body of PutObjectLegalHold.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LegalHold {
    pub(super) status: &'static str,
}
