//! A persistent, ordered map in content-addressed blocks: a prolly tree.
//!
//! Keys are bytes in byte order, values are DAG-CBOR. A [`Tree`] is one immutable state, named by the CID of
//! its root; an edit gives another tree that shares every node it did not touch. The root depends on the
//! entries alone (under one [`Salt`] and one set of [`Params`]), not on the order or grouping of the edits that
//! led to them: equal roots mean equal contents, and nodes that two trees share need no comparing, so differences,
//! merges and the blocks to send cost what differs. Counts and weights stand in inner nodes, so the size of any range
//! is known without reading it.
//!
//! [`Cursor`]s read both ways, [`Tree::diff`] compares, [`Tree::merge`] and [`Tree::splice`] combine, [`Tree::prove`] and
//! [`verify_proof`] let others check an answer who have nothing but the root.
//!
//! This crate does not know what keys and values mean, and writes to no store: an edit returns the new blocks,
//! and whoever asked for it puts them.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//!
//! use carob_block::{MemoryStore, Store};
//! use carob_index::{Entry, NodeCache, Params, Salt, Tree, Value};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Arc::new(MemoryStore::new());
//! let session = store.session();
//! let cache = Arc::new(NodeCache::new(64 << 20));
//!
//! let (tree, blocks) = Tree::empty(store.clone(), cache, Salt(*b"drawn at random."), Params::default());
//! session.put(blocks).await?;
//!
//! let entry = Entry { weight: 12_345, value: Value::from_serialize("a picture")? };
//! let edited = tree.edit(BTreeMap::from([("photos/cat.jpg".into(), Some(entry))])).await?;
//! session.put(edited.blocks).await?;
//!
//! let tree = edited.tree;
//! let found = tree.get(b"photos/cat.jpg").await?.expect("just put");
//! assert_eq!(found.value.deserialize::<String>()?, "a picture");
//! assert_eq!(tree.count_prefix(b"photos/").await?.bytes, 12_345);
//!
//! let mut cursor = tree.cursor();
//! cursor.seek(b"photos/").await?;
//! while let Some((key, entry)) = cursor.next().await? {
//!     println!("{key:?} {}", entry.weight);
//! }
//! # Ok(())
//! # }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod build;
mod cache;
mod cbor;
mod cursor;
mod datum;
#[cfg(test)]
mod decode_tests;
mod descriptor;
mod diff;
mod edit;
mod encode;
mod entry;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod lane;
mod merge;
mod node;
mod params;
mod path;
mod proof;
mod run;
mod splice;
mod splitter;
mod tree;
mod walk;

pub use build::Builder;
pub use cache::{CacheFigures, NodeCache};
pub use cursor::Cursor;
pub use datum::{Datum, Fields};
pub use diff::{Change, Diff};
pub use edit::Edited;
pub use entry::{Entry, Totals, Value};
pub use error::IndexError;
pub use merge::{Base, Conflict, Merge};
pub use params::{Params, Salt};
pub use proof::{ProofBlocks, Recorder, verify_proof};
pub use run::Run;
pub use tree::Tree;
pub use walk::{NodeKind, Visited, Walk};

/// The longest key, in bytes. None is empty.
pub const MAX_KEY: usize = 2112;

/// The longest value, in bytes. Longer ones belong in a block of their own, and a link to it here.
pub const MAX_VALUE: usize = 768;
