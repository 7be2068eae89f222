//! Starting, killing and measuring a gateway of our own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader as AsyncBufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cargo::{self, Profile};
use crate::s3::{Client, Credentials};

/// A start that takes longer than this is a failure, recovery after a crash included.
const START_LIMIT: Duration = Duration::from_mins(1);
/// A drain that takes longer than this is a failure.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The access key that every gateway under test is started with.
pub(crate) fn test_credentials() -> Credentials {
    Credentials {
        access_key: "xtask-access-key".into(),
        secret_key: "xtask-secret-key-of-some-length".into(),
    }
}

/// Which gateway binary to test.
#[derive(Debug, clap::Args)]
pub(crate) struct BinaryArgs {
    /// Test this gateway binary instead of building one; its `carob` is expected beside it.
    #[arg(long, value_name = "PATH")]
    gateway: Option<PathBuf>,
    /// Profile to build the gateway in.
    #[arg(long, value_enum)]
    profile: Option<Profile>,
}

impl BinaryArgs {
    /// Path of the `carob` that belongs to the gateway: built now in `default` profile, or the one beside the given gateway.
    pub(crate) fn resolve_admin(&self, default: Profile) -> Result<PathBuf> {
        match &self.gateway {
            Some(gateway) => Ok(gateway.with_file_name("carob")),
            None => cargo::build("carob-admin", "carob", self.profile.unwrap_or(default)),
        }
    }

    /// Path of the binary, built now in `default` profile unless the arguments say otherwise.
    pub(crate) fn resolve(&self, default: Profile) -> Result<PathBuf> {
        // Each job's log begins empty.
        File::create(log_path()?)?;
        match &self.gateway {
            Some(path) => Ok(path.clone()),
            None => cargo::build("carob-gateway", "carob-gateway", self.profile.unwrap_or(default)),
        }
    }
}

/// A running gateway process on a free loopback port. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Gateway {
    child: Child,
    drain: JoinHandle<()>,
    endpoint: String,
    data: PathBuf,
    /// Where its part of the log begins.
    log_start: u64,
    /// Time from spawn to the first good health answer, or to where it says that it serves.
    pub(crate) start_time: Duration,
}

impl Gateway {
    /// Starts `binary` on the data directory `data` and waits until it is healthy.
    pub(crate) async fn start(binary: &Path, data: &Path) -> Result<Self> {
        let begun = Instant::now();
        let mut gateway = Self::start_with(binary, data, &[]).await?;
        gateway.wait_healthy(begun).await?;
        gateway.start_time = begun.elapsed();
        Ok(gateway)
    }

