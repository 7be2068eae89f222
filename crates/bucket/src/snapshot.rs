//! A bucket as of one commit.

use std::sync::Arc;

use carob_block::{Block, Cid, ReadBlocks, Store};
use carob_commit::{Commit, Config, DeleteMarker, Inline, Record, TreeValue, Version, VersionName};
use carob_index::{NodeCache, Tree, Value};

use crate::bucket::check_key;
use crate::pins::Pin;
use crate::tombstones::Tombstones;
use crate::{BucketError, Object, versions};

/// A bucket as of one commit. It never changes; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Snapshot {
    store: Arc<dyn Store>,
    state: Arc<State>,
    /// Keeps the collector off while a reader has it. What the space remembers for the next reader has none.
    pin: Option<Pin>,
    /// What was purged since, if it is a past state.
    purged: Option<Tombstones>,
}

/// What objects take up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many there are.
    pub objects: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
}

/// What is under a key, or is a version of it.
#[derive(Debug, Clone)]
pub enum Found {
    /// An object.
    Object(Object),
    /// A delete marker.
    DeleteMarker(DeleteMarker),
    /// Nothing.
    Nothing,
}

#[derive(Debug)]
struct State {
    commit: Commit,
    trees: Trees,
    config: Arc<Config>,
}

/// The trees of a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Trees {
    /// Current objects.
    pub(crate) objects: Tree,
    /// Noncurrent versions and delete markers; `None` when there are none.
    pub(crate) versions: Option<Tree>,
}

impl Snapshot {
    pub(crate) fn new(store: Arc<dyn Store>, commit: Commit, trees: Trees, config: Arc<Config>) -> Self {
        Self { store, state: Arc::new(State { commit, trees, config }), pin: None, purged: None }
    }

    /// The same, held.
    pub(crate) fn held(self, pin: Pin) -> Self {
        Self { pin: Some(pin), ..self }
    }

    /// The same, without what was purged since.
    pub(crate) fn purged_by(self, purged: Option<Tombstones>) -> Self {
        Self { purged, ..self }
    }

    /// What was purged since.
    pub(crate) fn purged(&self) -> Option<&Tombstones> {
        self.purged.as_ref()
    }

