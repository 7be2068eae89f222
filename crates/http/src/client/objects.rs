//! What a bucket holds and held.

use super::route::{encode, parameters, route};
use super::transport::lines;
use super::{Client, ClientError};
use crate::api;

/// What to list; empty is no restriction.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Only keys that start with this.
    pub prefix: String,
    /// Rolls keys up to their common prefixes.
    pub delimiter: Option<String>,
    /// The `next` of the page before.
    pub token: Option<String>,
    /// The moment to list, if not now.
    pub at: Option<String>,
}

/// What to compare; empty is the state now, and no restriction.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// The earlier moment.
    pub from: Option<String>,
    /// The later moment.
    pub to: Option<String>,
    /// The bucket that the later moment is of, if another.
    pub to_bucket: Option<String>,
    /// Only keys that start with this.
    pub prefix: Option<String>,
    /// Only this key.
    pub key: Option<String>,
}

impl Client {
    /// The gateway's state.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn status(&self) -> Result<api::Status, ClientError> {
        self.json("/status".into()).await
    }

    /// All buckets by name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn buckets(&self) -> Result<Vec<api::Bucket>, ClientError> {
        self.json("/buckets".into()).await
    }

    /// A page of keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(&self, bucket: &str, options: &ListOptions) -> Result<api::Listing, ClientError> {
        let mut route = format!("{}?prefix={}", route(bucket, "objects"), encode(&options.prefix));
        let ListOptions { delimiter, token, at, .. } = options;
        let given = [("delimiter", delimiter), ("token", token), ("at", at)];
        route.push_str(&parameters(given.map(|(name, value)| (name, value.as_deref()))));
        self.json(route).await
    }

    /// What the objects under a prefix take up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn usage(
        &self,
        bucket: &str,
        prefix: &str,
        at: Option<&str>,
    ) -> Result<api::Usage, ClientError> {
        let at = parameters([("at", at)]);
        self.json(format!("{}?prefix={}{at}", route(bucket, "usage"), encode(prefix))).await
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stat(&self, bucket: &str, key: &str, at: Option<&str>) -> Result<api::Object, ClientError> {
        let at = parameters([("at", at)]);
        self.json(format!("{}?key={}{at}", route(bucket, "stat"), encode(key))).await
    }

    /// The newest commits of a bucket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn log(&self, bucket: &str, limit: Option<usize>) -> Result<Vec<api::LogEntry>, ClientError> {
        let limit = limit.map(|limit| format!("?limit={limit}")).unwrap_or_default();
        self.json(format!("{}{limit}", route(bucket, "log"))).await
    }

    /// What differs between two states, a key at a time.
    ///
    /// # Errors
    /// [`ClientError`], also that of `each`. What was told until then is right but not all.
    pub async fn diff(
        &self,
        bucket: &str,
        options: &DiffOptions,
        mut each: impl FnMut(api::Change) -> std::io::Result<()>,
    ) -> Result<(), ClientError> {
        let DiffOptions { from, to, to_bucket, prefix, key } = options;
        let given = [("from", from), ("to", to), ("to-bucket", to_bucket), ("prefix", prefix), ("key", key)];
        let given = parameters(given.map(|(name, value)| (name, value.as_deref())));
        let response = self.get(format!("{}?{given}", route(bucket, "diff"))).await?;
        lines(response, "the comparison broke off", |change| each(change).map_err(ClientError::Output)).await
    }
}
