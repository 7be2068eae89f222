//! Between the signature and the operation.
//!
//! s3s verifies a request's signature over all its headers and then reads them into types that know one entity
//! tag, one range, well-formed dates. So it is used twice: an outer service only authenticates, this route takes
//! the verified request, moves what s3s cannot express into extensions, and hands it to an inner service, which
//! authorizes and dispatches. The inner one knows no secret and takes nobody for a caller who did not come through
//! here; what nobody has signed may do what everybody may.

use std::sync::Arc;

use carob_bucket::Budget;
use carob_identity::{AccessKeyId, Identity, RateLimits, Source};
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, header};
use s3s::route::S3Route;
use s3s::service::S3Service;
use s3s::{Body, S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::access::{Asker, Gatekeeper, Signed};
use crate::blank;
use crate::body;
use crate::checksum;
use crate::conditions::{self, Conditional, SourceConditional};
use crate::context::RequestContext;
use crate::error::{access_denied, internal, not_implemented, slow_down};
use crate::host::Domains;
use crate::lines;
use crate::past;
use crate::refuse;
use crate::remote::{Routes, SignedCaller, SignedRoutes};
use crate::xml;

/// What policies know signature version 4 as.
pub(crate) const VERSION_4: &str = "AWS4-HMAC-SHA256";

/// Takes every request that is verified, or that nobody has signed. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) inner: S3Service,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) bodies: Budget,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) domains: Domains,
    pub(crate) routes: Routes,
}

#[async_trait::async_trait]
impl S3Route for Gate {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn check_access(&self, request: &mut S3Request<Body>) -> S3Result<()> {
        let id: Option<AccessKeyId> = match &request.credentials {
            Some(credentials) => Some(credentials.access_key.parse().map_err(|_| access_denied())?),
            None => {
                check_unsigned(&request.method, &request.uri, &request.headers)?;
                None
            }
        };
        let signed = signed(id.is_some(), &request.uri, &request.headers);
        admit(&self.limits, id, signed, &mut request.extensions)
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        if let Some(routes) = self.own(&request) {
            return self.call_own(routes, request).await;
        }
        let S3Request { input, method, uri, headers, extensions, trailing_headers, .. } = request;
        let mut verified = Request::new(input);
        *verified.method_mut() = method;
        *verified.uri_mut() = uri;
        *verified.headers_mut() = headers;
        *verified.extensions_mut() = extensions;
        let (parts, body) = self.pass(verified, trailing_headers).await?.into_parts();
        let mut answer = S3Response::with_status(body, parts.status);
        answer.headers = parts.headers;
        answer.extensions = parts.extensions;
        Ok(answer)
    }
}

impl Gate {
    /// Hands a request that was admitted to the inner service.
    ///
    /// # Errors
    /// What is wrong with its head or its body.
    pub(crate) async fn pass(
        &self,
        request: Request<Body>,
        trailers: Option<TrailingHeaders>,
    ) -> S3Result<Response<Body>> {
        let context = request.extensions().get::<Arc<RequestContext>>().cloned();
        let context = context.ok_or_else(|| internal("a request without context".into()))?;
        let request = prepare(request, trailers, &context, &self.bodies)?;
        // The source of the error does not come through the outer service.
        refuse::check_route(&request, &self.domains.place(&request))
            .inspect_err(|error| context.keep_elements(error))?;
        let odd = holds_unwritable(request.uri());
        let answered = self.inner.call(request).await;
        if let Some(error) = context.take_body_error() {
            return Err(error);
        }
        // s3s repeats what is wrong with a parameter in its errors, and then cannot write them.
        answered.map_err(|error| match odd {
            true => s3_error!(InvalidArgument, "A query parameter holds a character that XML cannot."),
            false => internal(error.into_std_error()),
        })
    }
}

impl Gate {
    /// What answers a request that is for us and not for S3.
    fn own(&self, request: &S3Request<Body>) -> Option<Arc<dyn SignedRoutes>> {
        let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        // Where the bucket stands in `Host`, the path is a key.
        let key = host.is_some_and(|host| self.domains.names_bucket(host));
        self.routes.of(&request.uri).filter(|_| !key).cloned()
    }