    /// Fails for what was purged.
    pub(crate) async fn check_purged(&self, key: &str, record: &Record) -> Result<(), BucketError> {
        match &self.purged {
            Some(purged) if purged.hide(key, record).await? => {
                Err(BucketError::Purged { key: key.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Reads the commit `cid` and opens its trees.
    pub(crate) async fn load(
        store: &Arc<dyn Store>,
        nodes: &Arc<NodeCache>,
        cid: Cid,
    ) -> Result<Self, BucketError> {
        let commit = Commit::from_block(&block(&**store, &cid).await?)?;
        let blocks: Arc<dyn ReadBlocks> = Arc::clone(store) as _;
        let objects = Tree::open(Arc::clone(&blocks), Arc::clone(nodes), commit.objects).await?;
        let versions = match commit.versions {
            Some(root) => Some(Tree::open(blocks, Arc::clone(nodes), root).await?),
            None => None,
        };
        let config = match &commit.config {
            Some(cid) => Config::from_block(&block(&**store, cid).await?)?,
            None => Config::default(),
        };
        Ok(Self::new(Arc::clone(store), commit, Trees { objects, versions }, Arc::new(config)))
    }

    /// The signed commit.
    pub fn commit(&self) -> &Commit {
        &self.state.commit
    }

    /// The commit's CID: the bucket's root at that moment.
    pub fn cid(&self) -> Cid {
        self.state.commit.cid()
    }

    /// How the bucket is configured.
    #[must_use]
    pub fn config(&self) -> &Arc<Config> {
        &self.state.config
    }

    /// How many current objects there are.
    pub fn objects(&self) -> u64 {
        self.tree().len()
    }

    /// How many noncurrent versions and delete markers there are.
    #[must_use]
    pub fn noncurrent(&self) -> u64 {
        self.versions().map_or(0, Tree::len)
    }

    /// The sum of the current objects' sizes.
    pub fn bytes(&self) -> u64 {
        self.tree().bytes()
    }

    /// How many objects there are and the sum of their sizes, without those that were purged since: what a branch or a
    /// restore of it has.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn unpurged_usage(&self) -> Result<Usage, BucketError> {
        let (Trees { objects, .. }, _) = self.unpurged().await?;
        Ok(Usage { objects: objects.len(), bytes: objects.bytes() })
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
    /// [`BucketError::KeyLength`]; [`BucketError::Purged`]; [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn get(&self, key: &str) -> Result<Option<Object>, BucketError> {
        check_key(key)?;
        let Some(entry) = self.tree().get(key.as_bytes()).await? else { return Ok(None) };
        let record = self.record(&entry.value).await?;
        self.check_purged(key, &record).await?;
        Ok(Some(self.object(record)))
    }

    /// The version of `key` that has this name, or with `None`, what is under the key: the newest version.
    ///
    /// # Errors
    /// As [`Snapshot::get`].
    pub async fn find(&self, key: &str, version: Option<VersionName>) -> Result<Found, BucketError> {
        let current = self.get(key).await?;
        if let Some(object) = current
            && version.is_none_or(|name| object.record().version_name() == name)
        {
            return Ok(Found::Object(object));
        }
        let found = match (self.versions(), version) {
            (_, Some(name)) => self.noncurrent_version(key, name).await?,
            (Some(tree), None) => versions::newest(&self.store, tree, key).await?,
            (None, None) => None,
        };
        Ok(match found {
            Some(Version::Object(record)) => {
                self.check_purged(key, &record).await?;
                Found::Object(self.object(Arc::new(*record)))
            }
            Some(Version::DeleteMarker(marker)) => Found::DeleteMarker(marker),
            None => Found::Nothing,
        })
    }

    /// The version of this name, unless it is the current object.
    pub(crate) async fn noncurrent_version(
        &self,
        key: &str,
        name: VersionName,
    ) -> Result<Option<Version>, BucketError> {
        let Some(tree) = self.versions() else { return Ok(None) };
        match tree.get(&versions::place(key, name)).await? {
            Some(entry) => read(&self.store, tree, &entry.value).await.map(Some),
            None => Ok(None),
        }
    }

    fn object(&self, record: Arc<Record>) -> Object {
        let (store, pin) = (Arc::clone(&self.store) as _, self.pin.clone());
        Object { store, record, commit: self.cid(), pin, opened: None }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.state.trees.objects
    }

    pub(crate) fn versions(&self) -> Option<&Tree> {
        self.state.trees.versions.as_ref()
    }

    pub(crate) fn trees(&self) -> &Trees {
        &self.state.trees
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The record that a tree value is or links.
    pub(crate) async fn record(&self, value: &Value) -> Result<Arc<Record>, BucketError> {
        Ok(Arc::new(read(&self.store, self.tree(), value).await?))
    }
}

/// Reads a value of a tree, there or in the block that it links.
pub(crate) async fn read<T: TreeValue>(
    store: &Arc<dyn Store>,
    tree: &Tree,
    value: &Value,
) -> Result<T, BucketError> {
    Ok(read_with_block(store, tree, value).await?.0)
}

/// As [`read`], with the block that the value has of its own, if it has one.
pub(crate) async fn read_with_block<T: TreeValue>(
    store: &Arc<dyn Store>,
    tree: &Tree,
    value: &Value,
) -> Result<(T, Option<Block>), BucketError> {
    match T::from_value(value, tree.root())? {
        Inline::Here(thing) => Ok((*thing, None)),
        Inline::Linked(cid) => {
            let block = block(&**store, &cid).await?;
            Ok((T::from_block(&block)?, Some(block)))
        }
    }
}

/// A block that must be there, because a durable root links it.
pub(crate) async fn block(store: &dyn Store, cid: &Cid) -> Result<Block, BucketError> {
    store.get(cid).await?.ok_or_else(|| BucketError::missing(cid))
}
