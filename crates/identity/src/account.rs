//! Accounts, which own buckets.

use std::fmt;
use std::str::FromStr;

use crate::{Did, Identity, IdentityError, Timestamp};

/// Somebody who owns buckets. Known to programs by a key, to people by a name, to S3 by two numbers made of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What it is, whatever it is called.
    pub id: Did,
    /// What people call it; no two accounts of a space have the same.
    pub name: AccountName,
    /// When it was made; `None` for the root account, which is as old as the space.
    pub created: Option<Timestamp>,
}

impl Account {
    /// The account that the space itself is: its key signs for the space, the root access key acts for it.
    pub fn root(space: Did) -> Self {
        Self { id: space, name: AccountName(ROOT_NAME.to_owned()), created: None }
    }
}

const ROOT_NAME: &str = "root";

impl Did {
    /// The owner id that S3 shows: 64 hex digits, which are the public key.
    pub fn canonical_id(&self) -> String {
        hex::encode(self.public_key())
    }

    /// The account that S3 shows this owner id for; `None` for what is no such id.
    pub fn from_canonical_id(id: &str) -> Option<Self> {
        let mut key = [0; 32];
        hex::decode_to_slice(id, &mut key).ok()?;
        Self::from_public_key(key).ok()
    }
}

/// The 12 digits that stand for an account in ARNs and in `x-amz-expected-bucket-owner`.
///
/// The first eight bytes of the public key, big-endian, modulo 10^12: nothing need be kept to know it, and whoever
/// makes an account draws another key if the number is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountNumber(u64);

impl AccountNumber {
    /// The number of the account that has this key.
    pub fn of(id: &Did) -> Self {
        let first = id.public_key().first_chunk().copied().unwrap_or_default();
        Self(u64::from_be_bytes(first) % 1_000_000_000_000)
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

/// What people call an account: 1 to 64 ASCII letters, digits, inner spaces and `+=,.@_-`, which but for the spaces are
/// the characters of IAM's user names. Not `root`, which is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(String);

impl AccountName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if !(1..=64).contains(&text.len()) {
            return Err(IdentityError::InvalidAccount("an account's name must have 1 to 64 characters"));
        }
        if !text.bytes().all(|c| c.is_ascii_alphanumeric() || b" +=,.@_-".contains(&c)) || text.trim() != text
        {
            return Err(IdentityError::InvalidAccount(
                "an account's name may hold only letters, digits, + = , . @ _ - and inner spaces",
            ));
        }
        if text.eq_ignore_ascii_case(ROOT_NAME) {
            return Err(IdentityError::InvalidAccount("root is the name of the space's own account"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells who is who.
pub trait Directory: Send + Sync + fmt::Debug {
    /// The account that an identity acts for; `None` if there is none (any more).
    fn account_of(&self, identity: &Identity) -> Option<Account>;

    /// What people call the account of this id; `None` if there is none (any more).
    fn name_of(&self, id: &Did) -> Option<AccountName>;

    /// The account that people call this; `None` if there is none.
    fn named(&self, name: &str) -> Option<Did>;
}

/// A space with no account but its own, for which everybody acts.
#[derive(Debug, Clone)]
pub struct SoleAccount(pub Account);

impl Directory for SoleAccount {
    fn account_of(&self, _identity: &Identity) -> Option<Account> {
        Some(self.0.clone())
    }

    fn name_of(&self, id: &Did) -> Option<AccountName> {
        (*id == self.0.id).then(|| self.0.name.clone())
    }

    fn named(&self, name: &str) -> Option<Did> {
        (name == self.0.name.as_str()).then_some(self.0.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signer, SpaceKey};

    #[test]
    fn the_numbers_of_an_account_follow_from_its_key() {
        let did = *SpaceKey::from_seed(&[7; 32]).did();
        assert_eq!(did.canonical_id(), "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c");
        // 0xea4a6c63e29c520a modulo 10^12.
        assert_eq!(AccountNumber::of(&did).to_string(), "329411183114");
        for seed in 0..50 {
            let did = *SpaceKey::from_seed(&[seed; 32]).did();
            let number = AccountNumber::of(&did).to_string();
            assert!(number.len() == 12 && number.bytes().all(|c| c.is_ascii_digit()), "{number}");
        }
    }

    #[test]
    fn names_are_held_to_length_and_characters() {
        for good in ["a", "M. Tester", "ci+backup@example.com", &"x".repeat(64)] {
            assert_eq!(good.parse::<AccountName>().unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a/b", "käse", "a\nb", "a\tb", "<a>", "root", "Root", &"x".repeat(65)] {
            assert!(bad.parse::<AccountName>().is_err(), "{bad:?}");
        }
    }
}
