//! The block that is the root of a tree.

use carob_block::{Block, Cid, Codec};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::node::{Digest, cid_of, digest_of};
use crate::{IndexError, Params, Salt, Totals};

const VERSION: u64 = 1;

/// The block that is a tree's root: everything that is needed to read and edit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub(crate) salt: Salt,
    pub(crate) params: Params,
    /// The top node; none in an empty tree.
    pub(crate) top: Option<Digest>,
    pub(crate) totals: Totals,
}

// Fields in DAG-CBOR's order of map keys: shorter first.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u64,
    top: Option<Cid>,
    salt: ByteArray<16>,
    bytes: u64,
    count: u64,
    params: Params,
}

/// Of any version.
#[derive(Deserialize)]
struct AnyVersion {
    v: u64,
}

impl Descriptor {
    pub(crate) fn encode(&self) -> Block {
        let wire = Wire {
            v: VERSION,
            top: self.top.as_ref().map(cid_of),
            salt: ByteArray::new(self.salt.0),
            bytes: self.totals.bytes,
            count: self.totals.count,
            params: self.params,
        };
        let data = serde_ipld_dagcbor::to_vec(&wire).expect("plain data encodes");
        Block::new(Codec::DagCbor, data.into()).expect("a descriptor is small")
    }

    pub(crate) fn decode(block: &Block) -> Result<Self, IndexError> {
        let malformed = |reason| IndexError::Malformed { cid: *block.cid(), reason };
        let version = serde_ipld_dagcbor::from_slice::<AnyVersion>(block.data());
        let AnyVersion { v } = version.map_err(|_| malformed("not a tree descriptor"))?;
        if v != VERSION {
            return Err(IndexError::UnsupportedVersion(v));
        }
        let wire = serde_ipld_dagcbor::from_slice::<Wire>(block.data());
        let wire = wire.map_err(|_| malformed("not a tree descriptor of version 1"))?;
        wire.params.validate().map_err(|_| malformed("parameters out of range"))?;
        let top = match &wire.top {
            None => None,
            Some(cid) => Some(digest_of(cid).ok_or_else(|| malformed("top is not a dag-cbor block"))?),
        };
        let totals = Totals { count: wire.count, bytes: wire.bytes };
        if top.is_none() && totals != Totals::default() {
            return Err(malformed("an empty tree with entries"));
        }
        let descriptor = Self { salt: Salt(wire.salt.into_array()), params: wire.params, top, totals };
        // What serde is lenient about.
        if descriptor.encode() != *block {
            return Err(malformed("not canonical"));
        }
        Ok(descriptor)
    }
}
