//! Numbers in a query without a value, such as `max-keys=`: Amazon S3 takes them as if they were not there, and s3s for
//! numbers that are none.

use http::Uri;
use http::uri::PathAndQuery;

pub(crate) const NUMBERS: [&str; 5] =
    ["max-buckets", "max-keys", "max-parts", "max-uploads", "part-number-marker"];

/// Takes them out of a target.
pub(crate) fn without(uri: Uri) -> Uri {
    let blank = |piece: &str| NUMBERS.contains(&piece.strip_suffix('=').unwrap_or(piece));
    let query = uri.query().unwrap_or_default();
    if !query.split('&').any(blank) {
        return uri;
    }
    let kept: Vec<_> = query.split('&').filter(|piece| !blank(piece)).collect();
    let target = format!("{}?{}", uri.path(), kept.join("&"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    Uri::from_parts(parts).unwrap_or(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_value_are_taken_out_and_nothing_else() {
        for (given, left) in [
            ("/b?max-keys=&prefix=", "/b?prefix="),
            ("/b?list-type=2&max-keys", "/b?list-type=2"),
            ("/b?uploads&max-uploads=&delimiter=%2F", "/b?uploads&delimiter=%2F"),
            (
                "http://host/b/k?uploadId=1&part-number-marker=&max-parts=2",
                "http://host/b/k?uploadId=1&max-parts=2",
            ),
            ("/b?max-keys=0&partNumber=", "/b?max-keys=0&partNumber="),
            ("/b/max-keys=", "/b/max-keys="),
            ("/b", "/b"),
        ] {
            assert_eq!(without(given.parse().unwrap()), left);
        }
    }
}
