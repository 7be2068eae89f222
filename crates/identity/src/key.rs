//! Signing keys and signatures.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::{Zeroize, Zeroizing};

use crate::{Did, Entropy, IdentityError};

/// An Ed25519 signature (RFC 8032): 64 bytes, not yet known to be right.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes as they are; only [`verify`] tells what they are worth.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes as stored and sent: R, then S.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// Checks that `signer` signed exactly `message`; the same as [`Did::verify`].
///
/// # Errors
/// [`IdentityError::BadSignature`].
pub fn verify(signer: &Did, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
    signer.verify(message, signature)
}

/// Signs with a key that it does not show.
pub trait Signer: Send + Sync + fmt::Debug {
    /// Whose signatures these are.
    fn did(&self) -> &Did;

    /// Signs `message`. The caller makes sure that bytes meant for one purpose cannot be taken for another.
    fn sign(&self, message: &[u8]) -> Signature;
}

/// The private key of a space, Ed25519. Wiped from memory when dropped; `Debug` shows the DID alone.
pub struct SpaceKey {
    key: SigningKey,
    did: Did,
}

impl SpaceKey {
    /// Draws a new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        entropy.fill(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The key of this seed, which RFC 8032 calls the private key.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        #[expect(
            clippy::expect_used,
            reason = "clamping keeps every seed's public key out of the small subgroup"
        )]
        let did =
            Did::from_public_key(key.verifying_key().to_bytes()).expect("a derived public key is sound");
        Self { key, did }
    }

    /// Reads PKCS#8 PEM (RFC 8410), as written by [`SpaceKey::to_pem`] or `openssl genpkey`.
    ///
    /// # Errors
    /// [`IdentityError::InvalidKey`], also when an enclosed public key does not match.
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(|e| IdentityError::InvalidKey(Box::new(e)))?;
        Ok(Self::from_seed(&Zeroizing::new(key.to_bytes())))
    }

    /// PKCS#8 PEM without the public key: the form of RFC 8410 §10.3 that every OpenSSL reads.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        #[expect(clippy::expect_used, reason = "encoding 32 bytes has no way to fail")]
        let pem = pair.to_pkcs8_pem(LineEnding::LF).expect("a 32-byte key encodes");
        pair.secret_key.zeroize();
        pem
    }
}

impl Signer for SpaceKey {
    fn did(&self) -> &Did {
        &self.did
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for SpaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpaceKey({})", self.did)
    }
}
