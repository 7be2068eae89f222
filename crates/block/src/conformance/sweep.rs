//! What every store that can be swept must do.

use std::sync::Arc;

use async_trait::async_trait;
use cid::Cid;

use super::{leaf, node, put, swap};
use crate::{Block, Collection, Marked, StoreError, Sweep, SweepOptions};

/// Opens fresh stores that can be swept, and reopens one after a crash.
#[async_trait]
pub trait SweepHarness: Send {
    /// A new, empty store.
    async fn fresh(&mut self) -> Arc<dyn Sweep>;

    /// The latest fresh store as a power cut would leave it. The old handle is not used again.
    async fn crash(&mut self) -> Arc<dyn Sweep>;
}

/// Takes everything that may be taken.
const THOROUGH: SweepOptions = SweepOptions { dead_percent: 0, bytes_per_second: None };

/// Runs the whole suite, panicking at the first violation.
pub async fn run_sweep(harness: &mut dyn SweepHarness) {
    the_marked_stay_and_the_others_go(harness).await;
    marking_tells_what_is_new_and_what_is_missing(harness).await;
    what_a_session_holds_stays(harness).await;
    what_is_put_or_reported_present_meanwhile_stays(harness).await;
    a_session_dropped_meanwhile_still_counts(harness).await;
    what_goes_can_be_put_again(harness).await;
    a_dropped_collection_changes_nothing(harness).await;
    a_survey_tells_and_changes_nothing(harness).await;
    only_one_collection_at_a_time(harness).await;
    commits_go_on_meanwhile(harness).await;
    heads_stay_where_they_are(harness).await;
    what_was_swept_survives_a_crash(harness).await;
    one_collection_after_the_other(harness).await;
}

async fn store(store: &dyn Sweep, blocks: &[Block]) {
    let session = store.session();
    session.put(blocks.to_vec()).await.expect("put");
    store.commit(&[&*session], &[]).await.expect("commit");
}

fn blocks(names: &str, count: usize) -> Vec<Block> {
    (0..count).map(|n| leaf(&format!("{names} {n} {}", "-".repeat(200 * (n % 7))))).collect()
}

fn cids(blocks: &[Block]) -> Vec<Cid> {
    blocks.iter().map(|block| *block.cid()).collect()
}

async fn mark(collection: &dyn Collection, blocks: &[Block]) -> Marked {
    collection.mark(&cids(blocks)).await.expect("mark")
}

async fn assert_held(store: &dyn Sweep, blocks: &[Block], why: &str) {
    for block in blocks {
        assert_eq!(store.get(block.cid()).await.expect("get").as_ref(), Some(block), "{why}");
    }
}

async fn assert_gone(store: &dyn Sweep, blocks: &[Block], why: &str) {
    let session = store.session();
    assert_eq!(session.missing(&cids(blocks)).await.expect("missing"), cids(blocks), "{why}");
    for block in blocks {
        assert_eq!(store.get(block.cid()).await.expect("get"), None, "{why}");
    }
}

/// One collection that keeps `live` alone.
async fn keep(store: &dyn Sweep, live: &[Block]) {
    let collection = store.collect().await.expect("collect");
    mark(&*collection, live).await;
    collection.sweep(&THOROUGH).await.expect("sweep");
}

async fn the_marked_stay_and_the_others_go(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let (live, dead) = (blocks("live", 40), blocks("dead", 40));
    // In turns, so that neither lies by itself.
    for (live, dead) in live.iter().zip(&dead) {
        store(&*held, &[live.clone(), dead.clone()]).await;
    }
    let collection = held.collect().await.expect("collect");
    assert_eq!(mark(&*collection, &live).await.new, cids(&live));
    assert_held(&*held, &dead, "marking takes nothing away").await;
    let swept = collection.sweep(&THOROUGH).await.expect("sweep");
    let bytes = |blocks: &[Block]| blocks.iter().map(|block| block.data().len() as u64).sum::<u64>();
    assert!(swept.live_bytes >= bytes(&live) && swept.dead_bytes >= bytes(&dead), "{swept:?}");
    assert!(swept.freed_bytes > 0, "{swept:?}");
    assert_held(&*held, &live, "the marked stay").await;
    assert_gone(&*held, &dead, "a thorough sweep takes all others").await;
    let swept = held.collect().await.expect("collect").sweep(&THOROUGH).await.expect("sweep");
    assert!(swept.dead_bytes >= bytes(&live), "{swept:?}");
    assert_gone(&*held, &live, "marks end with their collection").await;
}

