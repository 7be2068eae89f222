//! A store whose calls let others go first, some of them several times: so that tasks on one thread mix.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use carob_block::{
    Block, Cid, Collection, HeadSwap, Heads, Marked, ReadBlocks, Session, SessionId, Store, StoreError,
    Sweep, SweepOptions, Swept,
};

#[derive(Debug)]
pub(crate) struct Yielding<S> {
    inner: Arc<S>,
    pauses: Pauses,
}

/// Numbers that look random, the same for each seed.
#[derive(Debug, Clone)]
struct Pauses(Arc<AtomicU64>);

impl Pauses {
    async fn pause(&self) {
        // Knuth's multiplicative congruential generator (MMIX).
        let step = |n: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let before = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(step(n)));
        for _ in 0..before.unwrap_or_default() >> 61 {
            tokio::task::yield_now().await;
        }
    }
}

impl<S> Yielding<S> {
    pub(crate) fn over(inner: S, seed: u64) -> Self {
        Self { inner: Arc::new(inner), pauses: Pauses(Arc::new(AtomicU64::new(seed))) }
    }

    pub(crate) fn inner(&self) -> &S {
        &self.inner
    }
}

#[async_trait]
impl<S: Store> ReadBlocks for Yielding<S> {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.pauses.pause().await;
        self.inner.get(cid).await
    }
}

#[async_trait]
impl<S: Store> Heads for Yielding<S> {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        let head = self.inner.head(name).await;
        self.pauses.pause().await;
        head
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        let heads = self.inner.heads(prefix).await;
        self.pauses.pause().await;
        heads
    }
}

#[async_trait]
impl<S: Store> Store for Yielding<S> {
    fn session(&self) -> Box<dyn Session> {
        Box::new(YieldingSession { inner: self.inner.session(), pauses: self.pauses.clone() })
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        self.pauses.pause().await;
        let result = self.inner.commit(sessions, swaps).await;
        self.pauses.pause().await;
        result
    }
}

#[async_trait]
impl<S: Sweep> Sweep for Yielding<S> {
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError> {
        let collection = self.inner.collect().await?;
        self.pauses.pause().await;
        Ok(Box::new(YieldingCollection { inner: collection, pauses: self.pauses.clone() }))
    }

    fn size(&self) -> u64 {
        self.inner.size()
    }
}

#[derive(Debug)]
struct YieldingSession {
    inner: Box<dyn Session>,
    pauses: Pauses,
}

#[async_trait]
impl Session for YieldingSession {
    fn id(&self) -> SessionId {
        self.inner.id()
    }

    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.inner.put(blocks).await?;
        self.pauses.pause().await;
        Ok(())
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        let missing = self.inner.missing(cids).await;
        self.pauses.pause().await;
        missing
    }
}

#[derive(Debug)]
struct YieldingCollection {
    inner: Box<dyn Collection>,
    pauses: Pauses,
}

#[async_trait]
impl Collection for YieldingCollection {
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError> {
        let marked = self.inner.mark(cids).await;
        self.pauses.pause().await;
        marked
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let erased = self.inner.erase(cids).await;
        self.pauses.pause().await;
        erased
    }

    async fn survey(&self, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.inner.survey(options).await
    }

    async fn sweep(self: Box<Self>, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.pauses.pause().await;
        self.inner.sweep(options).await
    }
}
