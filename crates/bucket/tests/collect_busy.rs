//! Collections while others go on writing and reading.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use carob_block::{
    Block, Cid, Collection, HeadSwap, Heads, Marked, MemoryStore, ReadBlocks, Session, Store, StoreError,
    Sweep, SweepOptions, Swept,
};
use carob_bucket::{Bucket, CollectOptions, HistoryRetention};
use support::{put, read, space_over};

mod support;

/// A store in which somebody writes, and reads what was written, each time that a collection marks anything.
#[derive(Debug)]
struct Busy {
    store: MemoryStore,
    bucket: Bucket,
    writes: Arc<AtomicU64>,
}

#[derive(Debug)]
struct BusyCollection {
    inner: Box<dyn Collection>,
    bucket: Bucket,
    writes: Arc<AtomicU64>,
}

#[async_trait]
impl ReadBlocks for Busy {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.store.get(cid).await
    }
}

#[async_trait]
impl Heads for Busy {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.store.head(name).await
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.store.heads(prefix).await
    }
}

#[async_trait]
impl Store for Busy {
    fn session(&self) -> Box<dyn Session> {
        self.store.session()
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        self.store.commit(sessions, swaps).await
    }
}

#[async_trait]
impl Sweep for Busy {
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError> {
        let inner = self.store.collect().await?;
        Ok(Box::new(BusyCollection { inner, bucket: self.bucket.clone(), writes: Arc::clone(&self.writes) }))
    }

    fn size(&self) -> u64 {
        self.store.size()
    }
}

#[async_trait]
impl Collection for BusyCollection {
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError> {
        let marked = self.inner.mark(cids).await;
        let n = self.writes.fetch_add(1, Ordering::Relaxed);
        assert!(n < 1000, "the collection follows the writers");
        put(&self.bucket, "busy", &n.to_string()).await.unwrap();
        assert_eq!(read(&self.bucket, "busy").await, Some(n.to_string()));
        marked
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.inner.erase(cids).await
    }

    async fn survey(&self, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.inner.survey(options).await
    }

    async fn sweep(self: Box<Self>, options: &SweepOptions) -> Result<Swept, StoreError> {
        self.inner.sweep(options).await
    }
}

#[tokio::test]
async fn a_collection_ends_though_others_write_and_read_all_the_time() {
    let store = MemoryStore::new();
    let space = space_over(Arc::new(store.clone())).await;
    space.create_bucket("bucket").await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    let head_only = |config: &mut carob_bucket::Config| {
        config.history = HistoryRetention::HEAD_ONLY;
        Ok(())
    };
    bucket.configure(head_only).await.unwrap();
    for n in 0..20 {
        put(&bucket, "quiet", &n.to_string()).await.unwrap();
    }
    let busy = Busy { store, bucket: bucket.clone(), writes: Arc::default() };
    let sweep = SweepOptions { dead_percent: 0, bytes_per_second: None };
    let options = CollectOptions { dry_run: false, sweep, upload_age: None };
    let collected = space.collect(&busy, options).await.unwrap();
    assert!(collected.swept.dead_bytes > 0);
    let writes = busy.writes.load(Ordering::Relaxed);
    assert!(writes > 1);
    assert_eq!(read(&bucket, "quiet").await.as_deref(), Some("19"));
    assert_eq!(read(&bucket, "busy").await, Some((writes - 1).to_string()));
}
