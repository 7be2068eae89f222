//! An upload goes on where it was when its client or the gateway was killed.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout};
use tokio::time::timeout;

use super::{Site, check_memory};
use crate::cargo;
use crate::gateway::Gateway;

const SCRIPT: &str = "large_resume";
/// Parts acknowledged to one run of the client when something is killed. There are 640 in all.
const BEFORE_A_KILL: u32 = 160;
/// Longest time between two lines of a client that works.
const STILL: Duration = Duration::from_mins(2);

pub(super) async fn run(site: &Site) -> Result<()> {
    println!("== resume: 5 GiB in parts");
    let data = cargo::temp_dir("resume-")?;
    let (work, store) = (data.path(), data.path().join("data"));
    let gateway = Gateway::start(&site.binary, &store).await?;
    site.step(&gateway, SCRIPT, &["begin"], work).await?;

    let mut client = Client::start(site, &gateway, "upload", work)?;
    client.acknowledged(BEFORE_A_KILL).await?;
    client.kill().await?;
    println!("killed the client after {BEFORE_A_KILL} parts");

    let mut client = Client::start(site, &gateway, "upload", work)?;
    client.acknowledged(BEFORE_A_KILL).await?;
    check_memory(&gateway)?;
    let gateway = restart(site, gateway, &store).await?;
    client.kill().await?;

    site.step(&gateway, SCRIPT, &["finish"], work).await?;
    let etag = complete(site, &gateway, work).await?;
    let gateway = restart(site, gateway, &store).await?;
    let again = complete(site, &gateway, work).await?;
    ensure!(again == etag, "completed as {etag}, and again, after a kill, as {again}");
    println!("completed twice as {etag}");

    site.step(&gateway, SCRIPT, &["read"], work).await?;
    gateway.stop().await
}

async fn restart(site: &Site, gateway: Gateway, store: &Path) -> Result<Gateway> {
    gateway.kill().await?;
    let gateway = Gateway::start(&site.binary, store).await?;
    println!("killed the gateway; it was back after {:.1?}", gateway.start_time);
    Ok(gateway)
}

/// Completes the upload; gives the ETag.
async fn complete(site: &Site, gateway: &Gateway, work: &Path) -> Result<String> {
    let mut client = Client::start(site, gateway, "complete", work)?;
    let etag = loop {
        let line = client.line().await?;
        if let Some(etag) = line.strip_prefix("completed ") {
            break etag.to_owned();
        }
    };
    Ok(etag)
}

/// A running client whose output is read line by line.
struct Client {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(site: &Site, gateway: &Gateway, step: &str, work: &Path) -> Result<Self> {
        let mut command = site.python.command(SCRIPT, &[step], &site.session(gateway), work);
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start the client")?;
        let lines = BufReader::new(child.stdout.take().context("the client has no stdout")?).lines();
        Ok(Self { child, lines })
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(STILL, self.lines.next_line()).await.context("the client stands still")??;
        match line {
            Some(line) if line.starts_with("FAILED") => bail!("the client says: {line}"),
            Some(line) => Ok(line),
            None => bail!("the client ended early: {}", self.child.wait().await?),
        }
    }

    /// Returns when so many parts of this run were acknowledged.
    async fn acknowledged(&mut self, parts: u32) -> Result<()> {
        let mut count = 0;
        while count < parts {
            count += u32::from(self.line().await?.starts_with("part "));
        }
        Ok(())
    }

    /// SIGKILL.
    async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill the client")
    }
}
