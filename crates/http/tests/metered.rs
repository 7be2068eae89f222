//! The measuring store is a store, and tells when the one beneath refuses writes.

use std::sync::Arc;

use async_trait::async_trait;
use carob_block::conformance::{Harness, run};
use carob_block::fault::FaultyStore;
use carob_block::{Block, Cid, Codec, HeadSwap, MemoryStore, Store};
use carob_http::{MeteredStore, Metrics, Readiness};

fn metered(inner: Arc<dyn Store>) -> (MeteredStore, Metrics, Readiness) {
    let (metrics, readiness) = (Metrics::new("0.0.0"), Readiness::default());
    readiness.set_serving(true);
    (MeteredStore::new(inner, metrics.clone(), readiness.clone()), metrics, readiness)
}

struct InMemory(MemoryStore);

impl InMemory {
    fn handle(&self) -> Arc<dyn Store> {
        Arc::new(metered(Arc::new(self.0.clone())).0)
    }
}

#[async_trait]
impl Harness for InMemory {
    async fn fresh(&mut self) -> Arc<dyn Store> {
        self.0 = MemoryStore::new();
        self.handle()
    }

    async fn crash(&mut self) -> Arc<dyn Store> {
        self.0 = self.0.crash();
        self.handle()
    }
}

#[tokio::test]
async fn the_measuring_store_conforms() {
    run(&mut InMemory(MemoryStore::new())).await;
}

async fn commit(store: &MeteredStore, expected: Option<Cid>, text: &'static str) -> bool {
    let block = Block::new(Codec::Raw, text.into()).unwrap();
    let session = store.session();
    let next = Some(*block.cid());
    if session.put(vec![block]).await.is_err() {
        return false;
    }
    let swap = HeadSwap { name: "head".into(), expected, next };
    store.commit(&[&*session], &[swap]).await.is_ok()
}

#[tokio::test]
async fn commits_are_measured_by_what_became_of_them() {
    let inner = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let (store, metrics, readiness) = metered(inner.clone());
    let count = |outcome| {
        let line = format!("carob_store_commit_duration_seconds_count{{outcome=\"{outcome}\"}} ");
        let text = metrics.text();
        let found = text.lines().find_map(|found| found.strip_prefix(&line)).map(str::to_owned);
        found.map_or(0, |count| count.parse::<u64>().unwrap())
    };
    assert!(commit(&store, None, "first").await);
    assert!(!commit(&store, None, "second").await, "the head has moved");
    assert_eq!((count("ok"), count("conflict"), count("failed")), (1, 1, 0));
    assert!(readiness.is_ready(), "a conflict is nobody's fault");

    for call in [1, 2] {
        inner.fail_call(call);
        assert!(!commit(&store, None, "third").await);
        assert!(!readiness.is_ready(), "call {call} was refused");
        inner.fail_call(0);
        let there = store.session();
        store.commit(&[&*there], &[]).await.unwrap();
        assert!(readiness.is_ready(), "a write went through");
    }
    assert_eq!((count("ok"), count("conflict"), count("failed")), (3, 1, 1));
}
