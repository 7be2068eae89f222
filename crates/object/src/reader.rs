//! Reading ranges of a body, each block verified.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use carob_block::{Block, Cid, ReadBlocks};
use futures::Stream;
use futures::stream::{BoxStream, try_unfold};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::budget::{Budget, Share};
use crate::walk::{Visit, Walk};
use crate::{LEAF_SIZE, ObjectError};

/// Leaves that are fetched before the consumer asks.
const READ_AHEAD: usize = 1;

/// Reads bytes `range` of the body `content`, which has `size` bytes.
///
/// Only blocks that the range touches are fetched. An empty range fetches none.
///
/// # Errors
/// [`ObjectError::OutOfRange`] if the range does not lie within the body or ends before it starts. The stream
/// itself ends with [`ObjectError::MissingBlock`], [`ObjectError::Malformed`] or [`ObjectError::Store`] where
/// the body cannot be had; it never ends early without an error.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn read(
    store: Arc<dyn ReadBlocks>,
    content: Cid,
    size: u64,
    range: Range<u64>,
) -> Result<ObjectReader, ObjectError> {
    start(store, content, size, range, None)
}

/// The same as [`read`], with shares of `budget` for the leaves, each until the last copy of its bytes is dropped:
/// `first` is that of the first leaf.
///
/// # Errors
/// As [`read`].
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn read_within(
    store: Arc<dyn ReadBlocks>,
    content: Cid,
    size: u64,
    range: Range<u64>,
    budget: Budget,
    first: Share,
) -> Result<ObjectReader, ObjectError> {
    start(store, content, size, range, Some(Shares { budget, first: Some(first) }))
}

fn start(
    store: Arc<dyn ReadBlocks>,
    content: Cid,
    size: u64,
    range: Range<u64>,
    shares: Option<Shares>,
) -> Result<ObjectReader, ObjectError> {
    if range.start > range.end || range.end > size {
        return Err(ObjectError::OutOfRange { start: range.start, end: range.end, size });
    }
    let remaining = range.end - range.start;
    let (sender, leaves) = mpsc::channel(READ_AHEAD);
    let ahead = (remaining > 0).then(|| {
        let walk = Walk::new(store, content, Some(size), range.clone());
        AbortOnDropHandle::new(tokio::spawn(fetch(walk, range, shares, sender)))
    });
    Ok(ObjectReader { leaves, remaining, _ahead: ahead })
}

/// The bytes of a body, or of a range of it, as a stream. Made by [`read`].
///
/// Fetches a leaf ahead of its consumer; dropping it stops that.
#[derive(Debug)]
pub struct ObjectReader {
    leaves: mpsc::Receiver<Result<Bytes, ObjectError>>,
    remaining: u64,
    _ahead: Option<AbortOnDropHandle<()>>,
}

impl ObjectReader {
    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}

impl Stream for ObjectReader {
    type Item = Result<Bytes, ObjectError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let item = match ready!(self.leaves.poll_recv(cx)) {
            Some(item) => item,
            None => Err(ObjectError::aborted("reading a body", "the task that fetches ahead is gone")),
        };
        // After an error nothing follows.
        let taken = item.as_ref().map_or(self.remaining, |bytes| bytes.len() as u64);
        self.remaining = self.remaining.saturating_sub(taken);
        Poll::Ready(Some(item))
    }
}

/// Where a reader takes its memory from.
struct Shares {
    budget: Budget,
    first: Option<Share>,
}

impl Shares {
    /// Whoever reads gives back what was fetched before without waiting for what comes next.
    async fn next(&mut self) -> Share {
        match self.first.take() {
            Some(first) => first,
            None => self.budget.take(LEAF_SIZE).await,
        }
    }
}

async fn fetch(
    mut walk: Walk,
    range: Range<u64>,
    mut shares: Option<Shares>,
    leaves: mpsc::Sender<Result<Bytes, ObjectError>>,
) {
    let mut left = range.end.saturating_sub(range.start);
    while left > 0 {
        // A place first: nothing is held for a consumer that takes nothing.
        let Ok(place) = leaves.reserve().await else { return };
        let share = match &mut shares {
            Some(shares) => Some(shares.next().await),
            None => None,
        };
        let item = match walk.next_leaf().await {
            Ok(Some(visit)) => Ok(cut(&visit, &range)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        left = item.as_ref().map_or(0, |bytes| left.saturating_sub(bytes.len() as u64));
        place.send(item.map(|bytes| match share {
            Some(share) => share.of(bytes),
            None => bytes,
        }));
    }
}

/// The part of a leaf that lies in `range`, which it touches.
fn cut(visit: &Visit, range: &Range<u64>) -> Bytes {
    let data = visit.block.data();
    let within = |at: u64| at.saturating_sub(visit.start).min(data.len() as u64) as usize;
    data.slice(within(range.start)..within(range.end))
}

/// All blocks of the body `content`, parents before children, leaves in the order of the body.
///
/// A block that the body holds twice comes twice. One block is held at a time.
///
/// # Errors
/// The stream ends with [`ObjectError::MissingBlock`], [`ObjectError::Malformed`] or [`ObjectError::Store`]
/// where a block cannot be had.
pub fn blocks(store: Arc<dyn ReadBlocks>, content: Cid) -> BoxStream<'static, Result<Block, ObjectError>> {
    let walk = Walk::new(store, content, None, 0..u64::MAX);
    let next = |mut walk: Walk| async move { Ok(walk.next().await?.map(|visit| (visit.block, walk))) };
    Box::pin(try_unfold(walk, next))
}
