//! What answers on the public listener.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use carob_identity::Entropy;
use http::uri::Authority;
use http::{Method, Request, Response, StatusCode, header};
use hyper::service::Service;

use crate::body::{BoxError, bare, boxed, full, only_reads};
use crate::request_id::RequestIds;
use crate::{Body, PREFIX};

/// What answers on the public listener: our own routes under `/_carob/`, S3 for everything else.
///
/// No bucket name can hold an underscore, so the two never meet. Where the bucket stands in `Host`, the path is a key,
/// which may begin with anything: then everything is S3's.
pub struct Public<S> {
    s3: Arc<S>,
    ids: RequestIds,
    names_bucket: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

impl<S> Public<S> {
    /// Wraps the S3 service; `names_bucket` tells whether a `Host` names a bucket.
    pub fn new(
        s3: S,
        entropy: Arc<dyn Entropy>,
        names_bucket: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self { s3: Arc::new(s3), ids: RequestIds(entropy), names_bucket: Arc::new(names_bucket) }
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
        let ours = self.route(&request).map(|route| own(request.method(), route));
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

/// Health says that the process answers, to anybody, and nothing else. There is no other route yet, and
/// whoever asks for one learns only that.
fn own(method: &Method, route: &str) -> Response<Body> {
    match (route, method) {
        ("/health", &Method::GET | &Method::HEAD) => bare(StatusCode::OK),
        ("/health", _) => only_reads(),
        _ => bare(StatusCode::FORBIDDEN),
    }
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
            let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code>\
                       <Message>We encountered an internal error. Please try again.</Message></Error>";
            full(StatusCode::INTERNAL_SERVER_ERROR, "application/xml", Bytes::from_static(xml.as_bytes()))
        }
    }
}
