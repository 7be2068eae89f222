//! One log line a request, written when its last byte is handed over (or given up). No query, no header: both
//! may hold signatures.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use s3s::{Body, StdError};

use crate::context::RequestContext;

/// A request under way.
pub(crate) struct Logged {
    started: Instant,
    method: Method,
    path: String,
    context: Arc<RequestContext>,
}

impl Logged {
    pub(crate) fn start(request: &Request<Body>, context: Arc<RequestContext>) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        Self { started: Instant::now(), method, path, context }
    }

    /// Has the answer's body write the line.
    pub(crate) fn finish(self, response: Response<Body>) -> Response<Body> {
        let status = response.status();
        response
            .map(|body| Body::http_body_unsync(Counted { body, line: self, status, bytes: 0, failed: false }))
    }
}

struct Counted {
    body: Body,
    line: Logged,
    status: StatusCode,
    bytes: u64,
    failed: bool,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.bytes = self.bytes.saturating_add(sent);
            }
            Poll::Ready(Some(Err(error))) => {
                self.failed = true;
                tracing::error!(request_id = self.line.context.id(), error = &**error, "answer broken off");
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Logged { started, method, path, context } = &self.line;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        tracing::info!(
            target: "carob_s3::request",
            request_id = context.id(),
            %method,
            path,
            op = context.operation().map_or("-", |operation| operation.name),
            key = context.access_key().unwrap_or("-"),
            status = self.status.as_u16(),
            bytes = self.bytes,
            micros,
            failed = self.failed,
            "request"
        );
    }
}