    async fn call_own(
        &self,
        routes: Arc<dyn SignedRoutes>,
        request: S3Request<Body>,
    ) -> S3Result<S3Response<Body>> {
        if request.credentials.is_none() {
            return Err(access_denied());
        }
        past::check_signed(&request.headers, &request.uri)?;
        let S3Request { input, method, uri, mut headers, extensions, .. } = request;
        let asker = Asker::of_request(&headers, &uri, &extensions, self.gatekeeper.clock.now());
        headers.remove(header::AUTHORIZATION);
        let mut own = Request::new(input);
        (*own.method_mut(), *own.uri_mut(), *own.headers_mut()) = (method, uri, headers);
        let caller = SignedCaller::new(self.gatekeeper.clone(), asker);
        let (parts, body) = routes.call(own, caller).await.into_parts();
        let mut answer = S3Response::with_status(body, parts.status);
        answer.headers = parts.headers;
        Ok(answer)
    }
}

/// Lets a request go on as one of whose signature it carries, or as nobody's, unless those are too many.
///
/// # Errors
/// SlowDown.
pub(crate) fn admit(
    limits: &RateLimits,
    id: Option<AccessKeyId>,
    signed: Signed,
    extensions: &mut Extensions,
) -> S3Result<()> {
    let context = extensions.get::<Arc<RequestContext>>();
    if let Some(context) = context {
        context.set_counted();
        if let Some(id) = &id {
            context.set_access_key(id.as_str());
        }
    }
    if !limits.admit(id.as_ref(), extensions.get::<Source>().copied()) {
        if let Some(context) = context {
            context.set_rate_limited();
        }
        return Err(slow_down());
    }
    extensions.insert(signed);
    if let Some(id) = id {
        extensions.insert(Identity::AccessKey(id));
    }
    Ok(())
}

/// Checks a request that s3s found no signature in: nobody's, which may do what everybody may, unless it tried to be
/// somebody's.
///
/// # Errors
/// AccessDenied; InvalidRequest for a read that says itself what headers its answer shall have: who gives a link to what
/// everybody may read does not choose what browsers take it for (API reference, GetObject); as [`check_whole`].
fn check_unsigned(method: &Method, uri: &Uri, headers: &HeaderMap) -> S3Result<()> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Err(access_denied());
    }
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    if matches!(*method, Method::GET | Method::HEAD) && query.any(|(name, _)| OVERRIDES.contains(&&*name)) {
        return Err(s3_error!(
            InvalidRequest,
            "Request specific response headers cannot be used for anonymous GET requests."
        ));
    }
    if payload(headers).starts_with(b"STREAMING-AWS4-") {
        return Err(s3_error!(
            InvalidRequest,
            "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or \
             STREAMING-UNSIGNED-PAYLOAD-TRAILER."
        ));
    }
    check_whole(headers)
}

/// What a query may put in place of an object's own headers.
const OVERRIDES: [&str; 6] = [
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
];

/// Checks that a body is not in chunks, which s3s takes apart for requests alone that are signed with version 4.
///
/// # Errors
/// NotImplemented.
pub(crate) fn check_whole(headers: &HeaderMap) -> S3Result<()> {
    if payload(headers).starts_with(b"STREAMING-") {
        return Err(not_implemented("x-amz-content-sha256: STREAMING-… without a signature of version 4"));
    }
    Ok(())
}

fn payload(headers: &HeaderMap) -> &[u8] {
    headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes).unwrap_or_default()
}

/// What policies may ask of the signature, and of headers that do not reach the inner service.
fn signed(by_somebody: bool, uri: &Uri, headers: &HeaderMap) -> Signed {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut query = query.filter(|(name, _)| name == "X-Amz-Date").map(|(_, value)| value);
    let date = query.next().filter(|_| by_somebody && !headers.contains_key(header::AUTHORIZATION));
    let kind = match &date {
        _ if !by_somebody => None,
        Some(_) => Some("REST-QUERY-STRING"),
        None => Some("REST-HEADER"),
    };
    let version = kind.map(|_| VERSION_4);
    Signed { kind, version, at: date.and_then(|date| seconds(&date)), ..conditions(headers) }
}

/// What of it stands in headers that do not reach the inner service.
pub(crate) fn conditions(headers: &HeaderMap) -> Signed {
    let value = |name| headers.get(name).cloned();
    let (if_match, if_none_match) = (value(header::IF_MATCH), value(header::IF_NONE_MATCH));
    Signed { if_match, if_none_match, ..Signed::default() }
}

