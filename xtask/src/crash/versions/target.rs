//! A store of versions as its clients see it.

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::Versioning;

use super::super::{Failure, Name};
use super::state::{Lock, Retention, Tags};

/// What a GET or HEAD gave.
#[derive(Debug)]
pub(in crate::crash) struct Found {
    pub(in crate::crash) version: String,
    /// The `x-amz-meta-op` that it was written with.
    pub(in crate::crash) op: u64,
    pub(in crate::crash) etag: String,
    pub(in crate::crash) lock: Lock,
    /// Empty, if it was a HEAD.
    pub(in crate::crash) body: Bytes,
}

/// What a deletion made or took away.
#[derive(Debug)]
pub(in crate::crash) struct Deleted {
    pub(in crate::crash) version: Option<String>,
    pub(in crate::crash) marker: bool,
}

/// A version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::crash) struct ListedVersion {
    pub(in crate::crash) key: String,
    pub(in crate::crash) version: String,
    pub(in crate::crash) latest: bool,
    /// Entity tag and size; a delete marker has none.
    pub(in crate::crash) object: Option<(String, u64)>,
}

/// The operations on versions, one request each. A version is called as S3 calls it, and one that an answer does not
/// name is `null`. Where `version` is `None`, the current object is meant.
#[async_trait]
pub(in crate::crash) trait VersionedTarget: Clone + Send + Sync + 'static {
    async fn create_locked(&self, bucket: &str) -> Result<(), Failure>;
    async fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<(), Failure>;
    async fn versioning(&self, bucket: &str) -> Result<Versioning, Failure>;
    /// Gives the version.
    async fn put_version(
        &self,
        name: &Name,
        op: u64,
        body: Bytes,
        tags: &Tags,
        lock: Lock,
    ) -> Result<String, Failure>;
    async fn delete_version(
        &self,
        name: &Name,
        version: Option<&str>,
        bypass: bool,
    ) -> Result<Deleted, Failure>;
    async fn read_version(&self, name: &Name, version: Option<&str>, head: bool) -> Result<Found, Failure>;
    /// All versions, in pages of `page`. In a page, delete markers may stand behind the objects.
    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        page: u32,
    ) -> Result<Vec<Vec<ListedVersion>>, Failure>;
    async fn tags(&self, name: &Name, version: Option<&str>) -> Result<Tags, Failure>;
    async fn put_tags(&self, name: &Name, version: Option<&str>, tags: &Tags) -> Result<(), Failure>;
    async fn retain(
        &self,
        name: &Name,
        version: Option<&str>,
        retention: Option<Retention>,
        bypass: bool,
    ) -> Result<(), Failure>;
    async fn hold(&self, name: &Name, version: Option<&str>, on: bool) -> Result<(), Failure>;
}
