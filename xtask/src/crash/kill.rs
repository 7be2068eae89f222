//! A gateway process, cut by SIGKILL.
//!
//! SIGKILL leaves the page cache intact: this shows that no acknowledged write waits in the process, and that
//! every half-written state is recovered from. It shows nothing about fsync; that is [`super::power_cut`]'s part.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use async_trait::async_trait;
use tempfile::TempDir;

use super::deep::Admin;
use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::Client;

/// The gateway and its data directory.
#[derive(Debug)]
pub(super) struct Machine {
    binary: PathBuf,
    admin: Admin,
    scratch: TempDir,
    running: Option<Gateway>,
}

impl Machine {
    pub(super) fn new(binary: &BinaryArgs) -> Result<Self> {
        let admin = Admin::new(binary.resolve_admin()?);
        let binary = binary.resolve(Profile::Dev)?;
        Ok(Self { binary, admin, scratch: cargo::temp_dir("crash-")?, running: None })
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    fn running(&mut self) -> Result<Gateway> {
        self.running.take().context("the gateway is not running")
    }
}

#[async_trait]
impl super::Machine for Machine {
    type Target = Client;

    async fn start(&mut self) -> Result<Client> {
        let gateway = Gateway::start(&self.binary, &self.data()).await?;
        let client = gateway.client()?;
        self.running = Some(gateway);
        Ok(client)
    }

    async fn cut(&mut self) -> Result<()> {
        self.running()?.kill().await
    }

    async fn stop(&mut self) -> Result<()> {
        self.running()?.stop().await
    }

    async fn verify(&mut self, buckets: &[String]) -> Result<()> {
        for bucket in buckets {
            self.admin.export_and_verify(&self.data(), bucket, self.scratch.path()).await?;
        }
        Ok(())
    }

    async fn wipe(&mut self) -> Result<()> {
        remove_dir_if_there(&self.data())
    }
}

fn remove_dir_if_there(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
