//! What decides where nodes end.

use serde::{Deserialize, Serialize};

use crate::{IndexError, MAX_KEY};

/// What a tree's boundaries are hashed with.
///
/// Drawn at random when an index is made, so that nobody can choose keys that make its edits expensive. Trees
/// of one salt share nodes; all zero in golden vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Salt(pub [u8; 16]);

/// How a tree is cut into nodes. Immutable per tree: it stands in the descriptor.
///
/// A node ends when the size of its entries nears `target`. Here an entry of a leaf has the size of its key
/// plus `leaf_allowance`, an entry of an inner node that of its key plus `inner_allowance`, whatever it takes
/// in the block. Neither value nor prefix compression may count, or overwriting a value would move boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    // In DAG-CBOR's order of map keys: shorter first.
    max: u16,
    leaf: u16,
    inner: u16,
    target: u32,
}

impl Params {
    /// Most entries that any tree may have in a node. At 512 × (2,112 + 768 + framing) bytes, a node is below
    /// [`carob_block::MAX_BLOCK_SIZE`] whatever it holds.
    pub const MAX_ENTRIES: u16 = 512;

    /// Parameters for nodes of about `target` bytes (64 to 65,536) and at most `max_entries` entries (4 to
    /// [`Params::MAX_ENTRIES`]), when an entry takes its key and about `leaf_allowance` or `inner_allowance`
    /// bytes more (1 to 4,096).
    ///
    /// # Errors
    /// [`IndexError::InvalidParams`].
    pub fn new(
        target: u32,
        leaf_allowance: u16,
        inner_allowance: u16,
        max_entries: u16,
    ) -> Result<Self, IndexError> {
        let params = Self { max: max_entries, leaf: leaf_allowance, inner: inner_allowance, target };
        params.validate()?;
        Ok(params)
    }

    pub(crate) fn validate(&self) -> Result<(), IndexError> {
        let invalid = |reason| Err(IndexError::InvalidParams(reason));
        if !(64..=65_536).contains(&self.target) {
            return invalid("target is not in 64..=65536");
        }
        if !(1..=4096).contains(&self.leaf) || !(1..=4096).contains(&self.inner) {
            return invalid("an allowance is not in 1..=4096");
        }
        if !(4..=Self::MAX_ENTRIES).contains(&self.max) {
            return invalid("max entries is not in 4..=512");
        }
        Ok(())
    }

    /// Bytes that a node should have, by the measure above.
    pub fn target(&self) -> u32 {
        self.target
    }

    /// Entries that no node exceeds.
    pub fn max_entries(&self) -> u16 {
        self.max
    }

    /// The size counted for an entry.
    pub(crate) fn size(&self, level: u8, key_len: usize) -> u64 {
        debug_assert!(key_len <= MAX_KEY);
        key_len as u64 + u64::from(if level == 0 { self.leaf } else { self.inner })
    }
}

/// Nodes of about 4 KiB, if records have about 240 bytes.
impl Default for Params {
    fn default() -> Self {
        Self { max: 256, leaf: 256, inner: 56, target: 4096 }
    }
}
