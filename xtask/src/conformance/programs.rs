//! Which programs in Go the jobs run, and in which version.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cargo;
use crate::go;

/// A program, and the variable that tells a script where it is.
pub(super) struct Program {
    variable: &'static str,
    go: go::Program,
    /// A directive of its own `go.mod` that it does not build without.
    replace: &'static str,
}

const fn program(
    variable: &'static str,
    module: &'static str,
    package: &'static str,
    version: &'static str,
) -> Program {
    Program { variable, go: go::Program { module, package, version }, replace: "" }
}

pub(super) const LITESTREAM: Program =
    program("LITESTREAM", "github.com/benbjohnson/litestream", "/cmd/litestream", "v0.5.18");
pub(super) const MC: Program = program("MC", "github.com/minio/mc", "", "v0.0.0-20250313080218-cf909e1063a9");
pub(super) const RCLONE: Program = program("RCLONE", "github.com/rclone/rclone", "", "v1.76.0");
pub(super) const REGISTRY: Program =
    program("REGISTRY", "github.com/distribution/distribution/v3", "/cmd/registry", "v3.1.2");
pub(super) const RESTIC: Program = program("RESTIC", "github.com/restic/restic", "/cmd/restic", "v0.18.1");
pub(super) const S5CMD: Program = program("S5CMD", "github.com/peak/s5cmd/v2", "", "v2.3.0");
pub(super) const TOFU: Program = Program {
    replace: "replace github.com/hashicorp/hcl/v2 v2.20.1 => \
              github.com/opentofu/hcl/v2 v2.20.2-0.20251021132045-587d123c2828",
    ..program("TOFU", "github.com/opentofu/opentofu", "/cmd/tofu", "v1.12.6")
};

impl Program {
    /// Builds it, unless it is there; gives the variable and its value.
    pub(super) async fn installed(&self) -> Result<(&'static str, PathBuf)> {
        let path = self.go.install_replacing(&cargo::scratch()?.join("bin"), self.replace).await;
        Ok((self.variable, path.with_context(|| format!("cannot build {}", self.go.module))?))
    }
}
