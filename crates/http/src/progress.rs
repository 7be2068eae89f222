//! Bodies that stand still are cut off.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Sleep;

use crate::BoxError;
use crate::go_ahead::GoAhead;
use crate::leftover::Leftover;

/// A request's body that ends in an error when the client sends nothing for too long: what an upload holds
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
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Progress {
    pub(crate) fn new(body: Incoming, go_ahead: GoAhead, patience: Duration) -> Self {
        Self { body: Leftover::new(body, go_ahead), patience, waiting: None }
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
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
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
