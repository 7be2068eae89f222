//! From a form to a PutObject.

use std::fmt;
use std::sync::Arc;

use carob_identity::{AccessKeys, Clock, RateLimits};
use data_encoding::BASE64;
use futures::TryStreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::Tagging;
use s3s::service::S3Service;
use s3s::xml::{Deserialize, Deserializer};
use s3s::{Body, S3Error, S3Result, s3_error};

use super::answer::{Stored, Wish};
use super::fields::{Fields, Form};
use super::file::{FileStream, FormFile};
use super::policy::Policy;
use super::signature::{self, missing};
use crate::access::Signed;
use crate::conditions::{Conditional, SourceConditional};
use crate::context::RequestContext;
use crate::error::{internal, malformed_xml, method_not_allowed};
use crate::gate;
use crate::host::Domains;
use crate::tags::{self, Tagged};

/// What stands in a location as it is; a slash in a key does not.
const LOCATION: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Takes forms.
#[derive(Clone)]
pub(crate) struct FormUploads {
    /// Authorizes and dispatches; see [`crate::gate`].
    pub(crate) inner: S3Service,
    pub(crate) keys: Arc<dyn AccessKeys>,
    pub(crate) limits: Arc<RateLimits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) domains: Domains,
    pub(crate) region: Arc<str>,
    /// That of the object's address.
    pub(crate) scheme: &'static str,
    /// Whether a policy may be signed with version 2.
    pub(crate) signature_v2: bool,
}

impl fmt::Debug for FormUploads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FormUploads")
    }
}

/// Whether a request brings a form.
pub(crate) fn is_form(method: &Method, headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let form = content_type.get(..19).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data"));
    *method == Method::POST && form
}

/// Fields that are a header of PutObject under another name, or under their own.
const HEADERS: [(&str, &str); 8] = [
    ("acl", "x-amz-acl"),
    ("cache-control", "cache-control"),
    ("content-disposition", "content-disposition"),
    ("content-encoding", "content-encoding"),
    ("content-language", "content-language"),
    ("content-md5", "content-md5"),
    ("content-type", "content-type"),
    ("expires", "expires"),
];

/// Fields of the signature, which is verified by then.
const SIGNATURE: [&str; 4] = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"];

/// How fields begin that name another object.
const SOURCES: [&str; 2] = ["x-amz-copy-source", "x-amz-rename-source"];

/// How a form is signed.
fn posted(version: &'static str) -> Signed {
    Signed { kind: Some("POST"), version: Some(version), ..Signed::default() }
}

impl FormUploads {
    /// Takes a form with its file.
    ///
    /// # Errors
    /// What is wrong with the form, its policy or its signature, and whatever PutObject refuses.
    pub(crate) async fn take(
        &self,
        request: Request<Body>,
        context: &Arc<RequestContext>,
    ) -> S3Result<Response<Body>> {
        let place = self.domains.place(&request);
        let (mut head, body) = request.into_parts();
        let bucket = place.bucket.filter(|_| !place.has_key).ok_or_else(method_not_allowed)?;
        let length =
            head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let Some(length) = length else {
            return Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."));
        };
        let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let Form { mut fields, filename, file } = Form::read(content_type.unwrap_or_default(), body).await?;
        let key = fields.get("key").ok_or_else(|| missing("key"))?;
        let key = filename.map_or_else(|| key.to_owned(), |name| key.replace("${filename}", &name));
        if key.is_empty() {
            return Err(missing("key"));
        }
        fields.0.insert("key".to_owned(), key.clone());

        let mut sizes = 0..=u64::MAX;
        match fields.get("policy") {
            Some(text) => {
                let verified =
                    signature::verify(&fields, text, &*self.keys, &self.region, self.signature_v2).await;
                let (id, version) =
                    verified.inspect_err(|_| context.set_compared(signature::compared(&fields, text)))?;
                gate::admit(&self.limits, Some(id), posted(version), &mut head.extensions)?;
                let policy = Policy::parse(text)?;
                policy.check(&bucket, &fields.0, self.clock.now())?;
                sizes = policy.sizes;
            }
            None if fields.get("awsaccesskeyid").is_some() || fields.get("x-amz-credential").is_some() => {
                return Err(missing("policy"));
            }
            // Nobody's: the request goes on without an identity, and whoever authorizes it decides what that may do.
            None => gate::admit(&self.limits, None, Signed::default(), &mut head.extensions)?,
        }

        let wish = Wish::of(&fields);
        let encoded = |text: &str| utf8_percent_encode(text, LOCATION).to_string();
        let path = match place.in_path {
            true => format!("/{}/{}", encoded(&bucket), encoded(&key)),
            false => format!("/{}", encoded(&key)),
        };
        let host = head.headers.remove(header::HOST);
        let mut headers = put_headers(&fields)?;
        let shown_host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
        let location = format!("{}://{shown_host}{path}", self.scheme);
        headers.extend(host.map(|host| (header::HOST, host)));

        let file = FileStream { file, sizes, size: 0, context: Arc::clone(context) };
        let mut put = Request::new(Body::http_body_unsync(StreamBody::new(file.map_ok(Frame::data))));
        *put.method_mut() = Method::PUT;
        *put.uri_mut() = path.parse().map_err(|_| s3_error!(InvalidURI))?;
        *put.headers_mut() = headers;
        *put.extensions_mut() = head.extensions;
        put.extensions_mut().insert(FormFile { at_most: length });
        put.extensions_mut().insert(Conditional::default());
        put.extensions_mut().insert(SourceConditional::default());
        let answered = self.inner.call(put).await;
        if let Some(error) = context.take_body_error() {
            return Err(error);
        }
        let answered = answered.map_err(|error| internal(error.into_std_error()))?;
        if !answered.status().is_success() {
            return Ok(answered);
        }
        let stored = Stored { location: &location, bucket: &bucket, key: &key };
        Ok(wish.answer(answered.headers(), &stored))
    }
}

fn unacceptable(name: &str) -> S3Error {
    s3_error!(InvalidArgument, "The field {name} is not acceptable.")
}

/// The headers of the PutObject that the form asks for.
fn put_headers(fields: &Fields) -> S3Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in &fields.0 {
        let known = HEADERS.iter().find(|(field, _)| field == name).map(|(_, header)| *header);
        let name = match known {
            Some(header) => header,
            None if SIGNATURE.contains(&name.as_str()) => continue,
            // They would make another operation of it, which no form asks for.
            None if SOURCES.iter().any(|source| name.starts_with(source)) => return Err(unacceptable(name)),
            None if name.starts_with("x-amz-") || name.starts_with("x-carob-") => name,
            None => continue,
        };
        let value = match value.is_ascii() {
            true => value.clone(),
            // As any client has to write it in a header (RFC 2047).
            false => format!("=?UTF-8?B?{}?=", BASE64.encode(value.as_bytes())),
        };
        let header = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
        let (header, value) = header.ok_or_else(|| unacceptable(name))?;
        headers.insert(header, value);
    }
    if let Some(document) = fields.get("tagging") {
        let tagging = Tagging::deserialize(&mut Deserializer::new(document.as_bytes()));
        let found = tags::from_document(tagging.map_err(|_| malformed_xml())?, Tagged::Object)?;
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(found).finish();
        if let Ok(value) = HeaderValue::try_from(query) {
            headers.insert("x-amz-tagging", value);
        }
    }
    Ok(headers)
}
