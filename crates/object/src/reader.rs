//! Reading ranges of a body, each block verified.

use std::fmt;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use carob_block::{Block, Cid, ReadBlocks};
use futures::future::{self, BoxFuture};
use futures::stream::{self, BoxStream, FuturesOrdered, try_unfold};
use futures::{FutureExt, Stream, StreamExt};
use sync_wrapper::SyncWrapper;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::budget::{Budget, Share};
use crate::descent::{Descent, Part};
use crate::walk::{Place, Walk};
use crate::{LEAF_SIZE, ObjectError};

/// Leaves that are read and verified at once, where there is memory: one that the consumer waits for, and two for the time
/// that it is busy with that one. One core verifies less than a connection may take.
const AT_ONCE: usize = 3;

/// A body to read.
#[derive(Debug, Clone)]
pub struct Body {
    /// The raw leaf, or the root of the UnixFS file.
    pub content: Cid,
    /// Its bytes.
    pub size: u64,
    /// Runs that make up the body, with what it takes to verify parts of them. Without any, leaves are hashed whole.
    pub runs: Vec<Run>,
}

/// A run of a body that has a BLAKE3 tree of its own: all of it, or one of the parts it was joined from.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its bytes.
    pub size: u64,
    /// Its BLAKE3 hash.
    pub root: [u8; 32],
    /// Its Bao outboard, a UnixFS file; `None` for a run of up to 16 KiB.
    pub outboard: Option<Cid>,
}

/// Reads bytes `range` of the body `content`, which has `size` bytes.
///
/// Only blocks that the range touches are fetched. An empty range fetches none.
///
/// # Errors
/// [`ObjectError::OutOfRange`] if the range does not lie within the body or ends before it starts. The stream
/// itself ends with [`ObjectError::MissingBlock`], [`ObjectError::Malformed`] or [`ObjectError::Store`] where
/// the body cannot be had; it never ends early without an error.
pub fn read(
    store: Arc<dyn ReadBlocks>,
    content: Cid,
    size: u64,
    range: Range<u64>,
) -> Result<ObjectReader, ObjectError> {
    start(store, Body { content, size, runs: Vec::new() }, range, None)
}

/// The same as [`read`], with shares of `budget` for the leaves, each until the last copy of its bytes is dropped:
/// `first` is that of the first leaf.
///
/// Where the body has runs, they verify what is read, and of a leaf only the groups of 16 KiB that the range touches
/// are read. Should they not bear out a leaf, it is hashed whole after all, and so is what follows.
///
/// # Errors
/// As [`read`].
pub fn read_within(
    store: Arc<dyn ReadBlocks>,
    body: Body,
    range: Range<u64>,
    budget: Budget,
    first: Share,
) -> Result<ObjectReader, ObjectError> {
    start(store, body, range, Some(Shares::new(budget, first, LEAF_SIZE)))
}

fn start(
    store: Arc<dyn ReadBlocks>,
    body: Body,
    range: Range<u64>,
    shares: Option<Shares>,
) -> Result<ObjectReader, ObjectError> {
    let size = body.size;
    if range.start > range.end || range.end > size {
        return Err(ObjectError::OutOfRange { start: range.start, end: range.end, size });
    }
    let remaining = range.end - range.start;
    let body = Leaves::new(store, body, range);
    let ahead = ReadAhead { body, shares, unread: remaining, reading: FuturesOrdered::new() };
    let leaves = stream::unfold(ahead, |mut ahead| async { ahead.next().await.map(|leaf| (leaf, ahead)) });
    Ok(ObjectReader::new(remaining, leaves))
}

/// The bytes of a body, or of a range of it, as a stream. Made by [`read`] and [`crate::read_sealed`].
///
/// Fetches leaves ahead of its consumer; dropping it stops that.
pub struct ObjectReader {
    leaves: SyncWrapper<BoxStream<'static, Result<Bytes, ObjectError>>>,
    remaining: u64,
}

impl ObjectReader {
    fn new(remaining: u64, leaves: impl Stream<Item = Result<Bytes, ObjectError>> + Send + 'static) -> Self {
        Self { leaves: SyncWrapper::new(leaves.boxed()), remaining }
    }

    /// `remaining` bytes, which a task of its own fetches with what it is given.
    pub(crate) fn fetched_by<F>(
        remaining: u64,
        fetch: impl FnOnce(mpsc::Sender<Result<Bytes, ObjectError>>) -> F,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, mut leaves) = mpsc::channel(1);
        let task = (remaining > 0).then(|| AbortOnDropHandle::new(tokio::spawn(fetch(sender))));
        let leaves = stream::poll_fn(move |cx| {
            let _task = &task;
            leaves.poll_recv(cx)
        });
        Self::new(remaining, leaves)
    }

    /// Bytes still to come.
    pub fn remaining(&self) -> u64 {
        self.remaining
    }
}

impl fmt::Debug for ObjectReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectReader").field("remaining", &self.remaining).finish_non_exhaustive()
    }
}

