//! All states of a bucket that retention keeps, for whoever takes them along.

use carob_block::{Block, Cid};
use carob_commit::{Kept, KeptCommit};
use futures::{Stream, StreamExt, TryStreamExt, stream};

use crate::history::Ancestors;
use crate::pins::Pin;
use crate::snapshot::block;
use crate::tombstones::Tombstones;
use crate::{Bucket, BucketError, Snapshot};

/// The newest state of a bucket and those before it that are kept, each of which is held.
#[derive(Debug, Clone)]
pub struct KeptStates {
    /// The newest.
    pub newest: Snapshot,
    /// Those before it, newest first. Without those of which something was purged: they cannot be had as a whole.
    pub past: Vec<(KeptCommit, Held)>,
}

/// Keeps a state from being collected.
#[derive(Debug, Clone)]
pub struct Held(#[expect(dead_code, reason = "it is there to be dropped")] Pin);

impl Bucket {
    /// The states that the bucket has now. Takes memory for each of them, a few hundred bytes.
    ///
    /// # Errors
    /// As [`Bucket::snapshot`].
    pub async fn kept_states(&self) -> Result<KeptStates, BucketError> {
        let (space, head) = (self.space(), Kept::head(self.info().id));
        loop {
            let kept = space.store.head(&head).await?;
            let found = self.kept_by(kept).await;
            // As in `Bucket::at`: what a collection took meanwhile is no damage.
            if space.store.head(&head).await? == kept {
                return found;
            }
        }
    }

    async fn kept_by(&self, kept: Option<Cid>) -> Result<KeptStates, BucketError> {
        let space = self.space();
        let newest = self.snapshot().await?;
        let purged = Tombstones::of(&space.store, self.info().id).await?;
        let mut ancestors = Ancestors::load(&space.store, newest.commit(), kept).await?;
        let mut past = Vec::new();
        ancestors.next().await?;
        // A branch goes back into another bucket's history, which is that one's affair.
        while let Some(commit) = ancestors.next().await?.filter(|commit| commit.bucket == self.info().id) {
            let Some(until) = ancestors.until else { continue };
            let pin = space.pins.pin(commit.cid());
            if purged.is_some() {
                let state = space.state(commit.cid()).await?.purged_by(purged.clone());
                if !state.is_whole().await? {
                    continue;
                }
            }
            past.push((KeptCommit { until, commit: commit.cid() }, Held(pin)));
        }
        Ok(KeptStates { newest, past })
    }
}

impl KeptStates {
    /// The newest commit, and of those before it, newest first, each with what says when another took its place. Without
    /// the trees.
    pub fn commits(&self) -> impl Stream<Item = Result<Block, BucketError>> + Send + use<> {
        let store = self.newest.store().clone();
        let listed = self.past.iter().map(|(kept, _)| *kept).collect::<Vec<_>>();
        let newest = (store.clone(), self.newest.cid());
        let newest = stream::once(async move { block(&*newest.0, &newest.1).await });
        let past = stream::iter(listed).then(move |kept| {
            let store = store.clone();
            async move {
                let listed = kept.to_block()?;
                Ok::<_, BucketError>(stream::iter([Ok(listed), Ok(block(&*store, &kept.commit).await?)]))
            }
        });
        newest.chain(past.try_flatten())
    }
}
