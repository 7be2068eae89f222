//! Bodies within a budget: all go on, however small it is, and nobody holds what it does not use.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carob_block::Session;
use carob_object::{Budget, BudgetOptions, LEAF_SIZE, ObjectError, ObjectWriter, read_within};
use futures::future::join_all;
use futures::{FutureExt, StreamExt};
use support::{body_of, pattern, store, write};
use tokio::task::yield_now;
use tokio::time::timeout;

fn budget(bytes: usize, waiting: usize) -> Budget {
    Budget::new(BudgetOptions { bytes, waiting, patience: Duration::from_secs(20) })
}

fn writer(session: &Arc<dyn Session>, budget: &Budget, length: usize) -> ObjectWriter {
    ObjectWriter::new(Arc::clone(session), &[]).within(budget.clone(), length as u64, 0)
}

/// Long enough for any machine: what does not end by then never does.
async fn ends<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_mins(2), work).await.expect("everybody waits for everybody")
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_go_on_within_a_budget_of_one_leaf() {
    let (store, session) = store();
    let budget = budget(LEAF_SIZE, usize::MAX);
    let sizes = [3 * LEAF_SIZE + 5, LEAF_SIZE, 10, 2 * LEAF_SIZE, 300_000, 0];
    let streams = (0..24).map(|n| {
        let (store, session, budget) = (store.clone(), session.clone(), budget.clone());
        let body = pattern(sizes[n % sizes.len()]);
        tokio::spawn(async move {
            let mut writer = writer(&session, &budget, body.len());
            // In pieces that end nowhere near a leaf, as a connection gives them.
            let mut rest = body.clone();
            while !rest.is_empty() {
                writer.ready().await.unwrap();
                let piece = rest.split_to(rest.len().min(100_003));
                yield_now().await;
                writer.write(piece).await.unwrap();
            }
            let object = writer.finish().await.unwrap();
            let first = budget.enter(LEAF_SIZE).await.unwrap();
            let size = body.len() as u64;
            let mut reader = read_within(store, body_of(&object), 0..size, budget, first).unwrap();
            let mut read = Vec::new();
            while let Some(piece) = reader.next().await {
                read.extend_from_slice(&piece.unwrap());
                yield_now().await;
            }
            assert!(read == body, "other bytes");
            object
        })
    });
    let objects = ends(join_all(streams.collect::<Vec<_>>())).await;
    for (n, object) in objects.into_iter().enumerate() {
        let body = pattern(sizes[n % sizes.len()]);
        assert_eq!(object.unwrap(), write(&session, [body], &[]).await.unwrap());
    }
    assert_eq!((budget.taken(), budget.waiting()), (0, 0), "all came back");
}

#[tokio::test]
async fn a_small_body_takes_what_it_needs_and_a_large_one_a_leaf() {
    let (_, session) = store();
    let budget = budget(4 * LEAF_SIZE, 0);
    let (mut small, mut large) = (writer(&session, &budget, 10), writer(&session, &budget, 2 * LEAF_SIZE));
    assert_eq!(budget.taken(), 0, "nothing before it is asked for");
    small.ready().await.unwrap();
    assert_eq!(budget.taken(), 10);
    small.write(Bytes::from_static(b"0123456789")).await.unwrap();
    small.ready().await.unwrap();
    assert_eq!(budget.taken(), 10, "nothing more is to come");
    large.ready().await.unwrap();
    assert_eq!(budget.taken(), 10 + LEAF_SIZE);
    small.finish().await.unwrap();
    assert_eq!(budget.taken(), LEAF_SIZE);
    drop(large);
    assert_eq!(budget.taken(), 0);
}

#[tokio::test]
async fn a_stream_waits_empty_handed() {
    let (_, session) = store();
    let budget = budget(LEAF_SIZE, 8);
    let mut first = writer(&session, &budget, 2 * LEAF_SIZE);
    first.write(pattern(LEAF_SIZE)).await.unwrap();
    assert_eq!(budget.taken(), LEAF_SIZE, "its leaf is being hashed");
    let mut second = writer(&session, &budget, LEAF_SIZE);
    let mut asks = Box::pin(second.ready());
    assert!(asks.as_mut().now_or_never().is_none());
    assert_eq!(budget.waiting(), 1);
    // The first needs another leaf: it stores the one it has, and its turn comes after the second's.
    let mut goes_on = Box::pin(first.ready());
    ends(async {
        tokio::select! {
            done = &mut asks => done.unwrap(),
            _ = &mut goes_on => panic!("it overtook one that waited"),
        }
    })
    .await;
    drop(asks);
    ends(second.write(pattern(LEAF_SIZE))).await.unwrap();
    ends(second.finish()).await.unwrap();
    ends(goes_on).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn newcomers_are_turned_away_when_too_many_wait_or_it_takes_too_long() {
    let (_, session) = store();
    let budget = budget(LEAF_SIZE, 1);
    let mut holder = writer(&session, &budget, LEAF_SIZE);
    holder.ready().await.unwrap();
    let mut waiting = writer(&session, &budget, 1);
    let mut waits = Box::pin(waiting.ready());
    assert!(waits.as_mut().now_or_never().is_none());
    let mut third = writer(&session, &budget, 1);
    assert!(matches!(third.ready().now_or_never(), Some(Err(ObjectError::Crowded))), "at once");
    assert!(matches!(waits.await, Err(ObjectError::Crowded)), "after 20 s that nobody lived through");
    assert_eq!(budget.waiting(), 0);
    drop(holder);
    assert!(budget.enter(LEAF_SIZE).await.is_some());
}

#[tokio::test]
async fn a_reader_holds_up_to_three_leaves_and_gives_each_back_with_its_last_copy() {
    let (store, session) = store();
    let size = 6 * LEAF_SIZE;
    let object = write(&session, [pattern(size)], &[]).await.unwrap();
    for (room, held) in [(16, 3), (3, 3), (2, 2)] {
        let budget = budget(room * LEAF_SIZE, 0);
        let first = budget.enter(LEAF_SIZE).await.unwrap();
        let range = 0..size as u64;
        let mut reader = read_within(store.clone(), body_of(&object), range, budget.clone(), first).unwrap();
        let sent = reader.next().await.unwrap().unwrap();
        let copy = sent.slice(7..9);
        for _ in 0..100 {
            yield_now().await;
        }
        assert_eq!(budget.taken(), held * LEAF_SIZE, "the one given out, and those ahead");
        drop(sent);
        assert_eq!(budget.taken(), held * LEAF_SIZE);
        drop(copy);
        assert_eq!(budget.taken(), (held - 1) * LEAF_SIZE);
        while let Some(leaf) = reader.next().await {
            leaf.unwrap();
        }
        assert_eq!(budget.taken(), 0);
    }
}
