//! Keys that seal other keys: what object encryption rests on.

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Entropy, IdentityError};

/// Bytes of the salt before what is sealed.
const SALT: usize = 16;

/// Seals keys of 32 bytes: a customer's key, or one of the [`crate::Keyring`].
///
/// Each is sealed by AES-256-GCM under a key of its own, HMAC-SHA256 of a random salt, so one wrapping key seals any number.
/// Wiped from memory when dropped, never printed.
pub struct WrappingKey(Zeroizing<[u8; 32]>);

impl WrappingKey {
    /// From the key's bytes.
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Seals `key` for a `place`: a salt, the ciphertext, a tag.
    pub fn wrap(&self, key: &[u8; 32], place: &[u8], entropy: &dyn Entropy) -> Vec<u8> {
        let mut salt = [0; SALT];
        entropy.fill(&mut salt);
        let payload = Payload { msg: key, aad: place };
        #[expect(clippy::expect_used, reason = "it fails only for more than 64 GiB")]
        let sealed = self.cipher(&salt).encrypt(&Nonce::default(), payload).expect("a short text");
        [&salt[..], &sealed].concat()
    }

    /// Opens what was sealed under this key for this place.
    ///
    /// # Errors
    /// [`IdentityError::Unsealable`]: another key, another place, or damage; nobody can tell which.
    pub fn unwrap(&self, sealed: &[u8], place: &[u8]) -> Result<Zeroizing<[u8; 32]>, IdentityError> {
        let (salt, text) = sealed.split_first_chunk::<SALT>().ok_or(IdentityError::Unsealable)?;
        let payload = Payload { msg: text, aad: place };
        let opened = self.cipher(salt).decrypt(&Nonce::default(), payload).map(Zeroizing::new);
        let opened = opened.map_err(|_| IdentityError::Unsealable)?;
        let mut key = Zeroizing::new([0; 32]);
        match opened.len() == key.len() {
            true => key.copy_from_slice(&opened),
            false => return Err(IdentityError::Unsealable),
        }
        Ok(key)
    }

    /// No two salts give the same cipher, so its one nonce is used once.
    fn cipher(&self, salt: &[u8; SALT]) -> Aes256Gcm {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.0).expect("a key");
        mac.update(b"carob/data-key/1");
        mac.update(salt);
        let key: Zeroizing<[u8; 32]> = Zeroizing::new(mac.finalize().into_bytes().into());
        Aes256Gcm::new((&*key).into())
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    fn key(byte: u8) -> WrappingKey {
        WrappingKey::new(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_key_opens_under_its_wrapping_key_in_its_place_alone() {
        let entropy = SeededEntropy::new(1);
        let sealed = key(1).wrap(&[7; 32], b"here", &entropy);
        assert_eq!(*key(1).unwrap(&sealed, b"here").unwrap(), [7; 32]);
        assert!(matches!(key(1).unwrap(&sealed, b"there"), Err(IdentityError::Unsealable)));
        assert!(matches!(key(2).unwrap(&sealed, b"here"), Err(IdentityError::Unsealable)));
        assert_ne!(sealed, key(1).wrap(&[7; 32], b"here", &entropy), "never sealed alike");
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(key(1).unwrap(&bad, b"here").is_err(), "byte {at}");
            assert!(key(1).unwrap(&sealed[..at], b"here").is_err(), "{at} bytes");
        }
        assert_eq!(format!("{:?}", key(1)), "WrappingKey(…)");
    }

    /// Computed with Node's `crypto`: wrapping key 09 repeated, salt 05 repeated, key 00 to 1f.
    #[test]
    fn sealed_bytes_are_those_of_another_implementation() {
        #[derive(Debug)]
        struct Fives;
        impl Entropy for Fives {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(5);
            }
        }
        let sealed = key(9).wrap(&std::array::from_fn(|at| at as u8), b"place", &Fives);
        assert_eq!(
            hex::encode(sealed),
            "0505050505050505050505050505050577a891b2379e181ca19a28ab50c8d55bc3e4b4cef299d5e258459493876726a5\
             670fe7dadd4c8bb5b63d3799a9a58871"
        );
    }
}
