//! The parsers of outside text, for fuzzers: each panics if what is accepted breaks a rule that its callers rely on. No
//! part of the stable interface.

use bytes::Bytes;
use carob_identity::{Account, Did, SoleAccount};
use carob_policy::Acl;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use s3s::dto::{
    AccessControlPolicy, CompletedMultipartUpload, CopySource, CreateBucketConfiguration, Delete,
    ObjectLockConfiguration, ObjectLockLegalHold, ObjectLockRetention, OwnershipControls,
    PublicAccessBlockConfiguration, Tagging, VersioningConfiguration,
};
use s3s::xml::{Deserialize, Deserializer};

use crate::checksum::Declared;
use crate::conditions::{Conditional, SOURCE_HEADERS, SourceConditional};
use crate::range::ByteRange;
use crate::tags::{self, Tagged};
use crate::xml::Names;
use crate::{acl, early, gate, ops, protection, xml};

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
    let _ = early::check(&uri, &headers);
    let _ = Declared::parse(&headers);
    let conditional = Conditional::parse(&headers);
    let asked = headers.contains_key("if-match") || headers.contains_key("if-none-match");
    if let Ok(precondition) = conditional.for_put() {
        assert_eq!(asked, !precondition.is_none(), "a condition is never dropped: {headers:?}");
    }
    let copies = headers.contains_key("x-amz-copy-source");
    let _ = SourceConditional::take(&mut headers);
    let left = SOURCE_HEADERS.iter().any(|name| headers.contains_key(name));
    assert!(!(copies && left), "conditions on a source are taken off");
    gate::hoisting(&uri, headers);
}

/// A document as an operation gets it, and what the operation makes of it before it asks for a bucket: `which` counts
/// through DeleteObjects, CompleteMultipartUpload, CreateBucket, the two kinds of tagging, versioning, retention, legal
/// hold, access control lists, public access blocks, ownership controls and object lock.
pub fn document(which: u8, bytes: &[u8]) {
    let admitted = xml::admit_references(Bytes::copy_from_slice(bytes));
    assert_eq!(admitted.len(), bytes.len(), "the length that was told stays");
    let document = &admitted[..];
    match which % 12 {
        0 => drop(read::<Delete>(document)),
        1 => drop(read::<CompletedMultipartUpload>(document)),
        2 => {
            let tags = read::<CreateBucketConfiguration>(document).and_then(|found| found.tags);
            let _ = tags.map(|tags| tags::from_tags(tags, Tagged::Bucket));
        }
        3 => tagging(document, Tagged::Object),
        4 => tagging(document, Tagged::Bucket),
        5 => drop(read::<VersioningConfiguration>(document)),
        6 => {
            let found = read::<ObjectLockRetention>(document);
            if let Ok(Some(retention)) = protection::from_document(found.as_ref()) {
                // What is kept can be told again.
                let told = protection::to_document(retention);
                let back = protection::from_document(Some(&told)).ok().flatten();
                assert_eq!(back, Some(retention), "{found:?}");
            }
        }
        7 => drop(read::<ObjectLockLegalHold>(document)),
        8 => access_control(document),
        9 => drop(read::<PublicAccessBlockConfiguration>(document)),
        10 => drop(read::<OwnershipControls>(document)),
        _ => {
            let found = read::<ObjectLockConfiguration>(document);
            let _ = ops::object_lock(found.as_ref());
        }
    }
}

/// A list that is accepted is kept as it is.
fn access_control(document: &[u8]) {
    // RFC 8032, §7.1, the public key of TEST 1.
    let known = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let Some(did) = Did::from_canonical_id(known) else { return };
    let directory = SoleAccount(Account::root(did));
    let Some(found) = read::<AccessControlPolicy>(document) else { return };
    if let Ok(list) = acl::from_document(&found, known, &directory) {
        assert_eq!(Acl::from_text(&list.to_text()), Some(list));
    }
}

/// Tags that are accepted are told again as they were.
fn tagging(document: &[u8], of: Tagged) {
    let Some(Ok(accepted)) = read::<Tagging>(document).map(|found| tags::from_document(found, of)) else {
        return;
    };
    let told = Tagging { tag_set: tags::to_tags(&accepted, Names::new(None, false)) };
    assert_eq!(tags::from_document(told, of).ok(), Some(accepted));
}

fn read<'a, T: Deserialize<'a>>(document: &'a [u8]) -> Option<T> {
    let mut deserializer = Deserializer::new(document);
    let found = T::deserialize(&mut deserializer).ok()?;
    deserializer.expect_eof().ok().map(|()| found)
}
