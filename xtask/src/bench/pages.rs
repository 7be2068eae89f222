//! Pages of a listing over S3, out of a large bucket and out of a small one in turns.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use carob_bucket::{PutOptions, Space, SpaceOptions};
use carob_identity::{SpaceKey, SystemClock, SystemEntropy, files};
use carob_local::{LocalOptions, LocalStore};
use tokio::task::JoinSet;

use super::row::PAGE;
use super::{CACHE, process};
use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use crate::s3::Client;
use crate::unflushed::Unflushed;

const SMALL: &str = "pages-small";
const LARGE: &str = "pages-large";

/// So many writes at once make groups of which each writes a node but once.
const WRITERS: usize = 4096;

/// Arguments of `xtask bench pages`.
#[derive(Debug, clap::Args)]
pub(crate) struct PagesArgs {
    /// How many keys the large bucket has.
    #[arg(long, default_value_t = 10_000_000)]
    large: u64,
    /// How many keys the small one has.
    #[arg(long, default_value_t = 10_000)]
    small: u64,
    /// How many pages of each are read.
    #[arg(long, default_value_t = 2000)]
    pages: usize,
    #[command(flatten)]
    binary: BinaryArgs,
}

impl PagesArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let binary = self.binary.resolve(Profile::Release)?;
        let scratch = cargo::temp_dir("pages-")?;
        let data = scratch.path().join("data");
        let begun = Instant::now();
        fill(&data, &[(SMALL, self.small), (LARGE, self.large)]).await?;
        println!("{} and {} keys written in {} s", self.small, self.large, begun.elapsed().as_secs());

        let gateway = Gateway::start(&binary, &data).await?;
        let client = gateway.client()?;
        let mut buckets = [Walk::new(SMALL), Walk::new(LARGE)];
        for _ in 0..self.pages {
            for walk in &mut buckets {
                let before = process::cpu(gateway.pid()?)?;
                walk.page(&client).await?;
                walk.server += process::cpu(gateway.pid()?)?.saturating_sub(before);
            }
        }
        println!("pages of {PAGE} keys, one after the other until the end and then again from the beginning");
        for walk in &mut buckets {
            walk.latencies.sort_unstable();
            let at =
                |percent: usize| walk.latencies[walk.latencies.len() * percent / 100].as_secs_f64() * 1000.0;
            let server = walk.server.as_secs_f64() * 1000.0 / walk.latencies.len() as f64;
            println!(
                "  {:<12} p50 {:.2} ms, p99 {:.2} ms, server {server:.2} ms a page, {} different keys",
                walk.bucket,
                at(50),
                at(99),
                walk.seen
            );
        }
        println!("  resident memory {} MiB", process::resident(gateway.pid()?)? / super::MIB);
        gateway.stop().await
    }
}

/// A listing that goes on where it was.
struct Walk {
    bucket: &'static str,
    token: Option<String>,
    latencies: Vec<Duration>,
    /// Processor time of the server.
    server: Duration,
    /// Keys until the listing ended for the first time.
    seen: u64,
    ended: bool,
}

impl Walk {
    fn new(bucket: &'static str) -> Self {
        Self { bucket, token: None, latencies: Vec::new(), server: Duration::ZERO, seen: 0, ended: false }
    }

    async fn page(&mut self, client: &Client) -> Result<()> {
        let sent = Instant::now();
        let page = client.count_page(self.bucket, PAGE, self.token.as_deref()).await?;
        self.latencies.push(sent.elapsed());
        ensure!(page.keys > 0, "an empty page");
        if !self.ended {
            self.seen += page.keys as u64;
        }
        self.ended |= page.next.is_none();
        self.token = page.next;
        Ok(())
    }
}

/// Makes the data directory of a gateway with these buckets of so many empty objects. In this process and without flushes:
/// what is measured is how they are read.
async fn fill(data: &Path, buckets: &[(&'static str, u64)]) -> Result<()> {
    std::fs::create_dir(data)?;
    let entropy = Arc::new(SystemEntropy);
    let key = SpaceKey::generate(&*entropy);
    files::create_space_key(&data.join("space.key"), &key)?;
    let mut options = LocalOptions::new(data.join("store"), [7; 16]);
    options.disk = Arc::new(Unflushed(options.disk));
    let store = Arc::new(tokio::task::spawn_blocking(|| LocalStore::open(options)).await??);
    let space = Space::open(SpaceOptions {
        store: store.clone(),
        signer: Arc::new(key),
        clock: Arc::new(SystemClock),
        entropy,
        cache_bytes: CACHE,
    });
    let space = space.await?;
    for (name, count) in buckets {
        space.create_bucket(name).await?;
        let bucket = space.bucket(name).await?;
        let next = Arc::new(AtomicU64::new(0));
        let mut writers = JoinSet::new();
        for _ in 0..WRITERS {
            let (bucket, next, count) = (bucket.clone(), next.clone(), *count);
            writers.spawn(async move {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        return anyhow::Ok(());
                    }
                    let body = bucket.upload(&[]).finish().await?;
                    // As long as keys often are.
                    bucket
                        .put(&format!("some/directory/of-files/{n:016}"), body, PutOptions::default())
                        .await?;
                }
            });
        }
        while let Some(writer) = writers.join_next().await {
            writer??;
        }
    }
    space.close().await;
    Ok(store.close().await?)
}
