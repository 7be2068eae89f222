//! Writing nodes.

use bytes::Bytes;
use carob_block::{Block, Codec};

use crate::cbor::{put_array, put_bytes, put_node_link, put_unsigned};
use crate::node::{Child, Digest, Payload};
use crate::{IndexError, Totals};

/// Collects the entries of a node, in ascending order of keys, and encodes it.
#[derive(Debug)]
pub(crate) struct NodeWriter {
    level: u8,
    len: u64,
    totals: Totals,
    last_key: Vec<u8>,
    entries: Vec<u8>,
}

/// An encoded node, and what its parent says of it.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) block: Block,
    pub(crate) last_key: Bytes,
    pub(crate) child: Child,
}

impl NodeWriter {
    pub(crate) fn new(level: u8) -> Self {
        Self { level, len: 0, totals: Totals::default(), last_key: Vec::new(), entries: Vec::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`IndexError::WeightOverflow`].
    pub(crate) fn push(&mut self, key: &[u8], payload: Payload<'_>) -> Result<(), IndexError> {
        let out = &mut self.entries;
        put_array(out, if self.level == 0 { 4 } else { 5 });
        let shared = self.last_key.iter().zip(key).take_while(|(a, b)| a == b).count();
        put_unsigned(out, shared as u64);
        put_bytes(out, key.get(shared..).unwrap_or_default());
        let totals = match payload {
            Payload::Entry { weight, value } => {
                put_unsigned(out, weight);
                out.extend_from_slice(value);
                Totals { count: 1, bytes: weight }
            }
            Payload::Child(Child { digest, totals }) => {
                put_node_link(out, &digest);
                put_unsigned(out, totals.count);
                put_unsigned(out, totals.bytes);
                totals
            }
        };
        self.totals = self.totals.checked_add(totals).ok_or(IndexError::WeightOverflow)?;
        self.last_key.truncate(shared);
        self.last_key.extend_from_slice(key.get(shared..).unwrap_or_default());
        self.len += 1;
        Ok(())
    }

    /// The node of the entries so far. Leaves the writer empty, for the next node of the level.
    pub(crate) fn finish(&mut self) -> Encoded {
        let mut data = Vec::with_capacity(self.entries.len() + 8);
        put_array(&mut data, 2);
        put_unsigned(&mut data, u64::from(self.level));
        put_array(&mut data, self.len);
        data.append(&mut self.entries);
        let block = Block::new(Codec::DagCbor, data.into());
        let block = block.expect("the limits of Params, keys and values keep a node below the block size");
        let digest = Digest::try_from(block.cid().hash().digest()).expect("blocks are hashed with SHA-256");
        let child = Child { digest, totals: std::mem::take(&mut self.totals) };
        self.len = 0;
        Encoded { block, last_key: std::mem::take(&mut self.last_key).into(), child }
    }
}
