//! What a signature was compared with, told to whoever made it, so that he sees where his reading of the request is another
//! ("Troubleshooting signature errors", AWS documentation of signature version 4).
//!
//! All of it was sent with the request: no secret of ours has a part in it. What is a secret of the client's is not repeated.

use std::borrow::Cow;
use std::fmt::Write;

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use percent_encoding::percent_decode_str;
use s3s_sigv4::{AmzContentSha256, AmzDate, AuthorizationV4, Payload, PresignedUrlV4};

use crate::date;
use crate::options::MAX_PRESIGNED;

/// The texts behind a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    /// Who is said to have signed, where only the body says so.
    access_key: Option<String>,
    string_to_sign: String,
    provided: String,
    /// What the string is made from, in version 4.
    canonical_request: Option<String>,
}

impl Compared {
    /// A signature over a text itself.
    pub(crate) fn over(string_to_sign: &str, provided: &str, access_key: Option<&str>) -> Self {
        Self {
            access_key: access_key.map(str::to_owned),
            string_to_sign: string_to_sign.to_owned(),
            provided: provided.to_owned(),
            canonical_request: None,
        }
    }

    /// What s3s compares the signature of this request with, where it is signed with version 4 and can be read.
    pub(crate) fn of_version_4(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut headers = headers.clone();
        date::complete(&mut headers).ok()?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let path = percent_decode_str(uri.path()).decode_utf8().ok()?;
        let query = uri.query().unwrap_or_default();
        let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        query.sort_by(|(a, _), (b, _)| a.cmp(b));

        let presigned = PresignedUrlV4::parse(&query, MAX_PRESIGNED).ok();
        let (names, credential, date, provided, canonical_request) = if let Some(url) = presigned {
            let names = url.signed_headers.to_vec();
            let lines = lines(&headers, &names)?;
            let request =
                s3s_sigv4::create_presigned_canonical_request(method.as_str(), &path, &query, &lines);
            (names, url.credential, url.amz_date, url.signature, request)
        } else {
            let signed = AuthorizationV4::parse(text(header::AUTHORIZATION.as_str())?).ok()?;
            let hash = text("x-amz-content-sha256")?;
            let lines = lines(&headers, &signed.signed_headers)?;
            let payload = payload(hash)?;
            let request =
                s3s_sigv4::create_canonical_request(method.as_str(), &path, &query, &lines, payload);
            let date = AmzDate::parse(text(date::AMZ_DATE.as_str())?).ok()?;
            (signed.signed_headers, signed.credential, date, signed.signature, request)
        };
        let (region, service) = (credential.aws_region, credential.aws_service);
        let string_to_sign = s3s_sigv4::create_string_to_sign(&canonical_request, &date, region, service);
        let confidential = names.iter().any(|name| is_confidential(name))
            || query.iter().any(|(name, _)| is_confidential(name));
        Some(Self {
            access_key: None,
            string_to_sign,
            provided: provided.to_owned(),
            canonical_request: Some(canonical_request).filter(|_| !confidential),
        })
    }

    /// Who is said to have signed, where only the body says so.
    pub(crate) fn access_key(&self) -> Option<&str> {
        self.access_key.as_deref()
    }

    /// The elements of the error, in Amazon's order.
    pub(crate) fn elements<'a>(&self) -> Vec<(&'static str, Option<Cow<'a, str>>)> {
        let request = self.canonical_request.as_ref();
        vec![
            ("StringToSign", Some(self.string_to_sign.clone().into())),
            ("SignatureProvided", Some(self.provided.clone().into())),
            ("StringToSignBytes", Some(bytes(&self.string_to_sign).into())),
            ("CanonicalRequest", request.cloned().map(Cow::from)),
            ("CanonicalRequestBytes", request.map(|request| bytes(request).into())),
        ]
    }
}

/// Whether a header or a parameter of this name holds what is not to be printed: a key, or what stands for one.
pub(crate) fn is_confidential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("server-side-encryption-customer-key") || name == "x-amz-security-token"
}

/// The lines of the headers that are signed, if all of them are there and text.
fn lines<'a>(headers: &'a HeaderMap, names: &[&'a str]) -> Option<Vec<(&'a str, &'a str)>> {
    let mut lines = Vec::new();
    for name in names {
        let mut values = headers.get_all(*name).iter().peekable();
        values.peek()?;
        for value in values {
            lines.push((*name, std::str::from_utf8(HeaderValue::as_bytes(value)).ok()?));
        }
    }
    Some(lines)
}

fn payload(hash: &str) -> Option<Payload<'_>> {
    match AmzContentSha256::parse(hash).ok()? {
        AmzContentSha256::StreamingAws4HmacSha256Payload => Some(Payload::MultipleChunks),
        AmzContentSha256::StreamingAws4HmacSha256PayloadTrailer => Some(Payload::MultipleChunksWithTrailer),
        AmzContentSha256::UnsignedPayload => Some(Payload::Unsigned),
        AmzContentSha256::StreamingUnsignedPayloadTrailer => Some(Payload::UnsignedMultipleChunksWithTrailer),
        AmzContentSha256::SingleChunk(_) => Some(Payload::SingleChunk(hash)),
        _ => None,
    }
}

/// Each byte in two hexadecimal digits.
fn bytes(text: &str) -> String {
    let mut written = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        if !written.is_empty() {
            written.push(' ');
        }
        // Writing to a string does not fail.
        let _ = write!(written, "{byte:02x}");
    }
    written
}
