//! The rest of a body that nobody reads.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use crate::go_ahead::GoAhead;

/// The most that is read of a body that nobody wants, in bytes. A client that sends more has its connection closed.
const MOST: u64 = 16 << 20;

/// The longest that it is read for.
const LONGEST: Duration = Duration::from_secs(10);

/// A request's body whose rest is read and thrown away when it is dropped.
#[derive(Debug)]
pub(crate) struct Leftover {
    /// `None` once there is nothing to read, or nothing that should be.
    body: Option<Incoming>,
    /// A client that was not told to send sends nothing.
    go_ahead: GoAhead,
}

impl Leftover {
    pub(crate) fn new(body: Incoming, go_ahead: GoAhead) -> Self {
        Self { body: Some(body), go_ahead }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.go_ahead.give();
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = std::task::ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    /// Lets go of the body without reading the rest.
    pub(crate) fn give_up(&mut self) {
        self.body = None;
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Leftover {
    fn drop(&mut self) {
        let unread = self.body.take().filter(|body| !body.is_end_stream() && !self.go_ahead.is_withheld());
        if let (Some(body), Ok(runtime)) = (unread, Handle::try_current()) {
            // Ends by itself, at the latest after LONGEST or with the connection.
            runtime.spawn(tokio::time::timeout(LONGEST, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut left = MOST;
    while let Some(Ok(frame)) = body.frame().await {
        let read = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
