//! The identity of a bucket, which outlives its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::CommitError;

/// What a bucket is, whatever it is called: 16 random bytes drawn when it is created. Shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BucketId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl fmt::Display for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BucketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketId({self})")
    }
}

impl FromStr for BucketId {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| CommitError::BadBucketId(text.to_owned()))?;
        Ok(Self(id))
    }
}
