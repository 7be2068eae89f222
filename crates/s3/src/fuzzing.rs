//! The parsers of outside text, for fuzzers: each panics if what is accepted breaks a rule that its callers rely on. No
//! part of the stable interface.

use std::time::SystemTime;

use bytes::Bytes;
use carob_identity::{Account, Did, SoleAccount};
use carob_policy::Acl;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use s3s::dto::{
    AccessControlPolicy, BucketLifecycleConfiguration, BucketLoggingStatus, CORSConfiguration,
    CompletedMultipartUpload, CopySource, CreateBucketConfiguration, Delete, ObjectLockConfiguration,
    ObjectLockLegalHold, ObjectLockRetention, OwnershipControls, PublicAccessBlockConfiguration, Tagging,
    VersioningConfiguration,
};
use s3s::xml::{Deserialize, DeserializeContent, Deserializer, SerializeContent};

use crate::checksum::Declared;
use crate::conditions::{Conditional, SOURCE_HEADERS, SourceConditional};
use crate::lifecycle::Rules;
use crate::range::ByteRange;
use crate::tags::{self, Tagged};
use crate::xml::Names;
use crate::{access_log, acl, cors, date, documents, early, form, gate, ops, protection, version2, xml};

/// A range lies within every body that it can be resolved for, with a byte if that has any, and a part-copy range means what it says.
pub fn range(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for size in [0, 1, 10, 1 << 20, 5 << 30, u64::MAX] {
        if let Some(found) = ByteRange::parse(text).and_then(|range| range.resolve(size)) {
            let empty = size == 0 && found == (0..0);
            assert!(empty || (found.start < found.end && found.end <= size), "{text:?} of {size}: {found:?}");
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
    let _ = early::check(&uri, &headers, "us-east-1", SystemTime::UNIX_EPOCH);
    let _ = Declared::parse(&headers);
    let conditional = Conditional::parse(&headers);
    let asked = headers.contains_key("if-match") || headers.contains_key("if-none-match");
    assert_eq!(asked, !conditional.for_put().is_none(), "a condition is never dropped: {headers:?}");
    let named = SOURCE_HEADERS.into_iter().find(|(source, _)| headers.contains_key(*source));
    let _ = SourceConditional::take(&mut headers);
    let left = named.is_some_and(|(_, names)| names.iter().any(|name| headers.contains_key(name)));
    assert!(!left, "conditions on a source are taken off");
    version2::claimed(&uri, &headers);
    let _ = date::complete(&mut headers);
    gate::hoisting(&uri, headers);
}

/// A document as an operation gets it, and what the operation makes of it before it asks for a bucket: `which` counts
/// through DeleteObjects, CompleteMultipartUpload, CreateBucket, the two kinds of tagging, versioning, retention, legal
/// hold, access control lists, public access blocks, ownership controls, object lock, cross-origin rules, lifecycle rules and
/// access logs.
pub fn document(which: u8, bytes: &[u8]) {
    let admitted = xml::admit_references(Bytes::copy_from_slice(bytes));
    assert_eq!(admitted.len(), bytes.len(), "the length that was told stays");
    let document = &admitted[..];
    match which % 15 {
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
        11 => {
            let found = read::<ObjectLockConfiguration>(document);
            let _ = ops::object_lock(found.as_ref());
        }
        12 => {
            let found = read::<CORSConfiguration>(document).filter(|found| cors::check(found).is_ok());
            for rule in found.iter().flat_map(|found| &found.cors_rules) {
                // An origin that is written out lets itself in.
                for origin in rule.allowed_origins.iter().filter(|origin| !origin.contains('*')) {
                    let method = rule.allowed_methods.first().map(String::as_str).unwrap_or_default();
                    assert!(cors::find(std::slice::from_ref(rule), origin, method, &[]).is_some());
                }
            }
            if let Some(found) = found {
                kept_as_it_is(&found);
            }
        }
        13 => {
            let found = read::<BucketLifecycleConfiguration>(document);
            if let Some(found) = found.filter(|found| Rules::parse(found).is_ok()) {
                kept_as_it_is(&found);
            }
        }
        _ => {
            let logging = read::<BucketLoggingStatus>(document).and_then(|status| status.logging_enabled);
            let _ = logging.map(|logging| access_log::check(&logging));
        }
    }
}

/// What is kept of a document is the document.
fn kept_as_it_is<T>(document: &T)
where
    T: SerializeContent + PartialEq + std::fmt::Debug + for<'a> DeserializeContent<'a>,
{
    let Ok(text) = documents::write(document) else { return };
    assert_eq!(documents::read::<T>(&text).ok().as_ref(), Some(document));
}

/// A form: its content type in the first line, then its body. What is accepted is no larger than may be, and its policy says
/// the same each time.
pub fn form(bytes: &[u8]) {
    let (line, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let Ok(content_type) = std::str::from_utf8(line) else { return };
    form::accepted(content_type, Bytes::copy_from_slice(body.get(1..).unwrap_or_default()));
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
