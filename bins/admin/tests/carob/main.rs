//! The real binary against an admin socket that serves a space in memory.

mod accounts;
mod answers;
mod exports;
mod harness;
mod history;
mod proofs;
mod remote;
