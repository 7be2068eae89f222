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
    _ = writeln!(io::stderr(), "carob{}", told(&error));
    ExitCode::FAILURE
}

/// One line, each cause once. Part of it may be another gateway's words.
fn told(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !line.ends_with(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    output::printable(&line.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_gateway_says_cannot_steer_the_terminal() {
        let error = anyhow::anyhow!("no\u{1b}]0;\u{7}").context("the other gateway:\nno");
        assert_eq!(told(&error), ": the other gateway: no: no\\u{1b}]0;\\u{7}");
    }
}
