//! Where the workspace is, and building its binaries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Build profile of a binary under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Profile {
    /// Quick to build; dependencies are optimised, own code is not.
    Dev,
    /// What people run; the only profile that benchmarks mean anything in.
    Release,
}

/// The workspace's top directory.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// `target/xtask`: installed clients, scratch data; safe to delete at any time.
///
/// Not the system's temporary directory, which is often held in memory: a crash loop or a benchmark needs a
/// real disk.
pub(crate) fn scratch() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let dir = target.join("xtask");
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    Ok(dir)
}

/// A fresh directory under [`scratch`], removed when dropped.
pub(crate) fn temp_dir(prefix: &str) -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix(prefix).tempdir_in(scratch()?)?)
}

#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds binary `bin` of `package` and returns its path, as cargo reports it.
pub(crate) fn build(package: &str, bin: &str, profile: Profile) -> Result<PathBuf> {
    println!("building {bin} ({profile:?})");
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root()).stdin(Stdio::null()).stderr(Stdio::inherit());
    command.args(["build", "--ignore-rust-version", "--message-format=json-render-diagnostics"]);
    command.args(["-p", package, "--bin", bin]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let output = command.output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo build -p {package} failed ({})", output.status);
    }
    output
        .stdout
        .split(|&byte| byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Artifact>(line).ok())
        .find_map(|artifact| artifact.executable.filter(|_| artifact.target.is_some_and(|t| t.name == bin)))
        .with_context(|| format!("cargo built no binary {bin}"))
}
