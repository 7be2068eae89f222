//! Lifecycle rules (Amazon S3 user guide, "Managing the lifecycle of objects"): what they say, what is due by them,
//! and the worker that does it.

mod due;
mod judge;
#[cfg(test)]
mod naive;
mod rules;
mod worker;

pub(crate) use due::{Abort, abort, expiration};
pub(crate) use rules::{Rules, in_utc};
pub use worker::{Lifecycle, Removal, Tally};
