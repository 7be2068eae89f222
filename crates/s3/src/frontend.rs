//! The outermost layer: request ids, what is refused before anything is read, the finished answer, the log line.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use carob_identity::{Entropy, RateLimits, Source};
use http::{HeaderMap, Method, Request, Response, header};
use hyper::body::Incoming;
use s3s::service::S3Service;
use s3s::{Body, S3Error, S3Result};
use tracing::Instrument;

use crate::access_log::AccessLogs;
use crate::answer;
use crate::context::RequestContext;
use crate::cors::CrossOrigin;
use crate::date;
use crate::details::Subject;
use crate::early;
use crate::error::{internal, sayable, slow_down};
use crate::form::{FormUploads, is_form};
use crate::log::{Logged, Received};
use crate::mismatch::is_confidential;
use crate::observer::Observer;
use crate::patience;
use crate::remote::{Routes, SignedRoutes};
use crate::version2::{self, Version2};

/// Who verifies a request, by what it is signed with.
#[derive(Clone)]
pub(crate) struct Takers {
    pub(crate) forms: FormUploads,
    pub(crate) version2: Version2,
    /// Version 4, and what nobody has signed.
    pub(crate) service: S3Service,
}

impl Takers {
    async fn take(
        &self,
        mut request: Request<Body>,
        context: &Arc<RequestContext>,
    ) -> S3Result<Response<Body>> {
        if is_form(request.method(), request.headers()) {
            return self.forms.take(request, context).await;
        }
        if version2::signs(request.uri(), request.headers()) {
            return self.version2.take(request).await;
        }
        date::complete(request.headers_mut())?;
        self.service.call(request).await.map_err(|error| internal(error.into_std_error()))
    }
}

/// The S3 API as an HTTP service. Cheap to clone.
///
/// It answers every request itself: there is no error to handle. A body whose stream fails midway ends the
/// connection instead of the answer.
#[derive(Clone)]
pub struct S3Frontend {
    takers: Takers,
    entropy: Arc<dyn Entropy>,
    limits: Arc<RateLimits>,
    region: Arc<str>,
    cross_origin: CrossOrigin,
    access_logs: Arc<AccessLogs>,
    observer: Option<Arc<dyn Observer>>,
    routes: Routes,
}

impl fmt::Debug for S3Frontend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Frontend").field("region", &self.region).finish_non_exhaustive()
    }
}

impl S3Frontend {
    pub(crate) fn new(
        takers: Takers,
        entropy: Arc<dyn Entropy>,
        limits: Arc<RateLimits>,
        region: Arc<str>,
        cross_origin: CrossOrigin,
        access_logs: Arc<AccessLogs>,
        routes: Routes,
    ) -> Self {
        Self { takers, entropy, limits, region, cross_origin, access_logs, observer: None, routes }
    }

    /// Has `observer` told of every request.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Has what is signed and under `/_carob/` answered by `routes`; by the first that were given.
    #[must_use]
    pub fn serving(self, routes: Arc<dyn SignedRoutes>) -> Self {
        self.routes.set(routes);
        self
    }

    /// Puts the access logs of buckets into their targets every `period`. Works until it is dropped, which it may be at any
    /// time; buckets that were logged before are logged again from its start on.
    pub async fn deliver_access_logs(&self, period: Duration) {
        self.access_logs.run(period).await;
    }

    /// Puts what waits of them into the targets now.
    pub async fn flush_access_logs(&self) {
        self.access_logs.deliver().await;
    }

    /// Answers one request, whatever its body is made of; see [`Body::http_body_unsync`].
    ///
    /// [`Body`] is s3s's, for requests and answers alike. Time limits are the caller's: a body that ends in an
    /// [`std::io::Error`] of the kind `TimedOut` is answered `RequestTimeout`.
    pub async fn handle(&self, request: Request<Body>) -> Response<Body> {
        let context = RequestContext::new(&*self.entropy);
        let span = tracing::info_span!("s3", request_id = context.id());
        let line = self.access_logs.begin(&request).map(|line| (Arc::clone(&self.access_logs), line));
        let logged = Logged::start(&request, Arc::clone(&context), self.observer.clone(), line, span.clone());
        let counted = Arc::clone(&context);
        let request = request.map(|body| Received::count(body, counted));
        let response = self.answer(request, Arc::clone(&context)).instrument(span).await;
        logged.finish(answer::identify(response, &context))
    }

    async fn answer(&self, mut request: Request<Body>, context: Arc<RequestContext>) -> Response<Body> {
        hide_keys(request.headers_mut());
        let subject = Subject::of(&request);
        request.extensions_mut().insert(Arc::clone(&context));
        let (takers, region, of) = (self.takers.clone(), Arc::clone(&self.region), Arc::clone(&context));
        // Browsers send a preflight to where a request will go that is still to be signed, or was presigned.
        let (preflight, shared) = if *subject.method() == Method::OPTIONS {
            (Some((self.cross_origin.clone(), head_of(&request))), None)
        } else if request.headers().contains_key(header::ORIGIN) {
            (None, self.cross_origin.headers(&head_of(&request)).await)
        } else {
            (None, None)
        };
        let (limits, source) = (Arc::clone(&self.limits), request.extensions().get::<Source>().copied());
        let answering = async move {
            let response = match preflight {
                Some((cross_origin, head)) => cross_origin.preflight(&head).await,
                None => match early::check(request.uri(), request.headers(), &region, SystemTime::now()) {
                    Ok(()) => takers.take(request, &of).await,
                    Err(error) => Err(error),
                },
            };
            let response = response.unwrap_or_else(|error| {
                of.keep_elements(&error);
                error_response(sayable(error))
            });
            // What came through the gate was counted there.
            let response = match of.is_counted() {
                false if !limits.admit(None, source) => {
                    of.set_rate_limited();
                    error_response(slow_down())
                }
                _ => response,
            };
            answer::finish(response, &of, &subject, &region)
        };
        let mut response = patience::wait(answering.in_current_span(), &context).await;
        response.headers_mut().extend(shared.into_iter().flatten());
        response
    }
}

impl hyper::service::Service<Request<Incoming>> for S3Frontend {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let frontend = self.clone();
        Box::pin(async move { Ok(frontend.handle(request.map(Body::from)).await) })
    }
}

/// The head of a request, without what its layers share.
fn head_of<T>(request: &Request<T>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    head
}

/// Customers' keys are not to be printed, whoever prints headers.
fn hide_keys(headers: &mut HeaderMap) {
    for (name, value) in headers.iter_mut() {
        if is_confidential(name.as_str()) {
            value.set_sensitive(true);
        }
    }
}

fn error_response(error: S3Error) -> Response<Body> {
    tracing::debug!(?error, "refused");
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
