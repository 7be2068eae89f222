//! Programs that are built from a Go module, with pinned versions.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use tokio::time::timeout;

/// Downloading and building the largest of them takes minutes.
const INSTALL_LIMIT: Duration = Duration::from_mins(45);

/// A program in Go.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) module: &'static str,
    /// Where in the module the program is; nothing, or with a slash in front.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
}

impl Program {
    /// Builds it below `dir`, unless it is there; gives its path.
    ///
    /// In a module of its own and not by `go install`, which also asks for the list of all versions: not every
    /// module proxy has that.
    pub(crate) async fn install(&self, dir: &Path) -> Result<PathBuf> {
        let Self { module, package, version } = self;
        let package = format!("{module}{package}");
        let name = package.rsplit('/').next().unwrap_or(&package);
        let dir = dir.join(name).join(version);
        let program = dir.join(name);
        if program.exists() {
            return Ok(program);
        }
        println!("building {package} {version} with Go");
        std::fs::create_dir_all(&dir)?;
        std::fs::write(
            dir.join("go.mod"),
            format!("module installed\n\ngo 1.24\n\nrequire {module} {version}\n"),
        )?;
        let mut go = Command::new("go");
        go.args(["build", "-mod=mod", "-o", name, &package]).current_dir(&dir).env_remove("GOFLAGS");
        go.stdin(Stdio::null()).kill_on_drop(true);
        let status = timeout(INSTALL_LIMIT, go.status())
            .await
            .with_context(|| format!("go build did not end within {INSTALL_LIMIT:?}"))?
            .context("needs Go")?;
        ensure!(status.success(), "go build {package} at {version} ended with {status}");
        Ok(program)
    }
}