async fn marking_tells_what_is_new_and_what_is_missing(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let (old, absent) = (blocks("old", 3), blocks("absent", 2));
    store(&*held, &old).await;
    let collection = held.collect().await.expect("collect");
    let later = blocks("put since", 2);
    let session = held.session();
    session.put(later.clone()).await.expect("put");
    for known in [&old, &later] {
        let twice = [cids(known), cids(known)].concat();
        let marked = collection.mark(&twice).await.expect("mark");
        assert_eq!(marked, Marked { new: cids(known), missing: Vec::new() }, "each is new once");
        assert_eq!(mark(&*collection, known).await, Marked::default(), "and held");
    }
    assert_eq!(mark(&*collection, &absent).await, Marked { new: Vec::new(), missing: cids(&absent) });
}

async fn what_a_session_holds_stays(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let (put_before, found_before) = (blocks("put", 10), blocks("found", 10));
    store(&*held, &found_before).await;
    let (writer, finder) = (held.session(), held.session());
    writer.put(put_before.clone()).await.expect("put");
    assert!(finder.missing(&cids(&found_before)).await.expect("missing").is_empty());
    for _ in 0..2 {
        keep(&*held, &[]).await;
        assert_held(&*held, &put_before, "put before the collection").await;
        assert_held(&*held, &found_before, "reported present before the collection").await;
    }
    held.commit(&[&*writer, &*finder], &[]).await.expect("commit");
    drop((writer, finder));
    keep(&*held, &[]).await;
    for dropped in [put_before, found_before] {
        assert_gone(&*held, &dropped, "no session holds it any more").await;
    }
}

async fn what_is_put_or_reported_present_meanwhile_stays(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let (again, found, dead) = (blocks("again", 10), blocks("found", 10), blocks("dead", 10));
    store(&*held, &[again.clone(), found.clone(), dead.clone()].concat()).await;
    let collection = held.collect().await.expect("collect");
    let (session, fresh) = (held.session(), blocks("fresh", 10));
    session.put(again.clone()).await.expect("put");
    session.put(fresh.clone()).await.expect("put");
    assert!(session.missing(&cids(&found)).await.expect("missing").is_empty());
    collection.sweep(&THOROUGH).await.expect("sweep");
    for kept in [&again, &found, &fresh] {
        assert_held(&*held, kept, "the session needs it").await;
    }
    assert_gone(&*held, &dead, "nothing needs it").await;
    let root = node(&cids(&[again.clone(), found.clone(), fresh.clone()].concat()));
    let next = put(&*session, &root).await;
    held.commit(&[&*session], &[swap("h", None, Some(next))]).await.expect("commit");
    drop((session, held));
    let held = harness.crash().await;
    for kept in [again, found, fresh] {
        assert_held(&*held, &kept, "committed").await;
    }
}

async fn a_session_dropped_meanwhile_still_counts(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let (before, since) = (blocks("before", 5), blocks("since", 5));
    store(&*held, &[before.clone(), since.clone()].concat()).await;
    let (first, second) = (held.session(), held.session());
    assert!(first.missing(&cids(&before)).await.expect("missing").is_empty());
    let collection = held.collect().await.expect("collect");
    assert!(second.missing(&cids(&since)).await.expect("missing").is_empty());
    // As after a commit that the marking does not know of.
    drop((first, second));
    collection.sweep(&THOROUGH).await.expect("sweep");
    assert_held(&*held, &before, "held when the collection began").await;
    assert_held(&*held, &since, "reported present since").await;
}

async fn what_goes_can_be_put_again(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let some = blocks("again", 20);
    for round in 0..3 {
        store(&*held, &some).await;
        assert_held(&*held, &some, &format!("put in round {round}")).await;
        keep(&*held, &[]).await;
        assert_gone(&*held, &some, &format!("swept in round {round}")).await;
    }
    store(&*held, &some).await;
    drop(held);
    let held = harness.crash().await;
    assert_held(&*held, &some, "what came back is durable").await;
}

async fn a_dropped_collection_changes_nothing(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let some = blocks("some", 10);
    store(&*held, &some).await;
    let collection = held.collect().await.expect("collect");
    mark(&*collection, &some[..5]).await;
    drop(collection);
    assert_held(&*held, &some, "nothing was swept").await;
    let collection = held.collect().await.expect("the dropped one is over");
    assert_eq!(mark(&*collection, &some).await.new, cids(&some), "its marks are gone");
}

