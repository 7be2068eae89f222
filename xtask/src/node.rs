//! The JavaScript client: its packages, with pinned versions.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo;

const PACKAGES: &str = include_str!("../clients/package.json");
const INSTALL_LIMIT: Duration = Duration::from_mins(10);

/// Installs the packages into `target/xtask`, unless they are there with these versions; gives the `NODE_PATH`.
pub(crate) async fn install() -> Result<PathBuf> {
    let dir = cargo::scratch()?.join("node");
    let modules = dir.join("node_modules");
    let installed = dir.join("installed.json");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == PACKAGES) {
        return Ok(modules);
    }
    println!("installing the AWS SDK for JavaScript into {}", dir.display());
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("package.json"), PACKAGES)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"]);
    npm.current_dir(&dir).stdin(Stdio::null()).kill_on_drop(true);
    let status = timeout(INSTALL_LIMIT, npm.status())
        .await
        .with_context(|| format!("npm install did not end within {INSTALL_LIMIT:?}"))?
        .context("the AWS SDK for JavaScript needs Node.js with npm")?;
    ensure!(status.success(), "npm install ended with {status}");
    std::fs::write(installed, PACKAGES)?;
    Ok(modules)
}
