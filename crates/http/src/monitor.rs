//! What answers on the listener for monitoring: metrics, health, readiness.

use std::convert::Infallible;
use std::future::{Ready, ready};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::service::Service;

use crate::body::{bare, full, only_reads};
use crate::metrics::Metrics;
use crate::{Body, PREFIX, Readiness};

/// The content type that tells Prometheus the format (OpenMetrics 1.0).
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers `/_carob/metrics`, `/_carob/health` and `/_carob/ready` to whoever can connect: for the loopback interface.
#[derive(Debug, Clone)]
pub struct Monitor {
    /// What is shown.
    pub metrics: Metrics,
    /// What `/_carob/ready` says.
    pub readiness: Readiness,
}

impl Service<Request<Body>> for Monitor {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let route = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
        let answer = match (route, request.method()) {
            ("/metrics", &Method::GET | &Method::HEAD) => {
                full(StatusCode::OK, OPENMETRICS, Bytes::from(self.metrics.text()))
            }
            ("/metrics", _) => only_reads(),
            (route, method) => {
                vital(route, method, &self.readiness).unwrap_or_else(|| bare(StatusCode::NOT_FOUND))
            }
        };
        ready(Ok(answer))
    }
}

/// What anybody may ask: whether the process answers, and whether new requests should come. Nothing else is said.
pub(crate) fn vital(route: &str, method: &Method, readiness: &Readiness) -> Option<Response<Body>> {
    let status = match route {
        "/health" => StatusCode::OK,
        "/ready" if readiness.is_ready() => StatusCode::OK,
        "/ready" => StatusCode::SERVICE_UNAVAILABLE,
        _ => return None,
    };
    Some(if matches!(*method, Method::GET | Method::HEAD) { bare(status) } else { only_reads() })
}
