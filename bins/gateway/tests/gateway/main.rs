//! The real binary, started and stopped as an operator does.

mod accounts;
mod audit;
mod draining;
mod harness;
mod lifecycle;
mod monitoring;
mod pressure;
mod pull;
mod refusals;
mod remote;
mod s3;
// The one that is checked against the specification's example.
#[path = "../../../../crates/s3/tests/s3/signer.rs"]
mod signer;
mod verified;
