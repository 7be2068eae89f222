//! Which segments were removed.

use serde::{Deserialize, Serialize};

/// A run of removed segments: the first, the last, and where the segment before the first ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Run(u32, u32, u32);

/// The segments that a collection removed: others that are missing are lost. In order, runs that touch are one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gone(Vec<Run>);

impl Gone {
    pub(crate) fn has(&self, segment: u32) -> bool {
        let run = self.0.partition_point(|run| run.1 < segment);
        self.0.get(run).is_some_and(|run| run.0 <= segment)
    }

    /// Where a segment ends whose successor is the first of a run.
    pub(crate) fn end_of(&self, segment: u32) -> Option<u32> {
        let next = segment.checked_add(1)?;
        let run = self.0.binary_search_by_key(&next, |run| run.0).ok()?;
        Some(self.0[run].2)
    }

    /// Adds a segment; the one before it ends at `prev`, unless that is gone, too.
    pub(crate) fn add(&mut self, segment: u32, prev: u32) {
        if self.has(segment) {
            return;
        }
        let next = self.0.partition_point(|run| run.1 < segment);
        let joins_next = self.0.get(next).is_some_and(|run| run.0 - 1 == segment);
        match next.checked_sub(1).filter(|before| self.0[*before].1 + 1 == segment) {
            Some(before) if joins_next => self.0[before].1 = self.0.remove(next).1,
            Some(before) => self.0[before].1 = segment,
            None if joins_next => (self.0[next].0, self.0[next].2) = (segment, prev),
            None => self.0.insert(next, Run(segment, segment, prev)),
        }
    }

    /// How many segments these are.
    pub(crate) fn count(&self) -> u32 {
        self.0.iter().map(|run| run.1 - run.0 + 1).sum()
    }

    /// About how many bytes it takes to write them down, at most.
    pub(crate) fn size(&self) -> usize {
        self.0.len() * size_of::<[u64; 2]>()
    }

    /// Whether this may be what it says: read from disk, it may say anything.
    pub(crate) fn is_valid(&self) -> bool {
        self.0.iter().all(|run| 0 < run.0 && run.0 <= run.1 && run.1 < u32::MAX)
            && self.0.windows(2).all(|two| two[0].1 + 1 < two[1].0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_touch_are_one_in_any_order() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let mut numbers: Vec<u32> = (1..20).filter(|_| rng.bool()).collect();
            let gone = numbers.clone();
            rng.shuffle(&mut numbers);
            let mut all = Gone::default();
            // Segment n ends at 10 n.
            numbers.iter().for_each(|number| all.add(*number, (number - 1) * 10));
            assert!(all.is_valid(), "{all:?}");
            assert_eq!(all.count() as usize, gone.len());
            for number in 1..20 {
                assert_eq!(all.has(number), gone.contains(&number), "{all:?}");
                if !gone.contains(&number) && gone.contains(&(number + 1)) {
                    assert_eq!(all.end_of(number), Some(number * 10));
                }
            }
        }
    }
}
