//! What a data directory takes, and what the gateway says of it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often the directory is looked at under load.
const LOOK: Duration = Duration::from_millis(100);

/// What `stat` counts in, wherever (stat(2), `st_blocks`).
const SECTOR: u64 = 512;

/// The `carob` command, for one gateway.
#[derive(Debug)]
pub(super) struct Admin {
    binary: PathBuf,
    data: PathBuf,
}

/// What the store is and what was collected, since the gateway's start.
#[derive(Debug, Deserialize)]
pub(super) struct Store {
    bytes: u64,
    pub(super) collections: u64,
    pub(super) copied: u64,
}

#[derive(Deserialize)]
struct Status {
    store: Store,
}

impl Admin {
    pub(super) fn new(binary: PathBuf, data: PathBuf) -> Self {
        Self { binary, data }
    }

    pub(super) async fn keep_head_only(&self, bucket: &str) -> Result<()> {
        self.run(&["retention", bucket, "--all", "0", "--hourly", "0"]).await.map(drop)
    }

    pub(super) async fn collect_fully(&self) -> Result<()> {
        self.run(&["gc", "--full"]).await.map(drop)
    }

    pub(super) async fn status(&self) -> Result<Store> {
        let status: Status = serde_json::from_slice(&self.run(&["status"]).await?)?;
        Ok(status.store)
    }

    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = Command::new(&self.binary);
        command.arg("--json").arg("--data").arg(&self.data).args(arguments);
        let output =
            command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true).output().await?;
        ensure!(output.status.success(), "carob {} ended with {}", arguments.join(" "), output.status);
        Ok(output.stdout)
    }
}

/// What the files of the store take, less what the open segment holds ready and has not used.
pub(super) async fn allocated_without_reserve(admin: &Admin) -> Result<u64> {
    let segments = admin.data.join("store/segments");
    let mut cars = Vec::new();
    for entry in std::fs::read_dir(&segments)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "car") {
            cars.push((entry.file_name(), entry.metadata()?));
        }
    }
    cars.sort_by(|a, b| a.0.cmp(&b.0));
    let (_, open) = cars.pop().context("there is no segment")?;
    let sealed: u64 = cars.iter().map(|(_, file)| file.len().min(file.blocks() * SECTOR)).sum();
    let used = admin.status().await?.bytes.saturating_sub(sealed);
    let reserve = (open.blocks() * SECTOR).saturating_sub(used);
    Ok(allocated(&admin.data.join("store"))?.saturating_sub(reserve))
}

/// What all files below a directory take.
fn allocated(dir: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        match entry.metadata() {
            Ok(file) if file.is_dir() => sum += allocated(&entry.path())?,
            Ok(file) => sum += file.blocks() * SECTOR,
            // Removed since it was listed.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(sum)
}

/// Looks again and again what a directory takes.
#[derive(Debug)]
pub(super) struct Peak {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Result<u64>>,
}

impl Peak {
    pub(super) fn watch(data: PathBuf) -> Self {
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let mut peak = 0;
            loop {
                let dir = data.clone();
                peak = peak.max(tokio::task::spawn_blocking(move || allocated(&dir)).await??);
                if tokio::time::timeout(LOOK, &mut stopped).await.is_ok() {
                    return Ok(peak);
                }
            }
        });
        Self { stop, watching }
    }

    /// The most that it took, the reserve included.
    pub(super) async fn end(self) -> Result<u64> {
        _ = self.stop.send(());
        self.watching.await?
    }
}
