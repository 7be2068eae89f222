//! Why a bucket did not do what was asked.

use std::error::Error;
use std::sync::Arc;

use carob_block::StoreError;
use carob_commit::{CommitError, DeleteMarker, UploadId, VersionName};
use carob_identity::Timestamp;
use carob_index::IndexError;
use carob_object::ObjectError;

/// Why a bucket did not do what was asked. Cloneable, because one failed flush answers many writers.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BucketError {
    /// No bucket of that name.
    #[error("bucket {0} does not exist")]
    NoSuchBucket(String),
    /// No commit of that moment is in the bucket's history, and why.
    #[error("bucket {bucket} has no such state: {reason}")]
    NoSuchState {
        /// The bucket.
        bucket: String,
        /// Why there is none.
        reason: &'static str,
    },
    /// Text that means no moment.
    #[error(
        "{0:?} names no state of a bucket: give a time as in 2026-11-21T09:30:00Z or 20261121t0930z, a commit's CID, \
         or a snapshot"
    )]
    InvalidMoment(String),
    /// Neither bucket was branched from the other.
    #[error("bucket {from} is no branch of {into}, nor the other way round: nothing tells what each changed")]
    Unrelated {
        /// What was to be merged.
        from: String,
        /// What it was to be merged into.
        into: String,
    },
    /// Both sides of a merge changed these keys.
    #[error("both sides changed {}", named(.0))]
    Conflicts(Vec<String>),
    /// What came from elsewhere is not what it should be.
    #[error("not to be trusted: {0}")]
    Untrustworthy(Arc<dyn Error + Send + Sync>),
    /// What comes from elsewhere has more bytes than were allowed.
    #[error("more than {0} bytes came, which is all that was allowed")]
    TooManyBytes(u64),
    /// What came repeats the same blocks so often that checking it takes out of all proportion to its bytes.
    #[error(
        "its objects repeat the same blocks so often that more than {most} bytes would be read to check {different}: if \
         that is meant, allow as many bytes as its objects have"
    )]
    Repetitive {
        /// How many bytes are read at the most.
        most: u64,
        /// Of those that were, how many were different ones.
        different: u64,
    },
    /// A block that is not linked by what it is said to be.
    #[error("nothing shows that block {0} belongs to the bucket")]
    Unreachable(carob_block::Cid),
    /// The bucket was pulled from elsewhere, or changed since, so that it cannot become what the other now is; why.
    #[error("bucket {bucket} cannot be pulled into: {reason}")]
    NotPulled {
        /// The bucket.
        bucket: String,
        /// What is in the way.
        reason: &'static str,
    },
    /// More objects than are proven at once.
    #[error("more than {} objects: prove a longer prefix", carob_commit::MAX_PROVEN)]
    TooManyObjects,
    /// A past state of a bucket cannot be changed.
    #[error("a past state of a bucket cannot be changed")]
    ReadOnly,
    /// The name is taken.
    #[error("bucket {0} exists already")]
    BucketExists(String),
    /// Only an empty bucket can be deleted.
    #[error("bucket {0} is not empty")]
    BucketNotEmpty(String),
    /// No deleted bucket of that name, or of that name and id, is kept; which are.
    #[error("no deleted bucket {bucket} is kept as asked: {there}")]
    NotDeleted {
        /// The name.
        bucket: String,
        /// Those that there are, in words.
        there: String,
    },
    /// Not an acceptable name, and why.
    #[error("{0:?} is not a bucket name: {1}")]
    InvalidBucketName(String, &'static str),
    /// A condition asked for an object that is not there.
    #[error("there is no object {0:?}")]
    NoSuchKey(String),
    /// The key has no version of that name.
    #[error("{key:?} has no version {version}")]
    NoSuchVersion {
        /// The key.
        key: String,
        /// The version.
        version: VersionName,
    },
    /// Once there was an object, which was erased from the past, too.
    #[error("{key:?} was purged from this state of the bucket")]
    Purged {
        /// The key.
        key: String,
    },
    /// The version is a delete marker, which has neither body nor tags nor retention.
    #[error("the version is a delete marker")]
    IsDeleteMarker(DeleteMarker),
    /// Object lock keeps the version, or keeps it protected.
    #[error("object lock protects the version")]
    Locked,
    /// Retention and legal holds need a bucket with object lock.
    #[error("object lock is not enabled for the bucket")]
    LockNotEnabled,
    /// A retention must end in the future.
    #[error("a retention must end in the future")]
    RetentionDate,
    /// Versioning and object lock cannot become as asked, and why.
    #[error("{0}")]
    VersioningState(&'static str),
    /// An empty key, or one of more than [`crate::MAX_KEY_BYTES`].
    #[error("a key of {0} bytes; keys have 1 to 1024")]
    KeyLength(usize),
    /// More than [`crate::MAX_METADATA_BYTES`].
    #[error("{0} bytes of user metadata are too many")]
    MetadataTooLarge(usize),
    /// The body is encrypted, and was to be read without its key.
    #[error("the body is encrypted, and there is no key")]
    Encrypted,
    /// A condition did not hold; names its header.
    #[error("the condition {0} does not hold")]
    PreconditionFailed(&'static str),
    /// No such multipart upload: it was completed or aborted, or never begun.
    #[error("there is no upload {0}")]
    NoSuchUpload(UploadId),
    /// A part named at completion is not there, or is another one than the client says. 0 if none was named.
    #[error("part {0} is not there as claimed")]
    InvalidPart(u16),
    /// Parts were not named in ascending order.
    #[error("the parts are not in ascending order")]
    InvalidPartOrder,
    /// A part other than the last is smaller than [`crate::MIN_PART_BYTES`].
    #[error("part {number} has only {size} bytes")]
    PartTooSmall {
        /// The part.
        number: u16,
        /// Its size in bytes.
        size: u64,
    },
    /// Parts are numbered from 1 to [`crate::MAX_PARTS`].
    #[error("{0} is no part number")]
    PartNumber(u16),
    /// The object's checksum is not the one that the client expects.
    #[error("the checksum of the object is another one")]
    ChecksumMismatch,
    /// The object's size is not the one that the client expects.
    #[error("the object has {actual} bytes, not {expected}")]
    SizeMismatch {
        /// The client's.
        expected: u64,
        /// The object's.
        actual: u64,
    },
    /// The bucket has no snapshot of that name.
    #[error("there is no snapshot {0:?}")]
    NoSuchSnapshot(String),
    /// The name of a snapshot is taken.
    #[error("there is a snapshot {0:?} already")]
    SnapshotExists(String),
    /// Not an acceptable name of a snapshot.
    #[error(
        "{0:?} is not a snapshot's name: it takes 1 to 40 of a-z and 0-9, and between them single dots and hyphens"
    )]
    InvalidSnapshotName(String),
    /// Nobody can remove the snapshot yet.
    #[error("snapshot {name:?} is locked until {}", shown(*until))]
    SnapshotLocked {
        /// The snapshot.
        name: String,
        /// The end of its lock.
        until: Timestamp,
    },
    /// A continuation token that this program did not make.
    #[error("the continuation token is not valid")]
    BadToken,
    /// Other writers kept moving the head.
    #[error("too many concurrent changes of the bucket")]
    Contention,
    /// More work is waiting than can be taken on.
    #[error("the server is overloaded")]
    Overloaded,
    /// The store has no room.
    #[error("the store is out of space")]
    OutOfSpace,
    /// Stored data is missing or does not verify.
    #[error("stored data is damaged: {0}")]
    Damaged(Arc<dyn Error + Send + Sync>),
    /// The store failed otherwise.
    #[error("the store failed: {0}")]
    Store(Arc<dyn Error + Send + Sync>),
}

