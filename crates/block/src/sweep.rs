//! The trait of stores that can reclaim blocks.

use std::fmt::Debug;

use async_trait::async_trait;
use cid::Cid;

use crate::{Store, StoreError};

/// A store that can give back the space of blocks that nothing needs.
///
/// The caller knows what is needed: it begins a collection, *then* reads the heads, marks whatever they reach, and
/// sweeps the rest. The store sees to blocks that arrive meanwhile.
#[async_trait]
pub trait Sweep: Store {
    /// Begins a collection.
    ///
    /// Until it is swept or dropped, every block that is put or reported present through any session, and every
    /// block that a session already holds, counts as live: the block itself, not what it links.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] while another collection is under way.
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError>;

    /// Bytes that blocks take now, dead ones included: tells when a collection may be worth its while.
    fn size(&self) -> u64;
}

/// A collection under way. Dropping it changes nothing.
#[async_trait]
pub trait Collection: Send + Sync + Debug {
    /// Marks blocks as live, and tells which of them were not marked before: the caller goes on with their links.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot look them up.
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError>;

    /// These blocks are to be gone for good unless they are live: whatever holds them is rewritten, however little of it
    /// is dead. Something may go on reaching them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot look them up.
    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError>;

    /// What [`Collection::sweep`] would do now, without doing it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn survey(&self, options: &SweepOptions) -> Result<Swept, StoreError>;

    /// Gives back the space of blocks that are not live.
    ///
    /// Every live block stays readable all the time. One that is not live may be gone afterwards or, where the
    /// share of dead bytes around it is small, still be there; that a block is there says nothing of what it links.
    /// A crash at any moment leaves every live block in place; what is left is found by the next collection.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is no room to copy what is live; [`StoreError::Unavailable`]. No live block is lost.
    async fn sweep(self: Box<Self>, options: &SweepOptions) -> Result<Swept, StoreError>;
}

/// What became of blocks that were marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// Held, and marked for the first time.
    pub new: Vec<Cid>,
    /// Not held.
    pub missing: Vec<Cid>,
}

/// How thorough a sweep is, and how fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SweepOptions {
    /// How many percent of the store's bytes may stay dead, at most; with 0 none do. What takes little goes all the same.
    pub dead_percent: u8,
    /// The most bytes to copy in a second, so that writers keep the disk; `None` for no limit. A store may copy twice as
    /// much as is written meanwhile, or as fast as it can, whatever this says: otherwise it would grow as long as
    /// somebody writes.
    pub bytes_per_second: Option<u64>,
}

/// What a sweep did, or would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Bytes of live blocks found.
    pub live_bytes: u64,
    /// Bytes of dead blocks found.
    pub dead_bytes: u64,
    /// Live bytes that were copied to get at the dead ones between them.
    pub copied_bytes: u64,
    /// Bytes of disk given back, net of the copies.
    pub freed_bytes: u64,
    /// Segments that were removed.
    pub segments: u64,
}
