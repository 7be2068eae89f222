//! What is done with a bucket's states, and how long they stay.

use std::io::ErrorKind;

use http::Method;

use super::error::broken;
use super::route::{encode, parameters, route};
use super::transport::{FileBody, lines, understood};
use super::{Client, ClientError, sigv4};
use crate::api;

impl Client {
    /// Makes a bucket, or a part of it, what it was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn restore(&self, bucket: &str, restore: &api::Restore) -> Result<api::Grafted, ClientError> {
        self.post(&route(bucket, "restore"), restore).await
    }

    /// Makes a bucket that begins as this one is or was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn branch(&self, bucket: &str, branch: &api::Branch) -> Result<api::Branched, ClientError> {
        self.post(&route(bucket, "branch"), branch).await
    }

    /// Takes over what another bucket changed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn merge(&self, bucket: &str, merge: &api::Merge) -> Result<api::Grafted, ClientError> {
        self.post(&route(bucket, "merge"), merge).await
    }

    /// Makes a bucket of an export that has no more than `max_bytes`.
    ///
    /// # Errors
    /// [`ClientError`]; a file that cannot be read ends the request.
    pub async fn import(
        &self,
        bucket: &str,
        owner: Option<&str>,
        max_bytes: Option<u64>,
        file: std::fs::File,
    ) -> Result<api::Branched, ClientError> {
        let max_bytes = max_bytes.map(|most| most.to_string());
        let given = [("owner", owner), ("max-bytes", max_bytes.as_deref())];
        let route = format!("{}?{}", route(bucket, "import"), parameters(given));
        understood(self.send(Method::POST, route, FileBody(file), sigv4::UNSIGNED).await?).await
    }

    /// Has the gateway bring a bucket from another one, and tells `each` how far it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pull(
        &self,
        bucket: &str,
        pull: &api::Pull,
        mut each: impl FnMut(api::PullProgress),
    ) -> Result<api::Pulled, ClientError> {
        let response = self.post_for(&route(bucket, "pull"), pull).await?;
        let status = response.status().as_u16();
        let mut pulled = None;
        lines(response, "the pull broke off", |line| {
            match line {
                api::PullLine::Progress(progress) => each(progress),
                api::PullLine::Done(done) => pulled = Some(done),
                api::PullLine::Failed(message) => return Err(ClientError::Refused { status, message }),
            }
            Ok(())
        })
        .await?;
        pulled.ok_or_else(|| broken("the pull broke off")(std::io::Error::from(ErrorKind::UnexpectedEof)))
    }

    /// How long past states of a bucket stay.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retention(&self, bucket: &str) -> Result<api::Retention, ClientError> {
        self.json(route(bucket, "retention")).await
    }

    /// Sets how long past states of a bucket stay.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn set_retention(
        &self,
        bucket: &str,
        retention: &api::Retention,
    ) -> Result<api::Retention, ClientError> {
        self.post(&route(bucket, "retention"), retention).await
    }

    /// The named snapshots of a bucket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn snapshots(&self, bucket: &str) -> Result<Vec<api::NamedSnapshot>, ClientError> {
        self.json(route(bucket, "snapshots")).await
    }

    /// Keeps a bucket as it is, under a name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_snapshot(
        &self,
        bucket: &str,
        snapshot: &api::CreateSnapshot,
    ) -> Result<api::NamedSnapshot, ClientError> {
        self.post(&route(bucket, "snapshots"), snapshot).await
    }

    /// Gives a named snapshot up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_snapshot(&self, bucket: &str, name: &str) -> Result<api::NamedSnapshot, ClientError> {
        self.delete(format!("{}?name={}", route(bucket, "snapshots"), encode(name))).await
    }

    /// Erases a key from all states of a bucket, or says what that would do.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn purge(&self, bucket: &str, purge: &api::Purge) -> Result<api::Purged, ClientError> {
        self.post(&route(bucket, "purge"), purge).await
    }

    /// The deleted buckets of which something is kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn deleted_buckets(&self) -> Result<Vec<api::DeletedBucket>, ClientError> {
        self.json("/deleted-buckets".into()).await
    }

    /// Brings a deleted bucket back.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn undelete(
        &self,
        bucket: &str,
        undelete: &api::Undelete,
    ) -> Result<api::Undeleted, ClientError> {
        self.post(&route(bucket, "undelete"), undelete).await
    }

    /// Collects garbage, or says what that would do.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn collect(&self, dry_run: bool, full: bool) -> Result<api::Collected, ClientError> {
        self.post(&format!("/gc?dry-run={dry_run}&full={full}"), &()).await
    }
}
