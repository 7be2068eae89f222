//! What the admin API says, as JSON. Times are RFC 3339 in UTC with milliseconds, CIDs and DIDs their usual
//! text, hashes hexadecimal, sizes bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use crate::time::rfc3339;

/// The content type of every answer but an export.
pub const CONTENT_TYPE: &str = "application/json";

/// `GET /_carob/status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The gateway's version.
    pub version: String,
    /// The space's DID.
    pub space: String,
    /// Since the gateway started.
    pub uptime_seconds: u64,
    /// How many buckets there are.
    pub buckets: u64,
    /// The store's own figures, by name.
    pub store: BTreeMap<String, u64>,
}

/// A bucket, in `GET /_carob/buckets`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Its id, which no later bucket of that name has.
    pub id: String,
    /// When it was created.
    pub created: String,
}

/// A page of keys: `GET /_carob/buckets/{bucket}/objects?prefix=&delimiter=&start-after=&token=&max=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// The commit that was listed.
    pub commit: String,
    /// Keys and prefixes in byte order.
    pub entries: Vec<Entry>,
    /// Give this as `token` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A line of a [`Listing`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// An object.
    Object {
        /// Its key.
        key: String,
        /// Its length.
        size: u64,
        /// When it was written.
        modified: String,
        /// Its ETag, without quotes.
        etag: String,
        /// Its content CID.
        cid: String,
    },
    /// A prefix, up to and including the delimiter.
    Prefix {
        /// The prefix.
        prefix: String,
    },
}

/// `GET /_carob/buckets/{bucket}/stat?key=`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The content: a UnixFS file or a raw block.
    pub cid: String,
    /// Its length.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// One root, or one for each part of a multipart upload.
    pub blake3: Vec<Blake3>,
    /// The checksum that S3 reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// When it was written.
    pub modified: String,
    /// Standard headers stored with it, by name.
    pub headers: BTreeMap<String, String>,
    /// User metadata.
    pub metadata: BTreeMap<String, String>,
    /// The commit it was read from.
    pub commit: String,
}

/// A BLAKE3 root over an object or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blake3 {
    /// The hash.
    pub root: String,
    /// How many bytes it covers.
    pub size: u64,
    /// The Bao outboard; absent for what fits one group of 16 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outboard: Option<String>,
}

/// A checksum as S3 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// `CRC32`, `SHA256` and so on.
    pub algorithm: String,
    /// Base64.
    pub value: String,
}

/// What the objects under a prefix take up, in `GET /_carob/buckets/{bucket}/usage?prefix=`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// How many there are.
    pub objects: u64,
    /// The sum of their sizes in bytes.
    pub bytes: u64,
    /// The commit at which this holds.
    pub commit: String,
}

/// A commit, in `GET /_carob/buckets/{bucket}/log?limit=`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// The commit: the bucket's root.
    pub cid: String,
    /// Its number; the bucket's first commit has 0.
    pub seq: u64,
    /// When it was made.
    pub time: String,
    /// Who signed it.
    pub author: String,
    /// The root of the tree of objects.
    pub tree: String,
    /// How many objects there were.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One line for people.
    pub error: String,
}
