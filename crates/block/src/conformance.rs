//! What every [`Store`] must do. An implementation's own tests call [`run`] with a way to open it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use cid::Cid;
use ipld_core::ipld::Ipld;

use crate::{Block, Check, Codec, HeadSwap, Session, Store, StoreError};

mod sweep;

pub use sweep::{SweepHarness, run_sweep};

/// Opens fresh stores, and reopens one after a crash.
#[async_trait]
pub trait Harness: Send {
    /// A new, empty store.
    async fn fresh(&mut self) -> Arc<dyn Store>;

    /// The latest fresh store as a power cut would leave it. The old handle is not used again.
    async fn crash(&mut self) -> Arc<dyn Store>;
}

/// Runs the whole suite, panicking at the first violation.
pub async fn run(harness: &mut dyn Harness) {
    put_blocks_are_readable(harness).await;
    parts_come_out_only_if_they_are_accepted(harness).await;
    missing_names_what_is_not_held(harness).await;
    commit_is_atomic_over_heads(harness).await;
    a_lost_race_changes_nothing(harness).await;
    one_of_many_racers_wins(harness).await;
    committed_state_survives_a_crash(harness).await;
    uncommitted_heads_do_not_survive(harness).await;
    heads_are_listed_in_order(harness).await;
    a_block_found_present_is_kept(harness).await;
    commit_covers_several_sessions(harness).await;
    commit_without_swaps_makes_blocks_durable(harness).await;
}

fn leaf(text: &str) -> Block {
    Block::new(Codec::Raw, Bytes::copy_from_slice(text.as_bytes())).expect("small")
}

fn node(children: &[Cid]) -> Block {
    let links = Ipld::List(children.iter().map(|cid| Ipld::Link(*cid)).collect());
    let bytes = serde_ipld_dagcbor::to_vec(&links).expect("links encode");
    Block::new(Codec::DagCbor, bytes.into()).expect("small")
}

fn swap(name: &str, expected: Option<Cid>, next: Option<Cid>) -> HeadSwap {
    HeadSwap { name: name.into(), expected, next }
}

async fn put(session: &dyn Session, block: &Block) -> Cid {
    session.put(vec![block.clone()]).await.expect("put");
    *block.cid()
}

async fn put_blocks_are_readable(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let block = leaf("readable");
    assert_eq!(store.get(block.cid()).await.expect("get"), None, "absence is None");
    put(&*session, &block).await;
    assert_eq!(store.get(block.cid()).await.expect("get"), Some(block), "readable once put, before a commit");
    let empty = leaf("");
    put(&*session, &empty).await;
    assert_eq!(store.get(empty.cid()).await.expect("get"), Some(empty), "an empty block is a block");
}

async fn parts_come_out_only_if_they_are_accepted(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    // Of a size that stores treat as small, and one that they do not.
    let blocks = [300, 300_000].map(|size: usize| {
        let bytes: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        Block::new(Codec::Raw, bytes.into()).expect("small")
    });
    session.put(blocks.to_vec()).await.expect("put");
    let is = |expected: &[u8]| -> Check {
        let expected = expected.to_vec();
        Arc::new(move |bytes| bytes == expected)
    };
    for durable in [false, true] {
        for block in &blocks {
            let (cid, data) = (block.cid(), block.data());
            for range in [0..data.len(), 3..290, 17..17, data.len() - 5..data.len()] {
                let part = &data[range.clone()];
                let got = store.get_part(cid, range.clone(), is(part)).await.expect("accepted");
                assert_eq!(got.as_deref(), Some(part), "durable: {durable}");
                let refused = store.get_part(cid, range.clone(), Arc::new(|_| false)).await;
                assert!(matches!(refused, Err(StoreError::Damaged(_))), "{range:?}: {refused:?}");
            }
            let past = store.get_part(cid, 1..data.len() + 1, Arc::new(|_| true)).await;
            assert!(matches!(past, Err(StoreError::Damaged(_))), "{past:?}");
        }
        let absent = store.get_part(leaf("absent").cid(), 0..1, Arc::new(|_| true)).await.expect("absent");
        assert_eq!(absent, None);
        store.commit(&[&*session], &[]).await.expect("commit");
    }
}

async fn missing_names_what_is_not_held(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let (held, absent) = (leaf("held"), leaf("absent"));
    put(&*session, &held).await;
    let missing = session.missing(&[*held.cid(), *absent.cid()]).await.expect("missing");
    assert_eq!(missing, vec![*absent.cid()]);
}

async fn commit_is_atomic_over_heads(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let (a, b) = (put(&*session, &leaf("a")).await, put(&*session, &leaf("b")).await);
    store.commit(&[&*session], &[swap("x", None, Some(a)), swap("y", None, Some(b))]).await.expect("commit");
    let err = store.commit(&[&*session], &[swap("x", Some(a), Some(b)), swap("y", None, Some(a))]).await;
    assert!(
        matches!(err, Err(StoreError::Conflict { ref name, actual }) if name == "y" && actual == Some(b))
    );
    assert_eq!(store.head("x").await.expect("head"), Some(a), "no swap of a failed commit applies");
    store.commit(&[], &[swap("x", Some(a), None), swap("y", Some(b), Some(a))]).await.expect("commit");
    assert_eq!(store.head("x").await.expect("head"), None);
    assert_eq!(store.head("y").await.expect("head"), Some(a));
}

