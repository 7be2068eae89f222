//! What answers on the public listener.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use carob_identity::Entropy;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::service::Service;

use crate::body::{BoxError, bare, boxed, full};
use crate::metrics::Metrics;
use crate::monitor::vital;
use crate::request_id::RequestIds;
use crate::serve::Surplus;
use crate::{Body, PREFIX, Readiness};

/// What answers on the public listener: our own routes under `/_carob/`, S3 for everything else.
///
/// No bucket name can hold an underscore, so the two never meet. Where the bucket stands in `Host`, the path is a key,
/// which may begin with anything: then everything is S3's.
pub struct Public<S> {
    s3: Arc<S>,
    ids: RequestIds,
    names_bucket: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    readiness: Readiness,
    metrics: Metrics,
}

impl<S> Public<S> {
    /// Wraps the S3 service; `names_bucket` tells whether a `Host` names a bucket, `readiness` what `/_carob/ready` says.
    /// What is refused here, S3 does not hear of: it is counted in `metrics`.
    pub fn new(
        s3: S,
        entropy: Arc<dyn Entropy>,
        names_bucket: impl Fn(&str) -> bool + Send + Sync + 'static,
        readiness: Readiness,
        metrics: Metrics,
    ) -> Self {
        let (ids, names_bucket) = (RequestIds(entropy), Arc::new(names_bucket));
        Self { s3: Arc::new(s3), ids, names_bucket, readiness, metrics }
    }

    /// The rest of the path, if the request is for a route of ours.
    fn route<'a>(&self, request: &'a Request<Body>) -> Option<&'a str> {
        let route = request.uri().path().strip_prefix(PREFIX)?;
        if !route.is_empty() && !route.starts_with('/') {
            return None;
        }
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| request.uri().authority().map(Authority::as_str));
        (!host.is_some_and(|host| (self.names_bucket)(host))).then_some(route)
    }
}

impl<S> fmt::Debug for Public<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Public").finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<Body>> for Public<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Send + Sync + 'static,
    S::Future: Send,
    S::Error: fmt::Display + Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let (s3, ids) = (Arc::clone(&self.s3), self.ids.clone());
        let ours = match self.route(&request) {
            Some(route) => Some(own(request.method(), route, &self.readiness)),
            None if request.extensions().get::<Surplus>().is_some() => {
                self.metrics.rejected("connections");
                Some(slow_down())
            }
            None => None,
        };
        Box::pin(async move {
            let mut response = match ours {
                Some(response) => response,
                None => through(&*s3, request).await,
            };
            ids.mark(response.headers_mut());
            Ok(response)
        })
    }
}

/// Health and readiness, to anybody, and nothing else. There is no other route yet, and whoever asks for one learns only
/// that.
fn own(method: &Method, route: &str, readiness: &Readiness) -> Response<Body> {
    vital(route, method, readiness).unwrap_or_else(|| bare(StatusCode::FORBIDDEN))
}

/// S3's answer to whom there is no place for (Amazon S3 API reference, "Error responses").
fn slow_down() -> Response<Body> {
    let mut response = xml(
        StatusCode::SERVICE_UNAVAILABLE,
        "<Code>SlowDown</Code><Message>Please reduce your request rate.</Message>",
    );
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

fn xml(status: StatusCode, error: &str) -> Response<Body> {
    let document = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>{error}</Error>");
    full(status, "application/xml", Bytes::from(document))
}

async fn through<S, B>(s3: &S, request: Request<Body>) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: fmt::Display,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    match s3.call(request).await {
        Ok(response) => response.map(boxed),
        Err(error) => {
            tracing::error!(%error, "the S3 service failed");
            xml(
                StatusCode::INTERNAL_SERVER_ERROR,
                "<Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message>",
            )
        }
    }
}
