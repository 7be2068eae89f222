//! Content-addressed blocks, and the traits that every store of them implements.
//!
//! A [`Block`] can only be made by hashing its bytes or by checking them against a CID, so holding one is
//! proof that bytes and CID belong together. A [`Store`] keeps blocks, and a few mutable **heads** (a name
//! that points at a CID) moved by compare-and-swap.
//!
//! This crate knows nothing of buckets, objects, files or networks.
//!
//! ```
//! use carob_block::{Block, Codec};
//!
//! let block = Block::new(Codec::Raw, "hello".into())?;
//! assert_eq!(block.cid().to_string(), "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
//! assert!(Block::verify(*block.cid(), "hellO".into()).is_err());
//! # Ok::<(), carob_block::BlockError>(())
//! ```

mod block;
mod links;
mod store;
mod sweep;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(feature = "conformance")]
pub mod fault;
#[cfg(feature = "memory")]
mod memory;

pub use block::{Block, BlockError, Codec, MAX_BLOCK_SIZE, sha256_cid};
pub use bytes::Bytes;
pub use cid::Cid;
#[cfg(feature = "memory")]
pub use memory::MemoryStore;
pub use store::{Check, HeadSwap, Heads, ReadBlocks, Session, SessionId, Store, StoreError};
pub use sweep::{Collection, Marked, Sweep, SweepOptions, Swept};
