//! The functional suites of MinIO's SDKs: programs of their authors, each of some hundred calls, fetched at a pinned version.
//!
//! What they say of each test is a line of JSON. What is known to fail stands in one list with the reason; anything else that
//! fails, and anything in the list that passes, fails the job.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::tls::Certified;
use crate::cargo::{self, Profile};
use crate::gateway::{self, BinaryArgs, Gateway};
use crate::go;
use crate::python::Python;

/// Lines of a test's name, a colon, and why it fails.
const KNOWN: &str = include_str!("../../clients/minio_known_failures.txt");

const GO_MODULE: &str = "github.com/minio/minio-go/v7";
const GO_VERSION: &str = "v7.4.1";

/// A suite that takes longer hangs.
const LIMIT: Duration = Duration::from_mins(30);

/// How much is shown of what a test says that fails, in characters: some say pages.
const SHOWN: usize = 500;

/// Arguments of `xtask conformance minio`.
#[derive(Debug, clap::Args)]
pub(crate) struct MinioArgs {
    /// Only this suite.
    #[arg(long, value_enum)]
    only: Option<Suite>,
    #[command(flatten)]
    binary: BinaryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Suite {
    /// That of minio-go.
    Go,
    /// That of minio-py.
    Py,
}

/// What a suite says of one test; it may say several things.
#[derive(Debug, Deserialize)]
struct Line {
    name: String,
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error: String,
}

/// What became of a suite's tests, by name.
#[derive(Debug, Default)]
struct Outcomes {
    passed: BTreeSet<String>,
    /// With what it said.
    failed: BTreeMap<String, String>,
    /// What the suite found not to be there.
    skipped: BTreeSet<String>,
}

impl MinioArgs {
    pub(super) async fn run(self) -> Result<()> {
        let known = known(KNOWN)?;
        let binary = self.binary.resolve(Profile::Dev)?;
        let mut wrong = Vec::new();
        for suite in [Suite::Go, Suite::Py] {
            if self.only.is_none_or(|only| only == suite) {
                wrong.extend(suite.run(&binary, &known).await.with_context(|| format!("{suite:?}"))?);
            }
        }
        ensure!(wrong.is_empty(), "not as known:\n{}", wrong.join("\n"));
        Ok(())
    }
}

impl Suite {
    /// Says what is not as it is known to be.
    async fn run(self, binary: &Path, known: &BTreeMap<&str, &str>) -> Result<Vec<String>> {
        let work = cargo::temp_dir("minio-")?;
        let mut program = match self {
            Self::Go => {
                let dir = cargo::scratch()?.join("minio-go").join(GO_VERSION);
                let suite = go::build_file_of(GO_MODULE, GO_VERSION, "functional_tests.go", &dir).await?;
                Command::new(suite)
            }
            Self::Py => {
                let python = Python::install().await?;
                let sources = python.sources("minio").await?;
                let mut command = python.interpreting("minio_py_suite.py");
                command.arg(sources.join("tests/functional/tests.py"));
                command
            }
        };
        // Over TLS, as the tests of the client's keys want it.
        let certified = Certified::make(work.path(), "suite")?;
        let gateway = Gateway::start_with(binary, &work.path().join("data"), &certified.flags()).await?;
        program.env("SSL_CERT_FILE", &certified.authority);
        let said = said(program, &gateway, work.path()).await;
        let stopped = gateway.stop().await;
        let outcomes = Outcomes::read(&said?);
        stopped?;
        let Outcomes { passed, failed, skipped } = &outcomes;
        println!("{self:?}: {} passed, {} failed, {} skipped", passed.len(), failed.len(), skipped.len());
        outcomes.compare(self.prefix(), known)
    }

    /// How the names of its tests begin.
    fn prefix(self) -> &'static str {
        match self {
            Self::Go => "minio-go: ",
            Self::Py => "minio-py:",
        }
    }
}

