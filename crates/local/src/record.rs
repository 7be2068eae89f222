//! Records in segments: descriptors and heads.

use std::io;

use carob_block::{Block, Cid, Codec, HeadSwap};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::gone::Gone;

/// The version of segments, descriptors and head records.
const VERSION: u64 = 1;

/// Names a store's log: 16 random bytes drawn when it was created.
pub(crate) type LogId = [u8; 16];

/// A place in the log: a segment and an offset in it. Later places compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub(crate) struct Position {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
}

impl Position {
    /// As one number, in the same order.
    pub(crate) fn packed(self) -> u64 {
        u64::from(self.segment) << 32 | u64::from(self.offset)
    }
}

impl From<(u32, u32)> for Position {
    fn from((segment, offset): (u32, u32)) -> Self {
        Self { segment, offset }
    }
}

impl From<Position> for (u32, u32) {
    fn from(position: Position) -> Self {
        (position.segment, position.offset)
    }
}

/// The first block of a segment and the root of its CAR header. Fields are in canonical order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Descriptor {
    v: u64,
    log: ByteArray<16>,
    /// This segment's number, counted from 1.
    pub(crate) seg: u32,
    /// Where the segment before ends: bytes after that never counted. 0 in the first.
    pub(crate) prev: u32,
}

impl Descriptor {
    pub(crate) fn new(log: LogId, seg: u32, prev: u32) -> Self {
        Self { v: VERSION, log: ByteArray::new(log), seg, prev }
    }

    pub(crate) fn to_block(&self) -> io::Result<Block> {
        encode(self)
    }

    /// The descriptor in `block`, if it is one of this log.
    pub(crate) fn read(block: &Block, log: LogId) -> Option<Self> {
        let read: Self = decode(block)?;
        (read.v == VERSION && *read.log == log).then_some(read)
    }
}

/// Moves heads, all of its swaps at once. Fields are in canonical order.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadRecord {
    v: u64,
    log: ByteArray<16>,
    off: u32,
    seg: u32,
    /// Counts the records of a log from 1.
    pub(crate) seq: u64,
    /// Says that segments are no longer there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gone: Option<Removal>,
    /// Where the last flush that had completed ended when this was written.
    pub(crate) upto: Position,
    pub(crate) swaps: Vec<Swap>,
}

/// Segments that a collection removed, and the records in them. Fields are in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Removal {
    /// Every head that there is was moved or stated again by a record after the one of this number: up to and with this
    /// record. Others are gone, too.
    pub(crate) since: u64,
    /// All segments ever removed.
    pub(crate) segments: Gone,
}

/// Where one head goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Swap {
    /// The head's new target; `None` deletes it.
    pub(crate) cid: Option<Cid>,
    pub(crate) name: String,
}

impl From<&HeadSwap> for Swap {
    fn from(swap: &HeadSwap) -> Self {
        Self { cid: swap.next, name: swap.name.clone() }
    }
}

impl HeadRecord {
    /// A record whose frame begins at `at`.
    pub(crate) fn new(log: LogId, at: Position, seq: u64, upto: Position, swaps: Vec<Swap>) -> Self {
        let (v, log, gone) = (VERSION, ByteArray::new(log), None);
        Self { v, log, off: at.offset, seg: at.segment, seq, gone, upto, swaps }
    }

    /// The same, and which segments are gone.
    pub(crate) fn saying(self, gone: Option<Removal>) -> Self {
        Self { gone, ..self }
    }

    pub(crate) fn to_block(&self) -> io::Result<Block> {
        encode(self)
    }

    /// The record in `block`, if it is one of this log that was written to stand at `at`. A copy of it
    /// anywhere else is nothing but a block.
    pub(crate) fn read(block: &Block, log: LogId, at: Position) -> Option<Self> {
        if !Self::looks_alike(block, log) {
            return None;
        }
        let read: Self = decode(block)?;
        let valid = read.gone.as_ref().is_none_or(|gone| gone.segments.is_valid());
        (valid && read.v == VERSION && Position { segment: read.seg, offset: read.off } == at).then_some(read)
    }

    /// Whether `block` begins as this log's records do. Raw blocks, which hold whatever users send, never do;
    /// DAG-PB is not set apart from DAG-CBOR, for no hash covers the bit between their codes.
    pub(crate) fn looks_alike(block: &Block, log: LogId) -> bool {
        let map = block.data().split_first();
        let begins =
            map.is_some_and(|(map, rest)| [0xa7, 0xa8].contains(map) && rest.starts_with(&Self::prefix(log)));
        block.codec() != Codec::Raw && begins
    }

