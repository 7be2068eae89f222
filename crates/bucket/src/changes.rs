//! What differs between two states.

use std::sync::Arc;

use carob_commit::Record;
use carob_index::{Diff, Entry};

use crate::{BucketError, Snapshot};

/// Which keys are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Portion {
    /// All.
    #[default]
    Whole,
    /// Those that start with this.
    Prefix(String),
    /// This one.
    Key(String),
}

impl Portion {
    pub(crate) fn holds(&self, key: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Key(only) => key == only,
        }
    }

    /// Whether no key from this one on is meant.
    fn ends_before(&self, key: &str) -> bool {
        match self {
            Self::Whole => false,
            Self::Prefix(prefix) => key > prefix.as_str() && !key.starts_with(prefix),
            Self::Key(only) => key > only.as_str(),
        }
    }
}

/// What differs at a key; never both absent or the same.
#[derive(Debug, Clone)]
pub struct KeyChange {
    /// The key.
    pub key: String,
    /// The object before.
    pub old: Option<Arc<Record>>,
    /// The object after.
    pub new: Option<Arc<Record>>,
}

/// The changes from one state to another, in order of the keys. See [`Snapshot::changes`].
#[derive(Debug)]
pub struct Changes {
    old: Snapshot,
    new: Snapshot,
    diff: Diff,
    part: Portion,
}

impl Snapshot {
    /// What differs between the current objects of this state and those of `new`, in time for what differs: between
    /// states of one bucket or of its branches, what both share is not read.
    pub fn changes(&self, new: &Self, part: Portion) -> Changes {
        Changes { old: self.clone(), new: new.clone(), diff: self.tree().diff(new.tree()), part }
    }
}

impl Changes {
    /// The next change.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn next(&mut self) -> Result<Option<KeyChange>, BucketError> {
        while let Some(change) = self.diff.next().await? {
            let key = String::from_utf8(change.key.to_vec()).map_err(BucketError::damaged)?;
            if self.part.ends_before(&key) {
                break;
            }
            if !self.part.holds(&key) {
                continue;
            }
            let old = record(&self.old, change.old).await?;
            let new = record(&self.new, change.new).await?;
            return Ok(Some(KeyChange { key, old, new }));
        }
        Ok(None)
    }
}

async fn record(snapshot: &Snapshot, entry: Option<Entry>) -> Result<Option<Arc<Record>>, BucketError> {
    match entry {
        Some(entry) => snapshot.record(&entry.value).await.map(Some),
        None => Ok(None),
    }
}
