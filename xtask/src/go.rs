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
        self.install_replacing(dir, "").await
    }

    /// The same for a program that is built with this `replace` directive, which counts in a main module only.
    pub(crate) async fn install_replacing(&self, dir: &Path, replace: &str) -> Result<PathBuf> {
        let Self { module, package, version } = self;
        let package = format!("{module}{package}");
        let name = program_name(&package);
        let dir = dir.join(name).join(version);
        let program = dir.join(name);
        if program.exists() {
            return Ok(program);
        }
        println!("building {package} {version} with Go");
        std::fs::create_dir_all(&dir)?;
        std::fs::write(
            dir.join("go.mod"),
            format!("module installed\n\ngo 1.24\n\nrequire {module} {version}\n\n{replace}\n"),
        )?;
        build(&dir, name, &package).await.with_context(|| format!("{package} at {version}"))?;
        Ok(program)
    }
}

/// Builds a program of one file that a module holds beside its package, below `dir`, unless it is there; gives its path.
pub(crate) async fn build_file_of(module: &str, version: &str, file: &str, dir: &Path) -> Result<PathBuf> {
    let program = dir.join("suite");
    if program.exists() {
        return Ok(program);
    }
    println!("building {file} of {module} {version} with Go");
    std::fs::create_dir_all(dir)?;
    std::fs::write(dir.join("go.mod"), format!("module suite\n\ngo 1.24\n\nrequire {module} {version}\n"))?;
    let mut download = Command::new("go");
    download.args(["mod", "download", "-json", &format!("{module}@{version}")]);
    download.current_dir(dir).env_remove("GOFLAGS").stdin(Stdio::null()).kill_on_drop(true);
    let told = timeout(INSTALL_LIMIT, download.output()).await?.context("needs Go")?;
    ensure!(told.status.success(), "{module} {version} cannot be downloaded");
    let told: Downloaded = serde_json::from_slice(&told.stdout)?;
    // Without the tag that keeps it out of the package: with that, it would be in it.
    let source = std::fs::read_to_string(told.dir.join(file))?;
    let source: Vec<_> = source.lines().filter(|line| !line.starts_with("//go:build ")).collect();
    std::fs::write(dir.join("main.go"), source.join("\n"))?;
    build(dir, "suite", ".").await?;
    Ok(program)
}

/// What `go mod download -json` says.
#[derive(serde::Deserialize)]
struct Downloaded {
    #[serde(rename = "Dir")]
    dir: PathBuf,
}

/// Builds a program of this repository, whose `go.mod` and `main.go` lie in `source`, below `dir`; gives its path.
pub(crate) async fn build_own(source: &Path, dir: &Path) -> Result<PathBuf> {
    let name = source.file_name().and_then(|name| name.to_str()).context("a directory with a name")?;
    let dir = dir.join(name);
    std::fs::create_dir_all(&dir)?;
    for file in ["go.mod", "main.go"] {
        std::fs::copy(source.join(file), dir.join(file))?;
    }
    build(&dir, name, ".").await?;
    Ok(dir.join(name))
}

async fn build(dir: &Path, name: &str, package: &str) -> Result<()> {
    let mut go = Command::new("go");
    go.args(["build", "-mod=mod", "-o", name, package]).current_dir(dir).env_remove("GOFLAGS");
    go.stdin(Stdio::null()).kill_on_drop(true);
    let status = timeout(INSTALL_LIMIT, go.status())
        .await
        .with_context(|| format!("go build did not end within {INSTALL_LIMIT:?}"))?
        .context("needs Go")?;
    ensure!(status.success(), "go build ended with {status}");
    Ok(())
}

/// What `go build` calls the program in this package: its last segment, or the one before a major version.
fn program_name(package: &str) -> &str {
    let mut segments = package.rsplit('/');
    let last = segments.next().unwrap_or(package);
    let major = last.strip_prefix('v').is_some_and(|n| n.parse::<u32>().is_ok());
    if major { segments.next().unwrap_or(last) } else { last }
}

#[cfg(test)]
mod tests {
    use super::program_name;

    #[test]
    fn a_major_version_is_no_name() {
        assert_eq!(program_name("github.com/peak/s5cmd/v2"), "s5cmd");
        assert_eq!(program_name("github.com/restic/restic/cmd/restic"), "restic");
        assert_eq!(program_name("github.com/x/vault"), "vault");
    }
}
