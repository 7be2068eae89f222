//! Crash runs: clients write while the store is cut down again and again; nothing acknowledged may be lost.
//!
//! A run is a sequence of cycles. In each, several workers send a random but seeded sequence of operations to a
//! [`Target`], which is cut at a random moment, brought back, and checked against a [`model::Model`] of what was
//! acknowledged: every listing, and all that was written since the last check, or now and then everything. The target decides what a cut is: SIGKILL for a gateway process ([`kill`]), lost and
//! torn unflushed pages for the store in process ([`power_cut`]).
//!
//! A kind of operation is an [`plan::Action`], a method of [`Target`], a step ([`objects`], [`multipart`]) and, where it
//! changes something new, a [`register::Register`] of the model. A step tells the model what it sends before it sends
//! it, and then what was answered: a success must have been possible, and so must a refusal. No answer leaves both
//! open until the check after the cut reads what happened. Versions, object lock and tags have a model of their own,
//! in [`versions`], and so have buckets that come and go, in [`lives`].

mod check;
mod check_uploads;
mod client;
mod content;
mod deep;
mod ending;
#[cfg(test)]
mod forgetful;
mod kill;
mod lives;
#[cfg(test)]
mod lying;
mod model;
mod multipart;
mod objects;
mod orders;
mod plan;
mod power_cut;
mod register;
mod run;
mod space;
mod states;
mod target;
mod uploads;
mod versions;
mod worker;

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;

use crate::gateway::BinaryArgs;

pub(crate) use states::CrashStatesArgs;
use target::{Failure, Name, Target, UploadName};

/// Arguments of `xtask crash`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// How many times to cut.
    #[arg(long, default_value_t = 300)]
    cycles: u32,
    /// Goes on with a run of the same seed and length: from the store that this cycle belongs to.
    #[arg(long, default_value_t = 0, requires = "seed")]
    from: u32,
    /// Stop with the first store that ends after so many minutes, and say how to go on.
    #[arg(long)]
    minutes: Option<u64>,
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
        let limit = self.minutes.map(|minutes| Duration::from_secs(60 * minutes));
        let cycles = self.from..self.cycles;
        if self.power_cut {
            run::run(&plan, cycles, limit, &mut power_cut::Machine::new(seed)).await
        } else {
            run::run(&plan, cycles, limit, &mut kill::Machine::new(&self.binary)?).await
        }
    }
}

/// The thing that is cut and brought back.
#[async_trait]
trait Machine {
    /// The clients' way in.
    type Target: Target;
    /// Of so many cycles the last has everything read back and verified; the others what was written meanwhile, and
    /// all listings.
    const FULL_EVERY: u32;

    /// Starts, or restarts after a cut, on the same data.
    async fn start(&mut self) -> Result<Self::Target>;
    /// Cuts it down, whatever it is doing.
    async fn cut(&mut self) -> Result<()>;
    /// Stops it in good order.
    async fn stop(&mut self) -> Result<()>;
    /// Verification of the whole store by means of its own; called on a started machine.
    async fn verify(&mut self, buckets: &[String]) -> Result<()>;
    /// Discards all data of a stopped machine; what it draws from then on depends on the seed and `cycle` alone.
    async fn wipe(&mut self, cycle: u32) -> Result<()>;
}
