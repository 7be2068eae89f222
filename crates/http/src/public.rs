use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use carob_identity::Entropy;
use http::{Method, Request, Response, StatusCode};
use hyper::service::Service;

use crate::body::{BoxError, bare, boxed, full, only_reads};
use crate::request_id::RequestIds;
use crate::{Body, PREFIX};

/// What answers on the public listener: our own routes under `/_carob/`, S3 for everything else.
///
/// No bucket name can hold an underscore, so the two never meet.
pub struct Public<S> {
    s3: Arc<S>,
    ids: RequestIds,
}

impl<S> Public<S> {
    /// Wraps the S3 service.
    pub fn new(s3: S, entropy: Arc<dyn Entropy>) -> Self {
        Self { s3: Arc::new(s3), ids: RequestIds(entropy) }
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
        Box::pin(async move {
            let path = request.uri().path();
            let mut response = match path.strip_prefix(PREFIX) {
                Some(route) if route.is_empty() || route.starts_with('/') => own(request.method(), route),
                _ => through(&*s3, request).await,
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