impl Stream for ObjectReader {
    type Item = Result<Bytes, ObjectError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.remaining == 0 {
            return Poll::Ready(None);
        }
        let item = match ready!(self.leaves.get_mut().poll_next_unpin(cx)) {
            Some(item) => item,
            None => Err(ObjectError::aborted("reading a body", "it ends too early")),
        };
        // After an error nothing follows.
        let taken = item.as_ref().map_or(self.remaining, |bytes| bytes.len() as u64);
        self.remaining = self.remaining.saturating_sub(taken);
        Poll::Ready(Some(item))
    }
}

/// Where a reader takes its memory from.
pub(crate) struct Shares {
    budget: Budget,
    first: Option<Share>,
    /// What a leaf takes.
    each: usize,
}

impl Shares {
    pub(crate) fn new(budget: Budget, first: Share, each: usize) -> Self {
        Self { budget, first: Some(first), each }
    }

    /// Whoever reads gives back what was fetched before without waiting for what comes next.
    pub(crate) async fn next(&mut self) -> Share {
        match self.first.take() {
            Some(first) => first,
            None => self.budget.take(self.each).await,
        }
    }

    /// A share, if nobody needs to wait for it.
    fn next_at_hand(&mut self) -> Option<Share> {
        self.first.take().or_else(|| self.budget.try_take(self.each))
    }
}

/// The leaves of a body in order, as far as they lie in a range.
pub(crate) struct Leaves {
    store: Arc<dyn ReadBlocks>,
    walk: Walk,
    /// `None` once it failed to bear out a leaf.
    descent: Option<Descent>,
    range: Range<u64>,
}

impl Leaves {
    pub(crate) fn new(store: Arc<dyn ReadBlocks>, body: Body, range: Range<u64>) -> Self {
        let Body { content, size, runs } = body;
        let descent = (!runs.is_empty()).then(|| Descent::new(Arc::clone(&store), runs, &range));
        let walk = Walk::new(Arc::clone(&store), content, Some(size), range.clone());
        Self { store, walk, descent, range }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ObjectError> {
        match self.next_leaf().await? {
            Some(leaf) => leaf.read().await.map(Some),
            None => Ok(None),
        }
    }

    /// The next leaf, to be read whenever its reader likes.
    async fn next_leaf(&mut self) -> Result<Option<Leaf>, ObjectError> {
        let Some(place) = self.walk.next_place().await? else { return Ok(None) };
        let part = match &mut self.descent {
            Some(descent) => descent.part(&place, &self.range).await,
            None => None,
        };
        if part.is_none() {
            self.descent = None;
        }
        Ok(Some(Leaf { store: Arc::clone(&self.store), place, part, range: self.range.clone() }))
    }
}

/// A leaf that is not read yet.
struct Leaf {
    store: Arc<dyn ReadBlocks>,
    place: Place,
    /// How to verify what the range touches of it, without the rest.
    part: Option<Part>,
    range: Range<u64>,
}

impl Leaf {
    /// How many bytes it gives.
    fn len(&self) -> u64 {
        self.place.span.end.min(self.range.end).saturating_sub(self.place.span.start.max(self.range.start))
    }

    async fn read(self) -> Result<Bytes, ObjectError> {
        if let Some(part) = self.part
            && let Some(bytes) = part.read(&*self.store, &self.place.cid).await
        {
            return Ok(bytes);
        }
        self.place.read(&*self.store, &self.range).await
    }
}

/// Reads the leaves of a body before they are asked for.
struct ReadAhead {
    body: Leaves,
    shares: Option<Shares>,
    /// Bytes of the range in leaves that are not begun.
    unread: u64,
    reading: FuturesOrdered<BoxFuture<'static, Result<Bytes, ObjectError>>>,
}

impl ReadAhead {
    /// The next leaf. `None` after the last.
    async fn next(&mut self) -> Option<Result<Bytes, ObjectError>> {
        while self.unread > 0 && self.reading.len() < AT_ONCE {
            let share = match &mut self.shares {
                Some(shares) if self.reading.is_empty() => Some(shares.next().await),
                Some(shares) => match shares.next_at_hand() {
                    Some(share) => Some(share),
                    None => break,
                },
                None => None,
            };
            let leaf = self.body.next_leaf().await.transpose()?;
            self.unread = leaf.as_ref().map_or(0, |leaf| self.unread.saturating_sub(leaf.len()));
            let read = async move {
                let bytes = leaf?.read().await?;
                Ok(match share {
                    Some(share) => share.of(bytes),
                    None => bytes,
                })
            };
            let mut read = read.boxed();
            // It begins now: the queue does not look at those behind one that is done already.
            self.reading.push_back(match futures::poll!(&mut read) {
                Poll::Ready(done) => future::ready(done).boxed(),
                Poll::Pending => read,
            });
        }
        self.reading.next().await
    }
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
    let next = |mut walk: Walk| async move { Ok(walk.next().await?.map(|block| (block, walk))) };
    Box::pin(try_unfold(walk, next))
}
