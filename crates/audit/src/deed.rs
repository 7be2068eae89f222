//! What is told of a request.

use serde::{Deserialize, Serialize};

/// One request that changed something, or was not let in. Nothing in it is secret: no header, no query, no body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deed {
    /// The request's id, as its answer gave it.
    pub request: String,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The access key that it was signed with, if the signature was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it asked for; `-` if it was refused before that was known.
    pub operation: String,
    /// The method of HTTP.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The bucket, if the request came as far as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What it was answered.
    pub status: u16,
    /// The code of the error, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Bytes of its body that were read.
    pub received: u64,
}
