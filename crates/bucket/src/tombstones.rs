//! What was purged of a bucket: the keys whose past is hidden, and the blocks that may be missing for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, HeadSwap, Session, Store};
use carob_commit::{BucketId, Commit, Kept, KeptCommit, NamedCommit, Purged, Record, Tombstone, Version};
use carob_identity::Hlc;
use carob_index::{Entry, NodeCache, Params, Salt, Tree};

use crate::escape::escaped;
use crate::snapshot::{Trees, block, read};
use crate::space::Inner;
use crate::{BucketError, Snapshot, versions};

/// Before the id of a bucket, in the head of its list of kept commits.
const KEPT: &str = "kept/";

/// Memory for nodes of the tree: it is small, and read now and then.
const NODES: u64 = 1 << 20;

/// The tombstones of one bucket, for readers of its past.
#[derive(Debug, Clone)]
pub(crate) struct Tombstones {
    tree: Tree,
    upto: Hlc,
}

impl Tombstones {
    /// Those under the head of a bucket; `None` if nothing was purged.
    pub(crate) async fn of(store: &Arc<dyn Store>, bucket: BucketId) -> Result<Option<Self>, BucketError> {
        match store.head(&Purged::head(bucket)).await? {
            Some(head) => Self::load(store, head).await.map(Some),
            None => Ok(None),
        }
    }

    async fn load(store: &Arc<dyn Store>, head: Cid) -> Result<Self, BucketError> {
        let purged = Purged::from_block(&block(&**store, &head).await?)?;
        let nodes = Arc::new(NodeCache::new(NODES));
        let tree = Tree::open(Arc::clone(store) as _, nodes, purged.tombstones).await?;
        Ok(Self { tree, upto: purged.upto })
    }

    /// Whether a record of a past state is one of those that were purged.
    pub(crate) async fn hide(&self, key: &str, record: &Record) -> Result<bool, BucketError> {
        let entry = self.tree.get(&Tombstone::Key(key.to_owned()).place()).await?;
        Ok(match entry {
            Some(entry) => record.modified.0 <= Tombstone::upto(&entry.value)?,
            None => false,
        })
    }

    /// The keys of which anything was purged, and up to when.
    pub(crate) async fn keys(&self) -> Result<BTreeMap<String, u64>, BucketError> {
        let mut keys = BTreeMap::new();
        let mut cursor = self.tree.prefix(Tombstone::KEYS);
        while let Some((place, entry)) = cursor.next().await? {
            let Some(Tombstone::Key(key)) = Tombstone::at(&place) else {
                return Err(BucketError::foreign_tombstone());
            };
            keys.insert(key, Tombstone::upto(&entry.value)?);
        }
        Ok(keys)
    }

    async fn blocks(&self) -> Result<HashSet<Cid>, BucketError> {
        let mut blocks = HashSet::new();
        let mut cursor = self.tree.prefix(Tombstone::BLOCKS);
        while let Some((place, _)) = cursor.next().await? {
            let Some(Tombstone::Block(cid)) = Tombstone::at(&place) else {
                return Err(BucketError::foreign_tombstone());
            };
            blocks.insert(cid);
        }
        Ok(blocks)
    }
}

/// The tombstones of all buckets, while a collection goes by them.
#[derive(Debug, Default)]
pub(crate) struct Graveyard(HashMap<BucketId, Grave>);

#[derive(Debug, Default)]
struct Grave {
    head: Option<Cid>,
    tree: Option<Tree>,
    upto: Hlc,
    keys: BTreeMap<String, u64>,
    blocks: HashSet<Cid>,
    edits: BTreeMap<Bytes, Option<Entry>>,
}

impl Graveyard {
    /// Those of all buckets whose heads these are.
    pub(crate) async fn load(
        store: &Arc<dyn Store>,
        heads: &BTreeMap<String, Cid>,
    ) -> Result<Self, BucketError> {
        let mut graves = HashMap::new();
        let prefix = "purged/";
        for (name, head) in heads.range(prefix.to_owned()..) {
            let Some(id) = name.strip_prefix(prefix) else { break };
            let Ok(id) = id.parse() else { continue };
            let tombstones = Tombstones::load(store, *head).await?;
            let (keys, blocks) = (tombstones.keys().await?, tombstones.blocks().await?);
            let Tombstones { tree, upto } = tombstones;
            let (head, tree, edits) = (Some(*head), Some(tree), BTreeMap::new());
            graves.insert(id, Grave { head, tree, upto, keys, blocks, edits });
        }
        Ok(Self(graves))
    }

