//! Where one node ends and the next begins.
//!
//! The decision after an entry depends on the entry's key, the level and salt, and on the sizes and number of
//! the entries since the last boundary; on nothing before that. So a sequence of entries has one division
//! into nodes, and two sequences that agree from a common boundary on are divided alike from there on.
//!
//! A fixed chance per entry would give sizes spread like an exponential distribution. Here the chance grows
//! with the size reached, as in Dolt's trees (there by a Weibull distribution, in floating point). Let `x` be
//! the size before an entry in units of the target, and `y` the size after it: the chance that the node ends
//! there is `d / (1 + d)` with `d = y⁴ − x⁴`. It is small up to half the target and large past it, but never
//! certain, so that differing divisions meet again even where every entry is as large as a node. It is
//! computed in integers, because every implementation must decide alike.

use sha2::{Digest, Sha256};

use crate::{Params, Salt};

/// A node has at least this many entries, unless it is the last of its level: so a level has at most half the
/// entries of the one below.
pub(crate) const MIN_ENTRIES: u32 = 2;

#[derive(Debug)]
pub(crate) struct Splitter {
    params: Params,
    salt: Salt,
    level: u8,
    entries: u32,
    size: u64,
}

impl Splitter {
    pub(crate) fn new(params: Params, salt: Salt, level: u8) -> Self {
        Self { params, salt, level, entries: 0, size: 0 }
    }

    /// Takes the next entry. True if it is the last of its node.
    pub(crate) fn push(&mut self, key: &[u8]) -> bool {
        let before = self.size;
        self.size += self.params.size(self.level, key.len());
        self.entries += 1;
        let ends = self.entries >= u32::from(self.params.max_entries())
            || (self.entries >= MIN_ENTRIES && self.chance(before, self.size, key));
        if ends {
            (self.entries, self.size) = (0, 0);
        }
        ends
    }

    /// True if the last entry ended a node, or there was none.
    pub(crate) fn at_boundary(&self) -> bool {
        self.entries == 0
    }

    /// Whether `draw / 2³² < d / (1 + d)`, with both sides multiplied out.
    fn chance(&self, before: u64, after: u64, key: &[u8]) -> bool {
        // With at most 512 entries of 2,112 + 4,096 bytes, sizes are below 2²², their fourth powers below 2⁸⁸.
        let fourth = |x: u64| u128::from(x).pow(4);
        let one = fourth(u64::from(self.params.target()));
        let d = fourth(after) - fourth(before);
        u128::from(self.draw(key)) * (one + d) < d << 32
    }

    fn draw(&self, key: &[u8]) -> u32 {
        let digest = Sha256::new().chain_update([self.level]).chain_update(self.salt.0).chain_update(key);
        let [a, b, c, d, ..] = <[u8; 32]>::from(digest.finalize());
        u32::from_be_bytes([a, b, c, d])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(params: Params, level: u8, key_len: usize, keys: u64) -> Vec<u64> {
        let mut splitter = Splitter::new(params, Salt([7; 16]), level);
        let (mut sizes, mut size) = (Vec::new(), 0);
        for n in 0..keys {
            let mut key = vec![b'k'; key_len];
            key[..8].copy_from_slice(&n.to_be_bytes());
            size += params.size(level, key_len);
            if splitter.push(&key) {
                sizes.push(size);
                size = 0;
            }
        }
        sizes
    }

    #[test]
    fn sizes_gather_near_the_target() {
        let params = Params::default();
        for level in [0, 1] {
            let sizes = sizes(params, level, 40, 40_000);
            let mean = sizes.iter().sum::<u64>() / sizes.len() as u64;
            assert!((3400..4700).contains(&mean), "level {level}: mean {mean}");
            let near = sizes.iter().filter(|size| (1500..7000).contains(*size)).count();
            assert!(near * 100 >= sizes.len() * 95, "level {level}: {near} of {}", sizes.len());
        }
    }

    #[test]
    fn the_longest_keys_are_not_cut_at_fixed_counts() {
        let sizes = sizes(Params::default(), 0, crate::MAX_KEY, 2000);
        let entry = Params::default().size(0, crate::MAX_KEY);
        let count = |n: u64| sizes.iter().filter(|size| **size == n * entry).count();
        assert!(count(2) > sizes.len() / 4 && count(3) > sizes.len() / 10, "{} {}", count(2), count(3));
        assert_eq!(count(1), 0);
    }

    #[test]
    fn a_node_ends_at_the_hard_maximum() {
        let params = Params::new(65_536, 1, 1, 4).unwrap();
        assert!(sizes(params, 0, 8, 400).iter().all(|size| *size <= 4 * 9));
    }
}
