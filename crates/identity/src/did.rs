//! Public keys as did:key.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use multibase::Base;
use serde::{Deserialize, Serialize};

use crate::{IdentityError, Signature};

/// The multicodec `ed25519-pub` (0xed) as an unsigned varint.
const ED25519_PUB: [u8; 2] = [0xed, 0x01];

/// `did:key:z` and 47 digits of base58btc: with this prefix every 32-byte key has the same length.
const TEXT_LEN: usize = 56;

/// The did:key of an Ed25519 public key, such as `did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp`.
///
/// Holds only keys that can verify something: a point of the curve, canonically encoded, not of small order.
/// One key has one spelling. Source: the W3C CCG's did:key method, section 3.1.1 and its Ed25519 vectors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Did([u8; 32]);

impl Did {
    /// The DID of this Ed25519 public key.
    ///
    /// # Errors
    /// [`IdentityError::InvalidDid`] if no signature by it could be trusted.
    pub fn from_public_key(bytes: [u8; 32]) -> Result<Self, IdentityError> {
        let key = VerifyingKey::from_bytes(&bytes)
            .map_err(|_| IdentityError::InvalidDid("the key is not a point of the curve"))?;
        if key.is_weak() {
            return Err(IdentityError::InvalidDid("the key has a small order"));
        }
        // Decompression accepts a few points in two spellings; two DIDs of one key would be two authors.
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(IdentityError::InvalidDid("the key is not canonically encoded"));
        }
        Ok(Self(bytes))
    }

    /// The Ed25519 public key.
    pub fn public_key(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks that the holder of this key signed exactly `message`.
    ///
    /// # Errors
    /// [`IdentityError::BadSignature`], also for signatures that RFC 8032 verifiers disagree about.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| IdentityError::BadSignature)?;
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        key.verify_strict(message, &signature).map_err(|_| IdentityError::BadSignature)
    }
}

impl FromStr for Did {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        // Checked first: decoding base58 takes time quadratic in the length.
        if text.len() != TEXT_LEN {
            return Err(IdentityError::InvalidDid("it is not 56 characters long"));
        }
        let encoded = text
            .strip_prefix("did:key:")
            .filter(|encoded| encoded.starts_with('z'))
            .ok_or(IdentityError::InvalidDid("it does not start with did:key:z"))?;
        let (_, bytes) =
            multibase::decode(encoded).map_err(|_| IdentityError::InvalidDid("it is not base58btc"))?;
        let key = bytes
            .strip_prefix(&ED25519_PUB)
            .and_then(|key| key.try_into().ok())
            .ok_or(IdentityError::InvalidDid("it is of another key type"))?;
        Self::from_public_key(key)
    }
}

impl fmt::Display for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 34];
        let (prefix, key) = bytes.split_at_mut(ED25519_PUB.len());
        prefix.copy_from_slice(&ED25519_PUB);
        key.copy_from_slice(&self.0);
        write!(f, "did:key:{}", multibase::encode(Base::Base58Btc, bytes))
    }
}

impl fmt::Debug for Did {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Did> for String {
    fn from(did: Did) -> Self {
        did.to_string()
    }
}

impl TryFrom<String> for Did {
    type Error = IdentityError;

    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}
