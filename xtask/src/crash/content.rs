//! Bodies: what they are made of, and so which bytes and entity tag they have.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};

/// Bytes, by where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Content {
    /// Without the quotes.
    pub(super) etag: String,
    pub(super) size: u64,
    spans: Arc<[Span]>,
}

/// A range of the bytes that one operation made.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    op: u64,
    range: Range<u64>,
}

/// Makes the bytes of a run. Cheap to copy.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bodies {
    seed: u64,
}

impl Bodies {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A body of `size` bytes that no other operation makes.
    pub(super) fn fresh(self, op: u64, size: u64) -> Content {
        self.plain(vec![Span { op, range: 0..size }])
    }

    /// A range of a body, as a body.
    pub(super) fn slice(self, whole: &Content, range: &Range<u64>) -> Content {
        if whole.is_plain() && *range == (0..whole.size) {
            return whole.clone();
        }
        let mut start = 0;
        let mut spans = Vec::new();
        for span in &*whole.spans {
            let end = start + (span.range.end - span.range.start);
            let within = range.start.max(start)..range.end.min(end);
            if within.start < within.end {
                let at = |offset: u64| span.range.start + (offset - start);
                spans.push(Span { op: span.op, range: at(within.start)..at(within.end) });
            }
            start = end;
        }
        self.plain(spans)
    }

    /// The bytes of `content`.
    pub(super) fn bytes(self, content: &Content) -> Bytes {
        let mut bytes = vec![0; usize::try_from(content.size).unwrap_or(usize::MAX)];
        let mut rest = &mut bytes[..];
        for Span { op, range } in &*content.spans {
            let (filled, more) = rest.split_at_mut((range.end - range.start) as usize);
            let mut hasher = blake3::Hasher::new_derive_key("carob xtask crash body");
            hasher.update(&self.seed.to_le_bytes()).update(&op.to_le_bytes());
            let mut stream = hasher.finalize_xof();
            stream.set_position(range.start);
            stream.fill(filled);
            rest = more;
        }
        bytes.into()
    }

    fn plain(self, spans: Vec<Span>) -> Content {
        let size = spans.iter().map(|span| span.range.end - span.range.start).sum();
        let mut content = Content { etag: String::new(), size, spans: spans.into() };
        content.etag = hex::encode(Md5::digest(self.bytes(&content)));
        content
    }
}

impl Content {
    /// The body that a multipart upload makes of its parts.
    pub(super) fn of_parts(parts: &[&Self]) -> Self {
        Self {
            etag: Self::etag_of_parts(parts.iter().map(|part| &*part.etag)),
            size: parts.iter().map(|part| part.size).sum(),
            spans: parts.iter().flat_map(|part| part.spans.iter().cloned()).collect(),
        }
    }

    /// The entity tag that S3 gives it: the MD5 of the parts' MD5s, a dash, and how many.
    pub(super) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> String {
        let count = etags.len();
        let mut md5s = Md5::new();
        for etag in etags {
            md5s.update(hex::decode(etag).unwrap_or_default());
        }
        format!("{}-{count}", hex::encode(md5s.finalize()))
    }

    /// Whether its entity tag is its MD5.
    fn is_plain(&self) -> bool {
        !self.etag.contains('-')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_differ_by_operation_and_seed() {
        let bytes = |seed, op| Bodies::new(seed).bytes(&Bodies::new(seed).fresh(op, 64));
        assert!(bytes(1, 1) != bytes(1, 2) && bytes(1, 1) != bytes(2, 1) && bytes(1, 2) != bytes(2, 1));
    }

    #[test]
    fn a_slice_of_joined_parts_has_the_bytes_of_the_slice() {
        let bodies = Bodies::new(1);
        let parts = [bodies.fresh(1, 100), bodies.fresh(2, 0), bodies.fresh(3, 50)];
        let whole = Content::of_parts(&parts.each_ref());
        let bytes = bodies.bytes(&whole);
        for range in [0..150, 0..100, 100..150, 30..120, 149..150, 7..7] {
            let slice = bodies.slice(&whole, &range);
            let expected = bytes.slice(range.start as usize..range.end as usize);
            assert_eq!(bodies.bytes(&slice), expected, "{range:?}");
            assert_eq!(slice.etag, hex::encode(Md5::digest(&expected)));
        }
        // Slices of slices keep their place.
        let inner = bodies.slice(&bodies.slice(&whole, &(30..120)), &(60..80));
        assert_eq!(bodies.bytes(&inner), bytes.slice(90..110));
    }

    #[test]
    fn joined_parts_have_the_entity_tag_of_s3() {
        let bodies = Bodies::new(1);
        let whole = Content::of_parts(&[&bodies.fresh(1, 0), &bodies.fresh(2, 0)]);
        // printf d41d8cd98f00b204e9800998ecf8427ed41d8cd98f00b204e9800998ecf8427e | xxd -r -p | md5sum
        assert_eq!(whole.etag, "5873dd45edd01f09c1ef2e7819369e8e-2");
    }
}