/// `20130524T000000Z` in seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    let part = |range| date.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, second) = (part(9..11)?, part(11..13)?, part(13..15)?);
    let millis = carob_policy::parse_time(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))?;
    u64::try_from(millis / 1000).ok()
}

/// The request as the inner service shall see it.
fn prepare(
    request: Request<Body>,
    trailers: Option<TrailingHeaders>,
    context: &Arc<RequestContext>,
    bodies: &Budget,
) -> S3Result<Request<Body>> {
    let (mut head, input) = request.into_parts();
    past::check_signed(&head.headers, &head.uri)?;
    if let Some(moment) = past::asked(&head.headers)? {
        head.extensions.insert(moment);
    }
    let (uri, hoisted) = strip_signature(&head.uri)?;
    head.uri = blank::without(uri);
    let headers = &mut head.headers;
    hoist(headers, hoisted)?;
    headers.remove(header::AUTHORIZATION);
    tell_decoded_length(headers);
    lines::join(headers);

    head.extensions.insert(Conditional::parse(headers));
    head.extensions.insert(SourceConditional::take(headers));
    for name in &conditions::HEADERS {
        headers.remove(name);
    }

    let body = body::checked(input, headers, trailers.clone(), Arc::clone(context), bodies.clone());
    if let Some(trailers) = trailers {
        head.extensions.insert(trailers);
    }
    Ok(Request::from_parts(head, body))
}

/// An aws-chunked body that came in HTTP chunks has no `Content-Length`, which s3s sets to the decoded length where
/// there is one. The length is signed, and s3s holds the body to it.
fn tell_decoded_length(headers: &mut HeaderMap) {
    let streaming =
        headers.get("x-amz-content-sha256").is_some_and(|v| v.as_bytes().starts_with(b"STREAMING-"));
    let decoded = headers.get("x-amz-decoded-content-length").cloned();
    if let Some(length) = decoded.filter(|_| streaming && !headers.contains_key(header::CONTENT_LENGTH)) {
        headers.insert(header::CONTENT_LENGTH, length);
    }
}

fn holds_unwritable(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes()).any(|(_, value)| value.chars().any(xml::needs_reference))
}

const SIGNATURE_PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "X-Amz-Content-Sha256",
];

/// Takes a presigned URL's signature out of the query, and with it the headers that a client moved there.
///
/// Some SDKs put `x-amz-*` headers of the request they presign into the query, where S3 honours them like
/// headers. They are signed there, so they may be. S3 makes an exception of checksums of the body: whoever
/// presigns does not have it, and the SDK for JavaScript gives the checksum of an empty one.
fn strip_signature(uri: &Uri) -> S3Result<(Uri, Vec<(String, String)>)> {
    let query = uri.query().unwrap_or_default();
    let pairs = || form_urlencoded::parse(query.as_bytes());
    if !pairs().any(|(name, _)| name == "X-Amz-Signature") {
        return Ok((uri.clone(), Vec::new()));
    }
    let mut kept = form_urlencoded::Serializer::new(String::new());
    let mut hoisted = Vec::new();
    for (name, value) in pairs() {
        if SIGNATURE_PARAMETERS.contains(&&*name) {
            continue;
        }
        let lower = name.to_ascii_lowercase();
        if lower == "x-amz-sdk-checksum-algorithm" || checksum::is_header(&lower) {
            continue;
        }
        if lower.starts_with("x-amz-") {
            hoisted.push((lower, value.into_owned()));
        } else {
            kept.append_pair(&name, &value);
        }
    }
    let kept = kept.finish();
    let path = uri.path();
    let target = if kept.is_empty() { path.to_owned() } else { format!("{path}?{kept}") };
    let target = PathAndQuery::try_from(target).map_err(|_| s3_error!(InvalidURI))?;
    Ok((Uri::from(target), hoisted))
}

fn hoist(headers: &mut HeaderMap, hoisted: Vec<(String, String)>) -> S3Result<()> {
    for (name, value) in hoisted {
        let parsed = HeaderName::try_from(name.as_str()).ok().zip(HeaderValue::try_from(value).ok());
        let Some((header, value)) = parsed else {
            return Err(s3_error!(InvalidRequest, "The query parameter {name} is not valid."));
        };
        match headers.get(&header) {
            Some(present) if *present != value => {
                return Err(s3_error!(InvalidRequest, "{name} differs between the query and the headers."));
            }
            Some(_) => {}
            None => {
                headers.insert(header, value);
            }
        }
    }
    Ok(())
}

