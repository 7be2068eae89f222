//! Throughput and latency, of S3 servers side by side and of the index; and what disk objects take.

mod bound;
mod compare;
mod engine;
mod index;
mod limits;
mod pages;
mod peer;
mod process;
mod report;
mod row;
mod space;
mod turn;

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::cargo::{self, Profile};

const MIB: u64 = 1 << 20;

/// Bytes of decoded nodes that an engine in this process keeps: as many as the gateway does by default.
const CACHE: u64 = 32 << 20;

/// `xtask bench`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// Carob and its peers under the same load in turns, beside this machine's own limits.
    S3(compare::CompareArgs),
    /// Pages of a listing out of a bucket of ten million keys and of one of ten thousand.
    Pages(pages::PagesArgs),
    /// The index beside other ordered maps, in memory.
    Index(index::IndexArgs),
    /// What disk a gateway takes for what is stored in it, under load and after a collection.
    Space(space::SpaceArgs),
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::S3(_) | Self::Pages(_) | Self::Space(_) if cfg!(debug_assertions) => {
                tokio::task::spawn_blocking(in_release).await?
            }
            Self::S3(args) => until_told(args.run()).await,
            Self::Pages(args) => until_told(args.run()).await,
            Self::Space(args) => until_told(args.run()).await,
            Self::Index(args) => tokio::task::spawn_blocking(move || args.run()).await?,
        }
    }
}

/// Whatever is dropped takes its servers with it.
async fn until_told(job: impl Future<Output = Result<()>>) -> Result<()> {
    let mut told = signal(SignalKind::terminate())?;
    tokio::select! {
        done = job => done,
        _ = told.recv() => bail!("told to stop"),
        _ = tokio::signal::ctrl_c() => bail!("told to stop"),
    }
}

/// Goes on in a release build of this program: the load generator shares the machine with what it measures, and
/// the engine runs inside it.
fn in_release() -> Result<()> {
    let program = cargo::build("xtask", "xtask", Profile::Release)?;
    Err(Command::new(&program).args(std::env::args_os().skip(1)).exec())
        .with_context(|| format!("cannot run {}", program.display()))
}
