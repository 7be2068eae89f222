//! What encryption keys are called.

use std::fmt;
use std::str::FromStr;

use crate::IdentityError;

/// What an encryption key is called: 1 to 256 ASCII letters, digits, `/`, `_` and `-`, the characters of an alias in AWS
/// KMS. Names that begin with `aws/` are for the keys that make themselves.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The key that is there by itself: made when it is first used, and never disabled.
    pub fn managed() -> Self {
        Self("aws/s3".to_owned())
    }

    /// Whether it is [`KeyName::managed`].
    pub fn is_managed(&self) -> bool {
        self.0 == "aws/s3"
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        if !(1..=256).contains(&text.len()) {
            return Err(IdentityError::InvalidKeyName(
                "an encryption key's name must have 1 to 256 characters",
            ));
        }
        if !text.bytes().all(|c| c.is_ascii_alphanumeric() || b"/_-".contains(&c)) {
            return Err(IdentityError::InvalidKeyName(
                "an encryption key's name may hold only letters, digits, / _ and -",
            ));
        }
        let name = Self(text.to_owned());
        match text.starts_with("aws/") && !name.is_managed() {
            true => Err(IdentityError::InvalidKeyName("names that begin with aws/ are taken")),
            false => Ok(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_aliases() {
        for good in
            ["a", "testkey-1", "a/b_c", "1234abcd-12ab-34cd-56ef-1234567890ab", "aws/s3", &"x".repeat(256)]
        {
            assert_eq!(good.parse::<KeyName>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "ä", "aws/", "aws/ebs", "a:b", &"x".repeat(257)] {
            assert!(matches!(bad.parse::<KeyName>(), Err(IdentityError::InvalidKeyName(_))), "{bad}");
        }
    }
}
