//! Throughput and latency of a gateway over S3, beside what this machine can do at all.

mod index;
mod limits;
mod load;
mod report;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::{Client, Credentials};
use limits::Limits;
use load::{Kind, Load};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const SIZES: [u64; 3] = [4 * KIB, MIB, 64 * MIB];
const CONCURRENCY: [usize; 3] = [1, 16, 64];

/// `xtask bench`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Bench {
    /// PUT and GET of 4 KiB, 1 MiB and 64 MiB at concurrency 1, 16 and 64, and LIST.
    S3(BenchArgs),
    /// The index beside other ordered maps, in memory.
    Index(index::IndexArgs),
}

/// Arguments of `xtask bench s3`.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// Measure a running server instead of a release build of our own on an empty store.
    #[arg(long, requires = "access_key", requires = "secret_key", conflicts_with_all = ["gateway", "profile"])]
    endpoint: Option<String>,
    /// Access key for `--endpoint`.
    #[arg(long)]
    access_key: Option<String>,
    /// Secret key for `--endpoint`.
    #[arg(long)]
    secret_key: Option<String>,
    /// Seconds of load for each figure. Uploads of 64 MiB are counted, not timed: one to eight a client.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl Bench {
    pub(crate) async fn run(self) -> Result<()> {
        let args = match self {
            Self::S3(args) => args,
            Self::Index(args) => return tokio::task::spawn_blocking(move || args.run()).await?,
        };
        println!("measuring this machine's limits");
        let limits = tokio::task::spawn_blocking(limits::measure).await??;
        println!("{limits}");
        println!("bodies are sent as UNSIGNED-PAYLOAD; client and server share this machine's cores");
        println!("{}", report::HEADER);
        let seconds = Duration::from_secs(args.seconds);
        match (&args.endpoint, &args.access_key, &args.secret_key) {
            (Some(endpoint), Some(access_key), Some(secret_key)) => {
                let credentials =
                    Credentials { access_key: access_key.clone(), secret_key: secret_key.clone() };
                let client = Client::new(endpoint, credentials)?;
                for size in SIZES {
                    one_size(&client, size, seconds, &limits).await?;
                }
                Ok(())
            }
            _ => on_own_gateways(args.binary.resolve(Profile::Release)?, seconds, &limits).await,
        }
    }
}

/// A gateway with an empty store for each size, so that disk use is that of the largest size alone.
async fn on_own_gateways(binary: PathBuf, seconds: Duration, limits: &Limits) -> Result<()> {
    for size in SIZES {
        let data = cargo::temp_dir("bench-")?;
        let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
        one_size(&gateway.client()?, size, seconds, limits).await?;
        println!("{:>24} peak memory of the gateway {} MiB", "", gateway.peak_memory()? / MIB);
        gateway.stop().await?;
    }
    Ok(())
}

/// PUT, GET and (for the smallest size) LIST at every concurrency.
async fn one_size(client: &Client, size: u64, seconds: Duration, limits: &Limits) -> Result<()> {
    let bucket = format!("bench-{size}");
    client.create_bucket(&bucket).await.context("creating the bucket")?;
    let mut written = Vec::new();
    for concurrency in CONCURRENCY {
        let put = Load { client, bucket: &bucket, kind: Kind::Put, size, concurrency, seconds };
        let done = put.run(&mut written).await.context("PUT")?;
        println!("{}", report::line(&put, &done, limits));
    }
    for concurrency in CONCURRENCY {
        let get = Load { client, bucket: &bucket, kind: Kind::Get, size, concurrency, seconds };
        let done = get.run(&mut written).await.context("GET")?;
        println!("{}", report::line(&get, &done, limits));
    }
    if size == SIZES[0] {
        for concurrency in CONCURRENCY {
            let list = Load { client, bucket: &bucket, kind: Kind::List, size, concurrency, seconds };
            let done = list.run(&mut written).await.context("LIST")?;
            println!("{}", report::line(&list, &done, limits));
        }
    }
    Ok(())
}
