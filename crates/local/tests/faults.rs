//! Disk calls that fail: what was acknowledged stays, what failed stays away, and the store goes on.

mod fixture;

use std::sync::Arc;
use std::time::Duration;

use carob_block::{Heads, ReadBlocks, Store, StoreError, Sweep};
use carob_local::LocalError;
use carob_local::sim::{SimDisk, SimOp};
use fixture::{numbered, open, open_on, put, raw, set, swap};

/// Commits on one head until one fails, then opens the disk again as a killed process leaves it.
#[tokio::test]
async fn one_failing_call_loses_nothing_and_lets_nothing_failed_come_back() {
    for op in SimOp::CHANGES {
        for nth in 1..40 {
            let disk = SimDisk::new(nth);
            disk.fail(op, nth, 1);
            let Ok(store) = open(&disk) else { continue };
            let (mut head, mut failed) = (None, false);
            for round in 0..20 {
                match set(&store, "h", head, &numbered(round, 1500)).await {
                    Ok(next) => head = Some(next),
                    Err(StoreError::Unavailable { .. }) => {
                        failed = true;
                        break;
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(store.head("h").await.unwrap(), head);
            if failed {
                let killed = open(&disk.image()).unwrap();
                assert_eq!(killed.head("h").await.unwrap(), head, "{op:?} {nth}");
            }
        }
    }
}

#[tokio::test]
async fn the_store_goes_on_after_any_single_failing_call() {
    for op in SimOp::CHANGES {
        for nth in 1..30 {
            let disk = SimDisk::new(nth);
            let store = open(&disk).unwrap();
            disk.fail(op, nth, 1);
            let mut head = None;
            for round in 0..20 {
                let block = numbered(round, 1500);
                head = match set(&store, "h", head, &block).await {
                    Ok(next) => Some(next),
                    Err(_) => Some(set(&store, "h", head, &block).await.unwrap()),
                };
            }
            let cut = open(&disk.power_cut(nth)).unwrap();
            assert_eq!(cut.head("h").await.unwrap(), head, "{op:?} {nth}");
            for round in 0..20 {
                assert!(cut.get(numbered(round, 1500).cid()).await.unwrap().is_some(), "{op:?} {nth}");
            }
        }
    }
}

/// A collection begins with a new segment, which says where the one before it ends.
#[tokio::test]
async fn what_follows_a_failed_beginning_of_a_collection_is_not_cut_off() {
    for op in SimOp::CHANGES {
        for nth in 1..10 {
            let disk = SimDisk::new(nth);
            let store = open(&disk).unwrap();
            let mut head = Some(set(&store, "h", None, &numbered(0, 1500)).await.unwrap());
            disk.fail(op, nth, 1);
            drop(store.collect().await.unwrap());
            for round in 1..4 {
                let block = numbered(round, 1500);
                head = match set(&store, "h", head, &block).await {
                    Ok(next) => Some(next),
                    Err(_) => Some(set(&store, "h", head, &block).await.unwrap()),
                };
            }
            for disk in [disk.image(), disk.power_cut(nth)] {
                disk.heal();
                let found = open(&disk).unwrap();
                assert_eq!(found.head("h").await.unwrap(), head, "{op:?} {nth}");
                for round in 0..4 {
                    assert!(found.get(numbered(round, 1500).cid()).await.unwrap().is_some(), "{op:?} {nth}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_stops_flushing_leaves_a_readable_store_that_recovers() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let kept = raw("kept");
    let head = Some(set(&store, "h", None, &kept).await.unwrap());
    disk.fail(SimOp::Flush, 1, u64::MAX);
    for round in 0..5 {
        let error = set(&store, "h", head, &numbered(round, 100)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }));
        assert_eq!(store.head("h").await.unwrap(), head);
        assert_eq!(store.get(kept.cid()).await.unwrap(), Some(kept.clone()));
    }
    disk.heal();
    let head = Some(set(&store, "h", head, &raw("again")).await.unwrap());
    let cut = open(&disk.power_cut(2)).unwrap();
    assert_eq!(cut.head("h").await.unwrap(), head);
}

/// A failed flush leaves pages that look written but are not, and are not written by the next flush either.
#[tokio::test]
async fn bytes_that_an_earlier_process_failed_to_flush_are_written_anew() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let store = open(&disk).unwrap();
        set(&store, "h", None, &raw("first")).await.unwrap();
        // Neither the flush nor the segment that would say so succeeds.
        disk.fail(SimOp::Flush, 1, 1);
        disk.fail(SimOp::Create, 1, u64::MAX);
        let session = store.session();
        let next = put(&*session, &numbered(1, 9000)).await.unwrap();
        store.commit(&[&*session], &[swap("other", None, Some(next))]).await.unwrap_err();

        let disk = disk.image();
        let store = open(&disk).unwrap();
        let other = store.head("other").await.unwrap();
        let last = set(&store, "last", None, &raw("last")).await.unwrap();
        let store = open(&disk.power_cut(seed)).unwrap();
        assert_eq!(store.head("last").await.unwrap(), Some(last), "seed {seed}");
        assert_eq!(store.head("other").await.unwrap(), other, "seed {seed}");
    }
}

/// A process that was killed may have seen names that were never flushed; the next one sees them, too.
#[tokio::test]
async fn names_that_a_killed_process_did_not_flush_are_flushed_by_the_next() {
    for changes in 0..20 {
        for seed in 0..8 {
            let disk = SimDisk::new(seed);
            disk.lose_power_after(changes);
            if let Ok(store) = open(&disk) {
                let _ = set(&store, "killed", None, &raw("killed")).await;
            }
            let disk = disk.image();
            let store = open(&disk).unwrap();
            let head = set(&store, "h", None, &raw("x")).await.unwrap();
            let cut = open(&disk.power_cut(seed)).unwrap();
            assert_eq!(cut.head("h").await.unwrap(), Some(head), "{changes} changes, seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_read_error_while_opening_is_not_taken_for_the_end_of_the_log() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let mut head = None;
    for round in 0..20 {
        head = Some(set(&store, "h", head, &numbered(round, 1500)).await.unwrap());
    }
    let mut failed = 0;
    for nth in 1..100 {
        let disk = disk.image();
        disk.fail(SimOp::Read, nth, 1);
        match open(&disk) {
            Ok(store) => assert_eq!(store.head("h").await.unwrap(), head),
            Err(LocalError::Io { .. }) => failed += 1,
            Err(other) => panic!("{other}"),
        }
        disk.heal();
        assert_eq!(open(&disk).unwrap().head("h").await.unwrap(), head, "read {nth}");
    }
    assert!(failed > 5);
}

#[tokio::test]
async fn a_failed_flush_loses_exactly_the_sessions_that_relied_on_it() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let durable = raw("durable");
    set(&store, "h", None, &durable).await.unwrap();

    let (writer, finder, bystander) = (store.session(), store.session(), store.session());
    let doomed = raw("doomed");
    put(&*writer, &doomed).await.unwrap();
    assert!(finder.missing(&[*doomed.cid()]).await.unwrap().is_empty());
    assert!(bystander.missing(&[*durable.cid()]).await.unwrap().is_empty());
    disk.fail(SimOp::Flush, 1, 1);
    set(&store, "other", None, &raw("x")).await.unwrap_err();

    assert_eq!(store.get(doomed.cid()).await.unwrap(), None, "what was not durable is gone");
    for lost in [&writer, &finder] {
        assert!(matches!(put(&**lost, &doomed).await, Err(StoreError::SessionLost)));
        assert!(matches!(lost.missing(&[*durable.cid()]).await, Err(StoreError::SessionLost)));
        assert!(matches!(store.commit(&[&**lost], &[]).await, Err(StoreError::SessionLost)));
    }
    let next = put(&*bystander, &doomed).await.unwrap();
    store.commit(&[&*bystander], &[swap("other", None, Some(next))]).await.unwrap();
}

/// Long bodies are flushed while more of them is written: of the first such flush that fails the next one hears, or the commit.
#[tokio::test]
async fn a_flush_beside_writing_that_fails_loses_what_it_covered() {
    for nth in 1..5 {
        let disk = SimDisk::new(nth);
        let store = open_on("/store".as_ref(), Arc::new(disk.clone()), 1 << 30).unwrap();
        let kept = raw("kept");
        set(&store, "h", None, &kept).await.unwrap();
        let blocks: Vec<_> = (0..20).map(|number| numbered(number, 1 << 20)).collect();
        disk.fail(SimOp::Flush, nth, 1);
        let flushes = disk.calls(SimOp::Flush);
        let session = store.session();
        let mut failed = false;
        for block in &blocks {
            let writes = disk.calls(SimOp::Write);
            failed |= put(&*session, block).await.is_err();
            while !failed && disk.calls(SimOp::Write) == writes {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert!(disk.calls(SimOp::Flush) - flushes >= nth, "it was not the commit's");
        let swaps = [swap("long", None, Some(*blocks[19].cid()))];
        store.commit(&[&*session], &swaps).await.unwrap_err();
        assert_eq!(store.head("long").await.unwrap(), None);
        assert_eq!(store.get(kept.cid()).await.unwrap(), Some(kept));

        let session = store.session();
        session.put(blocks.clone()).await.unwrap();
        store.commit(&[&*session], &swaps).await.unwrap();
        let cut = open(&disk.power_cut(nth)).unwrap();
        for block in &blocks {
            assert_eq!(cut.get(block.cid()).await.unwrap().as_ref(), Some(block), "flush {nth}");
        }
    }
}

#[tokio::test]
async fn a_commit_left_in_the_queue_is_lost_with_its_session() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let root = set(&store, "h", None, &raw("durable")).await.unwrap();
    let session = store.session();
    put(&*session, &raw("not durable")).await.unwrap();
    disk.fail(SimOp::Flush, 1, 1);
    disk.set_flush_time(Duration::from_millis(30));
    let other = raw("x");
    let failing = async {
        set(&store, "other", None, &other).await.unwrap_err();
    };
    // While that one flushes, in vain, this caller asks for a commit and goes away.
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let commit = [swap("left", None, Some(root))];
        let sessions = [&*session];
        let commit = store.commit(&sessions, &commit);
        assert!(tokio::time::timeout(Duration::from_millis(1), commit).await.is_err());
        drop(session);
    };
    tokio::join!(failing, leaving);
    store.close().await.unwrap();
    assert_eq!(store.head("left").await.unwrap(), None);
}

#[tokio::test]
async fn a_full_disk_says_so_keeps_reading_and_recovers_with_space() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let mut head = Some(set(&store, "h", None, &numbered(0, 3000)).await.unwrap());
    disk.set_capacity(disk.used() + 1000);
    let mut stored = 1;
    let error = loop {
        match set(&store, "h", head, &numbered(stored, 3000)).await {
            Ok(next) => head = Some(next),
            Err(error) => break error,
        }
        stored += 1;
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(stored > 1, "space set aside was used first");
    for reopened in [store, open(&disk.image()).unwrap()] {
        assert_eq!(reopened.head("h").await.unwrap(), head);
        for round in 0..stored {
            assert!(reopened.get(numbered(round, 3000).cid()).await.unwrap().is_some());
        }
    }
}

#[tokio::test]
async fn a_full_disk_takes_writes_again_when_space_returns() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    disk.set_capacity(0);
    let full = set(&store, "h", None, &raw("x")).await;
    assert!(matches!(full, Err(StoreError::Full)));
    disk.set_capacity(u64::MAX);
    let head = set(&store, "h", None, &raw("x")).await.unwrap();
    store.close().await.unwrap();
    assert_eq!(open(&disk.power_cut(1)).unwrap().head("h").await.unwrap(), Some(head));
}
