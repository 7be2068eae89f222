//! The blocks of a segment, one after the other.

use crate::collect::Live;
use crate::index::Key;
use crate::sidecar::Entry;

/// A block that the index of a segment lists.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) key: Key,
    /// Where its frame begins.
    pub(crate) start: u32,
    /// Where the frame of the next one does, or the segment ends. Head records may lie between, which no index lists.
    pub(crate) next: u32,
    pub(crate) live: bool,
}

impl Listed {
    pub(crate) fn len(&self) -> u32 {
        self.next.saturating_sub(self.start)
    }
}

/// The blocks of a segment that ends at `end`, in the order in which they lie there. One that is there several times lives
/// everywhere or nowhere: which of them a lookup finds is of no importance.
pub(crate) fn list(entries: &[Entry], segment: u32, end: u32, live: &Live) -> Vec<Listed> {
    let marks = live.segments.get(&segment);
    let mut frames = Vec::with_capacity(entries.len());
    let mut nth = 0;
    for alike in entries.chunk_by(|one, next| one.0 == next.0) {
        let is_marked = marks.is_some_and(|marks| (nth..nth + alike.len()).any(|nth| marks.has(nth)));
        let is_live = is_marked || alike.first().is_some_and(|(key, _)| live.pinned.contains(key));
        let listed = |(key, start): &Entry| Listed { key: *key, start: *start, next: end, live: is_live };
        frames.extend(alike.iter().map(listed));
        nth += alike.len();
    }
    frames.sort_unstable_by_key(|frame| frame.start);
    for at in 1..frames.len() {
        frames[at - 1].next = frames[at].start;
    }
    frames
}