async fn a_lost_race_changes_nothing(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let (a, b) = (put(&*session, &leaf("a")).await, put(&*session, &leaf("b")).await);
    store.commit(&[&*session], &[swap("h", None, Some(a))]).await.expect("commit");
    for expected in [None, Some(b)] {
        let err = store.commit(&[&*session], &[swap("h", expected, Some(b))]).await;
        assert!(matches!(err, Err(StoreError::Conflict { actual, .. }) if actual == Some(a)));
    }
    let err = store.commit(&[], &[swap("gone", Some(a), None)]).await;
    assert!(matches!(err, Err(StoreError::Conflict { actual: None, .. })));
    assert_eq!(store.head("h").await.expect("head"), Some(a));
}

async fn one_of_many_racers_wins(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let racers = (0..16).map(|n| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let session = store.session();
            let cid = put(&*session, &leaf(&format!("racer {n}"))).await;
            store.commit(&[&*session], &[swap("race", None, Some(cid))]).await.is_ok().then_some(cid)
        })
    });
    let racers: Vec<_> = racers.collect();
    let mut won = Vec::new();
    for racer in racers {
        won.extend(racer.await.expect("racer"));
    }
    assert_eq!(won.len(), 1, "exactly one commit expects an absent head rightly");
    assert_eq!(store.head("race").await.expect("head"), Some(won[0]));
}

async fn committed_state_survives_a_crash(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let child = leaf("child");
    put(&*session, &child).await;
    let parent = node(&[*child.cid()]);
    put(&*session, &parent).await;
    store.commit(&[&*session], &[swap("h", None, Some(*parent.cid()))]).await.expect("commit");
    drop(session);
    drop(store);
    let store = harness.crash().await;
    assert_eq!(store.head("h").await.expect("head"), Some(*parent.cid()));
    for block in [child, parent] {
        assert_eq!(store.get(block.cid()).await.expect("get"), Some(block));
    }
}

async fn uncommitted_heads_do_not_survive(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let a = put(&*session, &leaf("a")).await;
    store.commit(&[&*session], &[swap("h", None, Some(a))]).await.expect("commit");
    put(&*session, &leaf("never committed")).await;
    drop(session);
    drop(store);
    let store = harness.crash().await;
    assert_eq!(store.heads("").await.expect("heads"), vec![("h".to_owned(), a)]);
    let session = store.session();
    let b = put(&*session, &leaf("b")).await;
    store.commit(&[&*session], &[swap("h", Some(a), Some(b))]).await.expect("writable after a crash");
    drop(session);
    drop(store);
    let store = harness.crash().await;
    assert_eq!(store.head("h").await.expect("head"), Some(b), "and after a second one");
}

async fn heads_are_listed_in_order(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let a = put(&*session, &leaf("a")).await;
    for name in ["name/b", "name/a", "bucket/1", "name0", "name/aé"] {
        store.commit(&[&*session], &[swap(name, None, Some(a))]).await.expect("commit");
    }
    let names = |heads: Vec<(String, Cid)>| heads.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(store.heads("name/").await.expect("heads")), ["name/a", "name/aé", "name/b"]);
    assert_eq!(store.heads("").await.expect("heads").len(), 5);
}

async fn a_block_found_present_is_kept(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let (first, second) = (store.session(), store.session());
    let shared = leaf("shared");
    put(&*first, &shared).await;
    assert!(second.missing(&[*shared.cid()]).await.expect("missing").is_empty());
    drop(first);
    let head = swap("h", None, Some(*shared.cid()));
    store.commit(&[&*second], &[head]).await.expect("reported present is as good as put");
    drop(second);
    drop(store);
    let store = harness.crash().await;
    assert_eq!(store.get(shared.cid()).await.expect("get"), Some(shared));
}

async fn commit_covers_several_sessions(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let (bodies, nodes) = (store.session(), store.session());
    let child = leaf("body");
    put(&*bodies, &child).await;
    let parent = node(&[*child.cid()]);
    put(&*nodes, &parent).await;
    let head = swap("h", None, Some(*parent.cid()));
    store.commit(&[&*nodes, &*bodies], &[head]).await.expect("commit");
    drop((bodies, nodes, store));
    let store = harness.crash().await;
    assert_eq!(store.get(child.cid()).await.expect("get"), Some(child));
}

async fn commit_without_swaps_makes_blocks_durable(harness: &mut dyn Harness) {
    let store = harness.fresh().await;
    let session = store.session();
    let block = leaf("flushed");
    put(&*session, &block).await;
    store.commit(&[&*session], &[]).await.expect("flush");
    drop(session);
    drop(store);
    let store = harness.crash().await;
    assert_eq!(store.get(block.cid()).await.expect("get"), Some(block));
}
