//! Canonical DAG-CBOR blocks, written and read.

use carob_block::{Block, Codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::CommitError;

/// Encodes as one canonical DAG-CBOR block.
pub(crate) fn encode<T: Serialize>(value: &T, what: &'static str) -> Result<Block, CommitError> {
    let bytes = serde_ipld_dagcbor::to_vec(value).map_err(|_| CommitError::TooLarge { what })?;
    Block::new(Codec::DagCbor, bytes.into()).map_err(|_| CommitError::TooLarge { what })
}

/// Decodes, and refuses anything but the canonical encoding of the result.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(
    block: &Block,
    what: &'static str,
) -> Result<T, CommitError> {
    let malformed = |source| CommitError::Malformed { cid: *block.cid(), what, source };
    if block.codec() != Codec::DagCbor {
        return Err(malformed("its codec is not dag-cbor".into()));
    }
    let value: T =
        serde_ipld_dagcbor::from_slice(block.data()).map_err(|e| malformed(e.to_string().into()))?;
    let again = serde_ipld_dagcbor::to_vec(&value).map_err(|e| malformed(e.to_string().into()))?;
    if again != *block.data() {
        return Err(malformed("not the canonical encoding".into()));
    }
    Ok(value)
}

/// Refuses a version field other than 1.
pub(crate) fn version_one(found: u64, what: &'static str) -> Result<(), CommitError> {
    if found == 1 { Ok(()) } else { Err(CommitError::UnknownVersion { what, found }) }
}

/// Parses a CID that stands as plain bytes in the block `cid`.
pub(crate) fn weak_link(cid: carob_block::Cid, bytes: &[u8]) -> Result<carob_block::Cid, CommitError> {
    carob_block::Cid::try_from(bytes).map_err(|e| CommitError::Malformed {
        cid,
        what: "parent",
        source: Box::new(e),
    })
}
