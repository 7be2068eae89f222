//! The parsers of outside text, for fuzzers: each panics if what is accepted breaks a rule that its callers rely on. No
//! part of the stable interface.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use s3s::dto::{CompletedMultipartUpload, CopySource, CreateBucketConfiguration, Delete};
use s3s::xml::{Deserialize, Deserializer};

use crate::checksum::Declared;
use crate::conditions::{Conditional, SourceConditional};
use crate::range::ByteRange;
use crate::{early, gate, ops, xml};

/// A range lies within every body that it can be resolved for, and a part-copy range means what it says.
pub fn range(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for size in [0, 1, 10, 1 << 20, 5 << 30, u64::MAX] {
        if let Some(found) = ByteRange::parse(text).and_then(|range| range.resolve(size)) {
            assert!(found.start < found.end && found.end <= size, "{text:?} of {size}: {found:?}");
        }
        if let Some(found) = ops::part_copy_range(text, size) {
            assert!(found.start < found.end && found.end <= size, "{text:?} of {size}: {found:?}");
            let (first, last) = (found.start, found.end - 1);
            let digits = |text: &str| text.trim_start_matches('0').len();
            let (a, b) = text.trim_start_matches("bytes=").split_once('-').expect("two ends");
            assert_eq!((a.parse(), b.parse()), (Ok(first), Ok(last)), "{text:?}");
            assert!(digits(a) <= 20 && digits(b) <= 20);
        }
    }
}

/// A copy source that is accepted names a bucket and a key, neither of them empty.
pub fn copy_source(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let Ok(text) = value.to_str() else { return };
    let Ok(source) = CopySource::parse(text) else { return };
    if let Some((bucket, key)) = ops::copied(&source) {
        assert!(!bucket.is_empty() && !key.is_empty(), "{text:?}");
    }
}

/// Header lines, as the layers read them before an operation does. The first line is the target of the request.
pub fn headers(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let target = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let uri = target.and_then(|target| target.parse::<Uri>().ok()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        let value = value.get(1..).unwrap_or_default();
        let Ok(name) = HeaderName::from_bytes(name) else { continue };
        let Ok(value) = HeaderValue::from_bytes(value) else { continue };
        headers.append(name, value);
    }
    let _ = early::check(&Method::PUT, &uri, &headers);
    let _ = Declared::parse(&headers);
    let conditional = Conditional::parse(&headers);
    let asked = headers.contains_key("if-match") || headers.contains_key("if-none-match");
    if let Ok(precondition) = conditional.for_put() {
        assert_eq!(asked, !precondition.is_none(), "a condition is never dropped: {headers:?}");
    }
    let copies = headers.contains_key("x-amz-copy-source");
    let _ = SourceConditional::take(&mut headers);
    let left = headers.keys().any(|name| name.as_str().starts_with("x-amz-copy-source-if-"));
    assert!(!(copies && left), "conditions on a source are taken off");
    gate::hoisting(&uri, headers);
}

/// A document as an operation gets it: `which` is that of DeleteObjects, CompleteMultipartUpload or CreateBucket.
pub fn document(which: u8, bytes: &[u8]) {
    let admitted = xml::admit_references(Bytes::copy_from_slice(bytes));
    assert_eq!(admitted.len(), bytes.len(), "the length that was told stays");
    match which % 3 {
        0 => read::<Delete>(&admitted),
        1 => read::<CompletedMultipartUpload>(&admitted),
        _ => read::<CreateBucketConfiguration>(&admitted),
    }
}

fn read<'a, T: Deserialize<'a>>(document: &'a [u8]) {
    let mut deserializer = Deserializer::new(document);
    if T::deserialize(&mut deserializer).is_ok() {
        let _ = deserializer.expect_eof();
    }
}
