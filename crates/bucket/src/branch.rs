//! Writable forks of buckets.

use carob_identity::Did;

use crate::fork::Fork;
use crate::{Bucket, BucketError, BucketInfo, Snapshot, Space};

impl Space {
    /// Makes a bucket that begins as `from` is in `state`, in one step however large it is; durable when it returns.
    ///
    /// Nothing is copied: the branch shares every block, and differs by what is written to either of them. It has the
    /// versions, the versioning and the object lock of `state` and nothing else of its configuration: no policy and no
    /// access control list lets anybody in but `owner`. Its history begins here; what both had in common is kept as long as both live, for
    /// [`Bucket::merge`].
    ///
    /// # Errors
    /// [`BucketError::InvalidBucketName`], [`BucketError::BucketExists`].
    pub async fn branch(
        &self,
        from: &Bucket,
        state: &Snapshot,
        name: &str,
        owner: Did,
    ) -> Result<BucketInfo, BucketError> {
        let (with, session) = (Some(from.info().id), self.inner.store.session().into());
        let (state, name) = (state.clone(), name.to_owned());
        self.fork(Fork { state, name, owner, with, origin: None, past: None, session }).await
    }
}
