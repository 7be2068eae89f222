//! A store decorator that fails on demand, to show that callers survive failure at every call.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;

use crate::{
    Block, Check, Collection, HeadSwap, Heads, Marked, ReadBlocks, Session, SessionId, Store, StoreError,
    Sweep, SweepOptions, Swept,
};

/// Counts the calls that reach a store, and fails one of them, or all from one on.
#[derive(Debug)]
pub struct FaultyStore<S: ?Sized = dyn Store> {
    inner: Arc<S>,
    calls: Arc<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    made: AtomicU64,
    /// The number of the first call to fail, counted from 1; 0 for none.
    first: AtomicU64,
    /// The number of the last.
    last: AtomicU64,
}

impl Calls {
    fn next(&self) -> Result<(), StoreError> {
        let call = self.made.fetch_add(1, Ordering::SeqCst) + 1;
        let (first, last) = (self.first.load(Ordering::SeqCst), self.last.load(Ordering::SeqCst));
        if first > 0 && (first..=last).contains(&call) {
            return Err(StoreError::Unavailable { context: "injected fault", source: "fault".into() });
        }
        Ok(())
    }

    fn fail(&self, first: u64, last: u64) {
        self.made.store(0, Ordering::SeqCst);
        self.first.store(first, Ordering::SeqCst);
        self.last.store(last, Ordering::SeqCst);
    }
}

impl FaultyStore {
    /// Wraps `inner`; nothing fails until [`FaultyStore::fail_call`].
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self::over(inner)
    }
}

impl<S: ?Sized> FaultyStore<S> {
    /// Wraps a store of a known type, so that it can also be swept if that one can.
    pub fn over(inner: Arc<S>) -> Self {
        Self { inner, calls: Arc::default() }
    }

    /// Starts counting anew and fails the `nth` call from now (the first is 1; 0 fails none).
    pub fn fail_call(&self, nth: u64) {
        self.calls.fail(nth, nth);
    }

    /// The same for the `nth` call and all after it.
    pub fn fail_from(&self, nth: u64) {
        self.calls.fail(nth, u64::MAX);
    }

    /// Calls made since one was last asked to fail.
    pub fn calls(&self) -> u64 {
        self.calls.made.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl<S: Store + ?Sized> ReadBlocks for FaultyStore<S> {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.calls.next()?;
        self.inner.get(cid).await
    }

    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        self.calls.next()?;
        self.inner.get_part(cid, range, check).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> Heads for FaultyStore<S> {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.calls.next()?;
        self.inner.head(name).await
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.calls.next()?;
        self.inner.heads(prefix).await
    }
}

#[async_trait]
impl<S: Store + ?Sized> Store for FaultyStore<S> {
    fn session(&self) -> Box<dyn Session> {
        Box::new(FaultySession { inner: self.inner.session(), calls: Arc::clone(&self.calls) })
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        self.calls.next()?;
        self.inner.commit(sessions, swaps).await
    }
}

#[derive(Debug)]
struct FaultySession {
    inner: Box<dyn Session>,
    calls: Arc<Calls>,
}

#[async_trait]
impl Session for FaultySession {
    fn id(&self) -> SessionId {
        self.inner.id()
    }

    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.calls.next()?;
        self.inner.put(blocks).await
    }

    async fn missing(&self, cids: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        self.calls.next()?;
        self.inner.missing(cids).await
    }
}

#[async_trait]
impl<S: Sweep + ?Sized> Sweep for FaultyStore<S> {
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError> {
        self.calls.next()?;
        Ok(Box::new(FaultyCollection { inner: self.inner.collect().await?, calls: Arc::clone(&self.calls) }))
    }

    fn size(&self) -> u64 {
        self.inner.size()
    }
}

#[derive(Debug)]
struct FaultyCollection {
    inner: Box<dyn Collection>,
    calls: Arc<Calls>,
}

#[async_trait]
impl Collection for FaultyCollection {
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError> {
        self.calls.next()?;
        self.inner.mark(cids).await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.calls.next()?;
        self.inner.erase(cids).await
    }

    async fn survey(&self, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.calls.next()?;
        self.inner.survey(options).await
    }

    async fn sweep(self: Box<Self>, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.calls.next()?;
        self.inner.sweep(options).await
    }
}
