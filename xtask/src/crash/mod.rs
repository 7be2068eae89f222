//! Crash runs: clients write while the store is cut down again and again; nothing acknowledged may be lost.
//!
//! A run is a sequence of cycles. In each, several workers send a random but seeded sequence of operations to a
//! [`Target`], which is cut at a random moment, brought back, and checked whole against a [`model::Model`] of
//! what was acknowledged. The target decides what a cut is: SIGKILL for a gateway process ([`kill`]), lost and
//! torn unflushed pages for the store in process ([`power_cut`]).

mod check;
mod deep;
mod kill;
#[cfg(test)]
mod lying;
mod model;
mod plan;
mod power_cut;
mod run;
mod worker;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;

use crate::gateway::BinaryArgs;

pub(crate) use crate::s3::Failure;

/// Arguments of `xtask crash`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// How many times to cut.
    #[arg(long, default_value_t = 300)]
    cycles: u32,
    /// Replays the operation sequence and the cut moments of an earlier run; drawn when not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Kill a gateway process with SIGKILL (the default).
    #[arg(long, conflicts_with = "power_cut")]
    kill: bool,
    /// Cut the power of the simulated disk under a store in this process instead.
    #[arg(long)]
    power_cut: bool,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl CrashArgs {
    /// Runs the cycles; an error names the seed and cycle that show it.
    pub(crate) async fn run(self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let mode = if self.power_cut { "--power-cut" } else { "--kill" };
        println!("crash run {mode}: replay with --seed {seed}");
        let plan = plan::Plan::new(seed);
        if self.power_cut {
            run::run(&plan, self.cycles, &mut power_cut::Machine::new(seed)).await
        } else {
            run::run(&plan, self.cycles, &mut kill::Machine::new(&self.binary)?).await
        }
    }
}

/// The thing that is cut and brought back.
#[async_trait]
pub(crate) trait Machine {
    /// The clients' way in.
    type Target: Target;

    /// Starts, or restarts after a cut, on the same data.
    async fn start(&mut self) -> Result<Self::Target>;
    /// Cuts it down, whatever it is doing.
    async fn cut(&mut self) -> Result<()>;
    /// Stops it in good order.
    async fn stop(&mut self) -> Result<()>;
    /// Verification of the whole store by means of its own; called on a started machine.
    async fn verify(&mut self, buckets: &[String]) -> Result<()>;
    /// Discards all data of a stopped machine.
    async fn wipe(&mut self) -> Result<()>;
}

/// What a GET gave.
#[derive(Debug)]
pub(crate) struct Found {
    /// The `x-amz-meta-op` that the object was written with.
    pub(crate) op: u64,
    /// Without the quotes.
    pub(crate) etag: String,
    pub(crate) body: Bytes,
}

/// What a listing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) size: u64,
}

/// A store of objects as its clients see it.
#[async_trait]
pub(crate) trait Target: Clone + Send + Sync + 'static {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure>;
    /// Writes `body` and the metadata `op`. With `only_if_absent`, gives `false` where the key was there.
    async fn put(
        &self,
        bucket: &str,
        key: &str,
        op: u64,
        body: Bytes,
        only_if_absent: bool,
    ) -> Result<bool, Failure>;
    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Found>, Failure>;
    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure>;
    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure>;
    /// All objects, read in pages of `page` keys, in the order of the pages.
    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure>;
}
