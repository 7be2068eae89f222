//! Secrets sealed under a master key.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use zeroize::Zeroizing;

use crate::{AccessKeyId, Did, Entropy, IdentityError, KeyName};

/// The length of a nonce, and of the tag at the end, in bytes (NIST SP 800-38D).
const NONCE: usize = 12;
const TAG: usize = 16;

/// Seals what must not be read where it is stored: AES-256-GCM under a key that is kept elsewhere.
///
/// What is sealed is bound to its place: opened for another account or key, it is refused. Wiped from memory when
/// dropped, never printed. Nonces are drawn at random, which is sound for 2^32 sealed things (NIST SP 800-38D §8.3).
pub struct MasterKey {
    cipher: Aes256Gcm,
    bytes: Zeroizing<[u8; 32]>,
}

/// What a sealed thing is and whose: it opens as nothing else.
#[derive(Debug, Clone, Copy)]
pub enum Sealed<'a> {
    /// Nothing secret: tells whether a master key is the right one.
    Check,
    /// The private key of an account.
    AccountKey(&'a Did),
    /// The secret of an access key.
    Secret(&'a Did, &'a AccessKeyId),
    /// A key that objects are encrypted under.
    EncryptionKey(&'a KeyName),
}

impl Sealed<'_> {
    /// The associated data: no two different places give the same.
    fn place(self) -> Vec<u8> {
        match self {
            Self::Check => b"carob/system/check".to_vec(),
            Self::AccountKey(account) => [&b"carob/system/account"[..], account.public_key()].concat(),
            Self::Secret(account, key) => {
                [&b"carob/system/secret"[..], account.public_key(), key.as_str().as_bytes()].concat()
            }
            Self::EncryptionKey(name) => [&b"carob/system/encryption"[..], name.as_str().as_bytes()].concat(),
        }
    }
}

impl MasterKey {
    /// Draws a new key.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut());
        Self::new(bytes)
    }

    fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { cipher: Aes256Gcm::new((&*bytes).into()), bytes }
    }

    /// Reads the 64 hex digits of [`MasterKey::to_hex`]; white space around them is fine.
    ///
    /// # Errors
    /// [`IdentityError::InvalidMasterKey`].
    pub fn from_hex(text: &str) -> Result<Self, IdentityError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut()).map_err(|_| IdentityError::InvalidMasterKey)?;
        Ok(Self::new(bytes))
    }

    /// The key as its file holds it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(*self.bytes))
    }

    /// Seals `secret`: a nonce, the ciphertext, a tag.
    pub fn seal(&self, what: Sealed<'_>, secret: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        entropy.fill(&mut nonce);
        let payload = Payload { msg: secret, aad: &what.place() };
        #[expect(clippy::expect_used, reason = "it fails only for more than 64 GiB")]
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload).expect("a short text");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what was sealed as `what` under this key.
    ///
    /// # Errors
    /// [`IdentityError::Unsealable`]: another key, another place, or damage; nobody can tell which.
    pub fn open(&self, what: Sealed<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE>().ok_or(IdentityError::Unsealable)?;
        if text.len() < TAG {
            return Err(IdentityError::Unsealable);
        }
        let payload = Payload { msg: text, aad: &what.place() };
        let opened = self.cipher.decrypt(&Nonce::from(*nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| IdentityError::Unsealable)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SeededEntropy, Signer, SpaceKey};

    fn did(seed: u8) -> Did {
        *SpaceKey::from_seed(&[seed; 32]).did()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let entropy = SeededEntropy::new(1);
        let master = MasterKey::generate(&entropy);
        let (one, two): (AccessKeyId, AccessKeyId) = ("one".parse().unwrap(), "two".parse().unwrap());
        let sealed = master.seal(Sealed::Secret(&did(1), &one), b"secret", &entropy);
        assert_eq!(**master.open(Sealed::Secret(&did(1), &one), &sealed).unwrap(), *b"secret");
        for other in [
            Sealed::Secret(&did(1), &two),
            Sealed::Secret(&did(2), &one),
            Sealed::AccountKey(&did(1)),
            Sealed::Check,
        ] {
            assert!(matches!(master.open(other, &sealed), Err(IdentityError::Unsealable)), "{other:?}");
        }
        let another = MasterKey::generate(&entropy);
        assert!(another.open(Sealed::Secret(&did(1), &one), &sealed).is_err());
        let read = MasterKey::from_hex(&format!("{}\n", *master.to_hex())).unwrap();
        assert!(read.open(Sealed::Secret(&did(1), &one), &sealed).is_ok());
    }

    #[test]
    fn any_flipped_bit_or_cut_is_refused() {
        let entropy = SeededEntropy::new(2);
        let master = MasterKey::generate(&entropy);
        let sealed = master.seal(Sealed::Check, b"text", &entropy);
        for bit in 0..sealed.len() * 8 {
            let mut bad = sealed.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(master.open(Sealed::Check, &bad).is_err(), "bit {bit}");
        }
        for len in 0..sealed.len() {
            assert!(master.open(Sealed::Check, &sealed[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_alike() {
        let entropy = SeededEntropy::new(3);
        let master = MasterKey::generate(&entropy);
        assert_ne!(master.seal(Sealed::Check, b"x", &entropy), master.seal(Sealed::Check, b"x", &entropy));
        assert_eq!(format!("{master:?}"), "MasterKey(…)");
    }

    /// Computed with Python's `cryptography` 48.0 and with Node's `crypto`: key 00 to 1f, nonce 0, this text and place.
    #[test]
    fn sealed_bytes_are_those_of_another_implementation() {
        #[derive(Debug)]
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let key: [u8; 32] = std::array::from_fn(|at| at as u8);
        let master = MasterKey::from_hex(&hex::encode(key)).unwrap();
        let sealed = master.seal(Sealed::Check, b"carob", &Zeros);
        assert_eq!(hex::encode(sealed), "0000000000000000000000006dddc7b1d744420ffb4c7bf68064102a1fad6a9da1");
    }

    #[test]
    fn a_master_key_is_64_hex_digits() {
        for bad in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert!(matches!(MasterKey::from_hex(bad), Err(IdentityError::InvalidMasterKey)), "{bad}");
        }
    }
}
