//! A store whose buckets come and go, as its operator sees it.

use std::collections::BTreeSet;

use async_trait::async_trait;
use bytes::Bytes;

use super::super::{Failure, Name};

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::crash) struct Alive {
    pub(in crate::crash) name: String,
    pub(in crate::crash) id: String,
    /// How long every past state stays, in seconds.
    pub(in crate::crash) kept: u64,
}

/// A deleted bucket of which something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::crash) struct Dead {
    pub(in crate::crash) name: String,
    pub(in crate::crash) id: String,
    pub(in crate::crash) kept: u64,
}

/// A state of a bucket: its commit, and its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::crash) struct Past {
    pub(in crate::crash) commit: String,
    pub(in crate::crash) keys: BTreeSet<String>,
}

/// The operations on whole buckets, one request each.
#[async_trait]
pub(in crate::crash) trait LivesTarget: Clone + Send + Sync + 'static {
    /// Gives the id of the new bucket, where that is told.
    async fn bring_to_life(&self, bucket: &str) -> Result<Option<String>, Failure>;
    async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure>;
    /// Gives the id of the bucket that is back: the newest of that name, or the one with this id.
    async fn undelete(&self, bucket: &str, id: Option<&str>, to: Option<&str>) -> Result<String, Failure>;
    /// Has past states stay for so many seconds, or nothing but the newest state.
    async fn keep(&self, bucket: &str, seconds: u64) -> Result<(), Failure>;
    /// All buckets.
    async fn alive(&self) -> Result<Vec<Alive>, Failure>;
    /// All deleted buckets, those of one name in the order of their deletion.
    async fn dead(&self) -> Result<Vec<Dead>, Failure>;
    /// The newest states of a bucket, at most so many.
    async fn past(&self, bucket: &str, limit: usize) -> Result<Vec<Past>, Failure>;
    /// What a key held in the state that this commit is.
    async fn get_at(&self, name: &Name, commit: &str) -> Result<Bytes, Failure>;
}
