//! The store's own verification: export a bucket with `carob`, verify the file offline.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// The `carob` command.
#[derive(Debug, Clone)]
pub(super) struct Admin {
    binary: PathBuf,
}

impl Admin {
    pub(super) fn new(binary: PathBuf) -> Self {
        Self { binary }
    }

    /// `carob gc`: what it complains of, if it fails.
    pub(super) async fn collect(&self, data: &Path) -> Result<Option<String>> {
        let mut gc = Command::new(&self.binary);
        gc.arg("--data").arg(data).arg("gc").stdin(Stdio::null()).kill_on_drop(true);
        let output = gc.output().await?;
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((!output.status.success()).then_some(complaint))
    }

    /// Has a bucket keep nothing but its newest state.
    pub(super) async fn keep_head_only(&self, data: &Path, bucket: &str) -> Result<()> {
        let mut retention = Command::new(&self.binary);
        retention.arg("--data").arg(data).args(["retention", bucket, "--all", "0", "--hourly", "0"]);
        succeed(retention.stdout(Stdio::null())).await.with_context(|| format!("carob retention {bucket}"))
    }

    /// `carob export BUCKET > file && carob verify file`.
    pub(super) async fn export_and_verify(&self, data: &Path, bucket: &str, scratch: &Path) -> Result<()> {
        let path = scratch.join(format!("{bucket}.car"));
        let car = std::fs::File::create(&path)?;
        let mut export = Command::new(&self.binary);
        export.arg("--data").arg(data).args(["export", bucket]).stdout(car);
        succeed(&mut export).await.with_context(|| format!("carob export {bucket}"))?;
        let mut verify = Command::new(&self.binary);
        verify.arg("verify").arg(&path).stdout(Stdio::null());
        succeed(&mut verify).await.with_context(|| format!("carob verify of the export of {bucket}"))?;
        std::fs::remove_file(&path)?;
        Ok(())
    }
}

async fn succeed(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).kill_on_drop(true).status().await?;
    ensure!(status.success(), "it ended with {status}; its reason stands above");
    Ok(())
}
