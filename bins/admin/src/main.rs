//! `carob`: asks a running gateway, through its private socket or on the network, and verifies what it says.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Nobody knows yet what was asked for, but that it was by a program.
        Err(error) if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") => {
            return fail_as_json(&mistake(&error.to_string()), MISTAKEN);
        }
        Err(error) => error.exit(),
    };
    let json = cli.json;
    let Err(error) = commands::run(cli).await else { return ExitCode::SUCCESS };
    // Whoever reads has seen enough, as `head` does.
    let io = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    if io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    let told = told(&error);
    if json {
        return fail_as_json(told.trim_start_matches(": "), FAILED);
    }
    _ = writeln!(io::stderr(), "carob{told}");
    ExitCode::from(FAILED)
}

/// The exit status of what failed.
const FAILED: u8 = 1;

/// The exit status of arguments that make no sense: clap's.
const MISTAKEN: u8 = 2;

/// What went wrong, as an object on one line.
#[derive(Serialize)]
struct Failure<'a> {
    message: &'a str,
}

fn fail_as_json(message: &str, status: u8) -> ExitCode {
    if let Ok(line) = serde_json::to_string(&Failure { message }) {
        _ = writeln!(io::stderr(), "{line}");
    }
    ExitCode::from(status)
}

/// What clap finds wrong, without how the command is used.
fn mistake(text: &str) -> String {
    let said = text.trim_start_matches("error: ");
    let said =
        said.split("\n\nUsage:").next().unwrap_or_default().split("\n\nFor more").next().unwrap_or_default();
    said.split_whitespace().collect::<Vec<_>>().join(" ")
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

    #[test]
    fn a_mistake_is_told_without_the_usage() {
        let text = "error: the following required arguments were not provided:\n  <FILE>\n\nUsage: carob verify <FILE>\n\n\
                    For more information, try '--help'.\n";
        assert_eq!(mistake(text), "the following required arguments were not provided: <FILE>");
    }
}
