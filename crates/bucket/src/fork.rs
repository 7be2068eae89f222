//! Buckets that begin with trees that are there already.

use std::collections::BTreeMap;

use carob_block::{HeadSwap, Session, StoreError};
use carob_commit::{BucketId, Commit, Config, Genesis, Unsigned};
use carob_identity::Did;
use carob_index::Tree;

use crate::{BucketError, BucketInfo, Snapshot, Space, bases, lock, names};

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
    /// Holds what it needs.
    pub(crate) session: Box<dyn Session>,
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
        let Fork { state, name, owner, with, session } = fork;
        names::check(&name)?;
        let Config { versioning, object_lock, .. } = Config::clone(state.config());
        let documents = BTreeMap::from([(PRIVATE.0.to_owned(), PRIVATE.1.into())]);
        let config = Config { versioning, object_lock, documents, ..Config::default() };
        lock::may_configure(&Config::default(), &config)?;
        let inner = &self.inner;
        let mut id = [0; 16];
        inner.entropy.fill(&mut id);
        let (id, time, space) = (BucketId(id), inner.clock.now(), *self.did());
        let salt = state.tree().salt().0;
        let genesis = Genesis { id, space, owner, salt, created: time.timestamp() };
        let config = config.to_block()?;
        let (trees, unpurged) = state.unpurged().await?;
        let first = Unsigned {
            space,
            bucket: id,
            name: name.clone(),
            objects: trees.objects.root(),
            versions: trees.versions.as_ref().map(Tree::root),
            config: config.as_ref().map(|block| *block.cid()),
            parents: Vec::new(),
            skip: None,
            seq: 0,
            time,
            author: space,
        };
        let (_, commit) = first.sign(&*inner.signer)?;
        let genesis_block = genesis.to_block()?;
        let mut swaps = vec![
            HeadSwap { name: Genesis::head(&name), expected: None, next: Some(*genesis_block.cid()) },
            HeadSwap { name: Commit::head(id), expected: None, next: Some(*commit.cid()) },
        ];
        if let Some(with) = with {
            swaps.extend(bases::swaps(with, id, None, Some(state.cid())));
        }
        session.put(unpurged.into_iter().chain(config).chain([commit, genesis_block]).collect()).await?;
        match inner.store.commit(&[&*session], &swaps).await {
            Ok(()) => Ok(BucketInfo { name, id, owner, created: genesis.created }),
            Err(StoreError::Conflict { .. }) => Err(BucketError::BucketExists(name)),
            Err(other) => Err(other.into()),
        }
    }
}
