//! Chunks of any size cut into leaves.

use bytes::Bytes;

use crate::LEAF_SIZE;

/// Cuts chunks of any size into leaves.
#[derive(Debug)]
pub(crate) struct LeafBuffer {
    /// Bytes of a leaf.
    size: usize,
    partial: Vec<u8>,
    /// Whether a leaf has been filled, so that the next one probably will be.
    long: bool,
}

impl Default for LeafBuffer {
    fn default() -> Self {
        Self::of(LEAF_SIZE)
    }
}

impl LeafBuffer {
    /// Cuts leaves of `size` bytes.
    pub(crate) fn of(size: usize) -> Self {
        Self { size, partial: Vec::new(), long: false }
    }

    /// Takes from the front of `chunk` until a leaf is full, which is returned, or the chunk is empty.
    pub(crate) fn fill(&mut self, chunk: &mut Bytes) -> Option<Bytes> {
        if self.partial.is_empty() && chunk.len() >= self.size {
            self.long = true;
            return Some(chunk.split_to(self.size));
        }
        let part = chunk.split_to(chunk.len().min(self.size - self.partial.len()));
        self.reserve(part.len());
        self.partial.extend_from_slice(&part);
        if self.partial.len() < self.size {
            return None;
        }
        self.long = true;
        Some(std::mem::take(&mut self.partial).into())
    }

    /// The bytes after the last full leaf.
    pub(crate) fn rest(mut self) -> Bytes {
        // The leaf may live on in a cache.
        self.partial.shrink_to_fit();
        self.partial.into()
    }

    /// Makes room, doubling up to a leaf: a small body must not cost a whole one.
    fn reserve(&mut self, more: usize) {
        let needed = self.partial.len() + more;
        if needed > self.partial.capacity() {
            let doubled = if self.long { self.size } else { self.partial.capacity() * 2 };
            let capacity = doubled.max(needed).min(self.size);
            self.partial.reserve_exact(capacity - self.partial.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn leaves_are_the_body_cut_at_every_mebibyte(sizes in prop::collection::vec(0_usize..1_500_000, 0..6)) {
            let body: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|i| (i % 251) as u8).collect();
            let mut left = Bytes::from(body.clone());
            let (mut buffer, mut leaves) = (LeafBuffer::default(), Vec::new());
            for size in sizes {
                let mut chunk = left.split_to(size);
                while !chunk.is_empty() {
                    leaves.extend(buffer.fill(&mut chunk));
                    prop_assert!(buffer.partial.capacity() <= LEAF_SIZE);
                }
            }
            let rest = buffer.rest();
            leaves.extend((!rest.is_empty()).then_some(rest));
            let expected: Vec<&[u8]> = body.chunks(LEAF_SIZE).collect();
            prop_assert!(leaves == expected, "other leaves for {} bytes", body.len());
        }
    }
}
