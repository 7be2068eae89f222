//! What takes gigabytes or thousands of rounds.

mod memory;
mod parts;
mod race;
mod resume;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::cargo::Profile;
use crate::gateway::{self, BinaryArgs, Gateway};
use crate::python::{Python, Session};
use crate::s3::Credentials;

/// Most resident memory that the gateway may reach in any of these jobs, bytes.
const MEMORY_LIMIT: u64 = 150_000_000;

/// Arguments of `xtask conformance large`.
#[derive(Debug, clap::Args)]
pub(crate) struct LargeArgs {
    /// Which job.
    #[arg(long, value_enum, default_value = "all")]
    job: Job,
    /// Bodies and the order of parts follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Rounds of the race.
    #[arg(long, default_value_t = 1000)]
    rounds: u32,
    #[command(flatten)]
    binary: BinaryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Job {
    /// A 5 GiB upload in parts: its client is killed, then the gateway, then the gateway once more when the
    /// upload is complete. Takes 6 GiB of disk.
    Resume,
    /// An upload of 10,000 parts, most of them equal, so that they take little disk.
    Parts,
    /// 4 GiB up and down by the AWS CLI and by boto3, within 150 MB of memory. Takes 13 GiB of disk.
    Memory,
    /// 64 writers create one key at once, again and again.
    Race,
    All,
}

/// What the jobs share.
struct Site {
    binary: PathBuf,
    python: Python,
    credentials: Credentials,
    seed: u64,
}

impl Site {
    fn session<'a>(&'a self, gateway: &'a Gateway) -> Session<'a> {
        let credentials = &self.credentials;
        Session { endpoint: gateway.endpoint(), credentials, files: 0, seed: self.seed, variables: &[] }
    }

    /// Runs one step of a client script against `gateway` and holds the gateway to the limit meanwhile.
    async fn step(&self, gateway: &Gateway, script: &str, arguments: &[&str], work: &Path) -> Result<()> {
        let begun = Instant::now();
        gateway.reset_peak_memory()?;
        let passed = self.python.script(script, arguments, &self.session(gateway), work).await;
        println!("{script} {}: {:.0?}", arguments.join(" "), begun.elapsed());
        passed.and(check_memory(gateway))
    }
}

fn check_memory(gateway: &Gateway) -> Result<()> {
    let peak = gateway.peak_memory()?;
    println!("peak memory of the gateway: {} MB, limit {} MB", peak / 1_000_000, MEMORY_LIMIT / 1_000_000);
    ensure!(peak < MEMORY_LIMIT, "the gateway took {peak} bytes of memory");
    Ok(())
}

impl LargeArgs {
    pub(super) async fn run(self) -> Result<()> {
        let site = Site {
            binary: self.binary.resolve(Profile::Release)?,
            python: Python::install().await?,
            credentials: gateway::test_credentials(),
            seed: self.seed,
        };
        println!("seed {}", self.seed);
        let wanted = |job| self.job == Job::All || self.job == job;
        if wanted(Job::Race) {
            race::run(&site, self.rounds).await.context("race")?;
        }
        if wanted(Job::Resume) {
            resume::run(&site).await.context("resume")?;
        }
        if wanted(Job::Memory) {
            memory::run(&site).await.context("memory")?;
        }
        if wanted(Job::Parts) {
            parts::run(&site).await.context("parts")?;
        }
        Ok(())
    }
}
