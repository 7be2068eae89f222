//! What waits for the writer.

use std::sync::Arc;
use std::time::Duration;

use carob_block::{Block, HeadSwap, StoreError};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::session::Hold;

/// How many bytes of blocks may wait for the writer.
const ROOM: u32 = 32 * 1024 * 1024;

/// What a request without blocks counts for, in bytes.
const SMALL: u32 = 256;

type Reply = oneshot::Sender<Result<(), StoreError>>;

/// What is asked of the writer. Dropping it unanswered tells the caller that the store is gone.
#[derive(Debug)]
pub(crate) enum Request {
    Put(Put),
    Commit(Commit),
}

/// Blocks to write.
#[derive(Debug)]
pub(crate) struct Put {
    pub(crate) hold: Arc<Hold>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) reply: Reply,
    _room: OwnedSemaphorePermit,
}

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
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(ROOM as usize)),
        }
    }

    pub(crate) async fn put(&self, hold: &Arc<Hold>, blocks: Vec<Block>) -> Result<(), StoreError> {
        let bytes: usize = blocks.iter().map(|block| block.data().len()).sum();
        let room = self.take_room(bytes).await?;
        let (reply, answer) = oneshot::channel();
        self.send(Request::Put(Put { hold: Arc::clone(hold), blocks, reply, _room: room }))?;
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
        Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| closed())
    }

    fn send(&self, request: Request) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(closed());
        }
        state.requests.push(request);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for requests and takes them all; `None` once closed and drained.
    pub(crate) fn take(&self) -> Option<Vec<Request>> {
        let mut state = self.state.lock();
        while state.requests.is_empty() {
            if state.closed {
                return None;
            }
            self.arrived.wait(&mut state);
        }
        Some(std::mem::take(&mut state.requests))
    }

    /// Takes what is there, after waiting a little for the first to come; maybe nothing.
    pub(crate) fn take_soon(&self, patience: Duration) -> Vec<Request> {
        let mut state = self.state.lock();
        if state.requests.is_empty() && !state.closed && !patience.is_zero() {
            self.arrived.wait_for(&mut state, patience);
        }
        std::mem::take(&mut state.requests)
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
        self.state.lock().requests.clear();
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable { context: "the store is closed", source: "its writer has stopped".into() }
}
