//! One log line a request, written when its last byte is handed over (or given up). No query, no header: both
//! may hold signatures.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use carob_identity::Source;
use http::{Method, Request, Response};
use http_body::{Frame, SizeHint};
use s3s::{Body, StdError};
use tracing::Span;

use crate::access_log::{AccessLogs, Outcome, Pending};
use crate::context::RequestContext;
use crate::observer::{Exchange, GONE, Observer, Rejection};

/// A request under way. Dropping it writes the line.
pub(crate) struct Logged {
    started: Instant,
    method: Method,
    path: String,
    remote: Option<IpAddr>,
    context: Arc<RequestContext>,
    observer: Option<Arc<dyn Observer>>,
    line: Option<(Arc<AccessLogs>, Pending)>,
    span: Span,
    status: u16,
    sent: u64,
    first_byte: Option<Duration>,
    failed: bool,
}

impl Logged {
    /// `span` is what everything is logged in that the request causes; `line`, if its bucket is logged into another.
    pub(crate) fn start(
        request: &Request<Body>,
        context: Arc<RequestContext>,
        observer: Option<Arc<dyn Observer>>,
        line: Option<(Arc<AccessLogs>, Pending)>,
        span: Span,
    ) -> Self {
        if let Some(observer) = &observer {
            observer.started();
        }
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            remote: request.extensions().get::<Source>().map(|source| source.0),
            context,
            observer,
            line,
            span,
            status: GONE,
            sent: 0,
            first_byte: None,
            failed: false,
        }
    }

    /// Has the answer's body write the line.
    pub(crate) fn finish(mut self, response: Response<Body>) -> Response<Body> {
        self.status = response.status().as_u16();
        response.map(|body| Body::http_body_unsync(Counted { body, line: self }))
    }

    fn write(&self, time: Duration) {
        let Self { method, path, context, .. } = self;
        tracing::info!(
            target: "carob_s3::request",
            request_id = context.id(),
            remote = self.remote.map(tracing::field::display),
            %method,
            path,
            bucket = context.bucket().unwrap_or("-"),
            op = context.operation().map_or("-", |operation| operation.name),
            key = context.access_key().unwrap_or("-"),
            decision = context.decision(),
            status = self.status,
            code = context.error_code().unwrap_or("-"),
            received = context.received(),
            bytes = self.sent,
            micros = micros(time),
            first_byte_micros = micros(self.first_byte.unwrap_or(time)),
            failed = self.failed,
            "request"
        );
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let time = self.started.elapsed();
        self.write(time);
        if let Some((logs, pending)) = &self.line {
            let outcome = Outcome {
                request: self.context.id(),
                host_id: self.context.host_id(),
                requester: None,
                status: self.status,
                code: self.context.error_code(),
                sent: self.sent,
                received: self.context.received(),
                time,
                first_byte: self.first_byte.unwrap_or(time),
                acl_required: self.context.acl_required(),
            };
            logs.end(pending, &self.context, outcome);
        }
        let Some(observer) = &self.observer else { return };
        let code = self.context.error_code();
        observer.finished(&Exchange {
            request: self.context.id(),
            remote: self.remote,
            method: &self.method,
            path: &self.path,
            access_key: self.context.access_key(),
            bucket: self.context.bucket(),
            decision: self.context.decision(),
            operation: self.context.operation().map_or("-", |operation| operation.name),
            status: self.status,
            code,
            rejection: code.and_then(|code| Rejection::of(code, self.context.is_rate_limited())),
            received: self.context.received(),
            sent: self.sent,
            first_byte: self.first_byte.unwrap_or(time),
            time,
            failed: self.failed,
            keys: self.context.touched(),
        });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// An answer's body on its way out.
struct Counted {
    body: Body,
    line: Logged,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let Self { body, line } = &mut *self;
        let _in_span = line.span.enter();
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                line.first_byte.get_or_insert_with(|| line.started.elapsed());
                let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                line.sent = line.sent.saturating_add(sent);
            }
            Poll::Ready(Some(Err(error))) => {
                line.failed = true;
                tracing::error!(request_id = line.context.id(), error = &**error, "answer broken off");
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

/// A request's body that counts what is read of it.
pub(crate) struct Received {
    body: Body,
    context: Arc<RequestContext>,
}

impl Received {
    pub(crate) fn count(body: Body, context: Arc<RequestContext>) -> Body {
        Body::http_body_unsync(Self { body, context })
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.context.add_received(frame.data_ref().map_or(0, Bytes::len));
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
