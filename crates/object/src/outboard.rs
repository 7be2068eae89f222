//! Bao outboards, made while the body streams.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// Bytes of the body under one leaf of the outboard: 16 chunks of BLAKE3.
pub const GROUP_SIZE: usize = 16 * 1024;

/// BLAKE3 of a body of unknown length, and the hash pairs of its tree above groups of 16 KiB.
///
/// The pairs (left child, right child; 64 bytes) come in post-order: each as soon as both its subtrees are
/// complete, so memory is one chaining value a level. It is the post-order outboard of the `bao-tree` crate
/// without a length suffix.
#[derive(Debug, Default)]
pub(crate) struct OutboardHasher {
    /// The first group, while it may be the only one and so the root.
    first: Option<Box<blake3::Hasher>>,
    /// Subtrees that are complete but not merged, the largest first: those of the bits of `groups`.
    subtrees: Vec<ChainingValue>,
    groups: u64,
}

impl OutboardHasher {
    /// Hashes the next bytes, and appends the pairs they complete to `pairs`.
    ///
    /// Every call but the last must bring a multiple of [`GROUP_SIZE`] bytes.
    pub(crate) fn update(&mut self, data: &[u8], pairs: &mut Vec<u8>) {
        for group in data.chunks(GROUP_SIZE) {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(self.groups * GROUP_SIZE as u64).update(group);
            if self.groups == 0 {
                self.first = Some(Box::new(hasher));
                self.groups = 1;
                continue;
            }
            self.subtrees.extend(self.first.take().map(|first| first.finalize_non_root()));
            // Merging waits for the next group, because the last merge of all is the root's and differs.
            while self.subtrees.len() > self.groups.count_ones() as usize {
                self.merge(pairs);
            }
            self.subtrees.push(hasher.finalize_non_root());
            self.groups += 1;
        }
    }

    /// The root hash; the last pairs are appended to `pairs`.
    pub(crate) fn finish(mut self, pairs: &mut Vec<u8>) -> blake3::Hash {
        while self.subtrees.len() > 2 {
            self.merge(pairs);
        }
        match self.subtrees[..] {
            [left, right] => {
                pairs.extend_from_slice(&left);
                pairs.extend_from_slice(&right);
                merge_subtrees_root(&left, &right, Mode::Hash)
            }
            _ => self.first.unwrap_or_default().finalize(),
        }
    }

    fn merge(&mut self, pairs: &mut Vec<u8>) {
        if let (Some(right), Some(left)) = (self.subtrees.pop(), self.subtrees.pop()) {
            pairs.extend_from_slice(&left);
            pairs.extend_from_slice(&right);
            self.subtrees.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bao_tree::blake3::Hash;
    use bao_tree::io::outboard::PostOrderMemOutboard;
    use bao_tree::io::round_up_to_chunks;
    use bao_tree::io::sync::valid_ranges;
    use bao_tree::{BaoTree, BlockSize, ByteRanges, ChunkRanges};
    use proptest::prelude::*;

    const GROUP: BlockSize = BlockSize::from_chunk_log(4);

    fn body(size: usize) -> Vec<u8> {
        (0..size as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    /// Hashes `body` in steps of so many groups.
    fn outboard(body: &[u8], step: usize) -> (blake3::Hash, Vec<u8>) {
        let (mut hasher, mut pairs) = (OutboardHasher::default(), Vec::new());
        for data in body.chunks(step * GROUP_SIZE) {
            hasher.update(data, &mut pairs);
        }
        let root = hasher.finish(&mut pairs);
        (root, pairs)
    }

    fn assert_same_as_bao_tree(size: usize, step: usize) {
        let body = body(size);
        let (root, pairs) = outboard(&body, step);
        let peer = PostOrderMemOutboard::create(&body, GROUP);
        assert_eq!(root, blake3::hash(&body), "root of {size} bytes");
        assert_eq!(pairs, peer.data, "pairs of {size} bytes in steps of {step} groups");
        assert_eq!(pairs.len(), size.div_ceil(GROUP_SIZE).saturating_sub(1) * 64);
    }

    #[test]
    fn root_and_pairs_are_those_of_bao_tree_around_every_group_boundary() {
        for groups in 0..=33_usize {
            for size in [groups * GROUP_SIZE, groups * GROUP_SIZE + 1, (groups + 1) * GROUP_SIZE - 1] {
                assert_same_as_bao_tree(size, 64);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn root_and_pairs_are_those_of_bao_tree(size in 0_usize..3_000_000, step in 1_usize..70) {
            assert_same_as_bao_tree(size, step);
        }

        #[test]
        fn bao_tree_finds_exactly_the_damaged_group_with_our_pairs(
            size in 1_usize..2_000_000,
            at in any::<prop::sample::Index>(),
        ) {
            let mut body = body(size);
            let (root, pairs) = outboard(&body, 64);
            let tree = BaoTree::new(size as u64, GROUP);
            let valid = |body: &[u8]| {
                let outboard = PostOrderMemOutboard { root: Hash::from(*root.as_bytes()), tree, data: &pairs };
                let ranges: Result<Vec<_>, _> =
                    valid_ranges(outboard, body, &ChunkRanges::all()).into_iter().collect();
                let chunks = ranges.unwrap().into_iter().map(ChunkRanges::from);
                chunks.fold(ChunkRanges::empty(), |all, range| all | range)
            };
            let whole = round_up_to_chunks(&ByteRanges::from(0..size as u64));
            prop_assert_eq!(valid(&body), whole.clone());
            let at = at.index(size);
            body[at] ^= 1;
            let start = at / GROUP_SIZE * GROUP_SIZE;
            let end = size.min(start + GROUP_SIZE);
            let damaged = round_up_to_chunks(&ByteRanges::from(start as u64..end as u64));
            prop_assert_eq!(valid(&body), whole - damaged);
        }
    }
}
