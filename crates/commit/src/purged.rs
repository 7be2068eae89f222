//! What was erased of a bucket's past: its tombstones.

use carob_block::{Block, Cid};
use carob_identity::{Did, Hlc, Signature, Signer, Timestamp, verify};
use carob_index::{IndexError, Value};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{BucketId, CommitError, codec};

const WHAT: &str = "list of purged keys";

/// Which keys of a bucket were purged, and which blocks are missing for it; the head `purged/<id>` points at it. Signed,
/// so that nothing else passes for a reason why a past state is not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// The space that the bucket belongs to.
    pub space: Did,
    /// The bucket.
    pub bucket: BucketId,
    /// The tree of [`Tombstone`]s.
    pub tombstones: Cid,
    /// When the newest state was made that a purge has looked at: what later ones reach is not missing.
    pub upto: Hlc,
    /// When it was signed.
    pub time: Timestamp,
    /// Who signed it.
    pub author: Did,
}

/// What a key of the tree says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tombstone {
    /// Of this key, whatever was written up to the time in the tree's value is gone.
    Key(String),
    /// This block may be missing. A weak link.
    Block(Cid),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    space: Did,
    bucket: BucketId,
    tombstones: Cid,
    /// As in a list of kept commits.
    upto: (u64, u16),
    time: Timestamp,
    author: Did,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sig: Option<ByteBuf>,
}

impl Purged {
    /// The head that holds what was purged of the bucket `id`.
    pub fn head(id: BucketId) -> String {
        format!("purged/{id}")
    }

    fn to_wire(self) -> Wire {
        let Self { space, bucket, tombstones, upto, time, author } = self;
        let upto = (upto.millis, upto.counter);
        Wire { v: 1, space, bucket, tombstones, upto, time, author, sig: None }
    }

    /// The block that holds it, signed by `signer`, who becomes the author.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn sign(self, signer: &dyn Signer) -> Result<Block, CommitError> {
        let mut wire = Self { author: *signer.did(), ..self }.to_wire();
        let signature = signer.sign(codec::encode(&wire, WHAT)?.data());
        wire.sig = Some(ByteBuf::from(signature.as_bytes().to_vec()));
        codec::encode(&wire, WHAT)
    }

    /// Reads it back, and checks the signature.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`], [`CommitError::BadSignature`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let mut wire: Wire = codec::decode(block, WHAT)?;
        codec::version_one(wire.v, WHAT)?;
        let bad = || CommitError::BadSignature(*block.cid());
        let signature = <[u8; 64]>::try_from(&wire.sig.take().unwrap_or_default()[..]).map_err(|_| bad())?;
        let signed = codec::encode(&wire, WHAT)?;
        verify(&wire.author, signed.data(), &Signature::from_bytes(signature)).map_err(|_| bad())?;
        let Wire { space, bucket, tombstones, upto: (millis, counter), time, author, .. } = wire;
        Ok(Self { space, bucket, tombstones, upto: Hlc { millis, counter }, time, author })
    }
}

impl Tombstone {
    /// Before all keys of objects.
    pub const KEYS: &[u8] = b"k";
    /// Before all blocks.
    pub const BLOCKS: &[u8] = b"b";

    /// Where it stands in the tree.
    #[must_use]
    pub fn place(&self) -> Vec<u8> {
        match self {
            Self::Key(key) => [Self::KEYS, key.as_bytes()].concat(),
            Self::Block(cid) => [Self::BLOCKS, &cid.to_bytes()].concat(),
        }
    }

    /// What a key of the tree says; `None` if it is none.
    #[must_use]
    pub fn at(place: &[u8]) -> Option<Self> {
        if let Some(key) = place.strip_prefix(Self::KEYS) {
            return Some(Self::Key(String::from_utf8(key.to_vec()).ok()?));
        }
        Cid::try_from(place.strip_prefix(Self::BLOCKS)?).ok().map(Self::Block)
    }

    /// What stands there: for a key the time, in milliseconds, up to which it is gone; 0 for a block.
    ///
    /// # Errors
    /// None that a number could cause.
    pub fn value(upto: u64) -> Result<Value, IndexError> {
        Value::from_serialize(&upto)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`IndexError::InvalidValue`] if it is no number.
    pub fn upto(value: &Value) -> Result<u64, IndexError> {
        value.deserialize()
    }
}
