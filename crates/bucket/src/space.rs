//! All buckets of one key.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use carob_block::{Cid, HeadSwap, Store, StoreError};
use carob_commit::{BucketId, Commit, Config, Genesis, Unsigned, uploads_head};
use carob_identity::{Clock, Did, Entropy, HybridClock, Signer, Timestamp};
use carob_index::{CacheFigures, NodeCache, Params, Salt, Tree};
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::sync::{RwLock, mpsc};
use tokio_util::task::TaskTracker;

use crate::committer::{Committer, Op};
use crate::pins::{Pin, Pins};
use crate::snapshot::block;
use crate::{Bucket, BucketError, Snapshot, lock, names};

/// How many buckets' newest states, and how many names, are kept decoded.
const CACHED_BUCKETS: usize = 1024;

/// What a space is made of.
#[derive(Debug)]
pub struct SpaceOptions {
    /// Where blocks and heads are kept.
    pub store: Arc<dyn Store>,
    /// The space's key: every commit is signed with it.
    pub signer: Arc<dyn Signer>,
    /// Tells the time of commits.
    pub clock: Arc<dyn Clock>,
    /// Draws bucket ids and salts.
    pub entropy: Arc<dyn Entropy>,
    /// The most memory for decoded tree nodes, in bytes.
    pub cache_bytes: u64,
}

/// All buckets of one key. Cheap to clone; the clones are one space.
#[derive(Clone)]
pub struct Space {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: HybridClock,
    pub(crate) nodes: Arc<NodeCache>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) pins: Pins,
    /// Decoded commits with their trees.
    snapshots: Cache<Cid, Snapshot>,
    geneses: Cache<Cid, Arc<Genesis>>,
    /// `None` once the space is closed.
    committers: Mutex<Option<HashMap<BucketId, Writes>>>,
    pub(crate) tasks: TaskTracker,
    on_group: OnceLock<OnGroup>,
    /// Shared by those that make or delete a bucket; held alone while a deleted one comes back, so that which was deleted
    /// last, and which names are free, is what it was when it was looked up.
    pub(crate) roster: RwLock<()>,
    last_death: AtomicU64,
}

/// Where the writes go that are asked of a bucket by this name.
struct Writes {
    name: String,
    ops: mpsc::Sender<Op>,
}

/// Hears how many operations a group had, and how long it took to become durable.
type OnGroup = Box<dyn Fn(usize, Duration) + Send + Sync>;

/// What never changes of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// Its identity; a bucket created anew under an old name has another one.
    pub id: BucketId,
    /// Who owns it.
    pub owner: Did,
    /// When it was created.
    pub created: Timestamp,
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Space").field("did", self.did()).finish_non_exhaustive()
    }
}

