//! How the body of an object is encrypted, and under what.

use carob_identity::KeyName;
use serde::{Deserialize, Serialize};

/// What a body is encrypted under: a key of its own, which is kept sealed under another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Who holds the other key.
    #[serde(rename = "m")]
    pub scheme: Scheme,
    /// The body's own key, sealed. Whoever holds the other key knows by opening it that it is the right one.
    #[serde(rename = "d", with = "serde_bytes")]
    pub data_key: Vec<u8>,
    /// The named key that it is sealed under.
    #[serde(
        rename = "k",
        default,
        skip_serializing_if = "Option::is_none",
        with = "crate::encryption::named"
    )]
    pub key: Option<NamedKey>,
    /// The encryption context that was given, as it was: sealed along with the key.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether a bucket key was asked for, which S3 repeats.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub bucket_key: Option<bool>,
}

/// Who holds the key that a body's own is sealed under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// Whoever wrote the object; nobody else can read it (SSE-C).
    #[serde(rename = "customer")]
    Customer,
    /// The space (SSE-S3).
    #[serde(rename = "AES256")]
    Space,
    /// The space, under a name (SSE-KMS).
    #[serde(rename = "aws:kms")]
    Named,
    /// The same, asked for by another name (DSSE-KMS).
    #[serde(rename = "aws:kms:dsse")]
    NamedDual,
}

/// A named key, and how a client has called it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// Its name.
    pub name: KeyName,
    /// What it was called: its name, an alias or an ARN.
    pub called: String,
}

/// What it takes to read an encrypted body, but for the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedBody {
    /// What it is encrypted under.
    #[serde(rename = "e")]
    pub encryption: Encryption,
    /// The body's salt; absent where there are parts, which have one each.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub salt: Option<[u8; 16]>,
    /// Bytes that are stored.
    #[serde(rename = "s")]
    pub stored: u64,
}

/// On disk: the name, and what it was called.
mod named {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::NamedKey;

    pub(super) fn serialize<S: Serializer>(key: &Option<NamedKey>, to: S) -> Result<S::Ok, S::Error> {
        key.as_ref().map(|key| (key.name.as_str(), &key.called)).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NamedKey>, D::Error> {
        let Some((name, called)) = Option::<(String, String)>::deserialize(from)? else { return Ok(None) };
        Ok(Some(NamedKey { name: name.parse().map_err(D::Error::custom)?, called }))
    }
}
