//! Where to ask: paths and queries.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986's unreserved characters stand for themselves.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) fn route(bucket: &str, leaf: &str) -> String {
    format!("/buckets/{}/{leaf}", encode(bucket))
}

/// Those that are given, each with an ampersand before it.
pub(super) fn parameters<const N: usize>(given: [(&str, Option<&str>); N]) -> String {
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| format!("&{name}={}", encode(value))).collect()
}

/// A key as a path: its slashes stay.
pub(super) fn encode_path(key: &str) -> String {
    key.split('/').map(encode).collect::<Vec<_>>().join("/")
}

pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}
