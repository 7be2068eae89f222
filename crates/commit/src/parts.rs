//! The parts that a multipart object was made of.

use carob_block::{Block, Cid};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{Blake3Root, CommitError, codec};

/// The parts of an object made by a multipart upload, in order. A block that the record links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartList(pub Vec<Part>);

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its number in the upload, 1 to 10,000.
    pub number: u16,
    /// How many bytes of the body it is.
    pub size: u64,
    /// BLAKE3 over it as it is stored.
    pub blake3: Blake3Root,
    /// Its own checksum, of the record's algorithm.
    pub checksum: Option<Vec<u8>>,
    /// Its salt, if it is encrypted.
    pub salt: Option<[u8; 16]>,
}

impl Part {
    /// Bytes of it as it is stored; `None` if there is no such number.
    pub fn stored(&self) -> Option<u64> {
        if self.salt.is_some() { carob_object::sealed_size(self.size) } else { Some(self.size) }
    }
}

/// On disk: number, size, BLAKE3 root, outboard, checksum.
#[derive(Serialize, Deserialize)]
struct Wire(u16, u64, #[serde(with = "serde_bytes")] [u8; 32], Option<Cid>, Option<ByteBuf>);

/// The same of an encrypted object: number, size, BLAKE3 root, outboard, checksum, salt.
#[derive(Serialize, Deserialize)]
struct SealedWire(
    u16,
    u64,
    #[serde(with = "serde_bytes")] [u8; 32],
    Option<Cid>,
    Option<ByteBuf>,
    #[serde(with = "serde_bytes")] [u8; 16],
);

impl PartList {
    /// The block that holds it.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`]; 10,000 parts fit.
    pub fn to_block(&self) -> Result<Block, CommitError> {
        let bytes = |checksum: &Option<Vec<u8>>| checksum.clone().map(ByteBuf::from);
        let wire = |part: &Part| {
            let Part { number, size, blake3, checksum, salt: _ } = part;
            Wire(*number, *size, blake3.root, blake3.outboard, bytes(checksum))
        };
        let sealed = |part: &Part| {
            let Part { number, size, blake3, checksum, salt } = part;
            Some(SealedWire(*number, *size, blake3.root, blake3.outboard, bytes(checksum), (*salt)?))
        };
        match self.0.iter().map(sealed).collect::<Option<Vec<_>>>() {
            Some(sealed) if !sealed.is_empty() => codec::encode(&sealed, "part list"),
            _ => codec::encode(&self.0.iter().map(wire).collect::<Vec<_>>(), "part list"),
        }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let sealed = |SealedWire(number, size, root, outboard, checksum, salt): SealedWire| {
            let blake3 = Blake3Root { root, outboard };
            Part { number, size, blake3, checksum: checksum.map(ByteBuf::into_vec), salt: Some(salt) }
        };
        let part = |Wire(number, size, root, outboard, checksum): Wire| {
            let blake3 = Blake3Root { root, outboard };
            Part { number, size, blake3, checksum: checksum.map(ByteBuf::into_vec), salt: None }
        };
        match codec::decode::<Vec<Wire>>(block, "part list") {
            Ok(wires) => Ok(Self(wires.into_iter().map(part).collect())),
            Err(error) => match codec::decode::<Vec<SealedWire>>(block, "part list") {
                Ok(wires) => Ok(Self(wires.into_iter().map(sealed).collect())),
                Err(_) => Err(error),
            },
        }
    }

    /// The same for a record whose checksum is of another algorithm than the parts'.
    #[must_use]
    pub fn without_checksums(self) -> Self {
        Self(self.0.into_iter().map(|part| Part { checksum: None, ..part }).collect())
    }

    /// The sum of the parts' sizes.
    pub fn size(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }
}
