//! What is told of a request.

use serde::{Deserialize, Serialize};

/// One request that changed something, or was not let in, or something that was done without one. Nothing in it is secret: no header, no query, no body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deed {
    /// The request's id, as its answer gave it; empty without one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request: String,
    /// Where it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The access key that it was signed with, if the signature was good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who did it, where it was not done by an access key: `operator`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What it asked for; `-` if it was refused before that was known.
    pub operation: String,
    /// The method of HTTP.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// The path, as it was sent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// The bucket, if the request came as far as one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// What it was about that the path does not name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Why it was let in or not, where rules of the bucket decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// What it was answered; nothing, if nobody asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The code of the error, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Bytes of its body that were read.
    pub received: u64,
    /// What became of the keys that its path does not name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<Touched>,
}

/// One of several keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Touched {
    /// The key.
    pub key: String,
    /// The version that was named, or made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The code of the error, if it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}
