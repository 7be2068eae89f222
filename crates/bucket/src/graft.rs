//! Bringing objects of another state into a bucket: restoring from its past, merging from a branch.

use carob_block::Cid;
use tokio::sync::oneshot;

use crate::adopt::Adoption;
use crate::committer::Op;
use crate::{Bucket, BucketError, Moment, Snapshot, changes::Portion};

/// What to bring in.
#[derive(Debug)]
pub(crate) enum Graft {
    /// What a part of the bucket was like.
    Restore { past: Snapshot, part: Portion },
    /// What another bucket changed.
    Merge { theirs: Snapshot, rule: MergeRule },
    /// What the bucket became where it was pulled from.
    Pull(Box<Adoption>),
}

/// What stands under a key that both sides of a merge changed, each in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeRule {
    /// What the bucket has that is merged into.
    Ours,
    /// What the bucket has that is merged.
    Theirs,
    /// Nothing is merged where there is such a key.
    Fail,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grafted {
    /// The first commit that holds the result.
    pub commit: Cid,
    /// The state that it came from.
    pub from: Cid,
    /// How many objects there were before.
    pub objects_before: u64,
    /// How many there are now.
    pub objects: u64,
    /// The keys that both sides of a merge had changed, at most [`MAX_CONFLICTS`] of them.
    pub conflicts: Vec<String>,
}

/// The most conflicts that are told by their keys.
pub const MAX_CONFLICTS: usize = 1000;

impl Bucket {
    /// Makes a part of the bucket what it was at an earlier moment, in one commit. Only objects: the configuration stays.
    ///
    /// In a bucket without versioning the objects themselves come back, whatever their number, at the cost of a few
    /// nodes: O(1) for the whole bucket, O(log n) for a prefix. In one with versioning the difference is written as new
    /// versions and delete markers, so that nothing is lost, in time and memory for the difference.
    ///
    /// # Errors
    /// As [`Bucket::at`] and [`Bucket::put`]; [`BucketError::Locked`]. After an error, nothing has changed.
    pub async fn restore(&self, moment: &Moment, part: Portion) -> Result<Grafted, BucketError> {
        let past = self.at(moment).await?;
        self.graft(Graft::Restore { past, part }).await
    }

    /// Merges what `from` changed since it and this bucket last had the same objects: when one was branched from the other,
    /// or at their last merge. In one commit; only current objects, not older versions and no configuration.
    ///
    /// # Errors
    /// [`BucketError::Unrelated`] where nothing is known of such a moment; [`BucketError::Conflicts`] by
    /// [`MergeRule::Fail`]; as [`Bucket::put`]; [`BucketError::Locked`]. After an error, nothing has changed.
    pub async fn merge(&self, from: &Self, rule: MergeRule) -> Result<Grafted, BucketError> {
        let theirs = from.snapshot().await?;
        self.graft(Graft::Merge { theirs, rule }).await
    }

    pub(crate) async fn graft(&self, graft: Graft) -> Result<Grafted, BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Graft { graft: Box::new(graft), reply }, answer).await
    }
}

impl Graft {
    /// The commit that is brought in.
    pub(crate) fn source(&self) -> Cid {
        match self {
            Self::Restore { past: from, .. } | Self::Merge { theirs: from, .. } => from.cid(),
            Self::Pull(adoption) => adoption.states.newest.cid(),
        }
    }
}
