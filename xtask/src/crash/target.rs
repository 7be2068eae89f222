//! A store of objects as its clients see it.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;

use super::lives::LivesTarget;
use super::model::Condition;
use super::versions::VersionedTarget;
pub(super) use crate::s3::Failure;

/// A key of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) bucket: String,
    pub(super) key: String,
}

/// A multipart upload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UploadName {
    pub(super) name: Name,
    pub(super) id: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}

impl fmt::Display for UploadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "upload {} of {}", self.id, self.name)
    }
}

/// What a GET gave.
#[derive(Debug)]
pub(super) struct Found {
    /// The `x-amz-meta-op` that the object was written with.
    pub(super) op: u64,
    /// Without the quotes.
    pub(super) etag: String,
    pub(super) body: Bytes,
}

/// What a listing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// What a listing of parts gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListedPart {
    pub(super) number: u16,
    pub(super) etag: String,
    pub(super) size: u64,
}

/// A copy, of an object or into a part.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) name: Name,
    /// `x-amz-copy-source-if-match`.
    pub(super) if_match: Option<String>,
}

/// The operations, one request each. A refusal carries the error code of S3. Entity tags are without quotes.
#[async_trait]
pub(super) trait Target: VersionedTarget + LivesTarget {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure>;
    /// Writes `body` and the metadata `op`; gives the entity tag.
    async fn put(&self, name: &Name, op: u64, body: Bytes, condition: &Condition) -> Result<String, Failure>;
    /// Copies an object, with the metadata `op` if that is given, else with its own; gives the entity tag.
    async fn copy(
        &self,
        name: &Name,
        source: &Source,
        op: Option<u64>,
        condition: &Condition,
    ) -> Result<String, Failure>;
    async fn get(&self, name: &Name) -> Result<Option<Found>, Failure>;
    async fn delete(&self, name: &Name, if_match: Option<&str>) -> Result<(), Failure>;
    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure>;
    /// All objects, read in pages of `page` keys, in the order of the pages.
    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure>;

    /// Begins an upload of an object with the metadata `op`.
    async fn begin_upload(&self, name: &Name, op: u64) -> Result<UploadName, Failure>;
    /// Gives the entity tag of the part.
    async fn put_part(&self, upload: &UploadName, number: u16, body: Bytes) -> Result<String, Failure>;
    /// Gives the entity tag of the part.
    async fn copy_part(
        &self,
        upload: &UploadName,
        number: u16,
        source: &Source,
        range: Option<Range<u64>>,
    ) -> Result<String, Failure>;
    /// Completes with these parts, by number and entity tag; gives the entity tag of the object.
    async fn complete(
        &self,
        upload: &UploadName,
        parts: &[(u16, &str)],
        condition: &Condition,
    ) -> Result<String, Failure>;
    async fn abort(&self, upload: &UploadName) -> Result<(), Failure>;
    /// All uploads under way, read in pages of `page`.
    async fn uploads(&self, bucket: &str, page: u32) -> Result<Vec<UploadName>, Failure>;
    /// All parts of an upload under way, read in pages of `page`.
    async fn parts(&self, upload: &UploadName, page: u32) -> Result<Vec<ListedPart>, Failure>;
}
