//! Why a tree cannot be read or changed.

use carob_block::{Cid, StoreError};

use crate::{MAX_KEY, MAX_VALUE};

/// Why an index could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The store does not hold a block of the tree. Nothing was answered in its place.
    #[error("index block {0} is missing")]
    MissingNode(Cid),
    /// A block of the tree breaks the format, or contradicts the block that links it.
    #[error("index block {cid} is malformed: {reason}")]
    Malformed {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The tree was written in a format this version does not know.
    #[error("index format version {0} is not supported")]
    UnsupportedVersion(u64),
    /// A key is empty or longer than [`MAX_KEY`] bytes.
    #[error("a key of {0} bytes: keys have 1 to {MAX_KEY}")]
    KeyLength(usize),
    /// A value is longer than [`MAX_VALUE`] bytes.
    #[error("a value of {0} bytes is over the limit of {MAX_VALUE}")]
    ValueTooLarge(usize),
    /// A value is not one item of canonical DAG-CBOR, or not of the type asked for.
    #[error("not a valid value")]
    InvalidValue(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Splitter parameters out of range.
    #[error("invalid tree parameters: {0}")]
    InvalidParams(&'static str),
    /// Entries given to a builder are not in strictly ascending order of keys.
    #[error("entries are not in strictly ascending order of keys")]
    Unsorted,
    /// The weights of all entries together exceed `u64::MAX`.
    #[error("the weights of the entries overflow")]
    WeightOverflow,
    /// A proof holds a block that its query does not read, or holds one twice.
    #[error("block {0} has no part in the proof")]
    UnneededBlock(Cid),
    /// The store failed.
    #[error("the store failed")]
    Store(#[source] Box<StoreError>),
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}
