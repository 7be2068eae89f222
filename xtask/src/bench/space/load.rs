//! Writes objects over S3, many at a time.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use http::HeaderMap;
use tokio::task::JoinSet;

use super::BUCKET;
use crate::s3::{Client, Payload, Stamped};

/// Clients that write bodies of one size.
#[derive(Debug)]
pub(super) struct Load {
    client: Client,
    size: u64,
    clients: usize,
    seed: u64,
    limit: Duration,
}

impl Load {
    pub(super) fn new(client: Client, size: u64, clients: usize, seed: u64, limit: Duration) -> Self {
        Self { client, size, clients, seed, limit }
    }

    /// Writes each of these bodies to the key that `key` gives for it, until the time is over; gives how many were.
    pub(super) async fn write(
        &self,
        bodies: Range<u64>,
        key: impl Fn(u64) -> u64 + Copy + Send + 'static,
    ) -> Result<u64> {
        let (next, deadline) = (Arc::new(AtomicU64::new(bodies.start)), Instant::now() + self.limit);
        let mut clients = JoinSet::new();
        for _ in 0..self.clients {
            let (client, next, size) = (self.client.clone(), Arc::clone(&next), self.size);
            let (end, first) = (bodies.end, self.seed << 40);
            clients.spawn(async move {
                let mut written = 0_u64;
                while Instant::now() < deadline {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= end {
                        break;
                    }
                    let body = Payload::Unsigned(Stamped::new(first + n, size));
                    client.put(BUCKET, &name(key(n)), HeaderMap::new(), body).await?;
                    written += 1;
                }
                anyhow::Ok(written)
            });
        }
        let mut written = 0;
        while let Some(client) = clients.join_next().await {
            written += client??;
        }
        Ok(written)
    }
}

/// A key of 40 bytes; they are spread as real ones are.
fn name(n: u64) -> String {
    blake3::hash(&n.to_le_bytes()).to_hex()[..40].to_owned()
}
