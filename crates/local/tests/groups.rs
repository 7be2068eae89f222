//! Commits share flushes, blocks are stored once, and segments are CARs for anyone to read.

mod fixture;

use std::sync::Arc;
use std::time::Duration;

use carob_block::{Heads, ReadBlocks, Store, StoreError};
use carob_local::sim::{SimDisk, SimOp};
use carob_local::{Disk, RealDisk};
use fixture::{numbered, open, open_on, put, raw, set, swap};
use tempfile::TempDir;

#[tokio::test]
async fn concurrent_commits_share_flushes() {
    let disk = SimDisk::new(1);
    let store = Arc::new(open_on("/store".as_ref(), Arc::new(disk.clone()), 1 << 20).unwrap());
    set(&store, "first", None, &raw("first")).await.unwrap();
    disk.set_flush_time(Duration::from_millis(2));
    let (before, counted) = (disk.calls(SimOp::Flush), store.stats().flushes);
    let clients = (0..64).map(|id: u64| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (name, mut head) = (format!("h/{id}"), None);
            for round in 0..4 {
                let block = numbered(id << 8 | round, 200);
                head = Some(set(&store, &name, head, &block).await.unwrap());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let flushes = disk.calls(SimOp::Flush) - before;
    assert!((4..32).contains(&flushes), "{flushes} flushes for 256 commits");
    assert_eq!(store.stats().flushes - counted, flushes);
    assert_eq!(store.stats().heads, 65);
}

/// Small blocks are written with the commit that needs them, in one write, and readable before.
#[tokio::test]
async fn blocks_wait_for_a_commit_and_are_readable_meanwhile() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    set(&store, "first", None, &raw("first")).await.unwrap();
    let before = disk.calls(SimOp::Write);
    let session = store.session();
    let blocks: Vec<_> = (0..8).map(|number| numbered(number, 100)).collect();
    for block in &blocks {
        put(&*session, block).await.unwrap();
        assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
    }
    assert_eq!(disk.calls(SimOp::Write), before, "nothing is written yet");
    store.commit(&[&*session], &[swap("h", None, Some(*blocks[7].cid()))]).await.unwrap();
    assert!(disk.calls(SimOp::Write) - before <= 2, "blocks and head record are written together");
    let cut = open(&disk.power_cut(1)).unwrap();
    for block in &blocks {
        assert_eq!(cut.get(block.cid()).await.unwrap().as_ref(), Some(block));
    }
}

/// Whoever needs all the room there is gets it, although too little waits to be written by itself.
#[tokio::test]
async fn blocks_that_fill_the_queue_do_not_wait_for_a_commit() {
    let store = open_on("/store".as_ref(), Arc::new(SimDisk::new(1)), 1 << 30).unwrap();
    let session = store.session();
    put(&*session, &raw("small")).await.unwrap();
    let blocks: Vec<_> = (0..40).map(|number| numbered(number, 1 << 20)).collect();
    let put = session.put(blocks.clone());
    tokio::time::timeout(Duration::from_mins(1), put).await.expect("there is room in the end").unwrap();
    assert_eq!(store.get(blocks[39].cid()).await.unwrap().as_ref(), Some(&blocks[39]));
}

#[tokio::test]
async fn the_second_commit_of_a_head_in_a_group_is_judged_after_the_first() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    disk.set_flush_time(Duration::from_millis(2));
    let session = store.session();
    let (a, b) = (put(&*session, &raw("a")).await.unwrap(), put(&*session, &raw("b")).await.unwrap());
    let sessions = [&*session];
    let first = [swap("h", None, Some(a))];
    let second = [swap("g", None, Some(b)), swap("h", None, Some(b))];
    let (first, second) = tokio::join!(store.commit(&sessions, &first), store.commit(&sessions, &second));
    first.unwrap();
    assert!(matches!(second, Err(StoreError::Conflict { name, actual }) if name == "h" && actual == Some(a)));
    assert_eq!(store.head("g").await.unwrap(), None);
}

