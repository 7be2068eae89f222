//! The index beside other ordered maps, in a program of its own: see `xtask/index-bench`.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// Arguments of `xtask bench index`.
#[derive(Debug, clap::Args)]
pub(crate) struct IndexArgs {
    /// Leave out the sizes of a million keys and more.
    #[arg(long)]
    small: bool,
}

impl IndexArgs {
    /// Builds the program, which is no part of the workspace because one of its peers takes minutes to build, and runs it.
    pub(crate) fn run(&self) -> Result<()> {
        let target = cargo::scratch()?.join("index-bench");
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.current_dir(cargo::root().join("xtask/index-bench")).stdin(Stdio::null());
        build.args(["build", "--release", "--locked", "--ignore-rust-version", "--target-dir"]).arg(&target);
        ensure!(build.status().context("cannot run cargo")?.success(), "xtask/index-bench does not build");
        let mut bench = Command::new(target.join("release").join("carob-index-bench"));
        bench.args(self.small.then_some("--small"));
        ensure!(bench.status()?.success(), "the benchmark failed");
        Ok(())
    }
}
