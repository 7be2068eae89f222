//! The embedded durable store: blocks and heads in an append-only log of CAR segments on local disk.
//!
//! [`LocalStore`] implements [`carob_block::Store`]. A commit appends one head record and flushes once,
//! together with all other commits that wait. Opening the store replays the log; what a power cut left
//! unfinished is cut off, and damage to anything that was once durable is reported, never papered over.
//! `FORMAT.md` in this crate describes every byte.
//!
//! This crate does not know what blocks mean: it follows no links, and a collection ([`carob_block::Sweep`])
//! takes what its caller does not mark. All of its disk operations go through [`Disk`], so that tests can lose
//! power at each of them.
//!
//! ```
//! use carob_block::{Block, Codec, HeadSwap, Heads, Store};
//! use carob_local::{LocalOptions, LocalStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dir = tempfile::tempdir()?;
//! let log_id = [7; 16]; // from the system's random numbers
//! let store = LocalStore::open(LocalOptions::new(dir.path(), log_id))?;
//!
//! let block = Block::new(Codec::Raw, "hello".into())?;
//! let next = Some(*block.cid());
//! let session = store.session();
//! session.put(vec![block]).await?;
//! store.commit(&[&*session], &[HeadSwap { name: "greeting".into(), expected: None, next }]).await?;
//! drop(session);
//! store.close().await?;
//! drop(store);
//!
//! let store = LocalStore::open(LocalOptions::new(dir.path(), log_id))?;
//! assert_eq!(store.head("greeting").await?, next);
//! # Ok(())
//! # }
//! ```

mod blank;
mod brake;
mod buffers;
mod check;
mod checkpoint;
mod collect;
mod disk;
mod error;
mod extents;
mod failure;
mod flushes;
mod format;
mod frames;
mod gone;
mod group;
mod hollow;
mod hollowing;
mod index;
mod indexer;
mod log;
mod part;
mod pins;
mod queue;
mod read;
mod real;
mod record;
mod recover;
mod scan;
mod segment;
mod segments;
mod session;
mod sidecar;
#[cfg(feature = "sim")]
pub mod sim;
mod space;
mod store;
mod summed;
mod sweep;
mod table;
mod writer;

pub use check::{Finding, Harm, Losses, Report, check, repair};
pub use disk::{BegunFlush, Disk, DiskFile, DiskLock};
pub use error::LocalError;
pub use real::RealDisk;
pub use store::{LocalOptions, LocalStats, LocalStore};
