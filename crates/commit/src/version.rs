//! Versions of a key: their ids, delete markers, and how they stand in a bucket's `versions` tree.

use std::fmt;
use std::str::FromStr;

use carob_identity::{Hlc, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{CommitError, Record, TreeValue};

/// Names a version of a key and gives its place among them: 6 bytes of time in milliseconds, 2 of the hybrid
/// logical clock's counter, 8 random ones. Ids of one key sort by age. Shown as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct VersionId(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl VersionId {
    /// The id of a version written at `time`, made unique among gateways by `random`.
    #[must_use]
    pub fn new(time: Hlc, random: [u8; 8]) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&time.millis.to_be_bytes()[2..]);
        id[6..8].copy_from_slice(&time.counter.to_be_bytes());
        id[8..].copy_from_slice(&random);
        Self(id)
    }

    /// When the version was written.
    #[must_use]
    pub fn time(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.0[..6]);
        Timestamp(u64::from_be_bytes(millis))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VersionId({self})")
    }
}

impl FromStr for VersionId {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| CommitError::BadVersionId(text.to_owned()))?;
        Ok(Self(id))
    }
}

/// What S3 calls a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionName {
    /// `null`: written while the bucket did not make versions. A key has at most one.
    Null,
    /// Any other.
    Id(VersionId),
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl FromStr for VersionName {
    type Err = CommitError;

    fn from_str(text: &str) -> Result<Self, CommitError> {
        if text == "null" { Ok(Self::Null) } else { text.parse().map(Self::Id) }
    }
}

/// Says that a key was deleted, while its versions stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteMarker {
    /// Its place among the versions of the key.
    #[serde(rename = "v")]
    pub version: VersionId,
    /// Whether S3 calls it `null`.
    #[serde(rename = "n", default, skip_serializing_if = "std::ops::Not::not")]
    pub null: bool,
}

impl DeleteMarker {
    /// What S3 calls it.
    #[must_use]
    pub fn name(&self) -> VersionName {
        if self.null { VersionName::Null } else { VersionName::Id(self.version) }
    }
}

/// What stands in the `versions` tree: whatever is not the current object of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// A noncurrent object.
    #[serde(rename = "o")]
    Object(Box<Record>),
    /// A delete marker, the key's newest version or not.
    #[serde(rename = "d")]
    DeleteMarker(DeleteMarker),
}

impl Version {
    /// Its place among the versions of the key.
    #[must_use]
    pub fn order(&self) -> VersionId {
        match self {
            Self::Object(record) => record.order(),
            Self::DeleteMarker(marker) => marker.version,
        }
    }

    /// What S3 calls it.
    #[must_use]
    pub fn name(&self) -> VersionName {
        match self {
            Self::Object(record) => record.version_name(),
            Self::DeleteMarker(marker) => marker.name(),
        }
    }

    /// The size of its body in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Object(record) => record.size,
            Self::DeleteMarker(_) => 0,
        }
    }
}

impl TreeValue for Version {
    const WHAT: &'static str = "version";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_then_counter_and_tell_the_time() {
        let id = |millis, counter| VersionId::new(Hlc { millis, counter }, [7; 8]);
        assert!(id(1, 9) < id(2, 0) && id(2, 0) < id(2, 1) && id(2, 0xff) < id(2, 0x100));
        assert_eq!(id(1_700_000_000_123, 5).time(), Timestamp(1_700_000_000_123));
    }

    #[test]
    fn names_round_trip_and_others_are_refused() {
        let id = VersionName::Id(VersionId([0xab; 16]));
        for name in [VersionName::Null, id] {
            assert_eq!(name.to_string().parse::<VersionName>().unwrap(), name);
        }
        for bad in ["", "NULL", "00", "zz".repeat(16).as_str(), "ab".repeat(17).as_str()] {
            assert!(bad.parse::<VersionName>().is_err(), "{bad:?}");
        }
    }
}
