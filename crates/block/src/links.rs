//! The links of a block.

use cid::Cid;
use ipld_core::codec::Links;
use ipld_dagpb::DagPbCodec;
use serde_ipld_dagcbor::codec::DagCborCodec;

use crate::{Block, BlockError, Codec};

impl Block {
    /// The strong links in this block, in the order they stand: DAG-PB links, or CBOR tag 42.
    ///
    /// A CID kept as plain bytes (a commit's parents) is a weak link and not among them.
    ///
    /// # Errors
    /// [`BlockError::Malformed`] if the bytes are not valid in the block's codec.
    pub fn links(&self) -> Result<Vec<Cid>, BlockError> {
        let malformed = |source| BlockError::Malformed { cid: *self.cid(), source };
        match self.codec() {
            Codec::Raw => Ok(Vec::new()),
            Codec::DagPb => Ok(DagPbCodec::links(self.data()).map_err(|e| malformed(Box::new(e)))?.collect()),
            Codec::DagCbor => {
                Ok(DagCborCodec::links(self.data()).map_err(|e| malformed(Box::new(e)))?.collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ipld_core::ipld;

    #[test]
    fn only_tagged_cids_are_links() {
        let leaf = Block::new(Codec::Raw, Bytes::from_static(b"leaf")).unwrap();
        let weak = ipld_core::ipld::Ipld::Bytes(leaf.cid().to_bytes());
        let node = ipld!({ "a": [ipld_core::ipld::Ipld::Link(*leaf.cid())], "weak": weak });
        let bytes = serde_ipld_dagcbor::to_vec(&node).unwrap();
        let block = Block::new(Codec::DagCbor, bytes.into()).unwrap();
        assert_eq!(block.links().unwrap(), vec![*leaf.cid()]);
        assert!(leaf.links().unwrap().is_empty());
    }

    #[test]
    fn bytes_that_are_not_cbor_are_malformed() {
        let block = Block::new(Codec::DagCbor, Bytes::from_static(&[0xff, 0x00])).unwrap();
        assert!(matches!(block.links(), Err(BlockError::Malformed { .. })));
    }
}
