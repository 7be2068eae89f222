//! What a listing shows of an object.

use carob_block::Cid;
use carob_identity::Timestamp;
use carob_index::Value;
use carob_object::ChecksumAlgorithm;
use serde::{Deserialize, Deserializer};

use crate::{ChecksumType, CommitError, ETag, Inline, Record, inline};

/// The part of a [`Record`] that a listing shows. A page has a thousand of them; to read whole records took a quarter of its
/// processor time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// [`Record::content`].
    #[serde(rename = "c")]
    pub content: Cid,
    /// [`Record::size`].
    #[serde(rename = "s")]
    pub size: u64,
    /// [`Record::etag`].
    #[serde(rename = "e")]
    pub etag: ETag,
    /// [`Record::modified`].
    #[serde(rename = "m")]
    pub modified: Timestamp,
    /// The storage class of [`Record::headers`].
    #[serde(rename = "h", default, deserialize_with = "storage_class")]
    pub storage_class: Option<String>,
    /// The algorithm of [`Record::checksum`].
    #[serde(rename = "k", default, deserialize_with = "crate::checksum::deserialize_algorithm")]
    pub checksum: Option<ChecksumAlgorithm>,
    /// [`Record::checksum_type`].
    #[serde(rename = "kt", default)]
    pub checksum_type: ChecksumType,
    /// [`Record::access`].
    #[serde(rename = "a", default)]
    pub access: Option<String>,
}

impl Summary {
    /// Reads a [`Record`]'s tree value, as [`crate::TreeValue::from_value`] reads all of it.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn from_value(value: &Value, node: Cid) -> Result<Inline<Self>, CommitError> {
        inline::read(value, node, "record")
    }
}

impl From<Record> for Summary {
    fn from(record: Record) -> Self {
        Self {
            content: record.content,
            size: record.size,
            etag: record.etag,
            modified: record.modified,
            storage_class: record.headers.storage_class,
            checksum: record.checksum.map(|checksum| checksum.algorithm),
            checksum_type: record.checksum_type,
            access: record.access,
        }
    }
}

fn storage_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    struct Headers {
        #[serde(default)]
        sc: Option<String>,
    }
    Headers::deserialize(deserializer).map(|headers| headers.sc)
}
