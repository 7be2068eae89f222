//! Resident memory does not grow with the size of a body.

use anyhow::{Context, Result, ensure};
use http::HeaderMap;

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::{Expected, Payload, Stamped};

const MIB: u64 = 1 << 20;
const BUCKET: &str = "memory";

/// Arguments of `xtask memory`.
#[derive(Debug, clap::Args)]
pub(crate) struct MemoryArgs {
    /// Size of the object, MiB.
    #[arg(long, default_value_t = 1024)]
    size: u64,
    /// Most resident memory that the gateway may reach, MiB.
    #[arg(long, default_value_t = 150)]
    limit: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl MemoryArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let binary = self.binary.resolve(Profile::Release)?;
        let data = cargo::temp_dir("memory-")?;
        let gateway = Gateway::start(&binary, &data.path().join("data")).await?;
        let client = gateway.client()?;
        client.create_bucket(BUCKET).await?;
        println!("idle: {} MiB", gateway.peak_memory()? / MIB);

        let body = Stamped::new(0, self.size * MIB);
        client
            .put(BUCKET, "large", HeaderMap::new(), Payload::Unsigned(body.clone()))
            .await
            .context("PUT")?;
        self.check("PUT", &gateway)?;

        gateway.reset_peak_memory()?;
        let mut expected = Expected::new([body]);
        client.get_streaming(BUCKET, "large", |piece| expected.check(piece)).await.context("GET")?;
        expected.end()?;
        self.check("GET", &gateway)?;
        gateway.stop().await
    }

    fn check(&self, what: &str, gateway: &Gateway) -> Result<()> {
        let peak = gateway.peak_memory()?;
        println!("{what} of {} MiB: peak {} MiB, limit {} MiB", self.size, peak / MIB, self.limit);
        ensure!(peak < self.limit * MIB, "{what} took {} MiB of memory", peak / MIB);
        Ok(())
    }
}