/// What is left of a presigned target and the headers that were in it, for fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn hoisting(uri: &Uri, mut headers: HeaderMap) {
    let Ok((left, hoisted)) = strip_signature(uri) else { return };
    if left != *uri {
        let mut names =
            form_urlencoded::parse(left.query().unwrap_or_default().as_bytes()).map(|(name, _)| name);
        assert!(!names.any(|name| name.starts_with("X-Amz-")), "{left}");
    }
    let _ = hoist(&mut headers, hoisted);
    tell_decoded_length(&mut headers);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_of_a_presigned_url_is_taken_off_and_the_rest_stays() {
        let uri = "/b/k%20x?partNumber=1&X-Amz-Signature=00&X-Amz-Date=1&response-content-type=a%2Fb&X-Amz-Meta-A=1%202";
        let (uri, hoisted) = strip_signature(&uri.parse().unwrap()).unwrap();
        assert_eq!(uri, "/b/k%20x?partNumber=1&response-content-type=a%2Fb");
        assert_eq!(hoisted, [("x-amz-meta-a".to_owned(), "1 2".to_owned())]);
        let plain: Uri = "/b/k?list-type=2&x-amz-acl=private".parse().unwrap();
        assert_eq!(strip_signature(&plain).unwrap(), (plain, vec![]));
    }

    #[test]
    fn the_age_of_a_signature_counts_from_the_date_in_the_query() {
        let uri: Uri = "/b/k?X-Amz-Date=20130524T000000Z&X-Amz-Signature=0".parse().unwrap();
        let found = signed(true, &uri, &HeaderMap::new());
        assert_eq!((found.kind, found.at), (Some("REST-QUERY-STRING"), Some(1_369_353_600)));
        let found = signed(false, &uri, &HeaderMap::new());
        assert_eq!((found.kind, found.at), (None, None));
        for bad in ["", "2013", "20130524T00000é", "20131324T000000Z"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_nobody_signed_may_not_look_signed() {
        let mut headers = HeaderMap::new();
        let uri = Uri::from_static("/b/k");
        let check_unsigned = |headers: &HeaderMap| check_unsigned(&Method::PUT, &uri, headers);
        check_unsigned(&headers).unwrap();
        headers
            .insert("x-amz-content-sha256", HeaderValue::from_static("STREAMING-UNSIGNED-PAYLOAD-TRAILER"));
        assert_eq!(check_unsigned(&headers).unwrap_err().code().as_str(), "NotImplemented");
        let signed = HeaderValue::from_static("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        headers.insert("x-amz-content-sha256", signed);
        assert_eq!(check_unsigned(&headers).unwrap_err().code().as_str(), "InvalidRequest");
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
        assert_eq!(check_unsigned(&headers).unwrap_err().code().as_str(), "AccessDenied");
    }

    #[test]
    fn a_checksum_that_was_presigned_is_ignored_as_s3_does() {
        let uri = "/b/k?X-Amz-Signature=00&x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32\
                   &x-id=PutObject&x-amz-checksum-mode=ENABLED";
        let (uri, hoisted) = strip_signature(&uri.parse().unwrap()).unwrap();
        assert_eq!(uri, "/b/k?x-id=PutObject");
        assert_eq!(hoisted, [("x-amz-checksum-mode".to_owned(), "ENABLED".to_owned())]);
    }

    #[test]
    fn a_hoisted_header_may_not_contradict_a_real_one() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-acl", HeaderValue::from_static("private"));
        hoist(&mut headers, vec![("x-amz-acl".into(), "private".into())]).unwrap();
        assert!(hoist(&mut headers, vec![("x-amz-acl".into(), "public-read".into())]).is_err());
        assert!(hoist(&mut headers, vec![("x-amz-bad name".into(), "1".into())]).is_err());
        hoist(&mut headers, vec![("x-amz-meta-a".into(), "1".into())]).unwrap();
        assert_eq!(headers["x-amz-meta-a"], "1");
    }
}
