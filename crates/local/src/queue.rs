//! What waits for the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carob_block::{Block, HeadSwap, StoreError};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};

use crate::session::Hold;

/// How many bytes of blocks may wait for the writer.
const ROOM: u32 = 32 * 1024 * 1024;

/// How many bytes of blocks wait at most without the writer being woken for them. Small ones are written when
/// someone commits, with all others and the head record.
const LAZY: usize = 1024 * 1024;

/// What a request without blocks counts for, in bytes.
const SMALL: u32 = 256;

pub(crate) type Reply = oneshot::Sender<Result<(), StoreError>>;

/// What is asked of the writer. Dropping a commit unanswered tells the caller that the store is gone.
#[derive(Debug)]
pub(crate) enum Request {
    Put(Put),
    Commit(Commit),
    Chore(Chore),
}

/// What a collection asks for.
#[derive(Debug)]
pub(crate) enum Chore {
    /// To go on in a new segment, and to index the others.
    Rotate(oneshot::Sender<()>),
    /// To write down that the retired segments are gone, and to remove them.
    Remove(Reply),
}

/// Blocks to write, for a session that does not wait for it: if they cannot be written, it is lost.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) hold: Arc<Hold>,
    pub(crate) blocks: Vec<Block>,
    /// Whether they are to be written although sealed segments hold them.
    pub(crate) copy: bool,
    room: OwnedSemaphorePermit,
}

/// Space in the queue, taken before what it is for.
#[derive(Debug)]
pub(crate) struct Room(OwnedSemaphorePermit);

/// Sessions to make durable and heads to move.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) holds: Vec<Arc<Hold>>,
    pub(crate) swaps: Vec<HeadSwap>,
    pub(crate) reply: Reply,
    _room: OwnedSemaphorePermit,
}

/// The bounded way to the writer. Its end takes all that waits at once.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    room: Arc<Semaphore>,
    /// How many callers wait for room.
    starved: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    /// Bytes of the blocks in them.
    bytes: usize,
    /// Whether someone waits for the writer to come.
    urgent: bool,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
            starved: AtomicUsize::new(0),
        }
    }

    /// Waits until there is room for `blocks`.
    pub(crate) async fn room_for(&self, blocks: &[Block]) -> Result<Room, StoreError> {
        let bytes = blocks.iter().map(|block| block.data().len()).sum();
        Ok(Room(self.take_room(bytes).await?))
    }

    /// Leaves blocks to be written.
    pub(crate) fn put(&self, hold: &Arc<Hold>, blocks: Vec<Block>, room: Room) -> Result<(), StoreError> {
        self.send(Request::Put(Put { hold: Arc::clone(hold), blocks, copy: false, room: room.0 }))
    }

    /// Leaves blocks to be written anew.
    pub(crate) async fn copy(&self, hold: &Arc<Hold>, blocks: Vec<Block>) -> Result<(), StoreError> {
        let Room(room) = self.room_for(&blocks).await?;
        self.send(Request::Put(Put { hold: Arc::clone(hold), blocks, copy: true, room }))
    }

    /// Asks for a new segment, and waits until all others have their indexes, if they can.
    pub(crate) async fn rotate(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Chore(Chore::Rotate(reply)))?;
        answer.await.map_err(|_| closed())
    }

    /// Asks for the retired segments to be removed.
    pub(crate) async fn remove(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Request::Chore(Chore::Remove(reply)))?;
        answer.await.map_err(|_| closed())?
    }

    pub(crate) async fn commit(&self, holds: Vec<Arc<Hold>>, swaps: Vec<HeadSwap>) -> Result<(), StoreError> {
        let bytes: usize = swaps.iter().map(|swap| swap.name.len()).sum();
        let room = self.take_room(bytes).await?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Commit(Commit { holds, swaps, reply, _room: room }))?;
        answer.await.map_err(|_| closed())?
    }

    async fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, StoreError> {
        let bytes = u32::try_from(bytes).unwrap_or(ROOM).saturating_add(SMALL).min(ROOM);
        match Arc::clone(&self.room).try_acquire_many_owned(bytes) {
            Ok(room) => Ok(room),
            Err(TryAcquireError::Closed) => Err(closed()),
            Err(TryAcquireError::NoPermits) => {
                let _starving = Starving::new(self);
                Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| closed())
            }
        }
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        match &request {
            Request::Put(put) => state.bytes += put.room.num_permits(),
            Request::Commit(_) | Request::Chore(_) => state.urgent = true,
        }
        state.requests.push(request);
        if state.bytes >= LAZY || self.starved.load(Ordering::SeqCst) > 0 {
            state.urgent = true;
        }
        if state.urgent {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits until something must be done and takes all there is; `None` once closed and drained.
    pub(crate) fn take(&self) -> Option<Vec<Request>> {
        let mut state = self.state.lock();
        while !state.urgent {
            if state.closed {
                let rest = state.take();
                return (!rest.is_empty()).then_some(rest);
            }
            self.arrived.wait(&mut state);
        }
        Some(state.take())
    }

    /// Takes what is there, after waiting a little for something that must be done; maybe nothing.
    pub(crate) fn take_soon(&self, patience: Duration) -> Vec<Request> {
        let mut state = self.state.lock();
        if !state.urgent && !state.closed && !patience.is_zero() {
            self.arrived.wait_for(&mut state, patience);
        }
        state.take()
    }

    /// Takes the blocks that wait, and leaves the rest.
    pub(crate) fn take_puts(&self) -> Vec<Put> {
        let mut state = self.state.lock();
        state.bytes = 0;
        let (mut puts, mut rest) = (Vec::new(), Vec::new());
        for request in state.requests.drain(..) {
            match request {
                Request::Put(put) => puts.push(put),
                other => rest.push(other),
            }
        }
        state.requests = rest;
        puts
    }

    /// Refuses further requests; those that wait are still taken.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.room.close();
        self.arrived.notify_all();
    }

    /// Closes, and drops what waits.
    pub(crate) fn abandon(&self) {
        self.close();
        drop(self.state.lock().take());
    }
}

impl State {
    fn take(&mut self) -> Vec<Request> {
        (self.bytes, self.urgent) = (0, false);
        std::mem::take(&mut self.requests)
    }
}

/// While it lives, the writer does not rest: a caller waits for room that others take.
struct Starving<'a>(&'a Queue);

impl<'a> Starving<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.starved.fetch_add(1, Ordering::SeqCst);
        let mut state = queue.state.lock();
        if !state.requests.is_empty() {
            state.urgent = true;
            queue.arrived.notify_one();
        }
        Self(queue)
    }
}

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.starved.fetch_sub(1, Ordering::SeqCst);
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable { context: "the store is closed", source: "its writer has stopped".into() }
}
