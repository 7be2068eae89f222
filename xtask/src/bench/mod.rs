//! Throughput and latency: of S3 servers side by side, and of the index.

mod compare;
mod engine;
mod index;
mod limits;
mod peer;
mod process;
mod report;
mod row;
mod turn;

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::cargo::{self, Profile};

const MIB: u64 = 1 << 20;

/// `xtask bench`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Carob and its peers under the same load in turns, beside this machine's own limits.
    S3(compare::CompareArgs),
    /// The index beside other ordered maps, in memory.
    Index(index::IndexArgs),
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::S3(_) if cfg!(debug_assertions) => tokio::task::spawn_blocking(in_release).await?,
            Self::S3(args) => args.run().await,
            Self::Index(args) => tokio::task::spawn_blocking(move || args.run()).await?,
        }
    }
}

/// Runs the same job from a release build: the load generator shares the machine with what it measures, and the
/// engine runs inside it.
fn in_release() -> Result<()> {
    let program = cargo::build("xtask", "xtask", Profile::Release)?;
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).stdin(Stdio::null());
    let status = again.status()?;
    ensure!(status.success(), "the benchmark ended with {status}");
    Ok(())
}
