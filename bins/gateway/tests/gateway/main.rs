//! The real binary, started and stopped as an operator does.

mod accounts;
mod harness;
mod lifecycle;
mod refusals;
