//! A log of deeds in JSON lines, each of which carries the hash of the one before.
//!
//! Who changes, removes or inserts a line breaks the chain at that place, and [`verify`] says where. Who can write the
//! whole file can make a new chain, so the hash of the last line, noted elsewhere, is what the log is held to.
//!
//! [`AuditLog`] writes from a thread of its own: whoever records never waits. It begins another file when one is
//! large, and the chain goes on there.
//!
//! It deliberately knows neither S3 nor HTTP: a [`Deed`] is whatever its fields say.
//!
//! ```
//! # fn main() -> Result<(), carob_audit::AuditError> {
//! # let dir = tempfile::tempdir().unwrap();
//! use carob_audit::{AuditLog, Deed, verify};
//!
//! let log = AuditLog::open(dir.path(), 1 << 20)?;
//! log.record(Deed { operation: "PutObject".to_owned(), status: Some(200), ..Deed::default() });
//! log.close();
//! let chain = verify(&dir.path().join(carob_audit::FILE), None)?;
//! assert_eq!(chain.lines, 1);
//! # Ok(()) }
//! ```

mod chain;
mod deed;
mod writer;

pub use chain::{AuditError, Chain, Link, verify};
pub use deed::{Deed, Touched};
pub use writer::{AuditLog, FILE};