async fn a_survey_tells_and_changes_nothing(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let some = blocks("some", 30);
    store(&*held, &some).await;
    let collection = held.collect().await.expect("collect");
    mark(&*collection, &some[..10]).await;
    let survey = collection.survey(&THOROUGH).await.expect("survey");
    assert_held(&*held, &some, "a survey takes nothing").await;
    assert_eq!(
        survey,
        collection.survey(&THOROUGH).await.expect("survey"),
        "nor does it change what is next"
    );
    let swept = collection.sweep(&THOROUGH).await.expect("sweep");
    assert_eq!((survey.live_bytes, survey.dead_bytes), (swept.live_bytes, swept.dead_bytes));
    assert!(survey.dead_bytes > 0 && survey.freed_bytes > 0, "{survey:?}");
    assert_gone(&*held, &some[10..], "the sweep after it does").await;
}

async fn only_one_collection_at_a_time(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let first = held.collect().await.expect("collect");
    assert!(matches!(held.collect().await, Err(StoreError::Unavailable { .. })));
    first.sweep(&THOROUGH).await.expect("sweep");
    drop(held.collect().await.expect("swept, it is over"));
    held.collect().await.expect("dropped, it is over");
}

async fn commits_go_on_meanwhile(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let mut head = None;
    let mut all = Vec::new();
    for round in 0..60 {
        let collection = if round % 6 == 1 { Some(held.collect().await.expect("collect")) } else { None };
        let session = held.session();
        let children = blocks(&format!("round {}", round / 2), 5);
        session.put(children.clone()).await.expect("put");
        let root = node(&cids(&children));
        let next = put(&*session, &root).await;
        let moved = swap("h", head, Some(next));
        if let Some(collection) = collection {
            let commit = async {
                held.commit(&[&*session], &[moved]).await.expect("commit");
            };
            let sweep = async {
                mark(&*collection, &all).await;
                collection.sweep(&THOROUGH).await.expect("sweep");
            };
            tokio::join!(commit, sweep);
        } else {
            held.commit(&[&*session], &[moved]).await.expect("commit");
        }
        head = Some(next);
        all = children;
        all.push(root);
        assert_eq!(held.head("h").await.expect("head"), head);
        assert_held(&*held, &all, "the head reaches it").await;
    }
    drop(held);
    let held = harness.crash().await;
    assert_eq!(held.head("h").await.expect("head"), head);
    assert_held(&*held, &all, "the head reaches it").await;
}

async fn heads_stay_where_they_are(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    let session = held.session();
    let root = leaf("root");
    let at = put(&*session, &root).await;
    let swaps: Vec<_> = (0..50).map(|n| swap(&format!("head/{n:02}"), None, Some(at))).collect();
    held.commit(&[&*session], &swaps).await.expect("commit");
    held.commit(&[], &[swap("head/07", Some(at), None)]).await.expect("commit");
    drop(session);
    let heads = held.heads("").await.expect("heads");
    for _ in 0..3 {
        store(&*held, &blocks("dead", 20)).await;
        keep(&*held, std::slice::from_ref(&root)).await;
        assert_eq!(held.heads("").await.expect("heads"), heads);
    }
    drop(held);
    let held = harness.crash().await;
    assert_eq!(held.heads("").await.expect("heads"), heads, "also those not moved for long");
    assert_held(&*held, &[root], "marked").await;
}

async fn what_was_swept_survives_a_crash(harness: &mut dyn SweepHarness) {
    let mut held = harness.fresh().await;
    let mut live = Vec::new();
    for round in 0..6 {
        let more = blocks(&format!("live {round}"), 10);
        for block in &more {
            store(&*held, &[block.clone(), leaf(&format!("dead {}", block.cid()))]).await;
        }
        live.extend(more);
        keep(&*held, &live).await;
        drop(held);
        held = harness.crash().await;
        assert_held(&*held, &live, "live when swept").await;
    }
}

async fn one_collection_after_the_other(harness: &mut dyn SweepHarness) {
    let held = harness.fresh().await;
    for round in 0..20 {
        let (live, dead) = (blocks(&format!("live {round}"), 8), blocks(&format!("dead {round}"), 8));
        store(&*held, &live).await;
        store(&*held, &dead).await;
        keep(&*held, &live).await;
        assert_held(&*held, &live, "marked").await;
        assert_gone(&*held, &dead, "not marked").await;
    }
}
