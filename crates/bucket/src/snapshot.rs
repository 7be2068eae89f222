use std::sync::Arc;

use carob_block::{Block, Cid, ReadBlocks, Store};
use carob_commit::{Commit, Inline, Record, TreeValue};
use carob_index::{NodeCache, Tree, Value};

use crate::bucket::check_key;
use crate::{BucketError, Object};

/// A bucket as of one commit. It never changes; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshot {
    store: Arc<dyn Store>,
    state: Arc<State>,
}

/// What objects take up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many there are.
    pub objects: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
}

#[derive(Debug)]
struct State {
    commit: Commit,
    objects: Tree,
}

impl Snapshot {
    pub(crate) fn new(store: Arc<dyn Store>, commit: Commit, objects: Tree) -> Self {
        Self { store, state: Arc::new(State { commit, objects }) }
    }

    /// Reads the commit `cid` and opens its tree.
    pub(crate) async fn load(
        store: &Arc<dyn Store>,
        nodes: &Arc<NodeCache>,
        cid: Cid,
    ) -> Result<Self, BucketError> {
        let commit = Commit::from_block(&block(&**store, &cid).await?)?;
        let blocks: Arc<dyn ReadBlocks> = Arc::clone(store) as _;
        let objects = Tree::open(blocks, Arc::clone(nodes), commit.objects).await?;
        Ok(Self::new(Arc::clone(store), commit, objects))
    }

    /// The signed commit.
    pub fn commit(&self) -> &Commit {
        &self.state.commit
    }

    /// The commit's CID: the bucket's root at that moment.
    pub fn cid(&self) -> Cid {
        self.state.commit.cid()
    }

    /// How many objects there are.
    pub fn objects(&self) -> u64 {
        self.state.objects.len()
    }

    /// The sum of the objects' sizes.
    pub fn bytes(&self) -> u64 {
        self.state.objects.bytes()
    }

    /// How many objects there are under a prefix, and the sum of their sizes. Exact, and read from a few nodes
    /// however many there are.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn usage(&self, prefix: &str) -> Result<Usage, BucketError> {
        let totals = self.tree().count_prefix(prefix.as_bytes()).await?;
        Ok(Usage { objects: totals.count, bytes: totals.bytes })
    }

    /// The object under `key`.
    ///
    /// # Errors
    /// [`BucketError::KeyLength`], [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>, BucketError> {
        check_key(key)?;
        let Some(entry) = self.tree().get(key.as_bytes()).await? else { return Ok(None) };
        let record = self.record(&entry.value).await?;
        Ok(Some(Object { store: Arc::clone(&self.store) as _, record, commit: self.cid() }))
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.state.objects
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The record that a tree value is or links.
    pub(crate) async fn record(&self, value: &Value) -> Result<Arc<Record>, BucketError> {
        match Record::from_value(value, self.tree().root())? {
            Inline::Here(record) => Ok(Arc::new(*record)),
            Inline::Linked(cid) => Ok(Arc::new(Record::from_block(&block(&*self.store, &cid).await?)?)),
        }
    }
}

/// A block that must be there, because a durable root links it.
pub(crate) async fn block(store: &dyn Store, cid: &Cid) -> Result<Block, BucketError> {
    store.get(cid).await?.ok_or_else(|| BucketError::missing(cid))
}
