//! What a bucket is made of, apart from its tree: the [`Record`] of an object, the [`Genesis`] of a bucket,
//! the signed [`Commit`] that is a bucket's state, and the offline check of an exported bucket.
//!
//! Everything here is a canonical DAG-CBOR block; `docs/formats.md` gives every byte. The crate does no I/O
//! and reads no clock.
//!
//! ```
//! use carob_commit::ETag;
//!
//! let etag: ETag = "9e107d9d372bb6826bd81d3542a419d6-3".parse()?;
//! assert_eq!(etag.parts, Some(3));
//! # Ok::<(), carob_commit::CommitError>(())
//! ```

mod body;
mod bucket_id;
mod checksum;
mod codec;
mod commit;
mod config;
mod encryption;
mod etag;
mod genesis;
mod inline;
mod kept;
mod lock;
mod multipart;
mod parts;
mod past;
mod proof;
mod purged;
mod record;
mod summary;
mod system;
mod verify;
mod version;

pub use body::CheckedBodies;
pub use bucket_id::BucketId;
pub use carob_object::{Piece, SliceError, check_slices};
pub use commit::{Commit, Unsigned};
pub use config::{Config, DefaultRetention, ObjectLock, RetentionPeriod, Versioning};
pub use encryption::{Encryption, NamedKey, Scheme, SealedBody};
pub use etag::ETag;
pub use genesis::Genesis;
pub use inline::{INLINE, Inline, TreeValue};
pub use kept::{HistoryRetention, Kept, KeptCommit, NamedCommit};
pub use lock::{Lock, Retention, RetentionMode};
pub use multipart::{CompletedState, PartState, UploadChecksum, UploadId, UploadState, uploads_head};
pub use parts::{Part, PartList};
pub use past::{Past, verify_past};
pub use proof::{Answer, Claim, MAX_PROVEN, Proven, Question, answer};
pub use purged::{Purged, Tombstone};
pub use record::{Blake3Root, ChecksumType, Layout, ObjectHeaders, Record};
pub use summary::Summary;
pub use system::{AccountState, EncryptionKeyState, KeyState, SYSTEM_HEAD, SystemState};
pub use verify::{
    Report, Verified, VerifyError, find_broken, verify_blocks, verify_car, verify_file, verify_history,
    verify_since,
};
pub use version::{DeleteMarker, Version, VersionId, VersionName};

/// Why bytes are not one of this crate's structures, or not an authentic one.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The block is not the canonical encoding of what it should be.
    #[error("block {cid} is not a valid {what}")]
    Malformed {
        /// The block.
        cid: carob_block::Cid,
        /// What was expected.
        what: &'static str,
        /// What the decoder found.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A version this program does not know.
    #[error("{what} has version {found}, which this program does not know")]
    UnknownVersion {
        /// What carries the version.
        what: &'static str,
        /// The version found.
        found: u64,
    },
    /// The signature is not the author's over this commit.
    #[error("commit {0} carries a bad signature")]
    BadSignature(carob_block::Cid),
    /// Text that is not an ETag.
    #[error("{0:?} is not an ETag")]
    BadEtag(String),
    /// Text that is not a bucket id.
    #[error("{0:?} is not a bucket id")]
    BadBucketId(String),
    /// Text that is not an upload id.
    #[error("{0:?} is not an upload id")]
    BadUploadId(String),
    /// Text that is not a version id.
    #[error("{0:?} is not a version id")]
    BadVersionId(String),
    /// A structure over the size of a block; only reached by metadata far above S3's limits.
    #[error("{what} is too large to store")]
    TooLarge {
        /// What was to be encoded.
        what: &'static str,
    },
}
