//! Changes of a bucket's configuration.

use std::fmt;

use carob_block::Cid;
use carob_commit::Config;
use tokio::sync::oneshot;

use crate::committer::Op;
use crate::{Bucket, BucketError};

/// A change, applied to the configuration as it is when its turn comes; perhaps more than once.
pub(crate) struct ConfigChange(Box<Change>);

type Change = dyn Fn(&mut Config) -> Result<(), BucketError> + Send + Sync;

impl ConfigChange {
    pub(crate) fn apply(&self, config: &mut Config) -> Result<(), BucketError> {
        (self.0)(config)
    }
}

impl fmt::Debug for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigChange")
    }
}

impl Bucket {
    /// Changes the configuration, atomically with respect to all other writes, and returns the first commit with
    /// the change. `change` may be called more than once.
    ///
    /// # Errors
    /// What `change` says; [`BucketError::VersioningState`] where versioning would be undone or object lock
    /// disabled; what the store says.
    pub async fn configure(
        &self,
        change: impl Fn(&mut Config) -> Result<(), BucketError> + Send + Sync + 'static,
    ) -> Result<Cid, BucketError> {
        let (reply, answer) = oneshot::channel();
        let change = ConfigChange(Box::new(change));
        self.submit(Op::Configure { change, reply }, answer).await
    }
}
