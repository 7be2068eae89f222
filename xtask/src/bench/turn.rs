//! One turn: one server under one kind of load for some seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::HeaderMap;
use tokio::task::JoinSet;

use super::bound::Bound;
use super::engine::Engine;
use super::process;
use super::row::{PAGE, Row, SMALL};
use crate::s3::{Client, Payload, Stamped};

/// Holds what is written and read.
pub(super) const OBJECTS: &str = "bench-objects";
/// Holds what is listed.
pub(super) const LISTED: &str = "bench-listed";
/// The size of what is listed.
const LISTED_SIZE: u64 = 16;

/// Names bodies and keys; unique in the process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// What takes the load.
#[derive(Clone, Debug)]
pub(super) enum Target {
    Http(Box<Client>),
    Engine(Box<Engine>),
    Bound(Bound),
}

/// A turn to run.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) target: &'a Target,
    /// The server's process; none for what runs in this one.
    pub(super) pid: Option<u32>,
    pub(super) row: Row,
    pub(super) seconds: Duration,
    pub(super) seed: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) latencies: Vec<Duration>,
    pub(super) took: Duration,
    /// Processor time of the load generator.
    pub(super) client: Duration,
    /// Processor time of the server.
    pub(super) server: Duration,
}

impl Turn<'_> {
    /// Runs it. `written` holds the names of what is there to read; what is written is added.
    pub(super) async fn run(&self, written: &mut Vec<u64>) -> Result<Done> {
        let keys: Arc<[u64]> = written.as_slice().into();
        let left = Arc::new(AtomicU64::new(self.row.cap()));
        let (client, server) = self.cpu()?;
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for n in 0..self.row.clients() {
            let worker = Worker {
                target: self.target.clone(),
                row: self.row,
                keys: keys.clone(),
                rng: fastrand::Rng::with_seed(self.seed.wrapping_mul(1000).wrapping_add(n as u64)),
                token: None,
                put: Vec::new(),
            };
            clients.spawn(worker.run(begun + self.seconds, left.clone()));
        }
        let mut latencies = Vec::new();
        while let Some(client) = clients.join_next().await {
            let (done, put) = client??;
            latencies.extend(done);
            written.extend(put);
        }
        let took = begun.elapsed();
        let (client_then, server_then) = self.cpu()?;
        Ok(Done {
            latencies,
            took,
            client: client_then.saturating_sub(client),
            server: server_then.saturating_sub(server),
        })
    }

    fn cpu(&self) -> Result<(Duration, Duration)> {
        let server = self.pid.map(process::cpu).transpose()?.unwrap_or_default();
        Ok((process::cpu(std::process::id())?, server))
    }
}

/// One client.
struct Worker {
    target: Target,
    row: Row,
    keys: Arc<[u64]>,
    rng: fastrand::Rng,
    /// Where the listing goes on.
    token: Option<String>,
    put: Vec<u64>,
}

impl Worker {
    async fn run(mut self, deadline: Instant, left: Arc<AtomicU64>) -> Result<(Vec<Duration>, Vec<u64>)> {
        let mut latencies = Vec::new();
        while latencies.is_empty() || Instant::now() < deadline {
            let taken = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            if taken.is_err() {
                break;
            }
            let sent = Instant::now();
            self.step().await?;
            latencies.push(sent.elapsed());
        }
        Ok((latencies, self.put))
    }

    async fn step(&mut self) -> Result<()> {
        match self.row {
            Row::Put4k | Row::Put4k64 | Row::Put64m => self.upload().await,
            Row::Get4k | Row::Get64m => self.download().await,
            Row::List => self.list(LISTED).await,
            Row::Mixed => match self.rng.u32(..100) {
                0..70 => self.download().await,
                70..90 => self.upload().await,
                90..95 => self.list(OBJECTS).await,
                _ => self.delete().await,
            },
        }
    }

    async fn upload(&mut self) -> Result<()> {
        self.put.push(put(&self.target, OBJECTS, self.row.size()).await?);
        Ok(())
    }

    async fn download(&mut self) -> Result<()> {
        let key = key(*self.rng.choice(self.keys.iter()).context("nothing to read")?);
        let read = match &self.target {
            Target::Http(client) => {
                let mut read = 0;
                let count = |piece: &[u8]| {
                    read += piece.len() as u64;
                    Ok(())
                };
                client.get_streaming(OBJECTS, &key, count).await?;
                read
            }
            Target::Engine(engine) => engine.get(&key).await?,
            Target::Bound(_) => bail!("nothing is kept"),
        };
        ensure!(read == self.row.size(), "{key} gave {read} of {} bytes", self.row.size());
        Ok(())
    }

    async fn list(&mut self, bucket: &str) -> Result<()> {
        let Target::Http(client) = &self.target else { bail!("no server, no such row") };
        let page = client.count_page(bucket, PAGE, self.token.as_deref()).await?;
        // MinIO says that more follows when nothing does, so a page that goes on may be empty.
        ensure!(self.token.is_some() || page.keys > 0, "an empty page");
        self.token = page.next;
        Ok(())
    }

    /// Deletes what this client wrote, so that everyone else finds what they read.
    async fn delete(&mut self) -> Result<()> {
        let Target::Http(client) = &self.target else { bail!("no server, no such row") };
        match self.put.pop() {
            Some(id) => Ok(client.delete(OBJECTS, &key(id), HeaderMap::new()).await?),
            None => self.upload().await,
        }
    }
}

/// Writes small objects until there are `count` in the listed bucket or `limit` is over; gives how many there are.
pub(super) async fn preload(target: &Target, count: u64, limit: Duration) -> Result<u64> {
    fill(target, LISTED, LISTED_SIZE, count, limit).await.map(|ids| ids.len() as u64)
}

/// Writes `count` objects of `size` that a turn can read.
pub(super) async fn prepare(target: &Target, row: Row, count: u64) -> Result<Vec<u64>> {
    fill(target, OBJECTS, row.size().max(SMALL), count, Duration::from_mins(1)).await
}

async fn fill(
    target: &Target,
    bucket: &'static str,
    size: u64,
    count: u64,
    limit: Duration,
) -> Result<Vec<u64>> {
    let deadline = Instant::now() + limit;
    let left = Arc::new(AtomicU64::new(count));
    let mut clients = JoinSet::new();
    for _ in 0..count.min(64) {
        let (target, left) = (target.clone(), left.clone());
        clients.spawn(async move {
            let mut ids = Vec::new();
            let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            while (ids.is_empty() || Instant::now() < deadline) && take().is_ok() {
                ids.push(put(&target, bucket, size).await?);
            }
            anyhow::Ok(ids)
        });
    }
    let mut ids = Vec::new();
    while let Some(client) = clients.join_next().await {
        ids.extend(client??);
    }
    Ok(ids)
}

async fn put(target: &Target, bucket: &str, size: u64) -> Result<u64> {
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    let body = Stamped::new(id, size);
    match target {
        Target::Http(client) => {
            client.put(bucket, &key(id), HeaderMap::new(), Payload::Unsigned(body)).await?;
        }
        Target::Engine(engine) => engine.put(&key(id), body).await?,
        Target::Bound(bound) => bound.put(body).await?,
    }
    Ok(id)
}

fn key(id: u64) -> String {
    // Spread over the key space, as real keys are.
    let hash = blake3::hash(&id.to_le_bytes());
    format!("{}/{id}", &hash.to_hex()[..8])
}
