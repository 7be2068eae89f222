//! Object bodies: streamed in as UnixFS DAGs and hashed in one pass, streamed out by range.
//!
//! A body is cut into raw leaves of 1 MiB under a balanced tree of 1024 links a node: the profile
//! `unixfs-v1-2025` of IPIP-0499, so its CID is the one that `ipfs add` gives with that profile. A body of up
//! to 1 MiB is one raw block. The bytes are written down in `docs/formats.md`.
//!
//! This crate does not know what a bucket, a key or a record is, nor when blocks become durable: it puts into
//! a session and reads from a store.
//!
//! ```
//! use std::sync::Arc;
//! use carob_block::{MemoryStore, Session, Store};
//! use carob_object::{ChecksumAlgorithm, ObjectWriter, read};
//! use futures::TryStreamExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), carob_object::ObjectError> {
//! let store = Arc::new(MemoryStore::new());
//! let session: Arc<dyn Session> = Arc::from(store.session());
//! let mut writer = ObjectWriter::new(session.clone(), &[ChecksumAlgorithm::Crc32]);
//! writer.write("hel".into()).await?;
//! writer.write("lo".into()).await?;
//! let object = writer.finish().await?;
//! assert_eq!(object.cid.to_string(), "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
//! assert_eq!(object.checksums[0].to_base64(), "NhCmhg==");
//!
//! let middle: Vec<_> = read(store, object.cid, object.size, 1..4)?.try_collect().await?;
//! assert_eq!(middle.concat(), b"ell");
//! # Ok(())
//! # }
//! ```

mod assembler;
mod budget;
mod checksum;
mod combine;
mod dag;
mod descent;
mod error;
mod join;
mod leaf;
mod opening;
mod outboard;
mod reader;
mod sealed;
mod slice;
mod strand;
mod unixfs;
mod walk;
mod writer;

pub use budget::{Budget, BudgetOptions, Share};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher};
pub use combine::md5;
pub use dag::DagBuilder;
pub use error::ObjectError;
pub use join::{Joined, join};
pub use opening::{SealedPart, read_sealed};
pub use outboard::GROUP_SIZE;
pub use reader::{Body, ObjectReader, Run, blocks, read, read_within};
pub use sealed::{BodyKey, DataKey, Salt, sealed_size};
pub use slice::{Piece, SliceError, check_slices, read_slices, slices_size};
pub use unixfs::Link;
pub use writer::{ObjectWriter, WrittenObject};

/// Bytes of a full leaf.
pub const LEAF_SIZE: usize = 1 << 20;

/// Links of a full node.
pub const MAX_LINKS: usize = 1024;
