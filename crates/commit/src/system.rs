//! What is kept of accounts and access keys: values of the space's `system` tree.

use carob_identity::{AccessKeyId, Account, Did, Grant, IdentityError, Scope, Timestamp};
use serde::{Deserialize, Serialize};

use crate::TreeValue;

/// The head that holds the space's own state.
pub const SYSTEM_HEAD: &str = "system";

/// What the tree is: its first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemState {
    /// The version of everything in the tree: 1.
    pub v: u64,
    /// Nothing, sealed under the master key: tells whether a key is that one.
    #[serde(with = "serde_bytes")]
    pub check: Vec<u8>,
}

/// An account; its id stands in the tree's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountState {
    /// What it is called.
    pub name: String,
    /// When it was made.
    pub created: Timestamp,
    /// The 32 bytes of its Ed25519 private key, sealed.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
}

/// An access key; its id stands in the tree's key.
///
/// A field that a reader does not know may narrow what the key may do, so it is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyState {
    /// Whose it is.
    pub account: Did,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// How far it goes.
    pub scope: Scope,
    /// Its secret, sealed.
    #[serde(with = "serde_bytes")]
    pub secret: Vec<u8>,
}

/// A key that objects are encrypted under; its name stands in the tree's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncryptionKeyState {
    /// When it was made.
    pub created: Timestamp,
    /// Since when it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Timestamp>,
    /// Its 32 bytes, sealed.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
}

impl TreeValue for EncryptionKeyState {
    const WHAT: &'static str = "encryption key";
}

impl TreeValue for SystemState {
    const WHAT: &'static str = "system state";
}

impl TreeValue for AccountState {
    const WHAT: &'static str = "account";
}

impl TreeValue for KeyState {
    const WHAT: &'static str = "access key";
}

impl AccountState {
    /// The account that stands under `id`.
    ///
    /// # Errors
    /// [`IdentityError::InvalidAccount`] for a name that none can have.
    pub fn account(&self, id: Did) -> Result<Account, IdentityError> {
        Ok(Account { id, name: self.name.parse()?, created: Some(self.created) })
    }
}

impl KeyState {
    /// What is stored of a grant.
    pub fn new(grant: &Grant, secret: Vec<u8>) -> Self {
        let Grant { key: _, account, scope, created, expires, revoked } = grant.clone();
        Self { account, created, expires, revoked, scope, secret }
    }

    /// The grant that stands under `key`, and its sealed secret.
    pub fn into_grant(self, key: AccessKeyId) -> (Grant, Vec<u8>) {
        let Self { account, created, expires, revoked, scope, secret } = self;
        (Grant { key, account, scope, created, expires, revoked }, secret)
    }
}
