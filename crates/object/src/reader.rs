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

use crate::ObjectError;
use crate::walk::{Visit, Walk};

/// Leaves that may wait for the consumer, beside the one being fetched.
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
    if range.start > range.end || range.end > size {
        return Err(ObjectError::OutOfRange { start: range.start, end: range.end, size });
    }
    let remaining = range.end - range.start;
    let (sender, leaves) = mpsc::channel(READ_AHEAD);
    let ahead = (remaining > 0).then(|| {
        let walk = Walk::new(store, content, Some(size), range.clone());
        AbortOnDropHandle::new(tokio::spawn(fetch(walk, range, sender)))
    });
    Ok(ObjectReader { leaves, remaining, _ahead: ahead })
}

/// The bytes of a body, or of a range of it, as a stream. Made by [`read`].
///
/// Fetches up to two leaves ahead of its consumer; dropping it stops that.
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

async fn fetch(mut walk: Walk, range: Range<u64>, leaves: mpsc::Sender<Result<Bytes, ObjectError>>) {
    loop {
        let item = match walk.next_leaf().await {
            Ok(Some(visit)) => Ok(cut(&visit, &range)),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let failed = item.is_err();
        if leaves.send(item).await.is_err() || failed {
            return;
        }
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
