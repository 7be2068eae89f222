//! What browsers ask before a request from elsewhere, and what is said to it in the answer.

use carob_bucket::{BucketError, Space};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use s3s::dto::CORSConfiguration;
use s3s::{Body, S3Error, S3Result};

use super::rules::{self, Match};
use crate::documents;
use crate::error::{custom, from_bucket};
use crate::host::{Domains, Place};
use crate::xml;

const VARY: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Headers, Access-Control-Request-Method");

const NOT_ENABLED: &str = "CORSResponse: CORS is not enabled for this bucket.";
const NO_BUCKET: &str = "CORSResponse: Bucket not found";
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of \
                           Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers \
                           are not whitelisted by the resource's CORS spec.";

/// Answers for what buckets allow to pages from elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct CrossOrigin {
    pub(crate) space: Space,
    pub(crate) domains: Domains,
}

impl CrossOrigin {
    /// The answer to OPTIONS, which needs no signature: browsers cannot give one.
    ///
    /// # Errors
    /// BadRequest for what is no preflight; what the store says.
    pub(crate) async fn preflight(&self, head: &Request<()>) -> S3Result<Response<Body>> {
        let origin = text(head.headers(), &header::ORIGIN).filter(|origin| !origin.is_empty());
        let Some(origin) = origin else {
            return Err(bad_request("Insufficient information. Origin request header needed.".to_owned()));
        };
        let method = text(head.headers(), &header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or("null");
        if !rules::METHODS.contains(&method) {
            return Err(bad_request(format!("Invalid Access-Control-Request-Method: {method}")));
        }
        let place = self.domains.place(head);
        let headers = requested_headers(head.headers())?;
        let configuration = match self.configuration(&place).await {
            Ok(Some(configuration)) => configuration,
            Ok(None) => return Ok(forbidden(NOT_ENABLED, method, &place)),
            Err(BucketError::NoSuchBucket(_)) => return Ok(forbidden(NO_BUCKET, method, &place)),
            Err(error) => return Err(from_bucket(error)),
        };
        let Some(found) = rules::find(&configuration.cors_rules, origin, method, &headers) else {
            return Ok(forbidden(NOT_ALLOWED, method, &place));
        };
        let mut response = Response::new(Body::empty());
        *response.headers_mut() = allowed(&found, origin);
        if !headers.is_empty()
            && let Ok(value) = HeaderValue::try_from(headers.join(", "))
        {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, value);
        }
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(response)
    }

    /// What the answer to any other request says, whatever becomes of it; nothing, if no rule lets it in.
    pub(crate) async fn headers(&self, head: &Request<()>) -> Option<HeaderMap> {
        let origin = text(head.headers(), &header::ORIGIN)?;
        // A bucket that cannot be read says so in the answer itself.
        let configuration = self.configuration(&self.domains.place(head)).await.ok()??;
        let asked = text(head.headers(), &header::ACCESS_CONTROL_REQUEST_METHOD);
        let method = asked.unwrap_or(head.method().as_str());
        let found = rules::find(&configuration.cors_rules, origin, method, &[])?;
        Some(allowed(&found, origin))
    }

    async fn configuration(&self, place: &Place) -> Result<Option<CORSConfiguration>, BucketError> {
        let Some(bucket) = &place.bucket else { return Ok(None) };
        let snapshot = self.space.bucket(bucket).await?.snapshot().await?;
        let Some(text) = snapshot.config().documents.get(documents::CORS) else { return Ok(None) };
        // It was read before it was kept.
        Ok(documents::read(text).ok())
    }
}

/// The headers that say what is allowed.
fn allowed(found: &Match<'_>, origin: &str) -> HeaderMap {
    let rule = found.rule;
    let mut headers = HeaderMap::new();
    let mut say = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, if found.any_origin { "*" } else { origin });
    if !found.any_origin {
        say(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    say(header::ACCESS_CONTROL_ALLOW_METHODS, &rule.allowed_methods.join(", "));
    if let Some(exposed) = rule.expose_headers.as_ref().filter(|exposed| !exposed.is_empty()) {
        say(header::ACCESS_CONTROL_EXPOSE_HEADERS, &exposed.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        say(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    headers.insert(header::VARY, VARY);
    headers
}

fn bad_request(message: String) -> S3Error {
    custom("BadRequest", StatusCode::BAD_REQUEST, message)
}

/// Amazon S3's refusal of a preflight.
fn forbidden(message: &str, method: &str, place: &Place) -> Response<Body> {
    let resource = if place.has_key { "OBJECT" } else { "BUCKET" };
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessForbidden</Code><Message>{message}</Message>\
         <Method>{}</Method><ResourceType>{resource}</ResourceType></Error>",
        xml::escape(method)
    );
    let mut response = Response::new(Body::from(document));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The names in `Access-Control-Request-Headers`, in small letters.
///
/// # Errors
/// BadRequest for what is no name.
fn requested_headers(headers: &HeaderMap) -> S3Result<Vec<String>> {
    let mut names = Vec::new();
    for list in headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        for given in String::from_utf8_lossy(list.as_bytes()).split(',') {
            let name = given.trim_matches(' ');
            if !name.is_empty() && !rules::is_header_name(name) {
                return Err(bad_request(format!(
                    "Access-Control-Request-Headers \"{given}\" contains invalid character."
                )));
            }
            names.extend(Some(name.to_ascii_lowercase()).filter(|name| !name.is_empty()));
        }
    }
    Ok(names)
}
