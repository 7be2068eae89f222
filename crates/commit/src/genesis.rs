//! What never changes of a bucket.

use carob_block::Block;
use carob_identity::{Did, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{BucketId, CommitError, codec};

/// What never changes of a bucket; the head `name/<bucket>` points at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genesis {
    /// The bucket's identity.
    pub id: BucketId,
    /// The space the bucket belongs to.
    pub space: Did,
    /// Who owns it.
    pub owner: Did,
    /// The salt of its trees.
    pub salt: [u8; 16],
    /// When it was created.
    pub created: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    id: BucketId,
    space: Did,
    owner: Did,
    #[serde(with = "serde_bytes")]
    salt: [u8; 16],
    created: Timestamp,
}

impl Genesis {
    /// The block that holds it.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_block(&self) -> Result<Block, CommitError> {
        let wire = Wire {
            v: 1,
            id: self.id,
            space: self.space,
            owner: self.owner,
            salt: self.salt,
            created: self.created,
        };
        codec::encode(&wire, "genesis")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let wire: Wire = codec::decode(block, "genesis")?;
        codec::version_one(wire.v, "genesis")?;
        Ok(Self { id: wire.id, space: wire.space, owner: wire.owner, salt: wire.salt, created: wire.created })
    }

    /// The head that names the bucket called `name`.
    pub fn head(name: &str) -> String {
        format!("name/{name}")
    }
}
