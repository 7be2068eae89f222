//! Past states of buckets, read by any client: in the bucket's name (`photos--at-20261121t0930z`) or in the header
//! `x-carob-at`.
//!
//! Whoever asks for one needs today's rights to the bucket itself, under the bucket's own name, and beside them the
//! right to its history. So a policy that denies something of `photos` denies it of every form of the name.

use carob_bucket::Moment;
use http::{HeaderMap, HeaderName, Uri, header};
use s3s::{S3Error, S3Result, s3_error};

use crate::error::custom;

/// Says which state of the bucket is to be read.
pub(crate) const AT: HeaderName = HeaderName::from_static("x-carob-at");

/// What an object says of itself, which s3cmd sends back unsigned and without meaning; see [`crate::refuse`].
const ECHOED: &str = "x-carob-cid";

/// What can be asked of a past state. Configuration that decides about rights or about what happens next is not among
/// it: that of the past is not in force, and that of today is not of the past.
const READS: &[&str] = &[
    "GetBucketLocation",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetObject",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListObjectVersions",
    "ListObjects",
    "ListObjectsV2",
];

/// Whether an operation of this name can be asked of a past state.
pub(crate) fn reads(operation: &str) -> bool {
    READS.contains(&operation)
}

/// Reads `x-carob-at`.
///
/// # Errors
/// InvalidArgument for what is no moment, or where there are two.
pub(crate) fn asked(headers: &HeaderMap) -> S3Result<Option<Moment>> {
    let mut values = headers.get_all(AT).iter();
    let (value, None) = (values.next(), values.next()) else {
        return Err(s3_error!(InvalidArgument, "x-carob-at is given twice."));
    };
    let Some(value) = value else { return Ok(None) };
    let moment = value.to_str().ok().and_then(|text| text.parse().ok());
    moment.map(Some).ok_or_else(|| {
        s3_error!(InvalidArgument, "x-carob-at is neither a time, nor a commit's CID, nor a snapshot's name.")
    })
}

/// Refuses headers of ours that the signature does not cover: s3s sees to Amazon's alone.
///
/// # Errors
/// AccessDenied.
pub(crate) fn check_signed(headers: &HeaderMap, uri: &Uri) -> S3Result<()> {
    let mut ours = headers.keys().map(HeaderName::as_str).filter(|name| name.starts_with("x-carob-"));
    let signed = signed_headers(headers, uri);
    let covered = |name: &str| signed.split(';').any(|signed| signed == name);
    match ours.find(|name| *name != ECHOED && !covered(name)) {
        Some(name) => Err(s3_error!(
            AccessDenied,
            "There were headers present in the request which were not signed: {name}"
        )),
        None => Ok(()),
    }
}

/// What the signature says it covers; nothing, where there is none.
pub(crate) fn signed_headers(headers: &HeaderMap, uri: &Uri) -> String {
    let parameter = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "X-Amz-SignedHeaders");
    if let Some((_, names)) = parameter {
        return names.into_owned();
    }
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let field = value.split([',', ' ']).find_map(|field| field.strip_prefix("SignedHeaders="));
    field.unwrap_or_default().to_owned()
}

/// 405 for a write: no SDK tries again.
pub(crate) fn read_only() -> S3Error {
    custom(
        "MethodNotAllowed",
        http::StatusCode::METHOD_NOT_ALLOWED,
        "A past state of a bucket can be read and nothing else. Ask for the bucket by its own name to change it.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_ours_must_be_signed() {
        let request = |authorization: &str, query: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AT, "release1".parse().unwrap());
            headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
            check_signed(&headers, &format!("/b/k?{query}").parse().unwrap())
        };
        let signed =
            |names: &str| format!("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders={names}, Signature=00");
        assert!(request(&signed("host;x-amz-date;x-carob-at"), "").is_ok());
        assert!(request("", "X-Amz-SignedHeaders=host%3Bx-carob-at").is_ok());
        for (authorization, query) in [
            ("", ""),
            (&*signed("host;x-amz-date"), ""),
            (&signed("host;x-carob-at-all"), ""),
            (&signed("x-carob-at"), "X-Amz-SignedHeaders=host"),
        ] {
            let error = request(authorization, query).unwrap_err();
            assert!(error.message().unwrap().ends_with("x-carob-at"), "{authorization} {query}");
        }
    }
}
