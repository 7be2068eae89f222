//! `Range` as S3 reads it: one range or none (RFC 9110 §14; Amazon S3 API reference, GetObject).

use std::ops::Range;

/// One byte range as asked for, before the size is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteRange {
    /// From a first byte to a last one, or to the end.
    FromTo(u64, Option<u64>),
    /// That many last bytes.
    Suffix(u64),
}

impl ByteRange {
    /// Reads the header. `None` means the whole body: for another unit, for what is no valid range, and for more
    /// than one range, which S3 does not serve.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (unit, set) = header.split_once('=')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (first, last) = set.split_once('-')?;
        if first.is_empty() {
            return number(last).map(Self::Suffix);
        }
        let first = number(first)?;
        let last = if last.is_empty() { None } else { Some(number(last)?) };
        if last.is_some_and(|last| last < first) {
            return None;
        }
        Some(Self::FromTo(first, last))
    }

    /// The bytes of a body of `size` that are meant; `None` if there are none, which is answered 416. The last bytes of an
    /// empty body are all of it (RFC 9110 §14.1.2).
    pub(crate) fn resolve(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::FromTo(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                first..end
            }
            Self::Suffix(1..) if size == 0 => return Some(0..0),
            Self::Suffix(length) => size.saturating_sub(length)..size,
        };
        (!range.is_empty()).then_some(range)
    }
}

/// Digits alone. A number too large for us lies beyond every body, so it is as good as the largest.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(header: &str, size: u64) -> Option<Range<u64>> {
        ByteRange::parse(header).unwrap().resolve(size)
    }

    #[test]
    fn single_ranges_are_read() {
        assert_eq!(bytes("bytes=0-0", 10), Some(0..1));
        assert_eq!(bytes("bytes=3-", 10), Some(3..10));
        assert_eq!(bytes("bytes=3-99", 10), Some(3..10));
        assert_eq!(bytes("bytes=-3", 10), Some(7..10));
        assert_eq!(bytes("bytes=-99", 10), Some(0..10));
        assert_eq!(bytes("Bytes=1-2", 10), Some(1..3));
        assert_eq!(bytes("bytes=0-99999999999999999999999", 10), Some(0..10));
    }

    #[test]
    fn a_range_without_a_byte_is_unsatisfiable() {
        for header in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(bytes(header, 10), None, "{header}");
        }
        for header in ["bytes=0-", "bytes=0-0", "bytes=00-01", "bytes=-0"] {
            assert_eq!(bytes(header, 0), None, "{header} of an empty body");
        }
        assert_eq!(bytes("bytes=-5", 0), Some(0..0));
    }

    #[test]
    fn several_ranges_and_nonsense_mean_the_whole() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=2-1",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=+1-2",
            "bytes=1--2",
            "bytes= -1",
            "bytes=0 -1",
            "bytes=0- 1",
            "bytes =0-1",
        ] {
            assert_eq!(ByteRange::parse(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_header_resolves_inside_the_body(header in "(bytes=)?[0-9a-z,+ -]{0,24}", size in 0..100u64) {
            if let Some(range) = ByteRange::parse(&header).and_then(|range| range.resolve(size)) {
                prop_assert!((range.start < range.end && range.end <= size) || (size == 0 && range == (0..0)));
            }
        }
    }
}
