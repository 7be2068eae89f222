//! What is kept of a multipart upload until it is completed or aborted: values of the bucket's `uploads` tree.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use carob_block::Cid;
use carob_identity::Timestamp;
use carob_object::{Checksum, ChecksumAlgorithm};
use serde::{Deserialize, Serialize};

use crate::{
    Blake3Root, BucketId, ChecksumType, CommitError, Encryption, Lock, ObjectHeaders, Record, TreeValue,
};

/// Names an upload: 8 bytes of time, so that ids of one key sort by age, and 8 random ones. Shown as 32 hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl UploadId {
    /// An id for an upload begun at `time`, made unique by `random`.
    pub fn new(time: Timestamp, random: [u8; 8]) -> Self {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&time.0.to_be_bytes());
        id[8..].copy_from_slice(&random);
        Self(id)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UploadId({self})")
    }
}

impl FromStr for UploadId {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| CommitError::BadUploadId(text.to_owned()))?;
        Ok(Self(id))
    }
}

/// An upload as it was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadState {
    /// When.
    #[serde(rename = "t")]
    pub initiated: Timestamp,
    /// Standard headers of the object to be.
    #[serde(rename = "h", default, skip_serializing_if = "ObjectHeaders::is_empty")]
    pub headers: ObjectHeaders,
    /// User metadata of the object to be.
    #[serde(rename = "u", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The checksum that was announced.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<UploadChecksum>,
    /// Tags of the object to be.
    #[serde(rename = "g", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// What is to keep the object from being deleted.
    #[serde(rename = "o", default, skip_serializing_if = "Lock::is_none")]
    pub lock: Lock,
    /// Whose the object is to be and who else may do what with it, as in its record.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// What its parts are encrypted under.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
}

/// What an upload says of its checksums when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadChecksum {
    /// The algorithm of the parts' checksums and the object's.
    #[serde(rename = "a")]
    pub algorithm: ChecksumAlgorithm,
    /// What the object's is computed over.
    #[serde(rename = "t")]
    pub kind: ChecksumType,
}

/// A part as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartState {
    /// The part as it is stored, a UnixFS file.
    #[serde(rename = "c")]
    pub content: Cid,
    /// Its size in bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// Its entity tag: MD5 over it, unless it is encrypted.
    #[serde(rename = "e", with = "serde_bytes")]
    pub md5: [u8; 16],
    /// BLAKE3 over it as it is stored.
    #[serde(rename = "b")]
    pub blake3: Blake3Root,
    /// When it was stored.
    #[serde(rename = "m")]
    pub modified: Timestamp,
    /// Its checksum.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none", with = "crate::checksum")]
    pub checksum: Option<Checksum>,
    /// Its salt, if it is encrypted.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none", with = "serde_bytes")]
    pub salt: Option<[u8; 16]>,
}

/// What a completed upload came to, kept a while so that the same request again gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletedState {
    /// The key it was for.
    #[serde(rename = "n")]
    pub key: String,
    /// When it was completed.
    #[serde(rename = "t")]
    pub completed: Timestamp,
    /// What was written.
    #[serde(rename = "r")]
    pub record: Record,
}

impl TreeValue for UploadState {
    const WHAT: &'static str = "upload";
}

impl TreeValue for PartState {
    const WHAT: &'static str = "part";
}

impl TreeValue for CompletedState {
    const WHAT: &'static str = "completed upload";
}

/// The head that holds the uploads of the bucket `id`.
pub fn uploads_head(id: BucketId) -> String {
    format!("uploads/{id}")
}
