//! Unmodified clients against the real binary.

mod apps;
mod clients;
mod large;
mod minio;
mod programs;
mod tls;
mod verifier;

use anyhow::Result;

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::python::Python;
use crate::readme;

/// `xtask conformance`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Conformance {
    /// Each client uploads a tree of awkward names, reads it back in every way, and deletes it.
    Clients(clients::ClientsArgs),
    /// Programs that keep their data in S3 do what their users do with them.
    Apps(apps::AppsArgs),
    /// The quick form, for every change: the Python clients on a few hundred files.
    Fast(FastArgs),
    /// Exports and proofs against a verifier in JavaScript that shares no code with ours.
    Verifier(verifier::VerifierArgs),
    /// The functional suites of MinIO's SDKs, less what is known to fail.
    Minio(minio::MinioArgs),
    /// What takes gigabytes or thousands of rounds: resumed uploads, 10,000 parts, memory, racing writers.
    Large(large::LargeArgs),
}

/// Arguments of `xtask conformance fast`.
#[derive(Debug, clap::Args)]
pub(crate) struct FastArgs {
    #[command(flatten)]
    binary: BinaryArgs,
}

impl Conformance {
    pub(crate) async fn run(self) -> Result<()> {
        match self {
            Self::Clients(args) => args.run().await,
            Self::Apps(args) => args.run().await,
            Self::Fast(args) => args.run().await,
            Self::Verifier(args) => args.run().await,
            Self::Minio(args) => args.run().await,
            Self::Large(args) => args.run().await,
        }
    }
}

impl FastArgs {
    async fn run(self) -> Result<()> {
        let binary = self.binary.resolve(Profile::Dev)?;
        clients::on_own_gateway(&binary, clients::FAST, 300, 1).await?;
        tls::run(&binary).await?;
        let data = cargo::temp_dir("readme-data-")?;
        let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
        readme::session(&gateway, &Python::install().await?).await?;
        gateway.stop().await
    }
}
