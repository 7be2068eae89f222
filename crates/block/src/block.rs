//! A block: bytes that match their CID, by type.

use bytes::Bytes;
use cid::Cid;
use multihash::Multihash;
use sha2::{Digest, Sha256};

/// The largest block accepted anywhere, in bytes: a 1 MiB leaf or any node fits with room to spare, and
/// IPFS implementations exchange blocks up to this size.
pub const MAX_BLOCK_SIZE: usize = 2 * 1024 * 1024;

const SHA2_256: u64 = 0x12;

/// How the bytes of a block are to be read. Codes are those of the multicodec table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// Plain bytes (0x55): leaves of object bodies.
    Raw,
    /// DAG-PB (0x70): inner nodes of UnixFS files.
    DagPb,
    /// DAG-CBOR (0x71): index nodes, records, commits.
    DagCbor,
}

impl Codec {
    /// The multicodec code.
    pub const fn code(self) -> u64 {
        match self {
            Self::Raw => 0x55,
            Self::DagPb => 0x70,
            Self::DagCbor => 0x71,
        }
    }

    /// The codec with this multicodec code, if it is one that blocks may have.
    pub const fn from_code(code: u64) -> Option<Self> {
        match code {
            0x55 => Some(Self::Raw),
            0x70 => Some(Self::DagPb),
            0x71 => Some(Self::DagCbor),
            _ => None,
        }
    }
}

/// Why bytes are not an acceptable block.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// More than [`MAX_BLOCK_SIZE`] bytes.
    #[error("a block of {0} bytes is over the limit of {MAX_BLOCK_SIZE}")]
    TooLarge(usize),
    /// Not CIDv1 with a full sha2-256 digest and one of the known codecs.
    #[error("unsupported CID {0}: blocks have CIDv1, sha2-256, and codec raw, dag-pb or dag-cbor")]
    UnsupportedCid(Cid),
    /// The bytes hash to something else.
    #[error("bytes do not match their CID {0}")]
    HashMismatch(Cid),
    /// The bytes are not valid in the block's codec.
    #[error("block {cid} is not valid in its codec")]
    Malformed {
        /// The block.
        cid: Cid,
        /// What the decoder found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Bytes together with the CID they hash to.
///
/// Always CIDv1 with sha2-256, at most [`MAX_BLOCK_SIZE`] bytes. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    cid: Cid,
    data: Bytes,
}

impl Block {
    /// Hashes `data` into a block.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`].
    pub fn new(codec: Codec, data: Bytes) -> Result<Self, BlockError> {
        if data.len() > MAX_BLOCK_SIZE {
            return Err(BlockError::TooLarge(data.len()));
        }
        Ok(Self { cid: sha256_cid(codec, Sha256::digest(&data).into()), data })
    }

    /// Checks `data` against `cid`, for bytes that come from a disk, peer or client.
    ///
    /// # Errors
    /// [`BlockError::TooLarge`], [`BlockError::UnsupportedCid`], [`BlockError::HashMismatch`].
    pub fn verify(cid: Cid, data: Bytes) -> Result<Self, BlockError> {
        let codec = supported_codec(&cid).ok_or(BlockError::UnsupportedCid(cid))?;
        let block = Self::new(codec, data)?;
        if block.cid == cid { Ok(block) } else { Err(BlockError::HashMismatch(cid)) }
    }

    /// The content identifier.
    pub fn cid(&self) -> &Cid {
        &self.cid
    }

    /// The bytes.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The codec in the CID.
    pub fn codec(&self) -> Codec {
        Codec::from_code(self.cid.codec()).unwrap_or(Codec::Raw)
    }
}

/// The CIDv1 of a block whose SHA-256 is already known.
pub fn sha256_cid(codec: Codec, digest: [u8; 32]) -> Cid {
    #[expect(clippy::expect_used, reason = "32 bytes always fit the 64 of a Multihash<64>")]
    let hash = Multihash::wrap(SHA2_256, &digest).expect("32 bytes fit");
    Cid::new_v1(codec.code(), hash)
}

fn supported_codec(cid: &Cid) -> Option<Codec> {
    let sha256 = cid.hash().code() == SHA2_256 && cid.hash().size() == 32;
    (cid.version() == cid::Version::V1 && sha256).then(|| Codec::from_code(cid.codec())).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_is_refused() {
        let block = Block::new(Codec::Raw, Bytes::from_static(b"carob")).unwrap();
        assert_eq!(Block::verify(*block.cid(), Bytes::from_static(b"carob")).unwrap(), block);
        let err = Block::verify(*block.cid(), Bytes::from_static(b"carod")).unwrap_err();
        assert!(matches!(err, BlockError::HashMismatch(_)));
    }

    #[test]
    fn cids_of_other_shapes_are_refused() {
        let digest: [u8; 32] = Sha256::digest(b"x").into();
        let v0 = Cid::new_v0(Multihash::wrap(SHA2_256, &digest).unwrap()).unwrap();
        let identity = Cid::new_v1(0x55, Multihash::wrap(0, b"x").unwrap());
        let short = Cid::new_v1(0x55, Multihash::wrap(SHA2_256, &digest[..20]).unwrap());
        let json = Cid::new_v1(0x0129, Multihash::wrap(SHA2_256, &digest).unwrap());
        for cid in [v0, identity, short, json] {
            let err = Block::verify(cid, Bytes::from_static(b"x")).unwrap_err();
            assert!(matches!(err, BlockError::UnsupportedCid(_)), "{cid}");
        }
    }

    #[test]
    fn an_oversize_block_is_refused() {
        let err = Block::new(Codec::Raw, vec![0; MAX_BLOCK_SIZE + 1].into()).unwrap_err();
        assert!(matches!(err, BlockError::TooLarge(_)));
    }
}
