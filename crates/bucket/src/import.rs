//! Buckets made of what somebody else exported.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use carob_block::{Block, Cid, ReadBlocks, Session, Store, StoreError};
use carob_commit::KeptCommit;
use carob_identity::Did;

use crate::adopt::States;
use crate::fork::Fork;
use crate::{BucketError, BucketInfo, Snapshot, Space, names};

/// How many bytes of blocks are handed to the store at a time.
const BATCH: usize = 4 << 20;

/// The blocks of an export on their way in. Nothing of it is a bucket before [`Import::finish`], and what is given up is
/// forgotten.
#[derive(Debug)]
pub struct Import {
    space: Space,
    session: Box<dyn Session>,
    supplied: HashSet<Cid>,
    /// What is said of past states.
    kept: Vec<KeptCommit>,
    waiting: Vec<Block>,
    bytes: usize,
    /// How many bytes may come, and how many did.
    max_bytes: Option<u64>,
    came: u64,
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
    /// How many past states came with it.
    pub past: usize,
}

impl Space {
    /// Begins an import of at most `max_bytes`, if that is given.
    pub fn import(&self, max_bytes: Option<u64>) -> Import {
        Import {
            space: self.clone(),
            session: self.inner.store.session(),
            supplied: HashSet::new(),
            kept: Vec::new(),
            waiting: Vec::new(),
            bytes: 0,
            max_bytes,
            came: 0,
        }
    }
}

impl Import {
    /// Takes a block.
    ///
    /// # Errors
    /// [`BucketError::TooManyBytes`]; what the store says.
    pub async fn add(&mut self, block: Block) -> Result<(), BucketError> {
        // Also of those that came before: who sends nothing else would never end.
        self.came = self.came.saturating_add(block.data().len() as u64);
        if let Some(most) = self.max_bytes.filter(|most| self.came > *most) {
            return Err(BucketError::TooManyBytes(most));
        }
        if self.supplied.insert(*block.cid()) {
            self.bytes += block.data().len();
            self.kept.extend(KeptCommit::from_block(&block).ok());
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
    /// the same, root for root. Its history begins here; or if past states came with it, it has these, with their times and
    /// the bucket's retention, and each of its commits is signed anew by this space.
    ///
    /// # Errors
    /// [`BucketError::Untrustworthy`] with what was found wrong; [`BucketError::InvalidBucketName`],
    /// [`BucketError::BucketExists`]; [`BucketError::Repetitive`] for bodies that are far larger than what came, and than
    /// what may come; what the store says.
    pub async fn finish(mut self, root: Cid, name: &str, owner: Did) -> Result<Imported, BucketError> {
        names::check(name)?;
        self.flush().await?;
        let Self { space, session, supplied, kept, max_bytes, .. } = self;
        let store = Arc::clone(&space.inner.store);
        let only: Arc<dyn ReadBlocks> = Arc::new(Supplied { store: Arc::clone(&store), supplied });
        let states = States::verify(&store, only, root, &kept, None, max_bytes).await?;
        let count = states.past.len();
        states.check_times(count > 0, &space.inner.clock)?;
        let States { newest: state, past, .. } = states;
        let (name, past) = (name.to_owned(), (count > 0).then_some(past));
        let fork = Fork { state, name, owner, with: None, origin: None, past, session: session.into() };
        let bucket = space.fork(fork).await?;
        let state = space.inner.snapshot(&bucket).await?;
        Ok(Imported { bucket, state, from: root, past: count })
    }
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