#[tokio::test]
async fn a_commit_whose_caller_went_away_happens_or_not_as_a_whole() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    for round in 0..50 {
        disk.set_flush_time(Duration::from_micros(round * 20));
        let name = format!("h/{round}");
        let block = numbered(round, 100);
        // Polled once, then dropped together with its session.
        tokio::select! {
            biased;
            done = set(&store, &name, None, &block) => { done.unwrap(); }
            () = tokio::time::sleep(Duration::from_micros(round * 10)) => {}
        }
    }
    store.close().await.unwrap();
    let cut = open(&disk.power_cut(1)).unwrap();
    for (name, head) in store.heads("").await.unwrap() {
        assert_eq!(cut.head(&name).await.unwrap(), Some(head));
        assert!(cut.get(&head).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_block_is_stored_once() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let block = numbered(1, 1000);
    let (one, two) = (store.session(), store.session());
    one.put(vec![block.clone(), block.clone()]).await.unwrap();
    let bytes = store.stats().bytes;
    let (first, second) = tokio::join!(put(&*one, &block), put(&*two, &block));
    assert_eq!(first.unwrap(), second.unwrap());
    assert_eq!((store.stats().bytes, store.stats().blocks), (bytes, 1));
}

#[tokio::test]
async fn a_head_to_a_block_not_held_is_refused() {
    let store = open(&SimDisk::new(1)).unwrap();
    let absent = *raw("absent").cid();
    let error = store.commit(&[], &[swap("h", None, Some(absent))]).await.unwrap_err();
    assert!(matches!(error, StoreError::Dangling { name, missing } if name == "h" && missing == absent));
}

#[tokio::test]
async fn many_heads_move_in_one_commit_or_are_refused_as_too_many() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let session = store.session();
    let cid = put(&*session, &raw("x")).await.unwrap();
    let swaps: Vec<_> = (0..3000).map(|n| swap(&format!("head/{n}"), None, Some(cid))).collect();
    store.commit(&[&*session], &swaps).await.unwrap();
    let long = swap(&"n".repeat(2 << 20), None, Some(cid));
    assert!(matches!(store.commit(&[], &[long]).await, Err(StoreError::Unavailable { .. })));
    let cut = open(&disk.power_cut(1)).unwrap();
    assert_eq!(cut.heads("head/").await.unwrap().len(), 3000);
}

#[tokio::test]
async fn commits_too_long_for_one_record_take_several_groups() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let session = store.session();
    let cid = put(&*session, &raw("x")).await.unwrap();
    let long = |n: u8| vec![swap(&format!("{n}/{}", "n".repeat(700_000)), None, Some(cid))];
    let sessions = [&*session];
    let (one, two, three) = (long(1), long(2), long(3));
    let all = tokio::join!(
        store.commit(&sessions, &one),
        store.commit(&sessions, &two),
        store.commit(&sessions, &three)
    );
    assert!(matches!(all, (Ok(()), Ok(()), Ok(()))));
    assert_eq!(open(&disk.power_cut(1)).unwrap().heads("").await.unwrap().len(), 3);
}

#[tokio::test]
async fn every_segment_of_a_closed_store_is_a_car_that_others_read() {
    let dir = TempDir::new().unwrap();
    let store = open_on(dir.path(), Arc::new(RealDisk), 16 * 1024).unwrap();
    let mut head = None;
    for round in 0..60 {
        head = Some(set(&store, "h", head, &numbered(round, 1000)).await.unwrap());
    }
    store.close().await.unwrap();
    let segments = store.stats().segments;
    assert!(segments > 3);
    let (mut frames, mut bytes) = (0, 0);
    for number in 1..=segments {
        let car = std::fs::read(dir.path().join(format!("segments/{number:08}.car"))).unwrap();
        bytes += car.len() as u64;
        let mut reader = iroh_car::CarReader::new(car.as_slice()).await.unwrap();
        let root = reader.header().roots().to_vec();
        let mut first = None;
        while let Some((cid, _)) = reader.next_block().await.unwrap() {
            first = first.or(Some(cid));
            frames += 1;
        }
        assert_eq!(root, [first.unwrap()], "the root is the descriptor");
    }
    assert_eq!(bytes, store.stats().bytes);
    assert_eq!(
        frames,
        60 + 60 + segments + 1,
        "blocks, records, descriptors, and the record that ends the log"
    );
}

/// The CID is of bytes that another program put together from FORMAT.md. A change of them is a new version.
#[tokio::test]
async fn the_bytes_of_a_segment_are_pinned() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    set(&store, "greeting", None, &raw("hello")).await.unwrap();
    store.close().await.unwrap();
    let file = disk.open("/store/segments/00000001.car".as_ref()).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    assert_eq!(raw(bytes).cid().to_string(), "bafkreiefdujzma5fhaqgwh673g44kfp5zgdaoqu33bgbb7r446z2z5lewq");
}

#[tokio::test]
async fn opening_and_closing_again_adds_nothing() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let cid = set(&store, "h", None, &raw("x")).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let used = disk.used();
    for _ in 0..3 {
        let store = open(&disk).unwrap();
        assert_eq!(store.get(&cid).await.unwrap(), Some(raw("x")));
        store.close().await.unwrap();
        drop(store);
        assert_eq!(disk.used(), used);
    }
}