    /// The bytes with which every record of the log begins after the first, which says that it is a map of seven or
    /// eight: `v` and `log`.
    pub(crate) fn prefix(log: LogId) -> [u8; 24] {
        let mut prefix = *b"\x61v\x01\x63log\x50................";
        prefix[8..].copy_from_slice(&log);
        prefix
    }
}

fn encode(value: &impl Serialize) -> io::Result<Block> {
    let bytes = serde_ipld_dagcbor::to_vec(value).map_err(io::Error::other)?;
    Block::new(Codec::DagCbor, bytes.into()).map_err(io::Error::other)
}

fn decode<'a, T: Deserialize<'a>>(block: &'a Block) -> Option<T> {
    serde_ipld_dagcbor::from_slice(block.data()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogId = *b"0123456789abcdef";

    #[test]
    fn the_bytes_of_a_descriptor_are_pinned() {
        let block = Descriptor::new(LOG, 2, 300).to_block().unwrap();
        let bytes = b"\xa4\x61v\x01\x63log\x500123456789abcdef\x63seg\x02\x64prev\x19\x01\x2c";
        assert_eq!(block.data().as_ref(), bytes);
        assert_eq!(Descriptor::read(&block, LOG).unwrap(), Descriptor::new(LOG, 2, 300));
        assert!(Descriptor::read(&block, *b"another store's.").is_none());
    }

    #[test]
    fn the_bytes_of_a_head_record_are_pinned() {
        let cid = *Block::new(Codec::Raw, "x".into()).unwrap().cid();
        let swaps = vec![Swap { cid: Some(cid), name: "a".into() }, Swap { cid: None, name: "b".into() }];
        let record = HeadRecord::new(LOG, (1, 500).into(), 7, (1, 200).into(), swaps);
        let block = record.to_block().unwrap();
        let mut bytes = b"\xa7\x61v\x01\x63log\x500123456789abcdef".to_vec();
        bytes.extend(b"\x63off\x19\x01\xf4\x63seg\x01\x63seq\x07\x64upto\x82\x01\x18\xc8\x65swaps\x82");
        bytes.extend(b"\xa2\x63cid\xd8\x2a\x58\x25\x00");
        bytes.extend(cid.to_bytes());
        bytes.extend(b"\x64name\x61a\xa2\x63cid\xf6\x64name\x61b");
        assert_eq!(block.data(), &bytes);
        assert!(bytes[1..].starts_with(&HeadRecord::prefix(LOG)));
        assert_eq!(HeadRecord::read(&block, LOG, (1, 500).into()).unwrap(), record);
    }

    #[test]
    fn the_bytes_of_a_removal_are_pinned() {
        let mut segments = Gone::default();
        [(2, 300), (3, 0), (7, 1000)].iter().for_each(|(segment, prev)| segments.add(*segment, *prev));
        let gone = Some(Removal { since: 5, segments });
        let record = HeadRecord::new(LOG, (9, 500).into(), 7, (9, 200).into(), vec![]).saying(gone);
        let block = record.to_block().unwrap();
        let mut bytes = b"\xa8\x61v\x01\x63log\x500123456789abcdef".to_vec();
        bytes.extend(b"\x63off\x19\x01\xf4\x63seg\x09\x63seq\x07");
        bytes.extend(b"\x64gone\xa2\x65since\x05\x68segments");
        bytes.extend(b"\x82\x83\x02\x03\x19\x01\x2c\x83\x07\x07\x19\x03\xe8");
        bytes.extend(b"\x64upto\x82\x09\x18\xc8\x65swaps\x80");
        assert_eq!(block.data(), &bytes);
        assert!(HeadRecord::looks_alike(&block, LOG));
        assert_eq!(HeadRecord::read(&block, LOG, (9, 500).into()).unwrap(), record);
    }

    #[test]
    fn a_record_counts_only_in_its_own_log_and_place() {
        let block = HeadRecord::new(LOG, (1, 500).into(), 7, (1, 200).into(), vec![]).to_block().unwrap();
        assert!(HeadRecord::read(&block, LOG, (1, 501).into()).is_none());
        assert!(HeadRecord::read(&block, LOG, (2, 500).into()).is_none());
        assert!(HeadRecord::read(&block, *b"another store's.", (1, 500).into()).is_none());
        let raw = Block::new(Codec::Raw, block.data().clone()).unwrap();
        assert!(HeadRecord::read(&raw, LOG, (1, 500).into()).is_none());
    }
}
