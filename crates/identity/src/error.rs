//! Why an identity cannot be read, made or checked.

use std::path::PathBuf;

use crate::{AccessKeyId, AccountName, KeyName};

/// Why an identity, a key or a key file is not usable. Each message is one line and never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Not the did:key of an Ed25519 key, or not its one canonical spelling.
    #[error("not a did:key of an Ed25519 key: {0}")]
    InvalidDid(&'static str),
    /// The signature does not belong to this key and message, or is malleable.
    #[error("the signature does not verify")]
    BadSignature,
    /// Not an Ed25519 private key in PKCS#8 PEM.
    #[error("not an Ed25519 private key in PKCS#8 PEM form")]
    InvalidKey(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// An access key id or a secret key that is not acceptable.
    #[error("{0}")]
    InvalidCredentials(&'static str),
    /// Not an acceptable account, or not an acceptable change of one, and why.
    #[error("{0}")]
    InvalidAccount(&'static str),
    /// Not an acceptable scope of an access key, and why.
    #[error("{0}")]
    InvalidScope(&'static str),
    /// Not a rate.
    #[error(
        "a rate is a number of requests by the second, minute or hour, such as 100/s, and a burst if it is another, such as 100/s:500"
    )]
    InvalidRate,
    /// The name is taken.
    #[error("account {0} exists already")]
    AccountExists(AccountName),
    /// The 12 digits made of the account's key are another's; another key will do.
    #[error("the account number is taken")]
    AccountNumberTaken,
    /// There is no account of that name or id.
    #[error("there is no account {0}")]
    NoSuchAccount(String),
    /// The id is taken, by a key that is good or was.
    #[error("access key {0} exists already")]
    AccessKeyExists(AccessKeyId),
    /// There is no access key of that id.
    #[error("there is no access key {0}")]
    NoSuchAccessKey(AccessKeyId),
    /// Not an acceptable name of an encryption key, or one that is not for this, and why.
    #[error("{0}")]
    InvalidKeyName(&'static str),
    /// The name is taken.
    #[error("encryption key {0} exists already")]
    EncryptionKeyExists(KeyName),
    /// There is no encryption key of that name.
    #[error("there is no encryption key {0}")]
    NoSuchEncryptionKey(KeyName),
    /// The encryption key is disabled.
    #[error("encryption key {0} is disabled")]
    EncryptionKeyDisabled(KeyName),
    /// Not a master key.
    #[error("a master key is 64 hex digits")]
    InvalidMasterKey,
    /// What is stored sealed does not open: it was sealed under another master key, or is damaged.
    #[error("a stored secret does not open under this master key")]
    Unsealable,
    /// A key file that exists was to be created.
    #[error("{} exists already and is not overwritten", .0.display())]
    FileExists(PathBuf),
    /// A key file that others than its owner may read or write.
    #[error("{path} is open to other users (mode {mode:04o}): run chmod 600 {path}", path = .path.display())]
    FileExposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file that does not hold what it should.
    #[error("{} is damaged: {problem}", .path.display())]
    FileDamaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A key file could not be read or written.
    #[error("cannot {action} {}", .path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// Keys or policies could not be looked up just now. Nothing is known about the answer.
    #[error("{context}")]
    Unavailable {
        /// What was being looked up.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
