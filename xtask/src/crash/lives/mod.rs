//! Buckets that are deleted, made anew under the same name, and brought back.
//!
//! A bucket has one life or several: [`state`] says what each request makes of all the buckets of some names, the
//! deleted ones among them, and [`model`] follows all orders in which the requests under way may have happened. After
//! a cut the buckets there are, their ids, retention and objects, the deleted ones and the past of those that are there
//! must be what one order leads to.

mod check;
mod client;
mod model;
mod plan;
mod space;
mod state;
mod steps;
mod target;

pub(super) use check::check_lives;
pub(super) use model::Model;
pub(super) use plan::{Action, action, is_mortal};
pub(super) use target::LivesTarget;
#[cfg(test)]
pub(super) use target::{Alive, Dead, Past};
