//! Small things stand in a tree's node, larger ones in a block of their own that the node links.

use carob_block::{Block, Cid};
use carob_index::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{CommitError, codec};

/// The largest encoding, in bytes, that stands in a tree node.
pub const INLINE: usize = 512;

/// How something stands in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline<T> {
    /// As it is.
    Here(T),
    /// In this block.
    Linked(Cid),
}

/// What can stand under a key of a tree.
pub trait TreeValue: Serialize + DeserializeOwned {
    /// What errors call it.
    const WHAT: &'static str;

    /// As a tree value, with the block to store beside it where it is over [`INLINE`].
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    fn to_value(&self) -> Result<(Value, Option<Block>), CommitError> {
        let too_large = |_| CommitError::TooLarge { what: Self::WHAT };
        let block = codec::encode(self, Self::WHAT)?;
        if block.data().len() <= INLINE {
            return Ok((Value::new(block.data().clone()).map_err(too_large)?, None));
        }
        Ok((Value::from_serialize(block.cid()).map_err(too_large)?, Some(block)))
    }

    /// Reads a tree value. `node` is the tree the value came from, named in errors.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    fn from_value(value: &Value, node: Cid) -> Result<Inline<Box<Self>>, CommitError> {
        let malformed = |e| CommitError::Malformed { cid: node, what: Self::WHAT, source: Box::new(e) };
        // CBOR major type 6: the tag of a link.
        if value.bytes().first().is_some_and(|byte| byte >> 5 == 6) {
            return value.deserialize().map(Inline::Linked).map_err(malformed);
        }
        value.deserialize().map(|thing| Inline::Here(Box::new(thing))).map_err(malformed)
    }

    /// Reads it from the block that an [`Inline::Linked`] names.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    fn from_block(block: &Block) -> Result<Self, CommitError> {
        codec::decode(block, Self::WHAT)
    }
}
