//! A store decorator that measures commits, and notices when the store refuses writes.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use carob_block::{
    Block, Bytes, Check, Cid, HeadSwap, Heads, ReadBlocks, Session, SessionId, Store, StoreError,
};

use crate::Readiness;
use crate::metrics::Metrics;

/// A store whose commits are measured. What it refuses to write makes the gateway unready for a while.
#[derive(Debug)]
pub struct MeteredStore {
    inner: Arc<dyn Store>,
    metrics: Metrics,
    readiness: Readiness,
}

impl MeteredStore {
    /// Wraps `inner`.
    pub fn new(inner: Arc<dyn Store>, metrics: Metrics, readiness: Readiness) -> Self {
        Self { inner, metrics, readiness }
    }
}

/// Whether the store itself is at fault, rather than what it was asked for.
fn refuses(error: &StoreError) -> bool {
    match error {
        StoreError::Full | StoreError::SessionLost | StoreError::Unavailable { .. } => true,
        StoreError::Conflict { .. } | StoreError::Damaged(_) | StoreError::Dangling { .. } => false,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ReadBlocks for MeteredStore {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.inner.get(cid).await
    }

    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        self.inner.get_part(cid, range, check).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Heads for MeteredStore {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.inner.head(name).await
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.inner.heads(prefix).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Store for MeteredStore {
    fn session(&self) -> Box<dyn Session> {
        Box::new(MeteredSession { inner: self.inner.session(), readiness: self.readiness.clone() })
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        let begun = Instant::now();
        let result = self.inner.commit(sessions, swaps).await;
        let outcome = match &result {
            Ok(()) => {
                self.readiness.wrote();
                "ok"
            }
            Err(error) if refuses(error) => {
                self.readiness.refused();
                "failed"
            }
            Err(_) => "conflict",
        };
        self.metrics.store_committed(outcome, begun.elapsed());
        result
    }
}

#[derive(Debug)]
struct MeteredSession {
    inner: Box<dyn Session>,
    readiness: Readiness,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Session for MeteredSession {
    fn id(&self) -> SessionId {
        self.inner.id()
    }

    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        let result = self.inner.put(blocks).await;
        if result.as_ref().is_err_and(refuses) {
            self.readiness.refused();
        }
        result
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        self.inner.missing(cids).await
    }
}
