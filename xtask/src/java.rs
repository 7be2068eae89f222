//! Libraries for programs in Java, with pinned versions.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::cargo;

const INSTALL_LIMIT: Duration = Duration::from_mins(10);

/// Brings what the `pom.xml` in `source` names into a directory of `target/xtask`, unless it is there; gives it.
pub(crate) async fn install(source: &Path) -> Result<PathBuf> {
    let wanted = std::fs::read_to_string(source.join("pom.xml"))?;
    let dir = cargo::scratch()?.join("java");
    let installed = dir.join("installed.xml");
    let libraries = dir.join("libraries");
    if std::fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(libraries);
    }
    println!("installing libraries for Java into {}", dir.display());
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("pom.xml"), &wanted)?;
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "dependency:copy-dependencies", "-DoutputDirectory=libraries"]);
    maven.current_dir(&dir).stdin(Stdio::null()).kill_on_drop(true);
    let status = timeout(INSTALL_LIMIT, maven.status())
        .await
        .with_context(|| format!("mvn did not end within {INSTALL_LIMIT:?}"))?
        .context("this needs Java with Maven")?;
    ensure!(status.success(), "mvn ended with {status}");
    std::fs::write(installed, wanted)?;
    Ok(libraries)
}
