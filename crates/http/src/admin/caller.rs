//! Who asks the admin API, and what it may do.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use carob_bucket::{Bucket, BucketError, Space};
use carob_identity::{AccessRequest, Action, Authorizer, Clock, Did, Identity, Resource, Rights};

/// Whoever asks, for the length of one request.
#[async_trait]
pub trait Caller: Send + Sync + fmt::Debug {
    /// The bucket of this name. It is the same one all the time, also if another takes the name meanwhile, and the one that
    /// [`Caller::may`] decides about.
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`], [`BucketError::Store`].
    async fn bucket(&self, name: &str) -> Result<Bucket, BucketError>;

    /// Whether it may do this. A key that ends in `*` stands for all that begin so.
    ///
    /// # Errors
    /// As [`Caller::bucket`].
    async fn may(&self, action: Action, resource: Resource<'_>) -> Result<bool, BucketError>;

    /// Whether it may do something with some keys of a bucket and not with others: then each is asked about.
    ///
    /// # Errors
    /// As [`Caller::bucket`].
    async fn differs_by_key(&self, bucket: &str) -> Result<bool, BucketError>;

    /// Whether it is the owner of the data directory, who makes buckets for whom he likes.
    fn is_operator(&self) -> bool;

    /// The account that it acts for, if it is one.
    fn account(&self) -> Option<Did>;
}

/// The owner of the data directory.
#[derive(Debug)]
pub(super) struct Operator {
    pub(super) space: Space,
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Caller for Operator {
    async fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        self.space.bucket(name).await
    }

    async fn may(&self, action: Action, resource: Resource<'_>) -> Result<bool, BucketError> {
        let request = AccessRequest::new(Some(&Identity::Operator), action, resource, self.clock.now());
        Ok(self.authorizer.rights(&request) == Rights::Everything)
    }

    async fn differs_by_key(&self, _: &str) -> Result<bool, BucketError> {
        Ok(false)
    }

    fn is_operator(&self) -> bool {
        true
    }

    fn account(&self) -> Option<Did> {
        None
    }
}
