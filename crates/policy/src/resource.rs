//! What is acted on.

use std::fmt;

/// A bucket or a key in one. Displays as what follows `arn:aws:s3:::` in its ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A bucket.
    Bucket(&'a str),
    /// A key.
    Object {
        /// Its bucket.
        bucket: &'a str,
        /// The key.
        key: &'a str,
    },
}

impl fmt::Display for Resource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => f.write_str(bucket),
            Self::Object { bucket, key } => write!(f, "{bucket}/{key}"),
        }
    }
}
