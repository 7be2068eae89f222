//! What a browser is told of its upload.

use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::Body;

use super::fields::Fields;
use crate::xml;

/// What the form asks to be told.
pub(super) struct Wish {
    redirect: Option<String>,
    status: StatusCode,
}

/// Where the object stands now.
pub(super) struct Stored<'a> {
    pub(super) location: &'a str,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
}

impl Wish {
    pub(super) fn of(fields: &Fields) -> Self {
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        // What is no address of a page is as if it were not there.
        let redirect = redirect.filter(|to| {
            to.parse::<Uri>()
                .is_ok_and(|uri| ["http", "https"].contains(&uri.scheme_str().unwrap_or_default()))
        });
        let status = match fields.get("success_action_status") {
            Some("200") => StatusCode::OK,
            Some("201") => StatusCode::CREATED,
            _ => StatusCode::NO_CONTENT,
        };
        Self { redirect: redirect.map(str::to_owned), status }
    }

    /// The answer, with the headers of the PutObject's.
    pub(super) fn answer(self, put: &HeaderMap, stored: &Stored<'_>) -> Response<Body> {
        let etag = put.get(header::ETAG).and_then(|etag| etag.to_str().ok()).unwrap_or_default();
        let mut response = Response::new(Body::empty());
        let mut location = stored.location.to_owned();
        *response.headers_mut() = put.clone();
        if let Some(redirect) = self.redirect {
            let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC_BUT_MARKS);
            let join = if redirect.contains('?') { '&' } else { '?' };
            let Stored { bucket, key, .. } = stored;
            location = format!(
                "{redirect}{join}bucket={}&key={}&etag={}",
                encoded(bucket),
                encoded(key),
                encoded(etag)
            );
            *response.status_mut() = StatusCode::SEE_OTHER;
        } else {
            *response.status_mut() = self.status;
        }
        if response.status() == StatusCode::CREATED {
            let document = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket>\
                 <Key>{}</Key><ETag>{}</ETag></PostResponse>",
                xml::escape(&location),
                xml::escape(stored.bucket),
                xml::escape(stored.key),
                xml::escape(etag)
            );
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            *response.body_mut() = Body::from(document);
        }
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

const NON_ALPHANUMERIC_BUT_MARKS: &percent_encoding::AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');
