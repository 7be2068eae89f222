//! Headers that come in several lines. s3s reads one line of each; a list may stand in more (RFC 9110 §5.3), and S3 joins
//! those of user metadata (Amazon S3 user guide, "Working with object metadata").

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// Lists that are kept with an object. The AWS SDK for Go sends `aws-chunked` in a line of its own beside the content
/// encoding that it was given.
const LISTS: [HeaderName; 3] = [header::CACHE_CONTROL, header::CONTENT_ENCODING, header::CONTENT_LANGUAGE];

/// Makes one line of all those of one name, if S3 does.
pub(crate) fn join(headers: &mut HeaderMap) {
    let joined = |name: &HeaderName| LISTS.contains(name) || name.as_str().starts_with("x-amz-meta-");
    let several =
        headers.keys().filter(|name| joined(name) && headers.get_all(*name).iter().nth(1).is_some());
    for name in several.cloned().collect::<Vec<_>>() {
        let lines: Vec<_> = headers.get_all(&name).iter().map(HeaderValue::as_bytes).collect();
        if let Ok(line) = HeaderValue::from_bytes(&lines.join(&b',')) {
            headers.insert(name, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_lists_and_metadata_become_one() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-encoding", "gzip"),
            ("x-amz-meta-a", "1"),
            ("content-type", "a/b"),
            ("x-amz-meta-a", "2, 3"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-meta-b", "1"),
            ("content-type", "c/d"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        join(&mut headers);
        assert_eq!(headers["content-encoding"], "gzip,aws-chunked");
        assert_eq!(
            (&headers["x-amz-meta-a"], &headers["x-amz-meta-b"]),
            (&"1,2, 3".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(headers.get_all("content-type").iter().count(), 2, "what is no list stays as it is");
        assert_eq!(headers.len(), 5);
    }
}
