//! Snapshots that have a name: commits that are kept as long as they have it.

use carob_block::{Cid, HeadSwap, StoreError};
use carob_commit::NamedCommit;
use carob_identity::Timestamp;
use tokio::sync::oneshot;

use crate::committer::{Committer, Op};
use crate::snapshot::block;
use crate::tombstones::Tombstones;
use crate::{Bucket, BucketError, Snapshot};

/// The longest name. Together with a bucket's name it must be able to stand in a host.
const MAX_NAME: usize = 40;

/// A named snapshot of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedSnapshot {
    /// Its name.
    pub name: String,
    /// The commit that it keeps.
    pub commit: Cid,
    /// When it was made.
    pub created: Timestamp,
    /// It cannot be removed before.
    pub locked_until: Option<Timestamp>,
}

/// What to do with a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Naming {
    /// Gives it to the newest commit.
    Give { locked_until: Option<Timestamp> },
    /// Takes it away.
    Take,
}

impl Bucket {
    /// Keeps the bucket as it durably is now, under a name. With `locked_until`, nobody can remove it before.
    ///
    /// # Errors
    /// [`BucketError::InvalidSnapshotName`], [`BucketError::SnapshotExists`]; what the store says.
    pub async fn create_snapshot(
        &self,
        name: &str,
        locked_until: Option<Timestamp>,
    ) -> Result<NamedSnapshot, BucketError> {
        check_name(name)?;
        self.name_commit(name, Naming::Give { locked_until }).await
    }

    /// Gives a named snapshot up.
    ///
    /// # Errors
    /// [`BucketError::NoSuchSnapshot`], [`BucketError::SnapshotLocked`]; what the store says.
    pub async fn remove_snapshot(&self, name: &str) -> Result<NamedSnapshot, BucketError> {
        self.name_commit(name, Naming::Take).await
    }

    /// All named snapshots, by name.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn snapshots(&self) -> Result<Vec<NamedSnapshot>, BucketError> {
        let prefix = NamedCommit::head(self.info().id, "");
        let mut all = Vec::new();
        for (head, cid) in self.space().store.heads(&prefix).await? {
            // Removed since: not one of them any more.
            let Some(block) = self.space().store.get(&cid).await? else { continue };
            let name = head.strip_prefix(&prefix).unwrap_or(&head);
            all.push(shown(name, NamedCommit::from_block(&block)?));
        }
        Ok(all)
    }

    /// The bucket as it was when this snapshot was made.
    ///
    /// # Errors
    /// [`BucketError::NoSuchSnapshot`], [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn named_snapshot(&self, name: &str) -> Result<Snapshot, BucketError> {
        let (space, head) = (self.space(), NamedCommit::head(self.info().id, name));
        let gone = || BucketError::NoSuchSnapshot(name.to_owned());
        let at = space.store.head(&head).await?.ok_or_else(gone)?;
        let commit = NamedCommit::from_block(&space.store.get(&at).await?.ok_or_else(gone)?)?.commit;
        let pin = space.pins.pin(commit);
        // Only what has its name after it is held is sure to be whole.
        if space.store.head(&head).await? != Some(at) {
            return Err(gone());
        }
        let state = Snapshot::load(&space.store, &space.nodes, commit).await?.held(pin);
        Ok(state.purged_by(Tombstones::of(&space.store, self.info().id).await?))
    }

    async fn name_commit(&self, name: &str, naming: Naming) -> Result<NamedSnapshot, BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Name { name: name.to_owned(), naming, reply }, answer).await
    }
}

impl Committer {
    /// Gives or takes a name while no group is under way: so it is the newest commit of a bucket that is there.
    pub(crate) async fn name(&mut self, name: &str, naming: Naming) -> Result<NamedSnapshot, BucketError> {
        let tip = self.tip().await?.snapshot;
        let (space, head) = (self.space(), NamedCommit::head(tip.commit().bucket, name));
        let expected = space.store.head(&head).await?;
        let now = space.clock.wall();
        let session = space.store.session();
        let (named, next) = match (naming, expected) {
            (Naming::Give { .. }, Some(_)) => return Err(BucketError::SnapshotExists(name.to_owned())),
            (Naming::Give { locked_until }, None) => {
                let named = NamedCommit { commit: tip.cid(), created: now, locked_until };
                let block = named.to_block()?;
                let next = *block.cid();
                session.put(vec![block]).await?;
                (named, Some(next))
            }
            (Naming::Take, None) => return Err(BucketError::NoSuchSnapshot(name.to_owned())),
            (Naming::Take, Some(cid)) => {
                let named = NamedCommit::from_block(&block(&*space.store, &cid).await?)?;
                if let Some(until) = named.locked_until.filter(|until| *until > now) {
                    return Err(BucketError::SnapshotLocked { name: name.to_owned(), until });
                }
                (named, None)
            }
        };
        match space.store.commit(&[&*session], &[HeadSwap { name: head, expected, next }]).await {
            Ok(()) => Ok(shown(name, named)),
            Err(StoreError::Conflict { .. }) => Err(BucketError::Contention),
            Err(other) => Err(other.into()),
        }
    }
}

fn shown(name: &str, NamedCommit { commit, created, locked_until }: NamedCommit) -> NamedSnapshot {
    NamedSnapshot { name: name.to_owned(), commit, created, locked_until }
}

/// As in a host name, so that it can follow a bucket's in one.
fn check_name(name: &str) -> Result<(), BucketError> {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    let edges = name.bytes().next().is_some_and(fits) && name.bytes().last().is_some_and(fits);
    let inner = name.bytes().all(|c| fits(c) || c == b'-' || c == b'.');
    let pairs = ["--", "..", ".-", "-."].iter().any(|pair| name.contains(pair));
    if name.len() <= MAX_NAME && edges && inner && !pairs {
        return Ok(());
    }
    Err(BucketError::InvalidSnapshotName(name.to_owned()))
}
