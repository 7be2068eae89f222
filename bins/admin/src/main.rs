//! `carob`: asks a running gateway, through its private socket or on the network, and verifies what it says.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;

use cli::Cli;

mod accounts;
mod audit;
mod cli;
mod commands;
mod connect;
mod encryption_keys;
mod fsck;
mod get;
mod history;
mod keep;
mod output;
mod pull;
mod verify;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Err(error) = commands::run(Cli::parse()).await else { return ExitCode::SUCCESS };
    // Whoever reads has seen enough, as `head` does.
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    // One line, each cause once.
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    _ = writeln!(io::stderr(), "carob{}", line.replace('\n', " "));
    ExitCode::FAILURE
}