impl Space {
    /// Opens the space that `options.signer` holds the key of.
    ///
    /// # Errors
    /// [`BucketError::Store`] if the heads cannot be read.
    pub async fn open(options: SpaceOptions) -> Result<Self, BucketError> {
        options.store.heads(&Genesis::head("")).await?;
        let inner = Inner {
            store: options.store,
            signer: options.signer,
            clock: HybridClock::new(options.clock),
            nodes: Arc::new(NodeCache::new(options.cache_bytes)),
            entropy: options.entropy,
            pins: Pins::default(),
            snapshots: Cache::new(CACHED_BUCKETS),
            geneses: Cache::new(CACHED_BUCKETS),
            committers: Mutex::new(Some(HashMap::new())),
            tasks: TaskTracker::new(),
            on_group: OnceLock::new(),
            roster: RwLock::new(()),
            last_death: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The key that signs for this space.
    pub fn did(&self) -> &Did {
        self.inner.signer.did()
    }

    /// Has `hear` told of each group that a bucket's committer made durable: how many operations it had, and how long
    /// it took to become durable. For metrics; the first to ask is told.
    pub fn on_group(&self, hear: impl Fn(usize, Duration) + Send + Sync + 'static) {
        _ = self.inner.on_group.set(Box::new(hear));
    }

    /// What the cache of decoded tree nodes takes, and of how much use it was.
    pub fn node_cache(&self) -> CacheFigures {
        self.inner.nodes.figures()
    }

    /// Makes an empty bucket; durable when it returns.
    ///
    /// # Errors
    /// [`BucketError::InvalidBucketName`], [`BucketError::BucketExists`].
    pub async fn create_bucket(&self, name: &str) -> Result<BucketInfo, BucketError> {
        self.create_bucket_with(name, *self.did(), &Config::default()).await
    }

    /// Makes an empty bucket that belongs to `owner` and is so configured; durable when it returns.
    ///
    /// # Errors
    /// As [`Space::create_bucket`]; [`BucketError::VersioningState`] for object lock without versioning.
    pub async fn create_bucket_with(
        &self,
        name: &str,
        owner: Did,
        config: &Config,
    ) -> Result<BucketInfo, BucketError> {
        names::check(name)?;
        lock::may_configure(&Config::default(), config)?;
        let inner = &self.inner;
        let (mut id, mut salt) = ([0; 16], [0; 16]);
        inner.entropy.fill(&mut id);
        inner.entropy.fill(&mut salt);
        let time = inner.clock.now();
        let did = *self.did();
        let genesis = Genesis { id: BucketId(id), space: did, owner, salt, created: time.timestamp() };
        let blocks = Arc::clone(&inner.store) as _;
        let (tree, mut new) = Tree::empty(blocks, Arc::clone(&inner.nodes), Salt(salt), Params::default());
        let config = config.to_block()?;
        let first = Unsigned {
            space: did,
            bucket: genesis.id,
            name: name.to_owned(),
            objects: tree.root(),
            versions: None,
            config: config.as_ref().map(|block| *block.cid()),
            parents: Vec::new(),
            skip: None,
            seq: 0,
            time,
            author: did,
        };
        let (_, commit) = first.sign(&*inner.signer)?;
        let genesis_block = genesis.to_block()?;
        let swaps = [
            HeadSwap { name: Genesis::head(name), expected: None, next: Some(*genesis_block.cid()) },
            HeadSwap { name: Commit::head(genesis.id), expected: None, next: Some(*commit.cid()) },
        ];
        new.extend(config);
        new.extend([commit, genesis_block]);
        let session = inner.store.session();
        session.put(new).await?;
        let _shared = inner.roster.read().await;
        match inner.store.commit(&[&*session], &swaps).await {
            Ok(()) => Ok(info(name, &genesis)),
            Err(StoreError::Conflict { .. }) => Err(BucketError::BucketExists(name.to_owned())),
            Err(other) => Err(other.into()),
        }
    }

    /// The bucket called `name`.
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`].
    pub async fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        let head = self.inner.store.head(&Genesis::head(name)).await?;
        let cid = head.ok_or_else(|| BucketError::NoSuchBucket(name.to_owned()))?;
        let genesis = self.inner.genesis(cid).await?;
        Ok(Bucket::new(Arc::clone(&self.inner), info(name, &genesis)))
    }

    /// All buckets, ordered by name.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn buckets(&self) -> Result<Vec<BucketInfo>, BucketError> {
        let prefix = Genesis::head("");
        let mut buckets = Vec::new();
        for (head, cid) in self.inner.store.heads(&prefix).await? {
            let name = head.strip_prefix(&prefix).unwrap_or(&head);
            buckets.push(info(name, &*self.inner.genesis(cid).await?));
        }
        Ok(buckets)
    }

    /// Deletes an empty bucket; durable when it returns. Its last commit stays under the head
    /// `deleted/<id>`, and its past as long as retention keeps it: [`Space::undelete_bucket`] brings it back.
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`], [`BucketError::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<(), BucketError> {
        self.bucket(name).await?.delete_bucket().await
    }

    /// Answers what is under way, refuses what comes after, and waits for the committers to end.
    pub async fn close(&self) {
        self.inner.committers.lock().take();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

fn info(name: &str, genesis: &Genesis) -> BucketInfo {
    BucketInfo { name: name.to_owned(), id: genesis.id, owner: genesis.owner, created: genesis.created }
}

impl BucketInfo {
    pub(crate) fn gone(&self) -> BucketError {
        BucketError::NoSuchBucket(self.name.clone())
    }

    fn called(&self, snapshot: Snapshot) -> Result<Snapshot, BucketError> {
        if snapshot.commit().name == self.name { Ok(snapshot) } else { Err(self.gone()) }
    }
}

impl Inner {
    /// When a bucket is deleted, now: later than any other, so that of one name the last is known.
    pub(crate) fn time_of_death(&self) -> Timestamp {
        let now = self.clock.wall().0;
        let later = |last: u64| Some(now.max(last.saturating_add(1)));
        let last = self.last_death.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
        // It never fails: there is always a later one.
        Timestamp(last.ok().and_then(later).unwrap_or(now))
    }

    pub(crate) async fn genesis(&self, cid: Cid) -> Result<Arc<Genesis>, BucketError> {
        if let Some(genesis) = self.geneses.get(&cid) {
            return Ok(genesis);
        }
        let genesis = Arc::new(Genesis::from_block(&block(&*self.store, &cid).await?)?);
        self.geneses.insert(cid, Arc::clone(&genesis));
        Ok(genesis)
    }

    /// The durable state of a bucket now. One that was deleted and came back under another name is not there for whoever
    /// asked by the old one.
    pub(crate) async fn snapshot(&self, bucket: &BucketInfo) -> Result<Snapshot, BucketError> {
        let head = self.store.head(&Commit::head(bucket.id)).await?;
        bucket.called(self.state(head.ok_or_else(|| bucket.gone())?).await?)
    }

    /// The same for a reader, who holds it: a collection takes nothing of it until it is let go.
    pub(crate) async fn held_snapshot(&self, bucket: &BucketInfo) -> Result<Snapshot, BucketError> {
        let head = self.held_head(&Commit::head(bucket.id)).await?;
        let (cid, pin) = head.ok_or_else(|| bucket.gone())?;
        Ok(bucket.called(self.state(cid).await?)?.held(pin))
    }

    /// The state of a bucket that this commit is.
    pub(crate) async fn state(&self, commit: Cid) -> Result<Snapshot, BucketError> {
        if let Some(snapshot) = self.snapshots.get(&commit) {
            return Ok(snapshot);
        }
        let snapshot = Snapshot::load(&self.store, &self.nodes, commit).await?;
        self.remember(&snapshot);
        Ok(snapshot)
    }

    /// Where a head is, held. It was still there once it was held: so a collection that does not see it held reads
    /// it among the heads, or a newer one.
    async fn held_head(&self, name: &str) -> Result<Option<(Cid, Pin)>, BucketError> {
        let mut head = self.store.head(name).await?;
        while let Some(cid) = head {
            let pin = self.pins.pin(cid);
            head = self.store.head(name).await?;
            if head == Some(cid) {
                return Ok(Some((cid, pin)));
            }
        }
        Ok(None)
    }

    /// The durable state of a bucket's multipart uploads now; `None` if there never were any.
    pub(crate) async fn uploads(&self, bucket: &BucketInfo) -> Result<Option<Tree>, BucketError> {
        match self.store.head(&uploads_head(bucket.id)).await? {
            Some(root) => self.tree(root).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same for a reader, who holds it.
    pub(crate) async fn held_uploads(&self, bucket: &BucketInfo) -> Result<Option<(Tree, Pin)>, BucketError> {
        match self.held_head(&uploads_head(bucket.id)).await? {
            Some((root, pin)) => Ok(Some((self.tree(root).await?, pin))),
            None => Ok(None),
        }
    }

    async fn tree(&self, root: Cid) -> Result<Tree, BucketError> {
        Ok(Tree::open(Arc::clone(&self.store) as _, Arc::clone(&self.nodes), root).await?)
    }

    pub(crate) fn group_committed(&self, operations: usize, time: Duration) {
        if let Some(hear) = self.on_group.get() {
            hear(operations, time);
        }
    }

    pub(crate) fn remember(&self, snapshot: &Snapshot) {
        self.snapshots.insert(snapshot.cid(), snapshot.clone());
    }

    /// Where the writes of a bucket go; starts its committer if there is none.
    pub(crate) fn committer(self: &Arc<Self>, bucket: &BucketInfo) -> Result<mpsc::Sender<Op>, BucketError> {
        let mut committers = self.committers.lock();
        let committers = committers.as_mut().ok_or_else(BucketError::closed)?;
        let open = |there: &&Writes| there.name == bucket.name && !there.ops.is_closed();
        if let Some(there) = committers.get(&bucket.id).filter(open) {
            return Ok(there.ops.clone());
        }
        let (ops, committer) = Committer::new(Arc::clone(self), bucket.clone());
        self.tasks.spawn(committer.run());
        committers.insert(bucket.id, Writes { name: bucket.name.clone(), ops: ops.clone() });
        Ok(ops)
    }

    /// Forgets the committer of a bucket that is gone.
    pub(crate) fn retire(&self, bucket: BucketId) {
        if let Some(committers) = self.committers.lock().as_mut() {
            committers.remove(&bucket);
        }
    }
}
