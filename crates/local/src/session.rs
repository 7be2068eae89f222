//! A writer's blocks until they are committed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use async_trait::async_trait;
use carob_block::{Block, Cid, Session, SessionId, StoreError};
use parking_lot::Mutex;

use crate::index::Key;
use crate::record::{HeadRecord, Position};
use crate::store::Shared;

/// What the store remembers of a session: how far into the log the blocks reach that it relies on.
///
/// Nothing is reclaimed yet, so the only way to lose a block is a failed flush, and that takes the end of
/// the log. One position is enough to tell whether a session lost any.
#[derive(Debug)]
pub(crate) struct Hold {
    id: SessionId,
    reach: AtomicU64,
    lost: AtomicBool,
    sessions: Arc<Sessions>,
}

impl Hold {
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
        let (reach, lost) = (AtomicU64::new(0), AtomicBool::new(false));
        let hold = Arc::new(Hold { id, reach, lost, sessions: Arc::clone(self) });
        self.held.lock().insert(id, Arc::downgrade(&hold));
        hold
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<Arc<Hold>> {
        self.held.lock().get(&id).and_then(Weak::upgrade)
    }

    /// Marks those lost that rely on anything after `end`. Its blocks must be out of the index by then.
    pub(crate) fn lose_past(&self, end: Position) {
        // The last reference to one may be ours, and dropping it takes the lock.
        let held: Vec<Arc<Hold>> = self.held.lock().values().filter_map(Weak::upgrade).collect();
        for hold in held.iter().filter(|hold| hold.reaches_past(end)) {
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

    fn check(&self) -> Result<(), StoreError> {
        if self.hold.is_lost() { Err(StoreError::SessionLost) } else { Ok(()) }
    }
}

#[async_trait]
impl Session for LocalSession {
    fn id(&self) -> SessionId {
        self.hold.id
    }

    async fn put(&self, mut blocks: Vec<Block>) -> Result<(), StoreError> {
        self.check()?;
        if blocks.iter().any(|block| HeadRecord::looks_alike(block, self.shared.log)) {
            let source = "it begins like a head record of this store".into();
            return Err(StoreError::Unavailable { context: "refusing a block", source });
        }
        // What is there already need not wait for the writer, who looks again at the rest.
        blocks
            .retain(|block| Key::of(block.cid()).is_none_or(|key| !self.shared.index.pin(&key, &self.hold)));
        if blocks.is_empty() {
            return self.check();
        }
        self.shared.queue.put(&self.hold, blocks).await
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        let held = |cid: &Cid| Key::of(cid).is_some_and(|key| self.shared.index.pin(&key, &self.hold));
        let missing = cids.iter().filter(|cid| !held(cid)).copied().collect();
        self.check()?;
        Ok(missing)
    }
}
