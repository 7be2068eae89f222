//! Development jobs: real clients against the real gateway, crash runs, benchmarks, repository checks.
//!
//! Run as `cargo xtask JOB`; `cargo xtask --help` lists them. Servers started here listen on the loopback
//! interface only, and are gone when the job ends.

#![expect(clippy::print_stdout, reason = "a job reports to the person at the terminal")]

mod bench;
mod cargo;
mod conformance;
mod crash;
mod fuzz_index;
mod gateway;
mod go;
mod java;
mod load;
mod memory;
mod node;
mod python;
mod readme;
mod s3;
mod tidy;
mod unflushed;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

#[derive(Debug, clap::Parser)]
#[command(about = "Development jobs")]
enum Job {
    /// Drive the gateway with real clients.
    #[command(subcommand)]
    Conformance(conformance::Conformance),
    /// Cut the store down again and again under load; nothing acknowledged may be lost.
    Crash(crash::CrashArgs),
    /// Try what a power cut may leave at every flush of every short sequence of operations.
    CrashStates(crash::CrashStatesArgs),
    /// Run generated histories of edits against the index, or fuzz its decoders.
    FuzzIndex(fuzz_index::FuzzIndexArgs),
    /// Measure throughput and latency, beside this machine's own limits.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Many multipart uploads at once: what memory they take, and whether anything is lost.
    Load(load::LoadArgs),
    /// Check that memory does not grow with the size of a body.
    Memory(memory::MemoryArgs),
    /// Check the rules of this repository that no compiler checks.
    Tidy,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Job::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(job: Job) -> Result<()> {
    match job {
        Job::Conformance(conformance) => conformance.run().await,
        Job::Crash(args) => args.run().await,
        Job::CrashStates(args) => args.run().await,
        Job::FuzzIndex(args) => args.run().await,
        Job::Bench(bench) => bench.run().await,
        Job::Load(args) => args.run().await,
        Job::Memory(args) => args.run().await,
        Job::Tidy => tidy::run(),
    }
}
