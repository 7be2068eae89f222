//! The standard library's map: the floor in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::{Batch, Peer};

/// No persistence, no sharing, no hashes: what order in memory costs.
#[derive(Default)]
pub struct Plain(BTreeMap<Vec<u8>, Vec<u8>>);

impl Peer for Plain {
    fn load(&mut self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        self.0 = pairs.collect();
    }

    fn put(&mut self, batch: Batch) {
        self.0.extend(batch);
    }

    fn get(&self, key: &[u8]) -> bool {
        self.0.contains_key(key)
    }

    fn page(&self, start: &[u8], most: usize) -> usize {
        let from = (Bound::Included(start), Bound::Unbounded);
        self.0
            .range::<[u8], _>(from)
            .take(most)
            .filter(|(key, value)| !key.is_empty() && value.len() > 2)
            .count()
    }

    fn diff(&self, batch: Batch) -> Option<Box<dyn Fn() -> usize + '_>> {
        let mut other = self.0.clone();
        other.extend(batch);
        Some(Box::new(move || {
            // Both have the same keys: batches for diffs are of keys that are there.
            self.0.iter().zip(&other).filter(|(old, new)| old != new).count()
        }))
    }
}
