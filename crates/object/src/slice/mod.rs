//! Ranges of a body with what proves them: Bao slices, by the encoder and the decoder of `bao-tree`.
//!
//! A slice is the size of what its tree is over (8 bytes, little-endian) and then, in pre-order, the pairs of the tree
//! and the groups of 16 KiB that the range touches. A body has a tree for each of its runs, so a range of it is a slice
//! for each run that it touches. Whoever knows the roots needs to trust nobody for the rest.

use std::ops::Range;

use bao_tree::{BlockSize, ChunkNum, ChunkRanges};

use crate::outboard::GROUP_SIZE;

mod check;
mod encode;

pub use check::{Piece, SliceError, check_slices};
pub use encode::read_slices;

const GROUPS: BlockSize = BlockSize::from_chunk_log(4);
const GROUP: u64 = GROUP_SIZE as u64;
const CHUNKS_PER_GROUP: u64 = GROUP / 1024;

/// Bytes of the size that a slice begins with.
const PREFIX: usize = 8;

/// Two chaining values.
const PAIR: usize = 64;

/// A run that a range touches.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Touched {
    /// Which of the runs it is.
    number: usize,
    /// Where in the body it begins.
    begin: u64,
    size: u64,
    /// The part of it that is meant, from its own beginning.
    part: Range<u64>,
}

/// The runs that a range touches, in order. Of an empty body it is the first: its hash shows that it is empty.
fn touched(runs: impl IntoIterator<Item = u64>, range: &Range<u64>) -> Vec<Touched> {
    let mut begin = 0_u64;
    let mut found = Vec::new();
    for (number, size) in runs.into_iter().enumerate() {
        let within = |at: u64| at.saturating_sub(begin).min(size);
        let part = within(range.start)..within(range.end);
        if !part.is_empty() || (range.end == 0 && number == 0) {
            found.push(Touched { number, begin, size, part });
        }
        begin = begin.saturating_add(size);
    }
    found
}

impl Touched {
    /// The chunks of the groups that the part touches.
    fn chunks(&self) -> ChunkRanges {
        let start = ChunkNum(self.part.start / GROUP * CHUNKS_PER_GROUP);
        if self.part.end == self.size {
            return ChunkRanges::from(start..);
        }
        ChunkRanges::from(start..ChunkNum(self.part.end.div_ceil(GROUP) * CHUNKS_PER_GROUP))
    }

    /// The bytes of its slice.
    fn encoded(&self) -> u64 {
        let (from, to) = (self.part.start / GROUP, self.part.end.div_ceil(GROUP));
        let covered = to.saturating_mul(GROUP).min(self.size).saturating_sub(from * GROUP);
        let pairs = pairs(self.size.div_ceil(GROUP), from, to).saturating_mul(PAIR as u64);
        (PREFIX as u64).saturating_add(covered).saturating_add(pairs)
    }
}

/// The bytes of the slices of `range` of a body whose runs have these sizes.
pub fn slices_size(runs: impl IntoIterator<Item = u64>, range: &Range<u64>) -> u64 {
    touched(runs, range).iter().fold(0_u64, |sum, run| sum.saturating_add(run.encoded()))
}

/// The pairs above groups `from..to` of a tree of so many.
fn pairs(groups: u64, from: u64, to: u64) -> u64 {
    let Some(log) = groups.checked_sub(1).and_then(u64::checked_ilog2) else { return 0 };
    if from == 0 && to >= groups {
        return groups - 1;
    }
    let left = 1 << log;
    let first = if from < left { pairs(left, from, to.min(left)) } else { 0 };
    let second = if to > left { pairs(groups - left, from.saturating_sub(left), to - left) } else { 0 };
    1 + first + second
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_touches_the_runs_that_it_has_bytes_of() {
        let numbers = |range: Range<u64>| {
            let found = touched([5, 0, 7], &range);
            found.into_iter().map(|run| (run.number, run.begin, run.part)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(0..12), [(0, 0, 0..5), (2, 5, 0..7)]);
        assert_eq!(numbers(4..6), [(0, 0, 4..5), (2, 5, 0..1)]);
        assert_eq!(numbers(5..6), [(2, 5, 0..1)]);
        assert_eq!(touched([0, 0], &(0..0)).len(), 1);
        assert_eq!(touched([], &(0..0)), []);
    }

    #[test]
    fn the_pairs_above_a_range_are_those_on_the_ways_down() {
        assert_eq!((pairs(0, 0, 0), pairs(1, 0, 1), pairs(2, 0, 1), pairs(2, 0, 2)), (0, 0, 1, 1));
        // Of five groups the last hangs at the root.
        assert_eq!((pairs(5, 4, 5), pairs(5, 0, 1), pairs(5, 0, 5), pairs(5, 3, 5)), (1, 3, 4, 3));
    }
}
