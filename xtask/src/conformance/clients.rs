//! One script a client; see `xtask/clients`.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::programs::{self, Program};
use super::{tls, verifier};
use crate::cargo::{self, Profile};
use crate::gateway::{self, BinaryArgs, Gateway};
use crate::node;
use crate::python::{Python, Session};
use crate::s3::Credentials;

/// Clients in Go: the script, and what it runs.
const GO_CLIENTS: &[(&str, &Program)] =
    &[("mc_versions", &programs::MC), ("rclone", &programs::RCLONE), ("restic_locked", &programs::RESTIC)];

/// Scripts that need Python alone and take seconds.
pub(super) const FAST: &[&str] = &[
    "boto3_rules",
    "boto3_listing",
    "boto3_tree",
    "boto3_parts",
    "boto3_versions",
    "boto3_past",
    "boto3_encryption",
    "aws_cli",
    "minio_py",
    "s3cmd",
];

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Client {
    Boto3,
    /// The AWS CLI on a tree of small files, and on versions.
    Aws,
    /// The AWS CLI on a few large ones; takes 8 GiB of disk.
    AwsLarge,
    /// AWS SDK for JavaScript v3.
    AwsSdkJs,
    /// The MinIO client's commands for versions, locks and tags.
    Mc,
    MinioPy,
    Rclone,
    /// Backups in a bucket with object lock.
    Restic,
    S3cmd,
    /// Several of them over TLS, with a certificate that is replaced.
    Tls,
    /// No client of S3 but readers of what is exported and proven, in JavaScript and Python.
    Verifier,
    All,
}

impl Client {
    fn scripts(self) -> &'static [&'static str] {
        match self {
            Self::Boto3 => &[
                "boto3_rules",
                "boto3_listing",
                "boto3_tree",
                "boto3_parts",
                "boto3_versions",
                "boto3_past",
                "boto3_encryption",
            ],
            Self::Aws => &["aws_cli", "aws_cli_versions"],
            Self::AwsLarge => &["aws_sync_large"],
            Self::AwsSdkJs => &["aws_sdk_js"],
            Self::Mc => &["mc_versions"],
            Self::MinioPy => &["minio_py"],
            Self::Rclone => &["rclone"],
            Self::Restic => &["restic_locked"],
            Self::S3cmd => &["s3cmd"],
            Self::Tls | Self::Verifier => &[],
            Self::All => &[
                "boto3_rules",
                "boto3_listing",
                "boto3_tree",
                "boto3_parts",
                "boto3_versions",
                "boto3_past",
                "boto3_encryption",
                "aws_cli",
                "aws_cli_versions",
                "aws_sync_large",
                "aws_sdk_js",
                "mc_versions",
                "minio_py",
                "rclone",
                "restic_locked",
                "s3cmd",
            ],
        }
    }
}

impl ClientsArgs {
    pub(super) async fn run(self) -> Result<()> {
        let scripts = self.client.scripts();
        let Some(endpoint) = &self.endpoint else {
            let binary = self.binary.resolve(Profile::Release)?;
            let ran = match scripts {
                [] => Ok(()),
                scripts => on_own_gateway(&binary, scripts, self.files, self.seed).await,
            };
            let tls = match self.client {
                Client::Tls | Client::All => tls::run(&binary).await,
                _ => Ok(()),
            };
            let verified = match self.client {
                Client::Verifier | Client::All => {
                    verifier::run(&binary, &self.binary.resolve_admin(Profile::Dev)?).await
                }
                _ => Ok(()),
            };
            return ran.and(tls).and(verified);
        };
        ensure!(!scripts.is_empty(), "this needs a gateway of its own");
        let (access_key, secret_key) =
            self.access_key.clone().zip(self.secret_key.clone()).context("--endpoint needs both keys")?;
        let credentials = Credentials { access_key, secret_key };
        run_scripts(scripts, endpoint, &credentials, self.files, self.seed, None).await
    }
}

/// Runs `scripts` on a new gateway and prints the most memory that it used for each.
pub(super) async fn on_own_gateway(binary: &Path, scripts: &[&str], files: u32, seed: u64) -> Result<()> {
    let data = cargo::temp_dir("conformance-")?;
    let gateway = Gateway::start(binary, &data.path().join("data")).await?;
    let credentials = gateway::test_credentials();
    let ran = run_scripts(scripts, gateway.endpoint(), &credentials, files, seed, Some(&gateway)).await;
    let stopped = gateway.stop().await;
    ran.and(stopped)
}

/// Runs all scripts, also when one fails, and fails if one did.
async fn run_scripts(
    scripts: &[&str],
    endpoint: &str,
    credentials: &Credentials,
    files: u32,
    seed: u64,
    gateway: Option<&Gateway>,
) -> Result<()> {
    let python = Python::install().await?;
    let mut variables = Vec::new();
    for (script, program) in GO_CLIENTS {
        if scripts.contains(script) {
            variables.push(program.installed().await?);
        }
    }
    if scripts.contains(&"aws_sdk_js") {
        variables.push(("NODE_PATH", node::install().await?));
    }
    let session = Session { endpoint, credentials, files, seed, variables: &variables };
    let mut failed = Vec::new();
    for script in scripts {
        println!("== {script}, {files} files, seed {seed}");
        let work = cargo::temp_dir("client-")?;
        if let Err(error) = python.script(script, &[], &session, work.path()).await {
            println!("{error:#}");
            failed.push(*script);
        }
        if let Some(gateway) = gateway {
            println!("peak memory of the gateway: {} MiB", gateway.peak_memory()? >> 20);
            gateway.reset_peak_memory()?;
        }
    }
    ensure!(failed.is_empty(), "these clients failed: {}", failed.join(", "));
    Ok(())
}
