//! What is known of an object.

use std::collections::BTreeMap;

use carob_block::Cid;
use carob_identity::{Hlc, Timestamp};
use carob_object::Checksum;
use serde::{Deserialize, Serialize};

use crate::{ETag, Lock, SealedBody, TreeValue, VersionId, VersionName};

/// What a listing and a HEAD need to know of an object. Field names on disk are short because every write
/// of a key rewrites its neighbours' records too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The UnixFS file, or the single raw block, that is the body as it is stored.
    #[serde(rename = "c")]
    pub content: Cid,
    /// Length of the body in bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// The entity tag.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// BLAKE3 over the body as it is stored; `None` for an object made of parts, each of which has its own.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<Blake3Root>,
    /// The block that lists the parts ([`PartList`]), for an object made by a multipart upload.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<Cid>,
    /// How the body's tree is laid out.
    #[serde(rename = "l", default, skip_serializing_if = "Layout::is_balanced")]
    pub layout: Layout,
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
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none", with = "crate::checksum")]
    pub checksum: Option<Checksum>,
    /// What [`Record::checksum`] is the checksum of.
    #[serde(rename = "kt", default, skip_serializing_if = "ChecksumType::is_full_object")]
    pub checksum_type: ChecksumType,
    /// The version it is; `None` if the bucket had no versioning when it was written.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// Whether S3 calls it `null` nonetheless, because versioning was suspended.
    #[serde(rename = "n", default, skip_serializing_if = "std::ops::Not::not")]
    pub null: bool,
    /// What keeps it from being deleted.
    #[serde(rename = "o", default, skip_serializing_if = "Lock::is_none")]
    pub lock: Lock,
    /// Its tags.
    #[serde(rename = "t", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Whose it is and who else may do what with it, where that is not the bucket owner's alone: text that a protocol's
    /// front end wrote and alone understands.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
    /// How the body is encrypted, if it is.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedBody>,
}

impl Record {
    /// Its place among the versions of its key.
    #[must_use]
    pub fn order(&self) -> VersionId {
        let millis = self.modified.0;
        self.version.unwrap_or_else(|| VersionId::new(Hlc { millis, counter: 0 }, [0; 8]))
    }

    /// Bytes of the body as it is stored.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.sealed.as_ref().map_or(self.size, |sealed| sealed.stored)
    }

    /// What S3 calls the version.
    #[must_use]
    pub fn version_name(&self) -> VersionName {
        match self.version {
            Some(id) if !self.null => VersionName::Id(id),
            _ => VersionName::Null,
        }
    }
}

/// A BLAKE3 root with what it takes to verify ranges against it. On disk an array of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Blake3Tuple", into = "Blake3Tuple")]
pub struct Blake3Root {
    /// The BLAKE3 hash.
    pub root: [u8; 32],
    /// The Bao outboard (16 KiB groups), a UnixFS file; `None` where it would be empty.
    pub outboard: Option<Cid>,
}

#[derive(Serialize, Deserialize)]
struct Blake3Tuple(#[serde(with = "serde_bytes")] [u8; 32], Option<Cid>);

impl From<Blake3Tuple> for Blake3Root {
    fn from(Blake3Tuple(root, outboard): Blake3Tuple) -> Self {
        Self { root, outboard }
    }
}

impl From<Blake3Root> for Blake3Tuple {
    fn from(root: Blake3Root) -> Self {
        Self(root.root, root.outboard)
    }
}

/// How the tree of a body is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layout {
    /// As the UnixFS profile has it: the CID is the one that any importer gives.
    #[default]
    #[serde(rename = "balanced")]
    Balanced,
    /// Parts that are not whole MiB, under common nodes: a valid UnixFS file with a CID of its own.
    #[serde(rename = "joined")]
    Joined,
}

impl Layout {
    fn is_balanced(&self) -> bool {
        *self == Self::Balanced
    }
}

/// What a stored checksum of a multipart object is the checksum of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumType {
    /// The body.
    #[default]
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// The checksums of the parts, one after the other. S3 shows it with `-` and the number of parts.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl ChecksumType {
    fn is_full_object(&self) -> bool {
        *self == Self::FullObject
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
    /// Those that are set, by the names that they have in an answer.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self {
            content_type,
            cache_control,
            content_disposition,
            content_encoding,
            content_language,
            expires,
            website_redirect_location,
            storage_class,
        } = self;
        let named = [
            ("content-type", content_type),
            ("cache-control", cache_control),
            ("content-disposition", content_disposition),
            ("content-encoding", content_encoding),
            ("content-language", content_language),
            ("expires", expires),
            ("x-amz-website-redirect-location", website_redirect_location),
            ("x-amz-storage-class", storage_class),
        ];
        named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl TreeValue for Record {
    const WHAT: &'static str = "record";
}
