use std::collections::BTreeMap;

use carob_block::{Block, Cid};
use carob_identity::Timestamp;
use carob_index::Value;
use carob_object::{Checksum, ChecksumAlgorithm};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{CommitError, ETag, codec};

/// The largest record, in bytes, that stands in a tree node; a larger one gets a block of its own.
pub const INLINE_RECORD: usize = 512;

/// What a listing and a HEAD need to know of an object. Field names on disk are short because every write
/// of a key rewrites its neighbours' records too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The UnixFS file, or the single raw block, that is the body.
    #[serde(rename = "c")]
    pub content: Cid,
    /// Length of the body in bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// The entity tag.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// BLAKE3 roots over the body: one, or one for each part of a multipart upload, in order.
    #[serde(rename = "b")]
    pub blake3: Vec<Blake3Root>,
    /// When the write was committed.
    #[serde(rename = "m")]
    pub modified: Timestamp,
    /// Standard headers given with the object.
    #[serde(rename = "h", default, skip_serializing_if = "ObjectHeaders::is_empty")]
    pub headers: ObjectHeaders,
    /// User metadata: names in lower case without `x-amz-meta-`.
    #[serde(rename = "u", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// The checksum that S3 reports for the whole object.
    #[serde(
        rename = "k",
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_checksum",
        deserialize_with = "deserialize_checksum"
    )]
    pub checksum: Option<Checksum>,
}

/// A BLAKE3 root with what it takes to verify ranges against it. On disk an array of three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Blake3Tuple", into = "Blake3Tuple")]
pub struct Blake3Root {
    /// The BLAKE3 hash.
    pub root: [u8; 32],
    /// How many bytes of the body it covers.
    pub size: u64,
    /// The Bao outboard (16 KiB groups), a UnixFS file; `None` where it would be empty.
    pub outboard: Option<Cid>,
}

#[derive(Serialize, Deserialize)]
struct Blake3Tuple(#[serde(with = "serde_bytes")] [u8; 32], u64, Option<Cid>);

impl From<Blake3Tuple> for Blake3Root {
    fn from(Blake3Tuple(root, size, outboard): Blake3Tuple) -> Self {
        Self { root, size, outboard }
    }
}

impl From<Blake3Root> for Blake3Tuple {
    fn from(root: Blake3Root) -> Self {
        Self(root.root, root.size, root.outboard)
    }
}

/// The headers that S3 stores with an object and returns unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    #[serde(rename = "ct", default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`.
    #[serde(rename = "cc", default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    #[serde(rename = "cd", default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without `aws-chunked`.
    #[serde(rename = "ce", default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    #[serde(rename = "cl", default, skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// `Expires`, verbatim.
    #[serde(rename = "ex", default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    #[serde(rename = "wr", default, skip_serializing_if = "Option::is_none")]
    pub website_redirect_location: Option<String>,
    /// `x-amz-storage-class`; absent for STANDARD.
    #[serde(rename = "sc", default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
}

impl ObjectHeaders {
    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a record stands in the tree: itself, or a link to a block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordValue {
    /// The record.
    Inline(Box<Record>),
    /// Where the record is.
    Linked(Cid),
}

impl Record {
    /// The record as a tree value, with the block to store beside it where it is over [`INLINE_RECORD`].
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_value(&self) -> Result<(Value, Option<Block>), CommitError> {
        let block = codec::encode(self, "record")?;
        if block.data().len() <= INLINE_RECORD {
            let value =
                Value::new(block.data().clone()).map_err(|_| CommitError::TooLarge { what: "record" })?;
            return Ok((value, None));
        }
        let link =
            Value::from_serialize(block.cid()).map_err(|_| CommitError::TooLarge { what: "record" })?;
        Ok((link, Some(block)))
    }

    /// Reads a record from the block that a [`RecordValue::Linked`] names.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        codec::decode(block, "record")
    }
}

impl RecordValue {
    /// Reads a tree value. `node` is the tree the value came from, named in errors.
    ///
    /// # Errors
    /// [`CommitError::Malformed`].
    pub fn from_value(value: &Value, node: Cid) -> Result<Self, CommitError> {
        // CBOR major type 6: the tag of a link.
        if value.bytes().first().is_some_and(|byte| byte >> 5 == 6) {
            return value.deserialize().map(Self::Linked).map_err(|e| malformed(node, e));
        }
        value.deserialize().map(|record| Self::Inline(Box::new(record))).map_err(|e| malformed(node, e))
    }
}

fn malformed(cid: Cid, source: impl std::error::Error + Send + Sync + 'static) -> CommitError {
    CommitError::Malformed { cid, what: "record", source: Box::new(source) }
}

#[derive(Serialize, Deserialize)]
struct ChecksumMap {
    /// S3's name of the algorithm.
    a: String,
    #[serde(with = "serde_bytes")]
    v: Vec<u8>,
}

fn serialize_checksum<S: Serializer>(checksum: &Option<Checksum>, serializer: S) -> Result<S::Ok, S::Error> {
    let map = |c: &Checksum| ChecksumMap { a: c.algorithm.as_str().to_owned(), v: c.value.clone() };
    checksum.as_ref().map(map).serialize(serializer)
}

fn deserialize_checksum<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Checksum>, D::Error> {
    let Some(map) = Option::<ChecksumMap>::deserialize(deserializer)? else { return Ok(None) };
    use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    let known = [Crc32, Crc32c, Crc64Nvme, Sha1, Sha256];
    let algorithm = known.into_iter().find(|algorithm| algorithm.as_str() == map.a);
    let algorithm = algorithm.ok_or_else(|| D::Error::custom("unknown checksum algorithm"))?;
    Ok(Some(Checksum { algorithm, value: map.v }))
}
