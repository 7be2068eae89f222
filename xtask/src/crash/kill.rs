//! A gateway process, cut by SIGKILL.
//!
//! SIGKILL leaves the page cache intact: this shows that no acknowledged write waits in the process, and that
//! every half-written state is recovered from. It shows nothing about fsync; that is [`super::power_cut`]'s part.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::client::Client;
use super::deep::Admin;
use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};

/// Between two collections.
const PAUSE: Duration = Duration::from_millis(20);

/// The gateway and its data directory.
#[derive(Debug)]
pub(super) struct Machine {
    binary: PathBuf,
    admin: Admin,
    scratch: TempDir,
    running: Option<Gateway>,
    /// Asks for collections as long as the gateway runs; ends with the complaint of one that found damage.
    collecting: Option<JoinHandle<Result<String>>>,
}

impl Machine {
    pub(super) fn new(binary: &BinaryArgs) -> Result<Self> {
        let admin = Admin::new(binary.resolve_admin(Profile::Dev)?);
        let binary = binary.resolve(Profile::Dev)?;
        Ok(Self { binary, admin, scratch: cargo::temp_dir("crash-")?, running: None, collecting: None })
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    async fn end_collecting(&mut self) -> Result<()> {
        let Some(collecting) = self.collecting.take() else { return Ok(()) };
        if collecting.is_finished() {
            bail!("a collection found damage: {}", collecting.await??);
        }
        collecting.abort();
        Ok(())
    }

    fn running(&mut self) -> Result<Gateway> {
        self.running.take().context("the gateway is not running")
    }
}

#[async_trait]
impl super::Machine for Machine {
    type Target = Client;
    const FULL_EVERY: u32 = 10;

    async fn start(&mut self) -> Result<Client> {
        let gateway = Gateway::start(&self.binary, &self.data()).await?;
        let admin = carob_http::client::Client::new(self.data().join("admin.sock"));
        let client = Client { s3: gateway.client()?, admin };
        self.running = Some(gateway);
        self.collecting = Some(tokio::spawn(collect(self.admin.clone(), self.data())));
        Ok(client)
    }

    async fn cut(&mut self) -> Result<()> {
        self.running()?.kill().await?;
        self.end_collecting().await
    }

    async fn stop(&mut self) -> Result<()> {
        self.end_collecting().await?;
        self.running()?.stop().await
    }

    async fn verify(&mut self, buckets: &[String]) -> Result<()> {
        for bucket in buckets {
            // From now on.
            self.admin.keep_head_only(&self.data(), bucket).await?;
            self.admin.export_and_verify(&self.data(), bucket, self.scratch.path()).await?;
        }
        Ok(())
    }

    async fn wipe(&mut self, _: u32) -> Result<()> {
        remove_dir_if_there(&self.data())
    }
}

/// Has garbage collected again and again.
async fn collect(admin: Admin, data: PathBuf) -> Result<String> {
    loop {
        tokio::time::sleep(PAUSE).await;
        if let Some(complaint) = admin.collect(&data).await?
            && complaint.contains("damaged")
        {
            return Ok(complaint);
        }
    }
}

fn remove_dir_if_there(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
