//! What runs in Node.js: its packages, with pinned versions.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo;

const PACKAGES: &str = include_str!("../clients/package.json");
const INSTALL_LIMIT: Duration = Duration::from_mins(10);

/// Installs the JavaScript client's packages; gives the `NODE_PATH`.
pub(crate) async fn install() -> Result<PathBuf> {
    install_into("node", PACKAGES).await
}

/// Installs what this `package.json` names into a directory of `target/xtask`, unless it is there with these versions;
/// gives its `node_modules`.
pub(crate) async fn install_into(name: &str, packages: &str) -> Result<PathBuf> {
    let dir = cargo::scratch()?.join(name);
    let modules = dir.join("node_modules");
    let installed = dir.join("installed.json");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == packages) {
        return Ok(modules);
    }
    println!("installing packages for Node.js into {}", dir.display());
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("package.json"), packages)?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--silent"]);
    npm.current_dir(&dir).stdin(Stdio::null()).kill_on_drop(true);
    let status = timeout(INSTALL_LIMIT, npm.status())
        .await
        .with_context(|| format!("npm install did not end within {INSTALL_LIMIT:?}"))?
        .context("this needs Node.js with npm")?;
    ensure!(status.success(), "npm install ended with {status}");
    std::fs::write(installed, packages)?;
    Ok(modules)
}