/// So many keys of a conflict are named.
const NAMED: usize = 100;

/// Keys, as a message has them.
fn named(keys: &[String]) -> String {
    let mut text = keys.iter().take(NAMED).map(|key| format!("{key:?}")).collect::<Vec<_>>().join(", ");
    if keys.len() > NAMED {
        text += &format!(" and {} more", keys.len() - NAMED);
    }
    text
}

impl BucketError {
    pub(crate) fn damaged(source: impl Error + Send + Sync + 'static) -> Self {
        Self::Damaged(Arc::new(source))
    }

    /// A block that a durable root links is not there.
    pub(crate) fn missing(cid: &carob_block::Cid) -> Self {
        let text: Box<dyn Error + Send + Sync> = format!("block {cid} is missing").into();
        Self::Damaged(Arc::from(text))
    }

    /// The tree of versions holds a key that is none.
    pub(crate) fn foreign_version() -> Self {
        let text: Box<dyn Error + Send + Sync> = "the tree of versions holds a foreign key".into();
        Self::Damaged(Arc::from(text))
    }

    /// The list of purged keys holds a key that is none.
    pub(crate) fn foreign_tombstone() -> Self {
        let text: Box<dyn Error + Send + Sync> = "the list of purged keys holds a foreign key".into();
        Self::Damaged(Arc::from(text))
    }

    /// The list of kept commits holds a key that is none.
    pub(crate) fn foreign_kept() -> Self {
        let text: Box<dyn Error + Send + Sync> = "the list of kept commits holds a foreign key".into();
        Self::Damaged(Arc::from(text))
    }

    pub(crate) fn closed() -> Self {
        let text: Box<dyn Error + Send + Sync> = "the space is closed".into();
        Self::Store(Arc::from(text))
    }
}

/// RFC 3339 in UTC.
pub(crate) fn shown(time: Timestamp) -> String {
    use time::format_description::well_known::Rfc3339;
    let at =
        i64::try_from(time.seconds()).ok().and_then(|s| time::OffsetDateTime::from_unix_timestamp(s).ok());
    at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_else(|| "the end of time".to_owned())
}

impl From<StoreError> for BucketError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } => Self::Contention,
            StoreError::Full => Self::OutOfSpace,
            StoreError::Damaged(_) | StoreError::Dangling { .. } => Self::damaged(error),
            StoreError::SessionLost | StoreError::Unavailable { .. } => Self::Store(Arc::new(error)),
        }
    }
}

impl From<IndexError> for BucketError {
    fn from(error: IndexError) -> Self {
        match error {
            IndexError::Store(error) => (*error).into(),
            other => Self::damaged(other),
        }
    }
}

impl From<ObjectError> for BucketError {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Store(error) => (*error).into(),
            ObjectError::Crowded => Self::Overloaded,
            other => Self::damaged(other),
        }
    }
}

impl From<CommitError> for BucketError {
    fn from(error: CommitError) -> Self {
        Self::damaged(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_names_its_keys() {
        let keys = |count: usize| BucketError::Conflicts((0..count).map(|n| n.to_string()).collect());
        assert_eq!(keys(2).to_string(), r#"both sides changed "0", "1""#);
        assert!(keys(NAMED + 5).to_string().ends_with(r#""99" and 5 more"#));
    }
}
