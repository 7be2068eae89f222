//! The store's own verification: export a bucket with `carob`, verify the file offline.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

/// The `carob` command.
#[derive(Debug)]
pub(super) struct Admin {
    binary: PathBuf,
}

impl Admin {
    pub(super) fn new(binary: PathBuf) -> Self {
        Self { binary }
    }

    /// `carob export BUCKET > file && carob verify file`.
    pub(super) async fn export_and_verify(&self, data: &Path, bucket: &str, scratch: &Path) -> Result<()> {
        let path = scratch.join(format!("{bucket}.car"));
        let car = std::fs::File::create(&path)?;
        let mut export = Command::new(&self.binary);
        export.arg("--data").arg(data).args(["export", bucket]).stdout(car);
        succeed(export).await.with_context(|| format!("carob export {bucket}"))?;
        let mut verify = Command::new(&self.binary);
        verify.arg("verify").arg(&path).stdout(Stdio::null());
        succeed(verify).await.with_context(|| format!("carob verify of the export of {bucket}"))?;
        std::fs::remove_file(&path)?;
        Ok(())
    }
}

async fn succeed(mut command: Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).kill_on_drop(true).status().await?;
    ensure!(status.success(), "it ended with {status}; its reason stands above");
    Ok(())
}