    /// The blocks that may be missing.
    pub(crate) fn blocks(&self) -> HashSet<Cid> {
        self.0.values().flat_map(|grave| grave.blocks.iter().copied()).collect()
    }

    /// The keys of a bucket of which anything was purged, up to when, and its blocks.
    pub(crate) fn of(&self, bucket: BucketId) -> (BTreeMap<String, u64>, HashSet<Cid>) {
        let grave = self.0.get(&bucket);
        grave.map(|grave| (grave.keys.clone(), grave.blocks.clone())).unwrap_or_default()
    }

    /// The roots of those states that were made after anything was purged of their buckets, out of what the heads of the past
    /// lead to: nothing of them is missing.
    pub(crate) async fn later(&self, inner: &Inner, past: &[(String, Cid)]) -> Result<Vec<Cid>, BucketError> {
        let mut later = Vec::new();
        if self.0.is_empty() {
            return Ok(later);
        }
        for (head, root) in past {
            let top = block(&*inner.store, root).await?;
            if let Some(id) = head.strip_prefix(KEPT).and_then(|id| id.parse().ok()) {
                match (self.0.get(&id), Kept::from_block(&top)?.commits) {
                    (Some(grave), Some(all)) => later.extend(kept_after(inner, all, grave.upto).await?),
                    (Some(_), None) => {}
                    (None, _) => later.push(*root),
                }
                continue;
            }
            let commit = match NamedCommit::from_block(&top) {
                Ok(named) => Commit::from_block(&block(&*inner.store, &named.commit).await?)?,
                Err(_) => Commit::from_block(&top)?,
            };
            if self.0.get(&commit.bucket).is_none_or(|grave| grave.upto < commit.time) {
                later.push(*root);
            }
        }
        Ok(later)
    }

    /// Buries what was written to a key up to a time, and these blocks of it. `newest` is the newest state that was looked at.
    pub(crate) fn bury(
        &mut self,
        (bucket, key): (BucketId, &str),
        upto: u64,
        newest: Hlc,
        blocks: &HashSet<Cid>,
    ) -> Result<(), BucketError> {
        let grave = self.0.entry(bucket).or_default();
        grave.upto = grave.upto.max(newest);
        let upto = upto.max(grave.keys.get(key).copied().unwrap_or_default());
        grave.keys.insert(key.to_owned(), upto);
        let entry = |upto| Ok::<_, BucketError>(Entry { weight: 0, value: Tombstone::value(upto)? });
        grave.edits.insert(Tombstone::Key(key.to_owned()).place().into(), Some(entry(upto)?));
        for cid in blocks {
            grave.blocks.insert(*cid);
            grave.edits.insert(Tombstone::Block(*cid).place().into(), Some(entry(0)?));
        }
        Ok(())
    }

    /// These blocks were put again for something else: they are not missing, and must not be.
    pub(crate) fn give_up(&mut self, blocks: &HashSet<Cid>) {
        for grave in self.0.values_mut() {
            for cid in blocks {
                if grave.blocks.remove(cid) {
                    grave.edits.insert(Tombstone::Block(*cid).place().into(), None);
                }
            }
        }
    }

    /// Makes the changes durable.
    pub(crate) async fn save(&mut self, inner: &Inner, session: &dyn Session) -> Result<(), BucketError> {
        for (bucket, grave) in &mut self.0 {
            if grave.edits.is_empty() {
                continue;
            }
            let tree = match &grave.tree {
                Some(tree) => tree.clone(),
                None => {
                    let mut salt = [0; 16];
                    inner.entropy.fill(&mut salt);
                    let (blocks, nodes) = (Arc::clone(&inner.store) as _, Arc::new(NodeCache::new(NODES)));
                    let (tree, new) = Tree::empty(blocks, nodes, Salt(salt), Params::default());
                    // An edit reads the tree that it edits.
                    session.put(new).await?;
                    tree
                }
            };
            let edited = tree.edit(std::mem::take(&mut grave.edits)).await?;
            let (did, time) = (*inner.signer.did(), inner.clock.now().timestamp());
            let tombstones = edited.tree.root();
            let (bucket, upto) = (*bucket, grave.upto);
            let purged = Purged { space: did, bucket, tombstones, upto, time, author: did };
            let signed = purged.sign(&*inner.signer)?;
            let next = Some(*signed.cid());
            session.put(edited.blocks.into_iter().chain([signed]).collect()).await?;
            let swap = HeadSwap { name: Purged::head(bucket), expected: grave.head, next };
            inner.store.commit(&[session], &[swap]).await?;
            (grave.head, grave.tree) = (next, Some(edited.tree));
        }
        Ok(())
    }

