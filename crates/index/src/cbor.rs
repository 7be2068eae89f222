//! The little of CBOR (RFC 8949) that nodes are framed with, in the strict DAG-CBOR subset.
//!
//! Values stand in nodes as they are, so that they can be sliced out and spliced in without being decoded.
//! Reading therefore needs to find where an item ends, and to refuse every encoding but the canonical one.

use carob_block::Cid;

/// What is wrong with the bytes.
pub(crate) type Reason = &'static str;

/// The deepest nesting accepted inside a value.
const MAX_DEPTH: usize = 32;

pub(crate) const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
pub(crate) const BYTES: u8 = 2;
pub(crate) const TEXT: u8 = 3;
pub(crate) const ARRAY: u8 = 4;
pub(crate) const MAP: u8 = 5;
pub(crate) const TAG: u8 = 6;
pub(crate) const SIMPLE: u8 = 7;
/// The argument of the simple value `null`.
pub(crate) const NULL: u64 = 22;

/// The tag of an IPLD link.
const LINK_TAG: u64 = 42;

/// A link to a DAG-CBOR block up to its 32 digest bytes: tag 42, 37 bytes, the multibase identity prefix,
/// CIDv1, dag-cbor, sha2-256 of 32 bytes.
const NODE_LINK: [u8; 9] = [0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, 0x71, 0x12, 0x20];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// How many bytes have been read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn end(&self) -> Result<(), Reason> {
        if self.at == self.data.len() { Ok(()) } else { Err("trailing bytes") }
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, Reason> {
        match self.head()? {
            (UNSIGNED, value) => Ok(value),
            _ => Err("expected an unsigned integer"),
        }
    }

    pub(crate) fn array(&mut self) -> Result<u64, Reason> {
        match self.head()? {
            (ARRAY, len) => Ok(len),
            _ => Err("expected an array"),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Reason> {
        match self.head()? {
            (BYTES, len) => self.take(len),
            _ => Err("expected bytes"),
        }
    }

    /// The digest in a link to a DAG-CBOR block with SHA-256.
    pub(crate) fn node_link(&mut self) -> Result<[u8; 32], Reason> {
        if self.take(NODE_LINK.len() as u64)? != NODE_LINK {
            return Err("expected a link to a dag-cbor block");
        }
        self.take(32)?.try_into().map_err(|_| "expected a digest")
    }

    /// Passes over one item of any kind, checking that it is canonical.
    pub(crate) fn item(&mut self) -> Result<(), Reason> {
        self.nested_item(0)
    }

    fn nested_item(&mut self, depth: usize) -> Result<(), Reason> {
        if depth > MAX_DEPTH {
            return Err("nested too deeply");
        }
        let (major, argument) = self.head()?;
        match major {
            UNSIGNED | NEGATIVE => Ok(()),
            BYTES => self.take(argument).map(drop),
            TEXT => self.text(argument).map(drop),
            // Each turn consumes a byte or fails, so a huge count ends at the end of the data.
            ARRAY => (0..argument).try_for_each(|_| self.nested_item(depth + 1)),
            MAP => self.map(argument, depth),
            TAG if argument == LINK_TAG => self.link(),
            TAG => Err("a tag other than 42"),
            // The head has admitted false, true, null and 64-bit floats alone.
            _ => Ok(()),
        }
    }

    fn map(&mut self, len: u64, depth: usize) -> Result<(), Reason> {
        let mut previous: Option<&[u8]> = None;
        for _ in 0..len {
            let (TEXT, key_len) = self.head()? else { return Err("a map key that is not text") };
            let key = self.text(key_len)?;
            // DAG-CBOR sorts by length first (RFC 7049 §3.9), because the encoded length comes first.
            if previous.is_some_and(|previous| (previous.len(), previous) >= (key.len(), key)) {
                return Err("map keys unsorted or repeated");
            }
            previous = Some(key);
            self.nested_item(depth + 1)?;
        }
        Ok(())
    }

    fn link(&mut self) -> Result<(), Reason> {
        let Some((0, cid)) = self.bytes()?.split_first() else {
            return Err("a link without the identity prefix");
        };
        match Cid::try_from(cid) {
            Ok(parsed) if parsed.encoded_len() == cid.len() => Ok(()),
            _ => Err("a link that is not a CID"),
        }
    }

    fn text(&mut self, len: u64) -> Result<&'a [u8], Reason> {
        let bytes = self.take(len)?;
        std::str::from_utf8(bytes).map_err(|_| "text that is not UTF-8")?;
        Ok(bytes)
    }

    /// Major type and argument of the next item, which must be encoded in the shortest way.
    #[inline]
    pub(crate) fn head(&mut self) -> Result<(u8, u64), Reason> {
        match self.data.get(self.at) {
            // Most heads are of one byte.
            Some(initial) if initial >> 5 != SIMPLE && initial & 0x1f < 24 => {
                self.at += 1;
                Ok((initial >> 5, u64::from(initial & 0x1f)))
            }
            _ => self.long_head(),
        }
    }

    fn long_head(&mut self) -> Result<(u8, u64), Reason> {
        let initial = self.take(1)?.first().copied().unwrap_or_default();
        let (major, info) = (initial >> 5, initial & 0x1f);
        if major == SIMPLE {
            return match info {
                20..=22 => Ok((major, u64::from(info))),
                27 => {
                    let bits = self.big_endian(8)?;
                    let float = f64::from_bits(bits);
                    if !float.is_finite() || bits == (-0.0_f64).to_bits() {
                        return Err("a float that is not finite, or negative zero");
                    }
                    Ok((major, bits))
                }
                _ => Err("a simple value or float that DAG-CBOR does not have"),
            };
        }
        let (width, least) = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err("indefinite length or reserved head"),
        };
        let argument = self.big_endian(width)?;
        if argument < least { Err("a head that is not minimal") } else { Ok((major, argument)) }
    }

    fn big_endian(&mut self, width: u64) -> Result<u64, Reason> {
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], Reason> {
        let end = usize::try_from(len).ok().and_then(|len| self.at.checked_add(len)).ok_or("cut short")?;
        let taken = self.data.get(self.at..end).ok_or("cut short")?;
        self.at = end;
        Ok(taken)
    }
}

pub(crate) fn put_unsigned(out: &mut Vec<u8>, value: u64) {
    put_head(out, UNSIGNED, value);
}

pub(crate) fn put_array(out: &mut Vec<u8>, len: u64) {
    put_head(out, ARRAY, len);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_node_link(out: &mut Vec<u8>, digest: &[u8; 32]) {
    out.extend_from_slice(&NODE_LINK);
    out.extend_from_slice(digest);
}

fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    let [.., b3, b2, b1, b0] = argument.to_be_bytes();
    match argument {
        0..=23 => out.push(major | b0),
        24..=0xff => out.extend_from_slice(&[major | 24, b0]),
        0x100..=0xffff => out.extend_from_slice(&[major | 25, b1, b0]),
        0x1_0000..=0xffff_ffff => out.extend_from_slice(&[major | 26, b3, b2, b1, b0]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}
