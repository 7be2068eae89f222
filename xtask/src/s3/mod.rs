//! A small S3 client for load and crash runs.
//!
//! Own code for a reason: `rusty-s3` signs query strings only (presigned URLs), which is not what clients send;
//! `object_store` brings reqwest and TLS, normalises keys and retries on its own, which would hide what a crash
//! run looks for; and s3s's signer is the code under test. The compatibility of real clients is shown by
//! `xtask conformance`, not here.

mod body;
mod client;
mod counted;
mod multipart;
mod past;
mod sigv4;
mod versions;
mod xml;

pub(crate) use body::{Expected, Stamped};
pub(crate) use client::{Client, Failure, Payload};
pub(crate) use sigv4::{Credentials, canonical_query, encode_path};
pub(crate) use versions::Versioned;
