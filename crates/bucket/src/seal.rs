//! What a body is encrypted with on its way in.

use carob_commit::{Encryption, Scheme};
use carob_object::DataKey;

/// A key for bodies, and what is stored of it. Never printed.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The key.
    pub data_key: DataKey,
    /// How it is kept.
    pub encryption: Encryption,
}

impl Seal {
    /// The entity tag of a body. As S3 has it, that is its MD5 only where the space holds the key and has not named it
    /// (API reference, "Object", `ETag`).
    pub(crate) fn entity_tag(&self, md5: &[u8; 16]) -> [u8; 16] {
        match self.encryption.scheme {
            Scheme::Space => *md5,
            Scheme::Customer | Scheme::Named | Scheme::NamedDual => self.data_key.entity_tag(md5),
        }
    }
}
