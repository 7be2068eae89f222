//! The objects of a listing, written straight into the answer's document. A page has a thousand of them; to make s3s's own types
//! and have those written took an eighth of the processor time of a page.

use bytes::Bytes;
use carob_bucket::Summary;
use data_encoding::HEXLOWER;
use s3s::dto::Owner;

use crate::xml::{Names, put_text};
use crate::{headers, instant};

/// The `<Contents>` elements of a page, in their order (Amazon S3 API reference, Object).
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// [`ROOM`] bytes for what the document begins with, and the objects, which need not be moved again.
    document: Vec<u8>,
    count: usize,
    at_most: usize,
}

/// As much as a document begins with that has no long prefix or token.
const ROOM: usize = 1024;

/// When there is so much, memory is reserved for all that may come.
const MUCH: usize = 16 << 10;

impl Contents {
    /// For at most so many objects.
    pub(crate) fn of_at_most(objects: usize) -> Self {
        Self { document: vec![0; ROOM], count: 0, at_most: objects }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds an object.
    pub(crate) fn push(&mut self, key: &str, names: Names<'_>, of: &Summary, owner: Option<&Owner>) {
        self.reserve();
        self.count += 1;
        let out = &mut self.document;
        put(out, "<Contents><Key>");
        names.put(out, key);
        put(out, "</Key><LastModified>");
        out.extend_from_slice(&instant::date_time(of.modified));
        put(out, "</LastModified><ETag>\"");
        let mut digits = [0; 32];
        HEXLOWER.encode_mut(&of.etag.md5, &mut digits);
        out.extend_from_slice(&digits);
        if let Some(parts) = of.etag.parts {
            put(out, "-");
            put_number(out, parts.into());
        }
        put(out, "\"</ETag>");
        if let Some(algorithm) = of.checksum {
            put(out, "<ChecksumAlgorithm>");
            put(out, algorithm.as_str());
            put(out, "</ChecksumAlgorithm><ChecksumType>");
            put(out, headers::checksum_kind(of.checksum_type).as_str());
            put(out, "</ChecksumType>");
        }
        put(out, "<Size>");
        put_number(out, of.size);
        put(out, "</Size>");
        if let Some(Owner { display_name, id }) = owner {
            put(out, "<Owner>");
            if let Some(name) = display_name {
                put(out, "<DisplayName>");
                put_text(out, name);
                put(out, "</DisplayName>");
            }
            if let Some(id) = id {
                put(out, "<ID>");
                put_text(out, id);
                put(out, "</ID>");
            }
            put(out, "</Owner>");
        }
        put(out, "<StorageClass>");
        put_text(out, headers::storage_class(of.storage_class.as_deref()));
        put(out, "</StorageClass></Contents>");
    }

    /// The document of the answer with the objects, where Amazon S3 has them: behind what is said of the whole page, before
    /// the prefixes.
    pub(crate) fn within(self, document: &str) -> Bytes {
        let place = document.find("<CommonPrefixes>").or_else(|| document.rfind("</"));
        let (before, after) = document.split_at(place.unwrap_or(document.len()));
        let mut whole = self.document;
        whole.extend_from_slice(after.as_bytes());
        let Some(start) = ROOM.checked_sub(before.len()) else {
            return [before.as_bytes(), &whole[ROOM..]].concat().into();
        };
        whole[start..ROOM].copy_from_slice(before.as_bytes());
        Bytes::from(whole).slice(start..)
    }

    /// A vector that grows by itself would move a large page some times.
    fn reserve(&mut self) {
        let len = self.document.len();
        let usual = (len - ROOM).checked_div(self.count).unwrap_or_default();
        if len > MUCH && self.document.capacity() - len < usual * 2 {
            let left = self.at_most.saturating_sub(self.count);
            self.document.reserve((usual + usual / 16).saturating_mul(left) + ROOM);
        }
    }
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn put_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return out.extend_from_slice(&digits[first..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use carob_block::{Block, Codec};
    use carob_bucket::{ChecksumAlgorithm, ChecksumType, ETag};
    use carob_identity::Timestamp;

    use super::*;

    fn summary() -> Summary {
        Summary {
            content: *Block::new(Codec::Raw, Bytes::new()).unwrap().cid(),
            size: 0,
            etag: ETag { md5: [0xab; 16], parts: None },
            modified: Timestamp(1_767_323_045_678),
            storage_class: None,
            checksum: None,
            checksum_type: ChecksumType::FullObject,
            access: None,
        }
    }

    fn plain() -> Names<'static> {
        Names::new(None, false)
    }

    fn text(bytes: &[u8]) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    const LEAST: &str = "<Contents><Key>k</Key><LastModified>2026-01-02T03:04:05.678Z</LastModified>\
        <ETag>\"abababababababababababababababab\"</ETag><Size>0</Size><StorageClass>STANDARD</StorageClass></Contents>";

    #[test]
    fn objects_stand_before_the_prefixes_or_at_the_end() {
        let mut one = Contents::of_at_most(1);
        one.push("k", plain(), &summary(), None);
        let long = "x".repeat(ROOM);
        for (before, after) in [
            ("<L><Name>b</Name>", "</L>"),
            ("<L><CommonPrefixes/>", "</L>"),
            ("<L>", "<CommonPrefixes>a</CommonPrefixes></L>"),
            (&*long, "<CommonPrefixes></CommonPrefixes>"),
            (&long[1..], "</L>"),
        ] {
            let document = format!("{before}{after}");
            assert_eq!(text(&one.clone().within(&document)), format!("{before}{LEAST}{after}"));
            assert_eq!(text(&Contents::of_at_most(0).within(&document)), document);
        }
    }

    #[test]
    fn an_object_shows_all_that_is_known_of_it() {
        let most = Summary {
            size: u64::MAX,
            etag: ETag { md5: [0; 16], parts: Some(10_000) },
            modified: Timestamp(0),
            storage_class: Some("GLACIER_IR".to_owned()),
            checksum: Some(ChecksumAlgorithm::Crc32c),
            checksum_type: ChecksumType::Composite,
            ..summary()
        };
        let owner = Owner { display_name: Some("<me>".to_owned()), id: Some("id".to_owned()) };
        let mut objects = Contents::of_at_most(1000);
        objects.push("a&<b>\u{1}\0\t\u{fffe}é", plain(), &most, Some(&owner));
        assert_eq!(
            text(&objects.within("")),
            "<Contents><Key>a&amp;&lt;b&gt;&#x1;&#x0;\t&#xFFFE;é</Key>\
             <LastModified>1970-01-01T00:00:00.000Z</LastModified>\
             <ETag>\"00000000000000000000000000000000-10000\"</ETag>\
             <ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>\
             <Size>18446744073709551615</Size><Owner><DisplayName>&lt;me&gt;</DisplayName><ID>id</ID></Owner>\
             <StorageClass>GLACIER_IR</StorageClass></Contents>"
        );
        let mut encoded = Contents::of_at_most(1);
        encoded.push("a b&\u{1}", Names::new(None, true), &summary(), None);
        assert!(text(&encoded.within("")).starts_with("<Contents><Key>a%20b%26%01</Key>"));
    }

    #[test]
    fn pages_of_any_length_are_whole() {
        for count in [0, 1, 60, 1000] {
            let mut objects = Contents::of_at_most(1000);
            (0..count).for_each(|_| objects.push("k", plain(), &summary(), None));
            assert_eq!(objects.len(), count);
            assert_eq!(text(&objects.within("<L></L>")), format!("<L>{}</L>", LEAST.repeat(count)));
        }
    }
}
