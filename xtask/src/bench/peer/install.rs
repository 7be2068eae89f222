//! Getting the programs: pinned versions, built once into `target/xtask/peers`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use super::{Peer, VARIANTS, Variant};
use crate::cargo::{self, Profile};
use crate::gateway::BinaryArgs;
use crate::go;

/// Building the largest of them takes minutes.
const BUILD_LIMIT: Duration = Duration::from_mins(45);

const MINIO: go::Program = go::Program {
    module: "github.com/minio/minio",
    package: "",
    version: "v0.0.0-20260212201848-7aac2a2c5b7c",
};
const VERSITYGW: go::Program =
    go::Program { module: "github.com/versity/versitygw", package: "/cmd/versitygw", version: "v1.8.0" };

/// The programs of the servers that could be had.
#[derive(Debug)]
pub(in crate::bench) struct Programs(Vec<(Peer, PathBuf)>);

impl Programs {
    /// Gets the programs of those peers in `only`, or of all. Who cannot be had is named, with the reason.
    pub(in crate::bench) async fn get_all(
        only: &[Peer],
        binary: &BinaryArgs,
    ) -> Result<(Self, Vec<&'static Variant>)> {
        let mut programs = Self(Vec::new());
        let mut variants = Vec::new();
        for variant in VARIANTS.iter().filter(|variant| only.is_empty() || only.contains(&variant.peer)) {
            if variant.peer.is_server() && programs.get(variant.peer).is_err() {
                match program(variant.peer, binary).await {
                    Ok(path) => programs.0.push((variant.peer, path)),
                    Err(error) => {
                        println!("skipped: {}: {error:#}", variant.name);
                        continue;
                    }
                }
            }
            variants.push(variant);
        }
        ensure!(!variants.is_empty(), "no server to measure");
        Ok((programs, variants))
    }

    pub(in crate::bench) fn get(&self, peer: Peer) -> Result<&Path> {
        let found = self.0.iter().find(|(this, _)| *this == peer);
        Ok(&found.with_context(|| format!("{peer:?} is not installed"))?.1)
    }
}

async fn program(peer: Peer, binary: &BinaryArgs) -> Result<PathBuf> {
    let peers = cargo::scratch()?.join("peers");
    match peer {
        Peer::Carob => binary.resolve(Profile::Release),
        Peer::Engine | Peer::Md5 | Peer::Disk => bail!("{peer:?} is no program"),
        Peer::Null => null().await,
        Peer::S3sFs => crates_io("s3s-fs", "0.17.0", &["--features", "binary"], &peers).await,
        Peer::Garage => {
            // Without what serves other protocols, metrics and its second database.
            let features = ["--no-default-features", "--features", "bundled-libs,lmdb"];
            crates_io("garage", "2.5.0", &features, &peers).await
        }
        Peer::Minio => MINIO.install(&peers).await,
        Peer::Versitygw => VERSITYGW.install(&peers).await,
    }
}

/// `cargo install`, which names what it installs after the crate.
async fn crates_io(name: &str, version: &str, features: &[&str], peers: &Path) -> Result<PathBuf> {
    let root = peers.join(name).join(version);
    let program = root.join("bin").join(name);
    if !program.exists() {
        println!("building {name} {version}");
        let mut install = cargo_command(&peers.join("build"));
        install.args(["install", "--locked", "--ignore-rust-version", "--quiet"]);
        install.args(features).arg("--root").arg(&root).arg(format!("{name}@{version}"));
        run(install).await?;
    }
    Ok(program)
}

/// `xtask/null-s3`, which is no part of the workspace.
async fn null() -> Result<PathBuf> {
    let target = cargo::scratch()?.join("null-s3");
    let mut build = cargo_command(&target);
    build.current_dir(cargo::root().join("xtask/null-s3"));
    build.args(["build", "--release", "--locked", "--ignore-rust-version", "--quiet"]);
    run(build).await?;
    Ok(target.join("release/carob-null-s3"))
}

fn cargo_command(target: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.env("CARGO_TARGET_DIR", target).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Result<()> {
    let status = timeout(BUILD_LIMIT, command.status())
        .await
        .with_context(|| format!("cargo did not end within {BUILD_LIMIT:?}"))?
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo ended with {status}");
    Ok(())
}