/// Runs a suite against a gateway of its own; gives what it printed.
async fn said(mut program: Command, gateway: &Gateway, work: &Path) -> Result<String> {
    let credentials = gateway::test_credentials();
    let endpoint = gateway.endpoint().trim_start_matches("https://");
    program.env("SERVER_ENDPOINT", endpoint).env("SERVER_REGION", "us-east-1");
    program.env("ACCESS_KEY", credentials.access_key).env("SECRET_KEY", credentials.secret_key);
    program.env("ENABLE_HTTPS", "1").env("ENABLE_KMS", "1");
    program.env("MINT_MODE", "full").env("RUN_ON_FAIL", "1").env_remove("MINT_DATA_DIR");
    program.env("NO_PROXY", "127.0.0.1,localhost");
    program.current_dir(work).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = timeout(LIMIT, program.output()).await;
    let output = output.with_context(|| format!("it did not end within {LIMIT:?}"))??;
    // What ends a suite early shows in what it did not say.
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Outcomes {
    fn read(said: &str) -> Self {
        let mut outcomes = Self::default();
        for line in said.lines() {
            let Ok(Line { name, status, message, error }) = serde_json::from_str(line) else { continue };
            match status.as_str() {
                "PASS" => _ = outcomes.passed.insert(name),
                "FAIL" => {
                    let said = format!("{message} {error}").chars().take(SHOWN).collect();
                    outcomes.failed.entry(name).or_insert(said);
                }
                _ => _ = outcomes.skipped.insert(name),
            }
        }
        outcomes.passed.retain(|name| !outcomes.failed.contains_key(name));
        outcomes
    }

    fn compare(&self, prefix: &str, known: &BTreeMap<&str, &str>) -> Result<Vec<String>> {
        // A suite that hardly began has nothing to fail.
        ensure!(self.passed.len() >= 30, "it ended early, after {} tests", self.passed.len());
        let unknown = self.failed.iter().filter(|(name, _)| !known.contains_key(name.as_str()));
        let mut wrong: Vec<_> = unknown.map(|(name, said)| format!("{name} fails: {said}")).collect();
        let ours = known.keys().filter(|name| name.starts_with(prefix));
        let better = ours.filter(|name| !self.failed.contains_key(**name));
        wrong.extend(better.map(|name| format!("{name} is known to fail, and does not")));
        Ok(wrong)
    }
}

/// Reads the list.
fn known(list: &str) -> Result<BTreeMap<&str, &str>> {
    let mut known = BTreeMap::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let Some((name, why)) = line.split_once(" | ") else { bail!("no reason in {line:?}") };
        ensure!(known.insert(name, why).is_none(), "{name} stands twice in the list");
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_failure_has_a_reason() {
        known(KNOWN).unwrap();
        assert!(known("minio-go: x\n").is_err());
        assert!(known("a | b\na | c\n").is_err());
    }

    #[test]
    fn what_fails_once_has_failed_and_what_is_not_known_is_told() {
        let mut said = String::from("no JSON\n{\"level\":\"INFO\"}\n");
        for (name, status) in [("t:a", "PASS"), ("t:a", "FAIL"), ("t:b", "FAIL"), ("t:c", "NA")] {
            said.push_str(&format!("{{\"name\":\"{name}\",\"status\":\"{status}\",\"message\":\"why\"}}\n"));
        }
        for n in 0..30 {
            said.push_str(&format!("{{\"name\":\"t:{n}\",\"status\":\"PASS\"}}\n"));
        }
        let outcomes = Outcomes::read(&said);
        assert_eq!((outcomes.passed.len(), outcomes.failed.len(), outcomes.skipped.len()), (30, 2, 1));
        let known = [("t:a", "why"), ("t:1", "why"), ("u:x", "another suite's")].into();
        let wrong = outcomes.compare("t:", &known).unwrap();
        assert_eq!(wrong, ["t:b fails: why ", "t:1 is known to fail, and does not"]);
        assert!(Outcomes::default().compare("t:", &known).is_err());
    }
}
