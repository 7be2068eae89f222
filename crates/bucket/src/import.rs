//! Buckets made of what somebody else exported.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use carob_block::{Block, Cid, ReadBlocks, Session, Store, StoreError};
use carob_commit::{Lock, Record, VerifyError, Version, Versioning, verify_blocks};
use carob_identity::Did;
use carob_index::{NodeCache, Tree};

use crate::bucket::{check_key, check_metadata};
use crate::fork::Fork;
use crate::snapshot::read;
use crate::{BucketError, BucketInfo, Config, Snapshot, Space, names, versions};

/// How many bytes of blocks are handed to the store at a time.
const BATCH: usize = 4 << 20;

/// The blocks of an export on their way in. Nothing of it is a bucket before [`Import::finish`], and what is given up is
/// forgotten.
#[derive(Debug)]
pub struct Import {
    space: Space,
    session: Box<dyn Session>,
    supplied: HashSet<Cid>,
    waiting: Vec<Block>,
    bytes: usize,
}

/// What came of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The new bucket.
    pub bucket: BucketInfo,
    /// The state that it begins as.
    pub state: Snapshot,
    /// The commit that was imported.
    pub from: Cid,
}

impl Space {
    /// Begins an import.
    pub fn import(&self) -> Import {
        Import {
            space: self.clone(),
            session: self.inner.store.session(),
            supplied: HashSet::new(),
            waiting: Vec::new(),
            bytes: 0,
        }
    }
}

impl Import {
    /// Takes a block.
    ///
    /// # Errors
    /// What the store says.
    pub async fn add(&mut self, block: Block) -> Result<(), BucketError> {
        if self.supplied.insert(*block.cid()) {
            self.bytes += block.data().len();
            self.waiting.push(block);
        }
        if self.bytes >= BATCH { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), BucketError> {
        self.bytes = 0;
        Ok(self.session.put(std::mem::take(&mut self.waiting)).await?)
    }

    /// Makes a bucket called `name` of the commit `root`, after everything about it is checked as by somebody who trusts
    /// nobody: signatures, the shape of the trees, and every body.
    ///
    /// Only blocks that were supplied count: that the store holds another proves no right to it. The bucket has the
    /// objects, versions, versioning and object lock of the commit, and nothing else of its configuration. Its trees are
    /// the same, root for root; its history begins here.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`] with what was found wrong; [`BucketError::InvalidBucketName`],
    /// [`BucketError::BucketExists`]; what the store says.
    pub async fn finish(mut self, root: Cid, name: &str, owner: Did) -> Result<Imported, BucketError> {
        names::check(name)?;
        self.flush().await?;
        let Self { space, session, supplied, .. } = self;
        let store = Arc::clone(&space.inner.store);
        let only: Arc<dyn ReadBlocks> = Arc::new(Supplied { store: Arc::clone(&store), supplied });
        let report = verify_blocks(root, Arc::clone(&only), None).await.map_err(untrustworthy)?;
        // Everything that it links is there now, so it can be read like any other.
        let state = Snapshot::load(&store, &Arc::new(NodeCache::new(16 << 20)), root).await?;
        check_rules(&store, &state).await?;
        let fork = Fork { state, name: name.to_owned(), owner, with: None, session };
        let bucket = space.fork(fork).await?;
        let state = space.inner.snapshot(&bucket).await?;
        Ok(Imported { bucket, state, from: report.commit.cid() })
    }
}

/// What a bucket of ours never breaks, and its own code relies on.
async fn check_rules(store: &Arc<dyn Store>, state: &Snapshot) -> Result<(), BucketError> {
    let config: &Config = state.config();
    let locks = config.object_lock.is_some();
    let plain = config.versioning == Versioning::Unversioned;
    let mut objects = state.tree().cursor();
    objects.seek(b"").await?;
    while let Some((key, entry)) = objects.next().await? {
        let record: Record = read(store, state.tree(), &entry.value).await?;
        check_record(&key_of(&key)?, &record, locks)?;
        if plain && record.version.is_some() {
            return Err(broken("a version in a bucket without versioning"));
        }
    }
    let Some(tree) = state.versions() else { return Ok(()) };
    if plain {
        return Err(broken("versions in a bucket without versioning"));
    }
    check_versions(store, tree, locks).await
}

async fn check_versions(store: &Arc<dyn Store>, tree: &Tree, locks: bool) -> Result<(), BucketError> {
    let mut entries = tree.cursor();
    entries.seek(b"").await?;
    while let Some((place, entry)) = entries.next().await? {
        let version: Version = read(store, tree, &entry.value).await?;
        let key = versions::key_of(&place).ok_or_else(|| broken("a version without a key"))?;
        check_key(&key).map_err(|_| broken("a key of a wrong length"))?;
        if versions::place(&key, version.name()) != place {
            return Err(broken("a version in another's place"));
        }
        if let Version::Object(record) = version {
            check_record(&key, &record, locks)?;
        }
    }
    Ok(())
}

fn check_record(key: &str, record: &Record, locks: bool) -> Result<(), BucketError> {
    check_key(key).map_err(|_| broken("a key of a wrong length"))?;
    check_metadata(&record.metadata).map_err(|_| broken("too much user metadata"))?;
    if record.lock != Lock::default() && !locks {
        return Err(broken("a protected object in a bucket without object lock"));
    }
    Ok(())
}

fn key_of(bytes: &[u8]) -> Result<String, BucketError> {
    String::from_utf8(bytes.to_vec()).map_err(|_| broken("a key that is not UTF-8"))
}

fn broken(what: &'static str) -> BucketError {
    let text: Box<dyn std::error::Error + Send + Sync> = what.into();
    BucketError::Untrustworthy(Arc::from(text))
}

fn untrustworthy(error: VerifyError) -> BucketError {
    BucketError::Untrustworthy(Arc::new(error))
}

/// The blocks that came with an import and no others.
#[derive(Debug)]
struct Supplied {
    store: Arc<dyn Store>,
    supplied: HashSet<Cid>,
}

#[async_trait]
impl ReadBlocks for Supplied {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        if self.supplied.contains(cid) { self.store.get(cid).await } else { Ok(None) }
    }
}
