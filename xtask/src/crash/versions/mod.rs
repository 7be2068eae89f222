//! Versions, object lock and tags: what S3 says of one key, and what a crash run makes of it.
//!
//! A key is a list of versions, and [`state`] says what each request makes of such a list and answers: the whole of
//! versioning in one function. [`moments`] follows all orders in which the requests under way may have happened, so
//! an answer is right if one of them gives it. After a cut everything is read back ([`check`]): it must be a state
//! that some order leads to, and from then on it is the only one.

mod check;
mod client;
mod moments;
mod plan;
mod space;
mod state;
mod steps;
mod target;

pub(super) use check::check_versions;
pub(super) use moments::Model;
pub(super) use plan::{Action, Kind, action};
pub(super) use target::VersionedTarget;
#[cfg(test)]
pub(super) use {
    state::{Lock, Retention, Tags},
    target::{Deleted, Found, ListedVersion},
};
