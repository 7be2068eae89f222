//! Whether a client was told to send the body that it keeps back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use http::header::EXPECT;
use http_body::Body;
use hyper::body::Incoming;

/// Whether a client was told to send the body that it keeps back (`Expect: 100-continue`, RFC 9110 §10.1.1).
///
/// hyper tells it when the body is first read. A client that gets its answer without having been told may or may not
/// send the body then, so nothing can follow on that connection.
#[derive(Debug, Clone)]
pub(crate) struct GoAhead {
    withheld: Arc<AtomicBool>,
    empty: bool,
}

impl GoAhead {
    pub(crate) fn of(request: &Request<Incoming>) -> Self {
        let withheld = Arc::new(AtomicBool::new(request.headers().contains_key(EXPECT)));
        Self { withheld, empty: request.body().is_end_stream() }
    }

    /// The body is being read. For an empty one hyper says nothing.
    pub(crate) fn give(&self) {
        if !self.empty {
            self.withheld.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the client still waits to be told.
    pub(crate) fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Relaxed)
    }
}
