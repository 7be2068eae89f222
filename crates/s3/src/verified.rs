//! Bodies that prove themselves: GetObject with the header `x-carob-verified: bao`.
//!
//! The answer's body is then not the bytes that were asked for but Bao slices of them (`docs/formats.md`), so it has a
//! length, a media type and no range of its own: no client or cache shall take it for the object.

use carob_bucket::Slices;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use s3s::dto::GetObjectOutput;
use s3s::{S3Result, s3_error};

use crate::headers;
use crate::ops::Selected;

/// Asks for slices; in an answer, says that these are.
pub(crate) const VERIFIED: HeaderName = HeaderName::from_static("x-carob-verified");
const BAO: HeaderValue = HeaderValue::from_static("bao");
const SIZE: HeaderName = HeaderName::from_static("x-carob-bao-size");
const RANGE: HeaderName = HeaderName::from_static("x-carob-bao-range");
const GROUP: HeaderName = HeaderName::from_static("x-carob-bao-group");
const ROOT: HeaderName = HeaderName::from_static("x-carob-bao-root");
const COMMIT: HeaderName = HeaderName::from_static("x-carob-commit");

/// Nobody registered one.
const MEDIA_TYPE: &str = "application/vnd.carob.bao";

/// Whether slices are asked for.
///
/// # Errors
/// InvalidArgument for another encoding.
pub(crate) fn asked(headers: &HeaderMap) -> S3Result<bool> {
    match headers.get(VERIFIED) {
        None => Ok(false),
        Some(value) if value == BAO => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "x-carob-verified is bao, or it is left out.")),
    }
}

/// Makes an answer about an object one of slices: what it says of the body is of these.
pub(crate) fn describe(output: GetObjectOutput, slices: &Slices) -> GetObjectOutput {
    GetObjectOutput {
        content_length: Some(headers::size(slices.length)),
        content_type: Some(MEDIA_TYPE.to_owned()),
        content_encoding: None,
        content_range: None,
        accept_ranges: None,
        ..output
    }
}

/// What it takes to read the slices, as far as one trusts the gateway; a proof says the same.
pub(crate) fn of(selected: &Selected, slices: &Slices) -> HeaderMap {
    let mut found = headers::of(selected.record());
    found.insert(VERIFIED, BAO);
    found.insert(header::VARY, HeaderValue::from_static("x-carob-verified"));
    found.insert(SIZE, selected.record().size.into());
    found.insert(GROUP, carob_bucket::GROUP_SIZE.into());
    let range = format!("{}..{}", selected.range.start, selected.range.end);
    let root = match &slices.roots[..] {
        [root] => Some(data_encoding::HEXLOWER.encode(root)),
        // Those of parts, which their list has.
        _ => None,
    };
    for (name, value) in
        [(RANGE, Some(range)), (ROOT, root), (COMMIT, Some(selected.object.commit().to_string()))]
    {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            found.insert(name, value);
        }
    }
    found
}
