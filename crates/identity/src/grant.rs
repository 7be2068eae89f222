//! What an access key may do at most.

use serde::{Deserialize, Serialize};

use crate::{AccessKeyId, Action, Did, IdentityError, Timestamp};

/// The most buckets that a scope names.
const MAX_BUCKETS: usize = 100;

/// The longest prefix in bytes, as of keys.
const MAX_PREFIX: usize = 1024;

/// What an access key may do at most of what its account may do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only in these buckets; empty for all that the account owns, also later ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
    /// Only keys that start with this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// Get, head and list.
    pub read: bool,
    /// Put, delete, and uploads in parts.
    pub write: bool,
}

impl Default for Scope {
    /// Everything that the account may do.
    fn default() -> Self {
        Self { buckets: Vec::new(), prefix: String::new(), read: true, write: true }
    }
}

/// What reading is, beside listing: nothing of it changes anything or tells who else has rights.
const READS: &[&str] = &[
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAttributes",
    "s3:GetObjectVersionAttributes",
    "s3:GetObjectTagging",
    "s3:GetObjectVersionTagging",
    "s3:GetObjectRetention",
    "s3:GetObjectLegalHold",
];

/// What writing is. Not removing versions, lifting holds or passing over a lock: a key that writes backups must not be
/// able to destroy them.
const WRITES: &[&str] = &[
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:PutObjectRetention",
    "s3:DeleteObject",
    "s3:DeleteObjectTagging",
    "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
];

/// What lists keys, and the right that it is.
const LISTS: &[(&str, Right)] = &[
    ("s3:ListBucket", Right::Read),
    ("s3:ListBucketVersions", Right::Read),
    ("s3:ListBucketMultipartUploads", Right::Write),
];

/// What clients ask unasked before they do anything else.
const GREETINGS: &[&str] =
    &["s3:GetBucketLocation", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    Read,
    Write,
}

impl Scope {
    /// Checks a scope that somebody chose.
    ///
    /// # Errors
    /// [`IdentityError::InvalidScope`].
    pub fn check(&self) -> Result<(), IdentityError> {
        if !self.read && !self.write {
            return Err(IdentityError::InvalidScope("a key must be for reading, writing or both"));
        }
        if self.buckets.len() > MAX_BUCKETS {
            return Err(IdentityError::InvalidScope("a key's scope names at most 100 buckets"));
        }
        if self.buckets.iter().any(|bucket| !(3..=63).contains(&bucket.len())) {
            return Err(IdentityError::InvalidScope("a bucket's name has 3 to 63 characters"));
        }
        if self.prefix.len() > MAX_PREFIX {
            return Err(IdentityError::InvalidScope("a prefix has at most 1024 bytes"));
        }
        Ok(())
    }

    /// Whether it takes nothing away from what the account may do.
    pub fn is_full(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it lets the names of the account's buckets be known.
    pub(crate) fn lists_buckets(&self) -> bool {
        self.read && self.buckets.is_empty() && self.prefix.is_empty()
    }

    fn has(&self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Write => self.write,
        }
    }

    fn covers_bucket(&self, bucket: &str) -> bool {
        self.buckets.is_empty() || self.buckets.iter().any(|known| known == bucket)
    }

    /// Whether it lets `action` be done on a bucket; `listed` is the prefix of the keys that are listed, if any are.
    pub(crate) fn allows_on_bucket(&self, bucket: &str, action: Action, listed: Option<&str>) -> bool {
        if self.is_full() {
            return true;
        }
        if !self.covers_bucket(bucket) {
            return false;
        }
        let listing = LISTS.iter().find(|(name, _)| *name == action.name());
        match (listing, listed) {
            (Some((_, right)), Some(prefix)) => self.has(*right) && prefix.starts_with(&self.prefix),
            // HeadBucket takes the right to list and shows no key.
            (Some((_, right)), None) => self.has(*right),
            (None, _) => GREETINGS.contains(&action.name()),
        }
    }

    /// Whether it lets `action` be done on a key.
    pub(crate) fn allows_on_object(&self, bucket: &str, key: &str, action: Action) -> bool {
        if self.is_full() {
            return true;
        }
        let granted =
            (self.read && READS.contains(&action.name())) || (self.write && WRITES.contains(&action.name()));
        granted && self.covers_bucket(bucket) && key.starts_with(&self.prefix)
    }
}

/// An access key as its account gave it out, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub key: AccessKeyId,
    /// Whose key it is: it acts for this account.
    pub account: Did,
    /// How far it goes.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is void, if ever.
    pub expires: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

impl Grant {
    /// Whether it is good now. A revoked key never is again, whatever the clock does.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_that_mean_nothing_are_refused() {
        let full = Scope::default();
        full.check().unwrap();
        for bad in [
            Scope { read: false, write: false, ..full.clone() },
            Scope { buckets: vec!["ab".into()], ..full.clone() },
            Scope { buckets: vec!["abc".into(); 101], ..full.clone() },
            Scope { prefix: "x".repeat(1025), ..full.clone() },
        ] {
            assert!(matches!(bad.check(), Err(IdentityError::InvalidScope(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_grant_ends_at_the_very_moment() {
        let grant = Grant {
            key: "key".parse().unwrap(),
            account: *crate::Signer::did(&crate::SpaceKey::from_seed(&[1; 32])),
            scope: Scope::default(),
            created: Timestamp(0),
            expires: Some(Timestamp(10)),
            revoked: None,
        };
        assert!(grant.is_active(Timestamp(9)) && !grant.is_active(Timestamp(10)));
        let revoked = Grant { revoked: Some(Timestamp(5)), expires: None, ..grant };
        assert!(!revoked.is_active(Timestamp(4)) && !revoked.is_active(Timestamp(5)));
    }
}
