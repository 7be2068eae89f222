//! Erasing a key for good, from every state of a bucket.
//!
//! The key's versions are deleted, and then its bodies from the past. Past states are signed and stay as they are: their
//! nodes still show the key, but what its records lead to, and nothing else does, is taken away, and tombstones say so.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, Codec, Sweep};
use carob_commit::{
    Commit, CompletedState, Inline, Kept, KeptCommit, NamedCommit, Record, TreeValue, Version, VersionName,
};
use carob_identity::Hlc;
use carob_index::{NodeCache, Tree, Value};

use crate::escape::escaped;
use crate::expiry::Expired;
use crate::mark::Detours;
use crate::snapshot::{block, read};
use crate::space::Inner;
use crate::tombstones::Graveyard;
use crate::uploads::{self, Place};
use crate::{
    Bucket, BucketError, BucketInfo, CollectOptions, Collected, DeleteOptions, Snapshot, Space, lock,
};

/// Memory for the nodes that lead to a key in past states.
const NODES: u64 = 16 << 20;

/// What a purge did, or would do.
#[derive(Debug, Clone, Default)]
pub struct Purge {
    /// How many versions of the key were deleted from the present, delete markers included.
    pub versions: u64,
    /// How many uploads to the key were ended.
    pub uploads: u64,
    /// How many past states held the key.
    pub states: u64,
    /// How many blocks of their bodies are erased.
    pub erased: u64,
    /// How many stay because something else needs them.
    pub shared: u64,
    /// What the collection came to that took them away.
    pub collected: Collected,
}

/// What of the past belongs to a key.
#[derive(Debug)]
pub(crate) struct Remains {
    pub(crate) bucket: BucketInfo,
    pub(crate) key: String,
    /// The keys whose past is walked past: this one, and those that were purged before, up to when.
    keys: BTreeMap<String, u64>,
    /// Blocks that were buried before.
    buried: HashSet<Cid>,
    /// When the newest of the records was written.
    pub(crate) upto: u64,
    /// When the newest state was made that they were looked for in.
    pub(crate) newest: Hlc,
    /// The blocks that the records lead to.
    pub(crate) blocks: HashSet<Cid>,
    /// Records that have blocks of their own: those stay.
    pub(crate) records: BTreeSet<Cid>,
    /// How to walk past the records.
    pub(crate) detours: Detours,
    states: u64,
    /// Leaves and places in them that were seen.
    seen: HashSet<(Cid, Bytes)>,
}

impl Space {
    /// Erases a key: all of its versions, and its bodies from every past state of the bucket, named snapshots included.
    /// What other keys or buckets need as well stays. Past states still name the key; reading it there is
    /// [`BucketError::Purged`].
    ///
    /// # Errors
    /// [`BucketError::Locked`] if object lock protects a version; [`BucketError::SnapshotLocked`] if a locked snapshot
    /// holds the key; as [`Space::collect`]. After an error versions may be gone from the present, and nothing from the past.
    pub async fn purge(
        &self,
        store: &dyn Sweep,
        bucket: &str,
        key: &str,
        options: CollectOptions,
    ) -> Result<Purge, BucketError> {
        let bucket = self.bucket(bucket).await?;
        bucket.may_purge(key).await?;
        let (versions, uploads) = bucket.delete_all(key, options.dry_run).await?;
        let mut purge = Purge { versions, uploads, ..Purge::default() };
        purge.collected = self.collect_and(store, options, Some((&bucket, key, &mut purge))).await?;
        Ok(purge)
    }
}

impl Bucket {
    /// Refuses while anything protects what is under the key.
    async fn may_purge(&self, key: &str) -> Result<(), BucketError> {
        crate::bucket::check_key(key)?;
        let now = self.space().clock.wall();
        for (_, record) in self.snapshot().await?.all_of(key).await? {
            if let Some(record) = record {
                lock::may_remove(&record, now, false)?;
            }
        }
        for snapshot in self.snapshots().await? {
            if let Some(until) = snapshot.locked_until.filter(|until| *until > now) {
                let state = self.named_snapshot(&snapshot.name).await?;
                if !state.all_of(key).await?.is_empty() {
                    return Err(BucketError::SnapshotLocked { name: snapshot.name, until });
                }
            }
        }
        Ok(())
    }

