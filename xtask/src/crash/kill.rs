//! A gateway process, cut by SIGKILL.
//!
//! SIGKILL leaves the page cache intact: this shows that no acknowledged write waits in the process, and that
//! every half-written state is recovered from. It shows nothing about fsync; that is [`super::power_cut`]'s part.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderMap;
use tempfile::TempDir;

use super::deep::Admin;
use super::{Failure, Found, Listed, Target};
use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::{Client, Payload};

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

#[async_trait]
impl Target for Client {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.create_bucket(bucket).await
    }

    async fn put(
        &self,
        bucket: &str,
        key: &str,
        op: u64,
        body: Bytes,
        only_if_absent: bool,
    ) -> Result<bool, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-meta-op", op.into());
        if only_if_absent {
            headers.insert("if-none-match", http::HeaderValue::from_static("*"));
        }
        match self.put(bucket, key, headers, Payload::Signed(body)).await {
            Ok(_) => Ok(true),
            Err(Failure::Refused { code, .. }) if only_if_absent && code == "PreconditionFailed" => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Found>, Failure> {
        let Some(object) = self.get(bucket, key).await? else { return Ok(None) };
        let text = |name: &str| object.headers.get(name).and_then(|value| value.to_str().ok());
        let op = text("x-amz-meta-op").and_then(|op| op.parse().ok());
        let op = op.ok_or_else(|| Failure::Nonsense(format!("{key:?} without x-amz-meta-op")))?;
        let etag = text("etag").unwrap_or_default().trim_matches('"').to_owned();
        Ok(Some(Found { op, etag, body: object.body }))
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        self.delete(bucket, key).await
    }

    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        self.delete_many(bucket, keys).await
    }

    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let answer = self.list_page(bucket, page, token.as_deref()).await?;
            all.extend(answer.objects.into_iter().map(|o| Listed { key: o.key, etag: o.etag, size: o.size }));
            match answer.next {
                Some(next) => token = Some(next),
                None => return Ok(all),
            }
        }
    }
}
