//! Writable forks of buckets.

use carob_block::{HeadSwap, StoreError};
use carob_commit::{BucketId, Commit, Config, Genesis, Unsigned};
use carob_identity::Did;

use crate::{Bucket, BucketError, BucketInfo, Snapshot, Space, bases, lock, names};

impl Space {
    /// Makes a bucket that begins as `from` is in `state`, in one step however large it is; durable when it returns.
    ///
    /// Nothing is copied: the branch shares every block, and differs by what is written to either of them. It has the
    /// versions, the versioning and the object lock of `state` and nothing else of its configuration: no policy lets
    /// anybody in but `owner`. Its history begins here; what both had in common is kept as long as both live, for
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
        names::check(name)?;
        let Config { versioning, object_lock, .. } = Config::clone(state.config());
        let config = Config { versioning, object_lock, ..Config::default() };
        lock::may_configure(&Config::default(), &config)?;
        let inner = &self.inner;
        let mut id = [0; 16];
        inner.entropy.fill(&mut id);
        let (id, time, space) = (BucketId(id), inner.clock.now(), *self.did());
        let salt = state.tree().salt().0;
        let genesis = Genesis { id, space, owner, salt, created: time.timestamp() };
        let config = config.to_block()?;
        let first = Unsigned {
            space,
            bucket: id,
            name: name.to_owned(),
            objects: state.commit().objects,
            versions: state.commit().versions,
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
            HeadSwap { name: Genesis::head(name), expected: None, next: Some(*genesis_block.cid()) },
            HeadSwap { name: Commit::head(id), expected: None, next: Some(*commit.cid()) },
        ];
        swaps.extend(bases::swaps(from.info().id, id, None, Some(state.cid())));
        let session = inner.store.session();
        session.put(config.into_iter().chain([commit, genesis_block]).collect()).await?;
        match inner.store.commit(&[&*session], &swaps).await {
            Ok(()) => Ok(BucketInfo { name: name.to_owned(), id, owner, created: genesis.created }),
            Err(StoreError::Conflict { .. }) => Err(BucketError::BucketExists(name.to_owned())),
            Err(other) => Err(other.into()),
        }
    }
}
