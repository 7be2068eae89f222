//! Buckets that begin with trees that are there already.

use std::sync::Arc;

use carob_block::{HeadSwap, Session, StoreError};
use carob_commit::{BucketId, Commit, Config, Genesis, KeptCommit};
use carob_identity::Did;
use carob_index::Tree;

use crate::adopt::{Line, adopted, config_of};
use crate::origin::Origin;
use crate::{BucketError, BucketInfo, Snapshot, Space, bases, lock, names, retention};

/// The setting that makes a bucket its owner's alone, as S3's front end keeps it: the objects bring their access control
/// lists along, which give nothing to anybody then.
const PRIVATE: (&str, &str) = ("ownership", "BucketOwnerEnforced");

/// What a new bucket begins as.
pub(crate) struct Fork {
    /// Whose objects, versions, versioning and object lock it has.
    pub(crate) state: Snapshot,
    /// What it is called.
    pub(crate) name: String,
    /// Who owns it.
    pub(crate) owner: Did,
    /// The bucket that it is to be merged with, if any.
    pub(crate) with: Option<BucketId>,
    /// Where it was pulled from, if it was.
    pub(crate) origin: Option<Origin>,
    /// The past that it is to have, newest first: then all states keep their times.
    pub(crate) past: Option<Vec<(Commit, u64)>>,
    /// Holds what it needs.
    pub(crate) session: Arc<dyn Session>,
}

impl Space {
    /// Makes the bucket, durable when it returns. Nothing is copied, whatever its size.
    ///
    /// Goes on though the caller does not: as long as the commit is under way, what it is about to reach is held.
    pub(crate) async fn fork(&self, fork: Fork) -> Result<BucketInfo, BucketError> {
        let space = self.clone();
        let made = self.inner.tasks.spawn(async move { space.make(fork).await });
        made.await.unwrap_or_else(|_| Err(BucketError::closed()))
    }

    async fn make(&self, fork: Fork) -> Result<BucketInfo, BucketError> {
        let Fork { state, name, owner, with, origin, past, session } = fork;
        names::check(&name)?;
        let mut ours = Config::default();
        ours.documents.insert(PRIVATE.0.to_owned(), PRIVATE.1.into());
        if let Some(origin) = &origin {
            origin.write(&mut ours);
        }
        if past.is_some() {
            ours.history = state.config().history;
        }
        let config = adopted(&ours, state.config());
        lock::may_configure(&Config::default(), &config)?;
        let inner = &self.inner;
        let mut id = [0; 16];
        inner.entropy.fill(&mut id);
        let (id, now, space) = (BucketId(id), inner.clock.now(), *self.did());
        let salt = state.tree().salt().0;
        let genesis = Genesis { id, space, owner, salt, created: now.timestamp() };
        let time = if past.is_some() { state.commit().time } else { now };
        let mut line = Line::new(inner, &*session, id, &name);
        let mut kept = Vec::new();
        for (commit, until) in past.unwrap_or_default().into_iter().rev() {
            let config = adopted(&ours, &config_of(&*inner.store, &commit).await?);
            let signed = line.next((commit.objects, commit.versions), &config, commit.time).await?;
            kept.push((signed.time, KeptCommit { until, commit: signed.cid() }));
        }
        let (trees, unpurged) = state.unpurged().await?;
        let roots = (trees.objects.root(), trees.versions.as_ref().map(Tree::root));
        let newest = line.next(roots, &config, time).await?;
        line.put().await?;
        let genesis_block = genesis.to_block()?;
        let mut swaps = vec![
            HeadSwap { name: Genesis::head(&name), expected: None, next: Some(*genesis_block.cid()) },
            HeadSwap { name: Commit::head(id), expected: None, next: Some(newest.cid()) },
        ];
        swaps.extend(retention::list(&inner.store, &*session, &newest, kept).await?);
        if let Some(with) = with {
            swaps.extend(bases::swaps(with, id, None, Some(state.cid())));
        }
        session.put(unpurged.into_iter().chain([genesis_block]).collect()).await?;
        let _shared = inner.roster.read().await;
        match inner.store.commit(&[&*session], &swaps).await {
            Ok(()) => Ok(BucketInfo { name, id, owner, created: genesis.created }),
            Err(StoreError::Conflict { .. }) => Err(BucketError::BucketExists(name)),
            Err(other) => Err(other.into()),
        }
    }
}
