//! Frames that stand where dead blocks stood, and hold nothing.
//!
//! A blank is a raw block like any other: it says where it stands, and the rest is zeros, whose pages the file system need
//! not keep. As with head records, one that stands anywhere else is nothing but a block.

use std::io;
use std::ops::Range;

use carob_block::{Block, Codec};
use carob_car::{Frame, FrameStart};

use crate::record::{LogId, Position};

/// What the file system gives back as a whole, at the least.
pub(crate) const PAGE: u32 = 4096;

const MAGIC: [u8; 8] = *b"carobgap";

/// Magic, log id, segment, offset.
const MARK: usize = MAGIC.len() + 16 + 2 * 4;

/// CIDv1 with codec and sha2-256.
const CID: u32 = 36;

/// The longest: every reader of CARs takes a frame of that length.
const LONGEST: u32 = 1 << 20;

/// How much of a frame has to be read to know whether it is a blank.
pub(crate) const START: usize = 4 + CID as usize + MARK;

/// A frame of a segment that is a blank, or shall be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Blank {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

impl Blank {
    /// The blank of that length, if there is one.
    pub(crate) fn new(start: u32, len: u32) -> Option<Self> {
        let blank = Self { start, len };
        (len <= LONGEST && start.checked_add(len).is_some() && blank.data().is_some()).then_some(blank)
    }

    pub(crate) fn end(self) -> u32 {
        self.start + self.len
    }

    /// How many bytes of data it has: its length in bytes comes before, which takes the more bytes the longer it is.
    fn data(self) -> Option<usize> {
        (1..=4).find_map(|prefix| {
            let body = self.len.checked_sub(prefix)?;
            let takes = (u32::BITS - body.leading_zeros()).div_ceil(7);
            let data = body.checked_sub(CID)? as usize;
            (takes == prefix && data >= MARK).then_some(data)
        })
    }

    /// The whole pages of zeros in it.
    pub(crate) fn hole(self) -> Range<u32> {
        let first = (self.start + self.len.min(START as u32)).next_multiple_of(PAGE);
        first..(self.end() / PAGE * PAGE).max(first)
    }

    /// How many bytes the file system may give back for it.
    pub(crate) fn gain(self) -> u32 {
        self.hole().len() as u32
    }

    /// The block that it is in `segment`.
    pub(crate) fn block(self, log: LogId, segment: u32) -> io::Result<Block> {
        let mut data = vec![0; self.data().ok_or(io::ErrorKind::InvalidInput)?];
        data[..MARK].copy_from_slice(&mark(log, Position { segment, offset: self.start }));
        Block::new(Codec::Raw, data.into()).map_err(io::Error::other)
    }

    /// What its frame begins with; the rest is zeros.
    pub(crate) fn opening(block: &Block) -> Vec<u8> {
        let mut opening = Frame::of(block).prefix().to_vec();
        opening.extend(&block.data()[..MARK]);
        opening
    }

    /// The blank whose frame begins at `at` with these bytes, if it is one of this log that was made to stand there.
    pub(crate) fn read(bytes: &[u8], log: LogId, at: Position) -> Option<Self> {
        let start = FrameStart::read(bytes)?;
        let data = bytes.get(start.prefix..)?;
        let blank = Self::new(at.offset, u32::try_from(start.prefix + start.data).ok()?)?;
        (start.cid.codec() == Codec::Raw.code() && data.starts_with(&mark(log, at))).then_some(blank)
    }
}

fn mark(log: LogId, at: Position) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..8].copy_from_slice(&MAGIC);
    mark[8..24].copy_from_slice(&log);
    mark[24..28].copy_from_slice(&at.segment.to_le_bytes());
    mark[28..].copy_from_slice(&at.offset.to_le_bytes());
    mark
}

/// Whether a block begins like a blank of `log`. Nobody has such blocks who does not know the log's id.
pub(crate) fn looks_alike(block: &Block, log: LogId) -> bool {
    let rest = block.data().strip_prefix(&MAGIC);
    block.codec() == Codec::Raw && rest.is_some_and(|rest| rest.starts_with(&log))
}

/// The blanks that fill a run of frames, none if it is too short for any.
pub(crate) fn fill(run: Range<u32>) -> Vec<Blank> {
    let (mut at, mut blanks) = (run.start, Vec::new());
    while at < run.end {
        let left = run.end - at;
        // Most that are not too long can be one; of any other, a page is taken off, so that enough is left.
        let blank = match Blank::new(at, left) {
            Some(blank) => Some(blank),
            None if left > LONGEST => Blank::new(at, LONGEST.min(left - PAGE)),
            None => left.checked_sub(PAGE).and_then(|len| Blank::new(at, len)),
        };
        let Some(blank) = blank else { return Vec::new() };
        at = blank.end();
        blanks.push(blank);
    }
    blanks
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_car::CarReader;

    const LOG: LogId = *b"0123456789abcdef";

    fn frame(blank: Blank, segment: u32) -> Vec<u8> {
        let mut frame = Blank::opening(&blank.block(LOG, segment).unwrap());
        frame.resize(blank.len as usize, 0);
        frame
    }

    #[test]
    fn the_bytes_are_pinned() {
        let frame = frame(Blank::new(1000, 100).unwrap(), 7);
        assert_eq!(frame[..5], *b"\x63\x01\x55\x12\x20");
        assert_eq!(frame[37..69], *b"carobgap0123456789abcdef\x07\0\0\0\xe8\x03\0\0");
        assert!(frame[69..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn runs_of_every_length_are_filled_with_blocks_that_verify() {
        let near = |at: u32| at.saturating_sub(12)..at + 12;
        let lengths = [128, PAGE, 2 * PAGE, 16 * 1024, 1 << 20, (1 << 20) + PAGE, 2 << 20].map(near);
        for len in (60..400).chain(lengths.into_iter().flatten()) {
            let blanks = fill(5000..5000 + len);
            let bytes: Vec<u8> = blanks.iter().flat_map(|blank| frame(*blank, 3)).collect();
            if blanks.is_empty() {
                assert!(len < 2 * PAGE, "{len}");
                continue;
            }
            assert_eq!(bytes.len(), len as usize);
            let mut reader = CarReader::resume(&bytes[..], 0);
            for blank in blanks {
                let at = Position { segment: 3, offset: 5000 + reader.offset() as u32 };
                let start = &bytes[reader.offset() as usize..];
                assert_eq!(Blank::read(&start[..START.min(start.len())], LOG, at), Some(blank));
                assert_eq!(reader.next_block().unwrap(), Some(blank.block(LOG, 3).unwrap()));
                assert_eq!(5000 + reader.offset() as u32, blank.end());
                let hole = blank.hole();
                assert!(
                    hole.is_empty() || blank.start + START as u32 <= hole.start && hole.end <= blank.end()
                );
            }
            assert_eq!(reader.next_block().unwrap(), None);
        }
    }

    #[test]
    fn one_in_another_place_is_none() {
        let blank = Blank::new(1000, 9000).unwrap();
        let frame = frame(blank, 7);
        assert!(looks_alike(&blank.block(LOG, 7).unwrap(), LOG));
        assert_eq!(Blank::read(&frame[..START], LOG, (7, 1000).into()), Some(blank));
        assert_eq!(Blank::read(&frame[..START], LOG, (7, 1001).into()), None);
        assert_eq!(Blank::read(&frame[..START], LOG, (8, 1000).into()), None);
        assert_eq!(Blank::read(&frame[..START], *b"another store's.", (7, 1000).into()), None);
    }
}
