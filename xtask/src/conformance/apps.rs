//! Programs that keep their data in S3, one script each; see `xtask/clients/apps`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::programs::{self, Program};
use crate::cargo::{self, Profile};
use crate::gateway::{self, BinaryArgs, Gateway};
use crate::go;
use crate::java;
use crate::node;
use crate::python::{Python, Session};

/// A script, and what it needs besides Python.
struct App {
    script: &'static str,
    needs: Needs,
}

enum Needs {
    Nothing,
    Go(&'static Program),
    /// A program in Go beside the script.
    OwnGo,
    /// Libraries for the program in Java beside the script.
    Java,
    Node,
}

const APPS: &[App] = &[
    App { script: "restic_backups", needs: Needs::Go(&programs::RESTIC) },
    App { script: "parquet", needs: Needs::Nothing },
    App { script: "polars_lazy", needs: Needs::Nothing },
    App { script: "pandas_s3fs", needs: Needs::Nothing },
    App { script: "delta", needs: Needs::Nothing },
    App { script: "iceberg", needs: Needs::Nothing },
    App { script: "zarr_arrays", needs: Needs::Nothing },
    App { script: "registry_images", needs: Needs::Go(&programs::REGISTRY) },
    App { script: "litestream_replica", needs: Needs::Go(&programs::LITESTREAM) },
    App { script: "rclone_serve", needs: Needs::Go(&programs::RCLONE) },
    App { script: "s5cmd_tree", needs: Needs::Go(&programs::S5CMD) },
    App { script: "minio_js", needs: Needs::Node },
    App { script: "conditional_lock", needs: Needs::Nothing },
    App { script: "tofu_state", needs: Needs::Go(&programs::TOFU) },
    App { script: "aws_sdk_go", needs: Needs::OwnGo },
    App { script: "aws_sdk_java", needs: Needs::Java },
];

impl App {
    /// Installs what it needs, unless it is there; gives the variable that tells the script where that is.
    async fn install(&self) -> Result<Option<(&'static str, PathBuf)>> {
        let beside = cargo::root().join("xtask/clients/apps").join(self.script);
        Ok(match self.needs {
            Needs::Nothing => None,
            Needs::Go(program) => Some(program.installed().await?),
            Needs::OwnGo => Some(("SDK_GO", go::build_own(&beside, &cargo::scratch()?.join("bin")).await?)),
            Needs::Java => Some(("SDK_JAVA", java::install(&beside).await?)),
            Needs::Node => Some(("NODE_PATH", node::install().await?)),
        })
    }
}

/// Arguments of `xtask conformance apps`.
#[derive(Debug, clap::Args)]
pub(crate) struct AppsArgs {
    /// Only this program, by the name of its script; may be given again.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(APPS.iter().map(|app| app.script)))]
    only: Vec<String>,
    /// How many files those take that work on a tree.
    #[arg(long, default_value_t = 300)]
    files: u32,
    /// Names, sizes and bodies follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl AppsArgs {
    /// Installs everything first, then runs one program after the other until one fails.
    pub(super) async fn run(self) -> Result<()> {
        let wanted = |app: &&App| self.only.is_empty() || self.only.iter().any(|name| name == app.script);
        let apps: Vec<&App> = APPS.iter().filter(wanted).collect();
        let binary = self.binary.resolve(Profile::Dev)?;
        let python = Python::install_apps().await?;
        let mut variables = Vec::new();
        for app in &apps {
            let installed =
                app.install().await.with_context(|| format!("cannot install what {} needs", app.script))?;
            variables.extend(installed);
        }
        let data = cargo::temp_dir("apps-")?;
        let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
        let credentials = gateway::test_credentials();
        let session = Session {
            endpoint: gateway.endpoint(),
            credentials: &credentials,
            files: self.files,
            seed: self.seed,
            variables: &variables,
        };
        let ran = run_all(&apps, &python, &session).await;
        let stopped = gateway.stop().await;
        ran.and(stopped)?;
        println!("apps: {} passed, 0 failed", apps.len());
        Ok(())
    }
}

async fn run_all(apps: &[&App], python: &Python, session: &Session<'_>) -> Result<()> {
    for app in apps {
        let work = cargo::temp_dir("app-")?;
        python
            .script(&Path::new("apps").join(app.script).to_string_lossy(), &[], session, work.path())
            .await?;
    }
    Ok(())
}
