//! Buckets whose every acknowledged write is a signed, verifiable root.
//!
//! A [`Space`] holds [`Bucket`]s over any [`carob_block::Store`]. Bodies stream in through an [`Upload`];
//! one committer a bucket takes all the writes that wait, checks each one's [`Precondition`], edits the tree
//! once, signs, and answers when the store has made everything durable. Reads are made on a [`Snapshot`],
//! which never changes.
//!
//! This crate knows no S3 name, header or status, no HTTP, and no file.
//!
//! ```
//! # use std::sync::Arc;
//! # use carob_bucket::{PutOptions, Space, SpaceOptions};
//! # use carob_identity::{ManualClock, SeededEntropy, SpaceKey};
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let entropy = Arc::new(SeededEntropy::new(1));
//! let space = Space::open(SpaceOptions {
//!     store: Arc::new(carob_block::MemoryStore::new()),
//!     signer: Arc::new(SpaceKey::generate(&*entropy)),
//!     clock: Arc::new(ManualClock::default()),
//!     entropy,
//!     cache_bytes: 1 << 20,
//! }).await?;
//! space.create_bucket("photos").await?;
//! let photos = space.bucket("photos").await?;
//! let mut upload = photos.upload(&[]);
//! upload.write("hello".into()).await?;
//! let written = photos.put("greeting", upload.finish().await?, PutOptions::default()).await?;
//! assert_eq!(photos.snapshot().await?.cid(), written.commit);
//! # space.close().await; Ok(()) }
//! ```

mod adopt;
mod amend;
mod bases;
mod branch;
mod bucket;
mod changes;
mod collect;
mod collector;
mod committer;
mod configure;
mod delimiter;
mod effort;
mod error;
mod escape;
mod expiry;
mod export;
mod flushing;
mod fork;
mod graft;
mod group;
mod group_graft;
mod group_uploads;
mod group_writes;
mod history;
mod import;
mod kept_states;
mod listing;
mod lock;
mod mark;
mod moment;
mod multipart;
mod named;
mod names;
mod object;
mod origin;
mod past;
mod pins;
mod precondition;
mod prove;
mod pull;
mod purge;
mod reach;
mod rename;
mod retention;
mod rules;
mod seal;
mod slices;
mod snapshot;
mod space;
mod system;
mod token;
mod tombstones;
mod undelete;
mod upload;
mod upload_listing;
mod uploads;
mod version_listing;
mod versions;

pub use amend::Amendment;
pub use bucket::{Bucket, DeleteOptions, Deleted, PutOptions, Written};
pub use carob_commit::{
    Answer, Blake3Root, BucketId, ChecksumType, Claim, Commit, Config, DefaultRetention, DeleteMarker, ETag,
    Encryption, HistoryRetention, Layout, Lock, NamedKey, ObjectHeaders, ObjectLock, Part, PartList,
    PartState, Question, Record, Retention, RetentionMode, RetentionPeriod, Scheme, SealedBody, Summary,
    UploadChecksum, UploadId, UploadState, Version, VersionId, VersionName, Versioning,
};
pub use carob_index::CacheFigures;
pub use carob_object::{
    Budget, BudgetOptions, Checksum, ChecksumAlgorithm, ChecksumHasher, DataKey, GROUP_SIZE, Share,
};
pub use changes::{Changes, KeyChange, Portion};
pub use collect::{CollectOptions, Collected, CollectedBucket};
pub use collector::{Collector, CollectorFigures, Thoroughness};
pub use error::BucketError;
pub use graft::{Grafted, MAX_CONFLICTS, MergeRule};
pub use history::LogEntry;
pub use import::{Import, Imported};
pub use kept_states::{Held, KeptStates};
pub use listing::{ListEntry, ListPage, ListQuery, ListStart, Listed, Show};
pub use lock::MAX_RETENTION_DAYS;
pub use moment::Moment;
pub use multipart::{CompleteOptions, MAX_PARTS, MIN_PART_BYTES, PartClaim, UploadOptions};
pub use named::NamedSnapshot;
pub use object::{ByteStream, Object};
pub use precondition::{EtagCondition, Precondition};
pub use prove::Proof;
pub use pull::{Pull, PullFigures, PullOptions, Pulled};
pub use purge::Purge;
pub use reach::Wanted;
pub use rename::RenameOptions;
pub use seal::Seal;
pub use slices::Slices;
pub use snapshot::{Found, Snapshot, Usage};
pub use space::{BucketInfo, Space, SpaceOptions};
pub use system::{NewKey, System, SystemError, SystemOptions};
pub use undelete::{DeletedBucket, Undeleted};
pub use upload::{Upload, Uploaded};
pub use upload_listing::{PartsPage, UploadsEntry, UploadsPage, UploadsQuery};
pub use version_listing::{VersionStart, VersionsEntry, VersionsPage, VersionsQuery};

/// The longest key, in bytes of UTF-8 (Amazon S3 user guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// The most user metadata an object carries, in bytes of names and values together (Amazon S3 user guide,
/// "Working with object metadata").
pub const MAX_METADATA_BYTES: usize = 2048;
