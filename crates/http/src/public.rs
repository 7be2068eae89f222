//! What answers on the public listener.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use carob_identity::Entropy;
use http::uri::Authority;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::service::Service;

use crate::body::{BoxError, bare, boxed, full};
use crate::metrics::Metrics;
use crate::monitor::vital;
use crate::request_id::RequestIds;
use crate::serve::Surplus;
use crate::{Body, PREFIX, Readiness};

/// What answers on the public listener: health and readiness under `/_carob/`, to anybody, and S3 for everything else. What
/// else there is under `/_carob/` goes the same way as S3 if it is signed; who has not signed learns only that it is not for
/// him.
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
        let over = request.extensions().get::<Surplus>().is_some();
        let ours = match self.route(&request) {
            _ if lacks_host(&request) => Some(bad_request()),
            Some(route) => match vital(route, request.method(), &self.readiness) {
                // Whose signature it is, and what the key may do, is for S3's side to say.
                None if !over && is_signed(&request) => None,
                vital => Some(vital.unwrap_or_else(|| bare(StatusCode::FORBIDDEN))),
            },
            None if over => {
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

/// What HTTP/1.1 asks of every request, also where the target has a host in it (RFC 9112 §3.2).
fn lacks_host(request: &Request<Body>) -> bool {
    request.version() == Version::HTTP_11 && !request.headers().contains_key(header::HOST)
}

/// S3's answer to what is no request.
fn bad_request() -> Response<Body> {
    xml(
        StatusCode::BAD_REQUEST,
        "<Code>BadRequest</Code><Message>An error occurred when parsing the HTTP request.</Message>",
    )
}

fn is_signed(request: &Request<Body>) -> bool {
    request.headers().contains_key(header::AUTHORIZATION)
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
