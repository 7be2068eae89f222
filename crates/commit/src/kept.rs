//! What retention keeps of a bucket's history: how long, which commits, and those that have a name.

use carob_block::{Block, Cid};
use carob_identity::{Hlc, Timestamp};
use carob_index::{IndexError, Value};
use serde::{Deserialize, Serialize};

use crate::{BucketId, CommitError, codec};

/// How long a bucket's past states stay readable, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRetention {
    /// Every state.
    pub all: u64,
    /// The states at full hours.
    pub hourly: u64,
}

impl HistoryRetention {
    /// Nothing but the newest state.
    pub const HEAD_ONLY: Self = Self { all: 0, hourly: 0 };

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for HistoryRetention {
    /// Every state for an hour, those at full hours for seven days.
    fn default() -> Self {
        Self { all: 60 * 60, hourly: 7 * 24 * 60 * 60 }
    }
}

/// What a collection found worth keeping of a bucket's history; the head `kept/<id>` points at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The time of the newest commit when it was judged what to keep. Of the commits before it, those listed are whole and
    /// others may not be; later ones are whole.
    pub upto: Hlc,
    /// The number of that commit.
    pub seq: u64,
    /// When the bucket was deleted.
    pub ended: Option<Timestamp>,
    /// The genesis of a deleted bucket, which no name leads to.
    pub genesis: Option<Cid>,
    /// The tree of the commits that are kept, by their time; `None` if there are none.
    pub commits: Option<Cid>,
}

/// What stands under a commit's time in the tree of those that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptCommit {
    /// When another commit took its place, in milliseconds.
    pub until: u64,
    /// The commit.
    pub commit: Cid,
}

/// A commit that has a name, and is kept as long as it has; the head `snap/<id>/<name>` points at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamedCommit {
    /// The commit.
    pub commit: Cid,
    /// When it was named.
    pub created: Timestamp,
    /// The name cannot be taken away before.
    pub locked_until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct KeptWire {
    v: u64,
    /// Milliseconds since the Unix epoch, and the counter of the hybrid logical clock.
    upto: (u64, u16),
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    genesis: Option<Cid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commits: Option<Cid>,
}

#[derive(Serialize, Deserialize)]
struct KeptCommitWire {
    v: u64,
    until: u64,
    commit: Cid,
}

#[derive(Serialize, Deserialize)]
struct NamedWire {
    v: u64,
    commit: Cid,
    created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

impl Kept {
    /// What the heads of deleted buckets begin with.
    pub const DELETED: &str = "deleted/";

    /// The head that holds what is kept of the bucket `id`.
    pub fn head(id: BucketId) -> String {
        format!("kept/{id}")
    }

    /// The head that holds the last commit of the bucket `id` once it is deleted.
    pub fn deleted_head(id: BucketId) -> String {
        format!("{}{id}", Self::DELETED)
    }

    /// The block that holds it.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_block(&self) -> Result<Block, CommitError> {
        let Self { upto, seq, ended, genesis, commits } = *self;
        let wire = KeptWire { v: 1, upto: (upto.millis, upto.counter), seq, ended, genesis, commits };
        codec::encode(&wire, "list of kept commits")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let KeptWire { v, upto: (millis, counter), seq, ended, genesis, commits } =
            codec::decode(block, "list of kept commits")?;
        codec::version_one(v, "list of kept commits")?;
        Ok(Self { upto: Hlc { millis, counter }, seq, ended, genesis, commits })
    }
}

impl KeptCommit {
    /// Where a commit of this time stands in the tree: 8 bytes of milliseconds and 2 of the counter, big-endian.
    pub fn key(time: Hlc) -> [u8; 10] {
        let mut key = [0; 10];
        key[..8].copy_from_slice(&time.millis.to_be_bytes());
        key[8..].copy_from_slice(&time.counter.to_be_bytes());
        key
    }

    /// The time that a key of the tree says; `None` if it is none.
    pub fn time(key: &[u8]) -> Option<Hlc> {
        let (millis, counter) = key.split_first_chunk()?;
        let counter = u16::from_be_bytes(counter.try_into().ok()?);
        Some(Hlc { millis: u64::from_be_bytes(*millis), counter })
    }

    /// The block that says so in an export with history.
    ///
    /// # Errors
    /// None that a number and a link could cause.
    pub fn to_block(self) -> Result<Block, CommitError> {
        let Self { until, commit } = self;
        codec::encode(&KeptCommitWire { v: 1, until, commit }, "kept commit")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let KeptCommitWire { v, until, commit } = codec::decode(block, "kept commit")?;
        codec::version_one(v, "kept commit")?;
        Ok(Self { until, commit })
    }

    /// As a tree value.
    ///
    /// # Errors
    /// None that a number and a link could cause.
    pub fn to_value(self) -> Result<Value, IndexError> {
        Value::from_serialize(&(self.until, self.commit))
    }

    /// Reads it back.
    ///
    /// # Errors
    /// What the index says of a value that is something else.
    pub fn from_value(value: &Value) -> Result<Self, IndexError> {
        let (until, commit) = value.deserialize()?;
        Ok(Self { until, commit })
    }
}

impl NamedCommit {
    /// The head that gives a commit of the bucket `id` this name; with an empty one, what all such heads begin with.
    pub fn head(id: BucketId, name: &str) -> String {
        format!("snap/{id}/{name}")
    }

    /// The block that holds it.
    ///
    /// # Errors
    /// [`CommitError::TooLarge`].
    pub fn to_block(&self) -> Result<Block, CommitError> {
        let Self { commit, created, locked_until: until } = *self;
        codec::encode(&NamedWire { v: 1, commit, created, until }, "named snapshot")
    }

    /// Reads it back.
    ///
    /// # Errors
    /// [`CommitError::Malformed`], [`CommitError::UnknownVersion`].
    pub fn from_block(block: &Block) -> Result<Self, CommitError> {
        let NamedWire { v, commit, created, until } = codec::decode(block, "named snapshot")?;
        codec::version_one(v, "named snapshot")?;
        Ok(Self { commit, created, locked_until: until })
    }
}
