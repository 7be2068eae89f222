//! S3 credentials.

use std::fmt;
use std::str::FromStr;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{Entropy, IdentityError};

/// A-Z and the digits that cannot be mistaken for letters: the alphabet of base32, and of AWS's key ids.
const ID_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Letters and digits: nothing that a shell, a URL or an INI file would want escaped.
const SECRET_ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The public half of S3 credentials: 3 to 128 ASCII letters, digits and `_`, `-`, `.`, `@`.
///
/// AWS's own are of letters, digits and `_`; the others can stand in an `Authorization` header unescaped too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccessKeyId(String);

impl AccessKeyId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn generate(entropy: &dyn Entropy) -> Self {
        // AWS's shape of 20 characters, but not AWS's `AKIA`, which secret scanners report to AWS.
        Self(format!("CARO{}", random_text(entropy, ID_ALPHABET, 16).as_str()))
    }
}

impl FromStr for AccessKeyId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if !(3..=128).contains(&text.len()) {
            return Err(IdentityError::InvalidCredentials("the access key id must have 3 to 128 characters"));
        }
        if !text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.@".contains(&c)) {
            return Err(IdentityError::InvalidCredentials(
                "the access key id may hold only letters, digits and _ - . @",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The secret half of S3 credentials: 8 to 128 visible ASCII characters.
///
/// Wiped from memory when dropped, compared in constant time (the length may show), never printed.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<String>);

impl SecretKey {
    /// The secret itself, for computing a signature or writing the key file.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if text.len() < 8 {
            return Err(IdentityError::InvalidCredentials(
                "the secret key is too short: it must have at least 8 characters",
            ));
        }
        if text.len() > 128 {
            return Err(IdentityError::InvalidCredentials("the secret key is longer than 128 characters"));
        }
        if !text.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(IdentityError::InvalidCredentials(
                "the secret key may hold only visible ASCII characters, no spaces",
            ));
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// An access key id with its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Names the key in every request.
    pub id: AccessKeyId,
    /// Signs requests; never sent.
    pub secret: SecretKey,
}

impl Credentials {
    /// Draws new credentials in AWS's shape: an id of 20 characters and a secret of 40 (238 random bits).
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let secret = SecretKey(random_text(entropy, SECRET_ALPHABET, 40));
        Self { id: AccessKeyId::generate(entropy), secret }
    }

    /// Checks credentials that somebody chose.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], naming the rule.
    pub fn parse(id: &str, secret: &str) -> Result<Self, IdentityError> {
        Ok(Self { id: id.parse()?, secret: secret.parse()? })
    }
}

/// `len` letters, each drawn evenly from an alphabet of at most 64.
fn random_text(entropy: &dyn Entropy, alphabet: &[u8], len: usize) -> Zeroizing<String> {
    // The capacity up front: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(len));
    let mut byte = Zeroizing::new([0]);
    while text.len() < len {
        entropy.fill(byte.as_mut());
        // Masked, and drawn again when beyond the alphabet: a remainder would favour the first letters.
        if let Some(letter) = alphabet.get(usize::from(byte[0] & 0x3f)) {
            text.push(char::from(*letter));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn generated_credentials_have_the_shape_of_aws() {
        let entropy = SeededEntropy::new(1);
        for _ in 0..100 {
            let Credentials { id, secret } = Credentials::generate(&entropy);
            assert_eq!((id.as_str().len(), secret.expose().len()), (20, 40));
            assert!(id.as_str().bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()));
            assert_eq!(Credentials::parse(id.as_str(), secret.expose()).unwrap(), Credentials { id, secret });
        }
    }

    #[test]
    fn every_letter_of_the_alphabet_is_drawn_about_equally_often() {
        let text = random_text(&SeededEntropy::new(2), SECRET_ALPHABET, 62_000);
        for letter in SECRET_ALPHABET {
            let count = text.bytes().filter(|c| c == letter).count();
            assert!((850..1150).contains(&count), "{} came {count} times", char::from(*letter));
        }
    }

    #[test]
    fn chosen_ids_are_held_to_length_and_characters() {
        for good in ["abc", "AKIAIOSFODNN7EXAMPLE", "minio-admin", "a.b@c_d", &"x".repeat(128)] {
            assert_eq!(good.parse::<AccessKeyId>().unwrap().as_str(), good);
        }
        for bad in ["", "ab", "a/b", "a b", "a,b", "a=b", "käse", "abc\n", &"x".repeat(129)] {
            assert!(bad.parse::<AccessKeyId>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_short_secret_is_refused_with_the_rule() {
        let err = "1234567".parse::<SecretKey>().unwrap_err();
        assert_eq!(err.to_string(), "the secret key is too short: it must have at least 8 characters");
        for bad in ["12345678\n", "1234 5678", "schlüssel", &"x".repeat(129)] {
            assert!(bad.parse::<SecretKey>().is_err(), "{bad:?}");
        }
        assert!("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".parse::<SecretKey>().is_ok());
    }

    #[test]
    fn secrets_differ_by_any_byte_and_are_never_printed() {
        let credentials = Credentials::parse("someone", "correct-horse").unwrap();
        assert_eq!(credentials.secret, "correct-horse".parse().unwrap());
        assert_ne!(credentials.secret, "correct-horsf".parse().unwrap());
        assert_ne!(credentials.secret, "correct-horse1".parse().unwrap());
        assert!(!format!("{credentials:?}").contains("horse"));
    }
}
