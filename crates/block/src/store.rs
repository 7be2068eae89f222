//! The traits of stores: blocks, sessions, heads.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::{Block, BlockError};

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A head was not at the expected CID. Nothing was changed.
    #[error("head {name} is at {actual:?}, not where the caller expected it")]
    Conflict {
        /// The first head that differed.
        name: String,
        /// Where it durably is; `None` when absent.
        actual: Option<Cid>,
    },
    /// Blocks put through this session are gone, because a flush failed since. Start again with a new one.
    #[error("the session was lost to a failed flush")]
    SessionLost,
    /// No space is left. Retrying later may succeed.
    #[error("the store is out of space")]
    Full,
    /// Stored bytes do not match their CID.
    #[error("stored block is damaged")]
    Damaged(#[from] BlockError),
    /// A head would point at a block that is neither durable nor in one of the commit's sessions.
    #[error("head {name} would reach block {missing}, which the store does not hold")]
    Dangling {
        /// The head.
        name: String,
        /// The first block found missing.
        missing: Cid,
    },
    /// Anything else: an I/O error, a store that is shutting down.
    #[error("{context}")]
    Unavailable {
        /// What the store was doing.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Says whether bytes are those that were meant.
pub type Check = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Reads blocks by CID.
#[async_trait]
pub trait ReadBlocks: Send + Sync + Debug {
    /// The block, or `None` if this store does not hold it.
    ///
    /// A block is readable from the moment a [`Session::put`] of it returned, durable or not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if the stored bytes do not hash to `cid`.
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError>;

    /// Bytes `range` of a block, if `check` accepts them; `None` if this store does not hold the block.
    ///
    /// For whoever can verify a part by other means than hashing the whole block, which need not even be read. Bytes
    /// that were not verified never come out: after an error, [`ReadBlocks::get`] may still find the block sound.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if `check` refuses the bytes, or there are none there.
    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        let Some(block) = self.get(cid).await? else { return Ok(None) };
        let part =
            (range.start <= range.end && range.end <= block.data().len()).then(|| block.data().slice(range));
        match part.filter(|part| check(part)) {
            Some(part) => Ok(Some(part)),
            None => Err(BlockError::HashMismatch(*cid).into()),
        }
    }
}

/// Names a session within its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u64);

/// A writer's hold on the blocks it needs.
///
/// Every block put *or reported present* through a session stays readable until the session is dropped,
/// whatever else happens, and becomes durable with the next successful [`Store::commit`] that names it.
/// Nothing survives a crash before that.
#[async_trait]
pub trait Session: Send + Sync + Debug {
    /// The name of this session.
    fn id(&self) -> SessionId;

    /// Adds blocks; those already held are not stored again.
    ///
    /// # Errors
    /// [`StoreError::SessionLost`], [`StoreError::Full`].
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError>;

    /// Which of `cids` the store does not hold. The others are pinned as if they had been put.
    ///
    /// # Errors
    /// [`StoreError::SessionLost`].
    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError>;
}

/// Reads the mutable names. What they return is always durable.
#[async_trait]
pub trait Heads: Send + Sync + Debug {
    /// Where the head is, or `None` if there is none of that name.
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError>;

    /// All heads whose name starts with `prefix`, ordered by name.
    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError>;
}

/// One head to move, in a [`Store::commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadSwap {
    /// The head's name.
    pub name: String,
    /// Where it durably is now; `None` if it must not exist.
    pub expected: Option<Cid>,
    /// Where it shall be; `None` deletes it.
    pub next: Option<Cid>,
}

/// Blocks, heads, and the one operation that makes both durable.
#[async_trait]
pub trait Store: ReadBlocks + Heads {
    /// Opens a session.
    fn session(&self) -> Box<dyn Session>;

    /// Moves all of `swaps`, or none, after making every block of `sessions` durable.
    ///
    /// When this returns `Ok`, heads and blocks survive any crash. A caller must not have two commits of
    /// one head under way: `expected` is always the durable head. With no swaps it only flushes. Everything
    /// that a next head reaches by strong links must be durable already or belong to `sessions`.
    ///
    /// Dropping the future does not undo the commit: it may or may not happen.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if a head is not at its `expected`; [`StoreError::SessionLost`];
    /// [`StoreError::Full`]; [`StoreError::Dangling`] from stores that check. After any error no head has
    /// moved.
    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError>;
}