    /// The same with more arguments, and until it says that it serves.
    pub(crate) async fn start_with(binary: &Path, data: &Path, more: &[&OsStr]) -> Result<Self> {
        let begun = Instant::now();
        let credentials = test_credentials();
        let log = log_file()?;
        let log_start = log.metadata()?.len();
        let mut child = Command::new(binary)
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"])
            .args(more)
            .env("CAROB_ROOT_ACCESS_KEY", &credentials.access_key)
            .env("CAROB_ROOT_SECRET_KEY", &credentials.secret_key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        let stdout = child.stdout.take().context("the gateway has no stdout")?;
        let mut lines = AsyncBufReader::new(stdout).lines();
        let endpoint = timeout(START_LIMIT, read_endpoint(&mut lines))
            .await
            .with_context(|| format!("the gateway printed no endpoint within {START_LIMIT:?}"))??;
        // The pipe must stay open and empty, or the gateway's next line would block or fail.
        let drain = tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let start_time = begun.elapsed();
        Ok(Self { child, drain, endpoint, data: data.to_owned(), log_start, start_time })
    }

    async fn wait_healthy(&mut self, begun: Instant) -> Result<()> {
        let client = self.client()?;
        loop {
            if client.health().await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway stopped while starting: {status}");
            }
            ensure!(begun.elapsed() < START_LIMIT, "the gateway was not healthy within {START_LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// `http://127.0.0.1:PORT`, or `https`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// A client with the root key.
    pub(crate) fn client(&self) -> Result<Client> {
        Client::new(&self.endpoint, test_credentials())
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the gateway had stopped by itself before it was killed: {status}");
        }
        self.child.kill().await?;
        self.drain.await?;
        no_panic(self.log_start)
    }

    /// SIGTERM; the process must drain and exit with success.
    pub(crate) async fn stop(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the gateway had stopped by itself: {status}");
        }
        let pid = self.pid()?.to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await?;
        ensure!(sent.success(), "cannot send SIGTERM to {pid}");
        let status = timeout(STOP_LIMIT, self.child.wait())
            .await
            .with_context(|| format!("the gateway did not stop within {STOP_LIMIT:?} of SIGTERM"))??;
        ensure!(status.success(), "the gateway answered SIGTERM with {status}");
        self.drain.await?;
        no_panic(self.log_start)
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Result<u32> {
        self.child.id().context("the gateway is not running")
    }

    /// Highest resident memory so far, or since [`Self::reset_peak_memory`]; bytes.
    pub(crate) fn peak_memory(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid()?);
        let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmHWM is no number")?;
        Ok(kib * 1024)
    }

    /// Restarts the measurement of [`Self::peak_memory`] at the present use (proc(5), `clear_refs`).
    pub(crate) fn reset_peak_memory(&self) -> Result<()> {
        let path = format!("/proc/{}/clear_refs", self.pid()?);
        std::fs::write(&path, "5").with_context(|| format!("cannot write {path}"))
    }
}

/// Reads lines until one names an endpoint with a port.
async fn read_endpoint(lines: &mut Lines<AsyncBufReader<ChildStdout>>) -> Result<String> {
    while let Some(line) = lines.next_line().await? {
        if let Some(endpoint) = find_endpoint(&line) {
            return Ok(endpoint);
        }
    }
    bail!("the gateway ended without printing an endpoint; its log, {}, says why", log_path()?.display())
}

/// Where every gateway of this job logs to.
pub(crate) fn log_path() -> Result<PathBuf> {
    Ok(cargo::scratch()?.join("gateway.log"))
}

/// A thread that panicked is a fault, whatever the clients saw.
fn no_panic(log_start: u64) -> Result<()> {
    let mut log = File::open(log_path()?)?;
    log.seek(SeekFrom::Start(log_start))?;
    for line in BufReader::new(log).lines() {
        let line = line?;
        ensure!(!line.contains("panicked at"), "the gateway's log says: {line}");
    }
    Ok(())
}

fn log_file() -> Result<File> {
    Ok(File::options().append(true).create(true).open(log_path()?)?)
}

fn find_endpoint(line: &str) -> Option<String> {
    let start = line.find("http://").or_else(|| line.find("https://"))?;
    let (scheme, host) = line[start..].split_once("://")?;
    let end = host.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(host.len());
    let host = host[..end].trim_end_matches('.');
    let (_, port) = host.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|&port| port != 0)?;
    Some(format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::find_endpoint;

    #[test]
    fn endpoint_is_found_in_prose() {
        let found = |line| find_endpoint(line);
        assert_eq!(found("endpoint  http://127.0.0.1:4711/").as_deref(), Some("http://127.0.0.1:4711"));
        assert_eq!(found("see http://[::1]:80.").as_deref(), Some("http://[::1]:80"));
        assert_eq!(found("endpoint  https://127.0.0.1:4711").as_deref(), Some("https://127.0.0.1:4711"));
        assert_eq!(found("AWS_ENDPOINT_URL=http://127.0.0.1:9").as_deref(), Some("http://127.0.0.1:9"));
    }

    #[test]
    fn an_address_without_a_port_is_no_endpoint() {
        assert_eq!(find_endpoint("docs at http://example.com/"), None);
        assert_eq!(find_endpoint("asked for http://127.0.0.1:0"), None);
        assert_eq!(find_endpoint("starting"), None);
    }
}
