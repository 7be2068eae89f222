//! Unmodified clients against the real binary.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::cargo::{self, Profile};
use crate::gateway::{self, BinaryArgs, Gateway};
use crate::python::{Python, Session};
use crate::readme;
use crate::s3::Credentials;

const RCLONE: &str = "github.com/rclone/rclone@v1.75.1";

/// `xtask conformance`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Conformance {
    /// Each client uploads a tree of awkward names, reads it back in every way, and deletes it.
    Clients(ClientsArgs),
    /// The quick form, for every change: boto3 and the AWS CLI on a few hundred files.
    Fast(FastArgs),
}

/// Arguments of `xtask conformance clients`.
#[derive(Debug, clap::Args)]
pub(crate) struct ClientsArgs {
    /// Which client.
    #[arg(long, value_enum, default_value = "all")]
    client: Client,
    /// How many files each client uploads; 0 B to 7 MiB each.
    #[arg(long, default_value_t = 3000)]
    files: u32,
    /// Names, sizes and bodies follow from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Test a running server instead of a gateway of our own.
    #[arg(long, requires = "access_key", requires = "secret_key", conflicts_with_all = ["gateway", "profile"])]
    endpoint: Option<String>,
    /// Access key for `--endpoint`.
    #[arg(long)]
    access_key: Option<String>,
    /// Secret key for `--endpoint`.
    #[arg(long)]
    secret_key: Option<String>,
    #[command(flatten)]
    binary: BinaryArgs,
}

/// Arguments of `xtask conformance fast`.
#[derive(Debug, clap::Args)]
pub(crate) struct FastArgs {
    #[command(flatten)]
    binary: BinaryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Client {
    Boto3,
    Aws,
    Rclone,
    All,
}

impl Client {
    fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Boto3 => &["boto3_rules", "boto3_listing", "boto3_tree"],
            Self::Aws => &["aws_cli"],
            Self::Rclone => &["rclone"],
            Self::All => &["boto3_rules", "boto3_listing", "boto3_tree", "aws_cli", "rclone"],
        }
    }
}

impl Conformance {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Clients(args) => args.run().await,
            Self::Fast(args) => {
                let binary = args.binary.resolve(Profile::Dev)?;
                let scripts = [Client::Boto3.scripts(), Client::Aws.scripts()].concat();
                on_own_gateway(binary.clone(), &scripts, 300, 1).await?;
                readme_session(binary).await
            }
        }
    }
}

impl ClientsArgs {
    async fn run(self) -> Result<()> {
        let scripts = self.client.scripts();
        let Some(endpoint) = &self.endpoint else {
            let binary = self.binary.resolve(Profile::Release)?;
            return on_own_gateway(binary, scripts, self.files, self.seed).await;
        };
        let (access_key, secret_key) =
            self.access_key.clone().zip(self.secret_key.clone()).context("--endpoint needs both keys")?;
        run_scripts(scripts, endpoint, &Credentials { access_key, secret_key }, self.files, self.seed).await
    }
}

async fn on_own_gateway(binary: PathBuf, scripts: &[&str], files: u32, seed: u64) -> Result<()> {
    let data = cargo::temp_dir("conformance-")?;
    let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
    let credentials = gateway::test_credentials();
    let ran = run_scripts(scripts, gateway.endpoint(), &credentials, files, seed).await;
    let peak = gateway.peak_memory();
    let stopped = gateway.stop().await;
    ran?;
    println!("peak memory of the gateway: {} MiB", peak? >> 20);
    stopped
}

async fn readme_session(binary: PathBuf) -> Result<()> {
    let data = cargo::temp_dir("readme-data-")?;
    let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
    readme::session(&gateway, &Python::install().await?).await?;
    gateway.stop().await
}

/// Runs all scripts, also when one fails, and fails if one did.
async fn run_scripts(
    scripts: &[&str],
    endpoint: &str,
    credentials: &Credentials,
    files: u32,
    seed: u64,
) -> Result<()> {
    let python = Python::install().await?;
    let mut variables = Vec::new();
    if scripts.contains(&"rclone") {
        variables.push(("RCLONE", install_rclone().await?));
    }
    let session = Session { endpoint, credentials, files, seed, variables: &variables };
    let mut failed = Vec::new();
    for script in scripts {
        println!("== {script}, {files} files, seed {seed}");
        if let Err(error) = python.script(script, &session).await {
            println!("{error:#}");
            failed.push(*script);
        }
    }
    ensure!(failed.is_empty(), "these clients failed: {}", failed.join(", "));
    Ok(())
}

/// Builds rclone from its pinned source, once; needs Go.
async fn install_rclone() -> Result<PathBuf> {
    let bin = cargo::scratch()?.join("bin").join(RCLONE.rsplit_once('@').map_or("", |(_, version)| version));
    let rclone = bin.join("rclone");
    if !rclone.exists() {
        println!("building {RCLONE} with Go");
        let mut go = Command::new("go");
        go.args(["install", RCLONE]).env("GOBIN", &bin).stdin(std::process::Stdio::null());
        let status = go.kill_on_drop(true).status().await.context("the rclone job needs Go")?;
        ensure!(status.success(), "go install ended with {status}");
    }
    Ok(rclone)
}
