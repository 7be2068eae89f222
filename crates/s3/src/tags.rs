//! Tags of objects and buckets. Rules: Amazon S3 user guide, "Categorizing your objects using tags", and AWS Billing
//! user guide, "User-defined tag restrictions", for buckets'.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use s3s::dto::{Tag, Tagging};
use s3s::{S3Result, s3_error};

use crate::error::malformed_xml;
use crate::xml::Names;

/// The longest name and value of a tag, in Unicode characters.
const MAX_NAME: usize = 128;
const MAX_VALUE: usize = 256;

/// What is tagged: how many tags it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    Object,
    Bucket,
}

/// Reads the document of PutObjectTagging and PutBucketTagging.
///
/// # Errors
/// MalformedXML for a tag without a name or a value, InvalidTag.
pub(crate) fn from_document(tagging: Tagging, of: Tagged) -> S3Result<BTreeMap<String, String>> {
    from_tags(tagging.tag_set, of)
}

/// As [`from_document`], of a list of tags.
pub(crate) fn from_tags(tags: Vec<Tag>, of: Tagged) -> S3Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for Tag { key, value } in tags {
        let (Some(name), Some(value)) = (key, value) else { return Err(malformed_xml()) };
        if found.insert(name, value).is_some() {
            return Err(s3_error!(InvalidTag, "Cannot provide multiple Tags with the same key"));
        }
    }
    check(found, of)
}

/// Reads `x-amz-tagging`, which is in the form of a query.
///
/// # Errors
/// InvalidArgument for what is not encoded so, a value without a name or a name that comes twice; InvalidTag.
pub(crate) fn from_header(header: &str) -> S3Result<BTreeMap<String, String>> {
    let invalid = || {
        s3_error!(
            InvalidArgument,
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag \
             name duplicates."
        )
    };
    let mut found = BTreeMap::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decoded(name), decoded(value)) else { return Err(invalid()) };
        if name.is_empty() || found.insert(name, value).is_some() {
            return Err(invalid());
        }
    }
    check(found, Tagged::Object)
}

/// A name or a value of a query, unless a percent sign is followed by something else than two digits, or the bytes are no
/// text.
fn decoded(text: &str) -> Option<String> {
    let mut escapes = text.split('%').skip(1);
    let whole = |escape: &str| escape.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    if !escapes.all(whole) {
        return None;
    }
    let spaced = text.replace('+', " ");
    Some(percent_decode_str(&spaced).decode_utf8().ok()?.into_owned())
}

/// For the answers of GetObjectTagging and GetBucketTagging. Some characters that count as space are none of XML's.
pub(crate) fn to_tags(tags: &BTreeMap<String, String>, names: Names<'_>) -> Vec<Tag> {
    let tag = |(name, value): (&String, &String)| Tag {
        key: Some(names.plain(name)),
        value: Some(names.plain(value)),
    };
    tags.iter().map(tag).collect()
}

fn check(tags: BTreeMap<String, String>, of: Tagged) -> S3Result<BTreeMap<String, String>> {
    match of {
        Tagged::Object if tags.len() > 10 => {
            return Err(s3_error!(InvalidTag, "Object tags cannot be greater than 10"));
        }
        Tagged::Bucket if tags.len() > 50 => {
            return Err(s3_error!(InvalidTag, "Bucket tag count cannot be greater than 50"));
        }
        Tagged::Object | Tagged::Bucket => {}
    }
    for (name, value) in &tags {
        if name.is_empty() || name.chars().count() > MAX_NAME || !name.chars().all(is_allowed) {
            return Err(s3_error!(InvalidTag, "The TagKey you have provided is invalid"));
        }
        if value.chars().count() > MAX_VALUE || !value.chars().all(is_allowed) {
            return Err(s3_error!(InvalidTag, "The TagValue you have provided is invalid"));
        }
        if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(s3_error!(InvalidTag, "System tags cannot be added/updated by requester"));
        }
    }
    Ok(tags)
}

/// Letters, digits and spaces of any script, and some signs.
fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || c.is_whitespace() || "+-=._:/@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: S3Result<T>) -> Option<String> {
        result.err().map(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn a_header_is_read_as_a_query() {
        let tags = from_header("a=1&b%20c=%C3%BC+x&d").unwrap();
        let expected = [("a", "1"), ("b c", "ü x"), ("d", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(tags, expected.into());
        assert_eq!(from_header("").unwrap(), BTreeMap::new());
        assert_eq!(from_header("&a&&b=&").unwrap().into_keys().collect::<Vec<_>>(), ["a", "b"]);
        for bad in ["a=1&a=2", "=", "=v", "a=1&=v", "a%", "a=%4", "a=%zz", "a=%C3", "a=%FF"] {
            assert_eq!(code(from_header(bad)).as_deref(), Some("InvalidArgument"), "{bad}");
        }
    }

    #[test]
    fn tags_are_held_to_number_length_and_characters() {
        let many = |count| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join("&");
        assert_eq!(code(from_header(&many(10))), None);
        let long = |name, value| format!("{}={}", "ü".repeat(name), "v".repeat(value));
        assert_eq!(code(from_header(&long(128, 256))), None);
        for bad in [many(11), long(129, 1), long(1, 257), "a=1,b=2".into(), "a=%7B".into(), "AWS:x=1".into()]
        {
            assert_eq!(code(from_header(&bad)).as_deref(), Some("InvalidTag"), "{bad}");
        }
    }

    #[test]
    fn a_bucket_may_have_fifty_and_no_name_twice() {
        let tag = |n: usize| Tag { key: Some(format!("k{n}")), value: Some(String::new()) };
        let set = |count: usize| Tagging { tag_set: (0..count).map(tag).collect() };
        assert_eq!(from_document(set(50), Tagged::Bucket).unwrap().len(), 50);
        assert_eq!(code(from_document(set(51), Tagged::Bucket)).as_deref(), Some("InvalidTag"));
        let half = Tagging { tag_set: vec![Tag { value: None, ..tag(1) }] };
        assert_eq!(code(from_document(half, Tagged::Bucket)).as_deref(), Some("MalformedXML"));
        let twice = Tagging { tag_set: vec![tag(1), tag(1)] };
        assert_eq!(code(from_document(twice, Tagged::Object)).as_deref(), Some("InvalidTag"));
    }
}
