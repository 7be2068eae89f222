//! A writer's blocks until they are committed.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use carob_block::{Block, Cid, Session, SessionId, StoreError};
use parking_lot::Mutex;

use crate::blank;
use crate::failure::Failure;
use crate::index::{Held, Key};
use crate::read::unavailable;
use crate::record::{HeadRecord, Position};
use crate::store::Shared;

/// What the store remembers of a session: the blocks that it relies on, and how far into the log they reach.
///
/// A failed flush takes the end of the log, so that one position is enough to tell whether a session lost any. A
/// collection has to know which they are.
#[derive(Debug)]
pub(crate) struct Hold {
    id: SessionId,
    reach: AtomicU64,
    pins: Mutex<HashSet<Key>>,
    lost: AtomicBool,
    /// Why its own blocks could not be written, if it was that.
    failure: OnceLock<Failure>,
    sessions: Arc<Sessions>,
}

impl Hold {
    /// Relies on a block, wherever it is.
    pub(crate) fn pin(&self, key: Key) {
        self.pins.lock().insert(key);
    }

    /// Relies on the block at `at`.
    pub(crate) fn depend_on(&self, at: Position) {
        self.reach.fetch_max(at.packed(), Ordering::SeqCst);
    }

    /// Whether any block that it relies on lies after `position`.
    pub(crate) fn reaches_past(&self, position: Position) -> bool {
        self.reach.load(Ordering::SeqCst) > position.packed()
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }

    /// Its own blocks could not be written.
    pub(crate) fn lose(&self, failure: &Failure) {
        let _ = self.failure.set(failure.clone());
        self.lost.store(true, Ordering::SeqCst);
    }

    /// Fails if it is lost.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.failure.get() {
            Some(failure) => Err(failure.to_store_error()),
            None if self.is_lost() => Err(StoreError::SessionLost),
            None => Ok(()),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.sessions.held.lock().remove(&self.id);
    }
}

/// The sessions that are open, or whose commits are still under way.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    held: Mutex<HashMap<SessionId, Weak<Hold>>>,
    last: AtomicU64,
}

impl Sessions {
    pub(crate) fn open(self: &Arc<Self>) -> Arc<Hold> {
        let id = SessionId(self.last.fetch_add(1, Ordering::SeqCst) + 1);
        let (reach, lost, failure) = (AtomicU64::new(0), AtomicBool::new(false), OnceLock::new());
        let (pins, sessions) = (Mutex::default(), Arc::clone(self));
        let hold = Arc::new(Hold { id, reach, pins, lost, failure, sessions });
        self.held.lock().insert(id, Arc::downgrade(&hold));
        hold
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<Hold>> {
        self.held.lock().get(&id).and_then(Weak::upgrade)
    }

    fn all(&self) -> Vec<Arc<Hold>> {
        // The last reference to one may be the caller's, and dropping it takes the lock.
        self.held.lock().values().filter_map(Weak::upgrade).collect()
    }

    /// Everything that they rely on.
    pub(crate) fn pins(&self) -> HashSet<Key> {
        self.all().iter().flat_map(|hold| hold.pins.lock().iter().copied().collect::<Vec<_>>()).collect()
    }

    /// Marks those lost that rely on anything after `end`. Its blocks must be out of the index by then.
    pub(crate) fn lose_past(&self, end: Position) {
        for hold in self.all().iter().filter(|hold| hold.reaches_past(end)) {
            hold.lost.store(true, Ordering::SeqCst);
        }
    }
}

#[derive(Debug)]
pub(crate) struct LocalSession {
    hold: Arc<Hold>,
    shared: Arc<Shared>,
}

impl LocalSession {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { hold: shared.sessions.open(), shared: Arc::clone(shared) }
    }

    /// Pins a block that is held, and makes sure that it is.
    async fn find(&self, key: Key) -> Result<Option<Held>, StoreError> {
        let held = self.shared.pins.pin(&key, &self.hold, &self.shared.index);
        let Some(Held::Sealed(segments)) = &held else { return Ok(held) };
        match self.shared.segments.hold_cached(&key, segments) {
            Some(true) => Ok(held),
            Some(false) | None => {
                let (shared, hold) = (Arc::clone(&self.shared), Arc::clone(&self.hold));
                let look = tokio::task::spawn_blocking(move || {
                    shared.find(&key, || shared.pins.pin(&key, &hold, &shared.index))
                });
                look.await.map_err(io::Error::other).flatten().map_err(unavailable)
            }
        }
    }

    /// Leaves `blocks` to the writer. They are readable as soon as this returns.
    async fn queue(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        if blocks.is_empty() {
            return Ok(());
        }
        let room = self.shared.queue.room_for(&blocks).await?;
        let keys: Vec<Key> = blocks.iter().filter_map(|block| Key::of(block.cid())).collect();
        for (key, block) in keys.iter().zip(&blocks) {
            self.shared.index.queue(*key, block);
        }
        let queued = self.shared.queue.put(&self.hold, blocks, room);
        if queued.is_err() {
            keys.iter().for_each(|key| self.shared.index.unqueue(key));
        }
        queued
    }
}

#[async_trait]
impl Session for LocalSession {
    fn id(&self) -> SessionId {
        self.hold.id
    }

    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.hold.check()?;
        let log = self.shared.log;
        if blocks.iter().any(|block| HeadRecord::looks_alike(block, log) || blank::looks_alike(block, log)) {
            let source = "it begins like a head record or a blank of this store".into();
            return Err(StoreError::Unavailable { context: "refusing a block", source });
        }
        if !self.shared.space.takes(&blocks) {
            return Err(StoreError::Full);
        }
        self.shared.brake.wait(&blocks).await;
        // What is in the log already need not be written, what waits to be may yet fail to.
        let mut fresh = Vec::with_capacity(blocks.len());
        for block in blocks {
            let held = match Key::of(block.cid()) {
                Some(key) => self.find(key).await?,
                None => None,
            };
            if !matches!(held, Some(Held::At(_) | Held::Sealed(_))) {
                fresh.push(block);
            }
        }
        self.queue(fresh).await?;
        self.hold.check()
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        let (mut missing, mut queued) = (Vec::new(), Vec::new());
        for cid in cids {
            let held = match Key::of(cid) {
                Some(key) => self.find(key).await?,
                None => None,
            };
            match held {
                Some(Held::At(_) | Held::Sealed(_)) => {}
                // It may yet fail to be written: then this session, too, has to hear of it.
                Some(Held::Queued(block)) => queued.push(*block),
                None => missing.push(*cid),
            }
        }
        self.queue(queued).await?;
        self.hold.check()?;
        Ok(missing)
    }
}
