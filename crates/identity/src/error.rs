use std::path::PathBuf;

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
