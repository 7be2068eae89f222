//! Bodies that stand still, or nearly so, are cut off.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::BoxError;
use crate::go_ahead::GoAhead;
use crate::leftover::Leftover;

/// What a client has to send to get its time anew, in bytes. Less than any link carries, more than one who only wants to
/// stay sends.
const ENOUGH: usize = 4096;

/// A request's body that ends in an error when the client sends next to nothing for too long: what an upload holds
/// (memory, a place among the connections) must not be held by one that stands still.
///
/// The time counts only while somebody waits for the body, so a gateway that is behind blames no client.
///
/// What the service leaves unread is read and thrown away, within bounds, when it lets go of the body: a client
/// that is refused early and goes on sending would otherwise find its connection reset, and no answer.
#[derive(Debug)]
pub(crate) struct Progress {
    body: Leftover,
    patience: Duration,
    /// What is left of it.
    left: Duration,
    /// Bytes that came since it was whole.
    came: usize,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Progress {
    pub(crate) fn new(body: Incoming, go_ahead: GoAhead, patience: Duration) -> Self {
        Self { body: Leftover::new(body, go_ahead), patience, left: patience, came: 0, waiting: None }
    }

    fn progress(&mut self, bytes: usize) {
        self.came = self.came.saturating_add(bytes);
        let waited = self.waiting.take();
        if self.came >= ENOUGH {
            (self.left, self.came) = (self.patience, 0);
        } else if let Some(waited) = waited {
            self.left = waited.deadline().saturating_duration_since(Instant::now());
        }
    }
}

impl Body for Progress {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = self.body.poll_frame(cx) {
            let data = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
            self.progress(data.map_or(0, Bytes::len));
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let left = self.left;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(left)));
        std::task::ready!(waiting.as_mut().poll(cx));
        self.body.give_up();
        let stalled = io::Error::new(io::ErrorKind::TimedOut, "the client stopped sending");
        Poll::Ready(Some(Err(stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
