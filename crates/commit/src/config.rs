//! A bucket's configuration; every commit links the one that holds.

use std::collections::BTreeMap;

use carob_block::{Block, Bytes};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::{CommitError, HistoryRetention, RetentionMode, codec};

/// How a bucket is configured. The default is what a new bucket has, and is not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// Whether writes keep what they replace.
    pub versioning: Versioning,
    /// Object lock, once enabled: for good.
    pub object_lock: Option<ObjectLock>,
    /// The bucket's own tags.
    pub tags: BTreeMap<String, String>,
    /// Settings that only a protocol's front end understands (a policy, CORS rules), under its names for them, as it
    /// wrote them.
    pub documents: BTreeMap<String, Bytes>,
    /// How long past states stay readable.
    pub history: HistoryRetention,
}

/// Whether writes keep what they replace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// They never did.
    #[default]
    Unversioned,
    /// Every write makes a version, every deletion a delete marker.
    Enabled,
    /// They did: writes replace the `null` version alone.
    Suspended,
}

impl Versioning {
    fn is_unversioned(&self) -> bool {
        *self == Self::Unversioned
    }
}

/// Object lock is enabled for a bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectLock {
    /// What new versions get that bring no retention of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultRetention>,
}

/// The retention of versions that bring none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    /// Whether somebody may lift it.
    pub mode: RetentionMode,
    /// How long, from the write on.
    pub period: RetentionPeriod,
}

/// A span of time as S3 gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionPeriod {
    /// Days of 24 hours.
    #[serde(rename = "days")]
    Days(u32),
    /// Calendar years.
    #[serde(rename = "years")]
    Years(u32),
}

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u64,
    #[serde(default, skip_serializing_if = "Versioning::is_unversioned")]
    versioning: Versioning,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lock: Option<ObjectLock>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    docs: BTreeMap<String, ByteBuf>,
    #[serde(default, skip_serializing_if = "HistoryRetention::is_default")]
    history: HistoryRetention,
}

impl Config {
    /// The block that holds it; `None` for the default.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_block(&self) -> Result<Option<Block>, CommitError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let Self { versioning, object_lock, tags, documents, history } = self.clone();
        let docs = documents.into_iter().map(|(name, text)| (name, ByteBuf::from(text.to_vec()))).collect();
        let wire = Wire { v: 1, versioning, lock: object_lock, tags, docs, history };
        codec::encode(&wire, "configuration").map(Some)
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let Wire { v, versioning, lock, tags, docs, history } = codec::decode(block, "configuration")?;
        codec::version_one(v, "configuration")?;
        let documents = docs.into_iter().map(|(name, text)| (name, text.into_vec().into())).collect();
        Ok(Self { versioning, object_lock: lock, tags, documents, history })
    }
}
