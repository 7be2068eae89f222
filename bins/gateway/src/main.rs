//! `carob-gateway`: S3 over buckets that are signed Merkle trees. Configuration, wiring, serving, draining; all
//! logic is in the crates.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use clap::Parser;
use tracing_subscriber::fmt;

use config::{Flags, LogFormat, Settings};

mod banner;
mod config;
mod gateway;
mod history;
mod keys;
mod listen;
mod monitoring;

/// Requests allocate much and briefly, on many threads: the C library's allocator takes a seventh of the time of a
/// small request, and keeps what its arenas once held.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How many threads hash large bodies and read from the disk. More would hold more memory and no more processors.
const BLOCKING_THREADS: usize = 32;

/// The exit status where something is in the way of what was asked for.
const FAILED: u8 = 1;

/// The exit status where what was asked for cannot be: to ask again changes nothing. `carob` has the same.
const MISTAKEN: u8 = 2;

fn main() -> ExitCode {
    let flags = match Flags::try_parse() {
        Ok(flags) => flags,
        Err(error) if !error.use_stderr() => {
            // Help or the version was asked for.
            _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            return fail(&anyhow!("{}", line.trim_start_matches("error: ")), MISTAKEN);
        }
    };
    let settings = match Settings::resolve(flags, |name| std::env::var_os(name)) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, MISTAKEN),
    };
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, FAILED),
    }
}

fn run(mut settings: Settings) -> anyhow::Result<()> {
    let filter = std::mem::take(&mut settings.log);
    let log = fmt().with_writer(io::stderr).with_ansi(io::stderr().is_terminal()).with_env_filter(filter);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.max_blocking_threads(BLOCKING_THREADS).enable_all().build()?;
    runtime.block_on(gateway::run(settings))
}

/// One line, each cause once.
fn fail(error: &anyhow::Error, status: u8) -> ExitCode {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    _ = writeln!(io::stderr(), "carob-gateway{}", line.replace('\n', " "));
    ExitCode::from(status)
}