    /// The buried blocks that whoever holds this root may be reading, or copying.
    pub(crate) async fn read_from(&self, inner: &Inner, root: Cid) -> Result<Vec<Cid>, BucketError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        // Other roots, those of uploads, lead to no past.
        let commit = inner.store.get(&root).await?.and_then(|block| Commit::from_block(&block).ok());
        let Some(commit) = commit else { return Ok(Vec::new()) };
        let Some(grave) = self.0.get(&commit.bucket) else { return Ok(Vec::new()) };
        let nodes = Arc::new(NodeCache::new(NODES));
        let snapshot = Snapshot::load(&inner.store, &nodes, root).await?;
        for key in grave.keys.keys() {
            if snapshot.holds(key).await? {
                return Ok(grave.blocks.iter().copied().collect());
            }
        }
        Ok(Vec::new())
    }
}

/// The commits in a list of kept ones that were made after a time.
async fn kept_after(inner: &Inner, list: Cid, time: Hlc) -> Result<Vec<Cid>, BucketError> {
    let nodes = Arc::new(NodeCache::new(NODES));
    let mut cursor = Tree::open(Arc::clone(&inner.store) as _, nodes, list).await?.cursor();
    cursor.seek_past(&KeptCommit::key(time)).await?;
    let mut commits = Vec::new();
    while let Some((_, entry)) = cursor.next().await? {
        commits.push(KeptCommit::from_value(&entry.value)?.commit);
    }
    Ok(commits)
}

impl Snapshot {
    /// The keys whose current objects were purged from this state.
    pub(crate) async fn purged_keys(&self) -> Result<BTreeSet<String>, BucketError> {
        let mut keys = BTreeSet::new();
        let Some(purged) = self.purged() else { return Ok(keys) };
        for (key, upto) in purged.keys().await? {
            if let Some(entry) = self.tree().get(key.as_bytes()).await?
                && self.record(&entry.value).await?.modified.0 <= upto
            {
                keys.insert(key);
            }
        }
        Ok(keys)
    }

    /// Whether nothing of it was purged.
    pub(crate) async fn is_whole(&self) -> Result<bool, BucketError> {
        let (Trees { objects, versions }, _) = self.unpurged().await?;
        Ok((objects.root(), versions.as_ref().map(Tree::root))
            == (self.commit().objects, self.commit().versions))
    }

    /// The trees without what was purged, and their new blocks.
    pub(crate) async fn unpurged(&self) -> Result<(Trees, Vec<Block>), BucketError> {
        let (mut trees, mut blocks) = (self.trees().clone(), Vec::new());
        let Some(purged) = self.purged() else { return Ok((trees, blocks)) };
        let gone = self.purged_keys().await?.into_iter().map(|key| (key.into(), None)).collect();
        let edited = trees.objects.edit(gone).await?;
        (trees.objects, blocks) = (edited.tree, edited.blocks);
        let Some(tree) = &trees.versions else { return Ok((trees, blocks)) };
        let mut gone = BTreeMap::new();
        for (key, upto) in purged.keys().await? {
            let mut cursor = tree.prefix(&escaped(&key));
            while let Some((place, entry)) = cursor.next().await? {
                if let Version::Object(record) = read(self.store(), tree, &entry.value).await?
                    && record.modified.0 <= upto
                {
                    gone.insert(place, None);
                }
            }
        }
        let edited = tree.edit(gone).await?;
        blocks.extend(edited.blocks);
        trees.versions = Some(edited.tree).filter(|tree| !tree.is_empty());
        Ok((trees, blocks))
    }

    /// Whether there is anything of this key, delete markers included.
    async fn holds(&self, key: &str) -> Result<bool, BucketError> {
        if self.tree().get(key.as_bytes()).await?.is_some() {
            return Ok(true);
        }
        match self.versions() {
            Some(tree) => Ok(versions::newest(self.store(), tree, key).await?.is_some()),
            None => Ok(false),
        }
    }
}
