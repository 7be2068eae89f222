//! Connections on which nothing is asked at the moment.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

use crate::{Body, BoxError};

/// The most connections that were told to end and are still there.
const ENDING: usize = 64;

/// Of the turns of connections that were asked something. The others come before them.
const ASKED: u64 = 1 << 63;

/// The connections that wait for a request: first those that never had one, then those that have been between two the
/// longest. The clones are one.
///
/// When there is no room for another connection, the first of them makes some: whoever keeps connections and says nothing
/// keeps nobody out, and nobody's request is lost.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    entries: Mutex<Entries>,
    /// Told when there is one more that waits.
    more: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    last: u64,
    waiting: BTreeMap<u64, CancellationToken>,
    ending: usize,
}

impl Idle {
    /// A place for a connection that waits for its first request. It is to end with `stop`, too.
    pub(crate) fn place(&self, stop: &CancellationToken) -> Arc<Place> {
        let place = Place {
            idle: self.clone(),
            end: stop.child_token(),
            asked: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            turn: AtomicU64::new(0),
        };
        place.wait();
        Arc::new(place)
    }

    /// Waits until there is one more than at the last time, or was in between.
    pub(crate) async fn more(&self) {
        self.0.more.notified().await;
    }

    /// Whether one can make room.
    pub(crate) fn any(&self) -> bool {
        let entries = self.0.entries.lock();
        entries.ending < ENDING && !entries.waiting.is_empty()
    }

    /// Has the first end; false if there is none, or too many are about to.
    pub(crate) fn end_first(&self) -> bool {
        let mut entries = self.0.entries.lock();
        if entries.ending == ENDING {
            return false;
        }
        let Some((_, end)) = entries.waiting.pop_first() else { return false };
        entries.ending += 1;
        end.cancel();
        true
    }
}

/// The place of a connection among the waiting ones. The end of the connection leaves it, too.
#[derive(Debug)]
pub(crate) struct Place {
    idle: Idle,
    end: CancellationToken,
    asked: AtomicBool,
    /// That the last answer was taken from its body, but maybe not sent.
    answered: AtomicBool,
    turn: AtomicU64,
}

impl Place {
    /// Waits until the connection is to end.
    pub(crate) fn told_to_end(&self) -> WaitForCancellationFuture<'_> {
        self.end.cancelled()
    }

    /// Whether there was a request, so that a client may miss something.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// A request came.
    pub(crate) fn leave(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.idle.0.entries.lock().waiting.remove(&self.turn.load(Ordering::Relaxed));
    }

    fn wait(&self) {
        let asked = if self.was_asked() { ASKED } else { 0 };
        let mut entries = self.idle.0.entries.lock();
        entries.last += 1;
        let turn = entries.last | asked;
        self.turn.store(turn, Ordering::Relaxed);
        if !self.end.is_cancelled() {
            entries.waiting.insert(turn, self.end.clone());
            self.idle.0.more.notify_one();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut entries = self.idle.0.entries.lock();
        entries.waiting.remove(self.turn.get_mut());
        if self.end.is_cancelled() {
            // Where all of them end, nobody counts.
            entries.ending = entries.ending.saturating_sub(1);
        }
    }
}

/// The body of an answer. When it ends and all of it was sent, the connection waits again.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    place: Arc<Place>,
}

impl Answer {
    pub(crate) fn new(body: Body, place: Arc<Place>) -> Self {
        Self { body, place }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.place.answered.store(true, Ordering::Relaxed);
    }
}

/// A connection, which notices that an answer was sent.
pub(crate) struct Watched<I> {
    io: Pin<Box<I>>,
    place: Arc<Place>,
}

impl<I> Watched<I> {
    pub(crate) fn new(io: I, place: Arc<Place>) -> Self {
        Self { io: Box::pin(io), place }
    }
}

impl<I: AsyncRead> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_read(cx, buffer)
    }
}

impl<I: AsyncWrite> AsyncWrite for Watched<I> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.io.as_mut().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.as_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when it has written what it holds.
        std::task::ready!(self.io.as_mut().poll_flush(cx))?;
        if self.place.answered.swap(false, Ordering::Relaxed) {
            self.place.wait();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.as_mut().poll_shutdown(cx)
    }
}
