//! One figure: so many clients doing one thing for so long.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::HeaderMap;
use tokio::task::JoinSet;

use super::MIB;
use crate::s3::{Client, Payload, Stamped};

/// Names bodies and keys; unique in the process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A figure stops early when its clients have written this much and each has written once.
const WRITE_CAP: u64 = 512 * MIB;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Put,
    Get,
    List,
}

/// A load to run.
#[derive(Debug)]
pub(super) struct Load<'a> {
    pub(super) client: &'a Client,
    pub(super) bucket: &'a str,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) concurrency: usize,
    pub(super) seconds: Duration,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Done {
    /// Latencies of all operations, sorted.
    pub(super) latencies: Vec<Duration>,
    pub(super) took: Duration,
}

impl Load<'_> {
    /// Runs it. PUT adds to `written`; GET reads from it.
    pub(super) async fn run(&self, written: &mut Vec<u64>) -> Result<Done> {
        let begun = Instant::now();
        let deadline = begun + self.seconds;
        let keys: Arc<[u64]> = written.as_slice().into();
        let cap = WRITE_CAP.max(self.size * self.concurrency as u64) / self.size;
        let started = Arc::new(AtomicU64::new(0));
        let mut clients = JoinSet::new();
        for n in 0..self.concurrency {
            let (client, bucket) = (self.client.clone(), self.bucket.to_owned());
            let (kind, size, keys, started) = (self.kind, self.size, keys.clone(), started.clone());
            clients.spawn(async move {
                let mut done = Vec::new();
                let mut put = Vec::new();
                let mut turn = n;
                loop {
                    let over = match kind {
                        Kind::Put if size >= 64 * MIB => false,
                        _ => Instant::now() >= deadline,
                    };
                    let capped = kind == Kind::Put && started.fetch_add(1, Ordering::Relaxed) >= cap;
                    if capped || over && !done.is_empty() {
                        return anyhow::Ok((done, put));
                    }
                    let sent = Instant::now();
                    match kind {
                        Kind::Put => put.push(upload(&client, &bucket, size).await?),
                        Kind::Get => download(&client, &bucket, keys[turn % keys.len()], size).await?,
                        Kind::List => list(&client, &bucket, keys.len()).await?,
                    }
                    done.push(sent.elapsed());
                    // A stride that is no divisor of the number of keys spreads the clients over all of them.
                    turn = turn.wrapping_add(7919);
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(client) = clients.join_next().await {
            let (done, put) = client??;
            latencies.extend(done);
            written.extend(put);
        }
        latencies.sort_unstable();
        Ok(Done { latencies, took: begun.elapsed() })
    }
}

async fn upload(client: &Client, bucket: &str, size: u64) -> Result<u64> {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let payload = Payload::Unsigned(Stamped::new(id, size));
    client.put(bucket, &key(id), HeaderMap::new(), payload).await?;
    Ok(id)
}

async fn download(client: &Client, bucket: &str, id: u64, size: u64) -> Result<()> {
    let mut read = 0;
    let count = |piece: &[u8]| {
        read += piece.len() as u64;
        Ok(())
    };
    client.get_streaming(bucket, &key(id), count).await?;
    ensure!(read == size, "{} gave {read} of {size} bytes", key(id));
    Ok(())
}

async fn list(client: &Client, bucket: &str, written: usize) -> Result<()> {
    let page = client.list_page(bucket, 1000, None).await?;
    ensure!(page.objects.len() == written.min(1000), "a page of {} keys", page.objects.len());
    Ok(())
}

fn key(id: u64) -> String {
    // Spread over the key space, as real keys are.
    let hash = blake3::hash(&id.to_le_bytes());
    format!("{}/{id}", &hash.to_hex()[..8])
}
