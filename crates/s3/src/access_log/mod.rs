//! Access logs of buckets, kept in buckets (Amazon S3 user guide, "Logging requests with server access logging").
//!
//! Lines wait in memory and are put into the target bucket together, every now and then. As with Amazon S3 this is best
//! effort: what a crash takes with it was never promised to anybody. [`crate::Observer`] is for what must not be lost.

mod destination;
mod line;
mod store;

pub(crate) use destination::{bad_target, check};
pub(crate) use line::{Outcome, Pending};
pub(crate) use store::AccessLogs;