    /// Deletes every version of a key and ends its uploads, or counts them.
    async fn delete_all(&self, key: &str, dry_run: bool) -> Result<(u64, u64), BucketError> {
        let mut deleted = 0;
        loop {
            let versions = self.snapshot().await?.all_of(key).await?;
            if versions.is_empty() || dry_run {
                deleted += versions.len() as u64;
                break;
            }
            let plain = self.snapshot().await?.config().versioning == crate::Versioning::Unversioned;
            let options = |(name, record): (VersionName, Option<Arc<Record>>)| match plain {
                true => DeleteOptions { unchanged: record, ..DeleteOptions::default() },
                false => DeleteOptions { version: Some(name), ..DeleteOptions::default() },
            };
            let keys = versions.into_iter().map(|version| (key.to_owned(), options(version))).collect();
            for result in self.delete_many(keys).await? {
                match result {
                    Ok(gone) => deleted += u64::from(gone.existed),
                    // Another took its place meanwhile: it comes next.
                    Err(BucketError::PreconditionFailed(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        let mut ended = Vec::new();
        if let Some((tree, _held)) = self.space().held_uploads(self.info()).await? {
            let mut cursor = tree.prefix(&escaped(key));
            while let Some((at, _)) = cursor.next().await? {
                if let Some(Place::Upload { key, id, number: 0 }) = uploads::place(&at) {
                    ended.push(Expired::Upload(key, id));
                }
            }
            let mut cursor = tree.prefix(uploads::COMPLETED_PREFIX);
            while let Some((at, entry)) = cursor.next().await? {
                let result: CompletedState = read(&self.space().store, &tree, &entry.value).await?;
                if let (true, Some(Place::Completed(id))) = (result.key == key, uploads::place(&at)) {
                    ended.push(Expired::Result(id));
                }
            }
        }
        let uploads = ended.iter().filter(|ended| matches!(ended, Expired::Upload(..))).count() as u64;
        if !ended.is_empty() && !dry_run {
            self.expire(ended).await?;
        }
        Ok((deleted, uploads))
    }
}

impl Snapshot {
    /// Every version of a key, with its record unless it is a delete marker.
    async fn all_of(&self, key: &str) -> Result<Vec<(VersionName, Option<Arc<Record>>)>, BucketError> {
        let mut all = Vec::new();
        if let Some(entry) = self.tree().get(key.as_bytes()).await? {
            let record = self.record(&entry.value).await?;
            all.push((record.version_name(), Some(record)));
        }
        let Some(tree) = self.versions() else { return Ok(all) };
        let mut cursor = tree.prefix(&escaped(key));
        while let Some((_, entry)) = cursor.next().await? {
            all.push(match read(self.store(), tree, &entry.value).await? {
                Version::Object(record) => (record.version_name(), Some(Arc::new(*record))),
                Version::DeleteMarker(marker) => (marker.name(), None),
            });
        }
        Ok(all)
    }
}

impl Remains {
    /// What is to be looked for, beside what was purged of the bucket before.
    pub(crate) fn new(bucket: &Bucket, key: &str, graves: &Graveyard) -> Self {
        let (mut keys, buried) = graves.of(bucket.info().id);
        keys.insert(key.to_owned(), u64::MAX);
        Self {
            keys,
            buried,
            bucket: bucket.info().clone(),
            key: key.to_owned(),
            upto: 0,
            newest: Hlc::default(),
            blocks: HashSet::new(),
            records: BTreeSet::new(),
            detours: Detours::default(),
            states: 0,
            seen: HashSet::new(),
        }
    }

    /// Looks for the key in what is kept of a bucket: the commits of this list, those that have names, those that
    /// branches have in common with it, and `also`.
    pub(crate) async fn find(
        &mut self,
        inner: &Inner,
        list: Option<Cid>,
        also: Option<Cid>,
    ) -> Result<(), BucketError> {
        let (id, nodes) = (self.bucket.id, Arc::new(NodeCache::new(NODES)));
        let mut states: BTreeSet<Cid> = also.into_iter().collect();
        if let Some(list) = list
            && let Some(root) = Kept::from_block(&block(&*inner.store, &list).await?)?.commits
        {
            let tree = Tree::open(Arc::clone(&inner.store) as _, Arc::clone(&nodes), root).await?;
            let mut cursor = tree.prefix(b"");
            while let Some((_, entry)) = cursor.next().await? {
                states.insert(KeptCommit::from_value(&entry.value)?.commit);
            }
        }
        for (_, cid) in inner.store.heads(&NamedCommit::head(id, "")).await? {
            states.insert(NamedCommit::from_block(&block(&*inner.store, &cid).await?)?.commit);
        }
        for (_, commit) in inner.store.heads("base/").await? {
            if Commit::from_block(&block(&*inner.store, &commit).await?)?.bucket == id {
                states.insert(commit);
            }
        }
        for commit in states {
            let state = Snapshot::load(&inner.store, &nodes, commit).await?;
            for (key, upto) in self.keys.clone() {
                let found = self.search(&state, &key, upto).await?;
                self.states += u64::from(found && key == self.key);
            }
        }
        Ok(())
    }

    /// Whether a state holds a record of a key, written no later than this.
    async fn search(&mut self, state: &Snapshot, key: &str, upto: u64) -> Result<bool, BucketError> {
        let mut found = false;
        if let Some(entry) = state.tree().get(key.as_bytes()).await? {
            let record = state.record(&entry.value).await?;
            if record.modified.0 <= upto {
                let place = Bytes::copy_from_slice(key.as_bytes());
                self.add::<Record>(state, state.tree(), place, &entry.value, (key, &record)).await?;
                found = true;
            }
        }
        let Some(tree) = state.versions() else { return Ok(found) };
        let mut cursor = tree.prefix(&escaped(key));
        while let Some((place, entry)) = cursor.next().await? {
            if let Version::Object(record) = read(state.store(), tree, &entry.value).await?
                && record.modified.0 <= upto
            {
                self.add::<Version>(state, tree, place, &entry.value, (key, &record)).await?;
                found = true;
            }
        }
        Ok(found)
    }

    /// Adds a record, and whatever it leads to.
    async fn add<T: TreeValue>(
        &mut self,
        state: &Snapshot,
        tree: &Tree,
        place: Bytes,
        value: &Value,
        (key, record): (&str, &Record),
    ) -> Result<(), BucketError> {
        let (_, nodes) = tree.prove(async |tree: Tree| tree.get(&place).await).await?;
        let leaf = nodes.last().map_or(tree.root(), |leaf| *leaf.cid());
        if !self.seen.insert((leaf, place)) {
            return Ok(());
        }
        if key == self.key {
            self.upto = self.upto.max(record.modified.0);
        }
        let links = |block: &Block| block.links().map_err(BucketError::damaged);
        let own = Block::new(Codec::DagCbor, value.bytes().clone()).map_err(BucketError::damaged)?;
        let direct = links(&own)?;
        let mut todo = match T::from_value(value, tree.root())? {
            Inline::Here(_) => direct.clone(),
            Inline::Linked(cid) => {
                self.records.insert(cid);
                links(&block(&**state.store(), &cid).await?)?
            }
        };
        self.detours.cut.entry(leaf).or_default().extend(direct);
        while let Some(cid) = todo.pop() {
            if self.buried.contains(&cid) || !self.blocks.insert(cid) || cid.codec() == Codec::Raw.code() {
                continue;
            }
            if let Some(block) = state.store().get(&cid).await? {
                todo.extend(links(&block)?);
            }
        }
        Ok(())
    }

    /// Says what was found, and what becomes of it: `shared` stays.
    pub(crate) fn tell(&self, shared: &HashSet<Cid>, purge: &mut Purge) {
        purge.states = self.states;
        purge.shared = shared.len() as u64;
        purge.erased = self.blocks.difference(shared).count() as u64;
    }
}
