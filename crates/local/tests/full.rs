//! Disks that fill up, and file systems that cannot be written.

mod fixture;

use std::path::Path;

use carob_block::{Block, Cid, Codec, Heads, ReadBlocks, Store, StoreError};
use carob_local::sim::SimDisk;
use carob_local::{Disk, LocalError, LocalStore, RealDisk};
use fixture::{keep, numbered, open, open_on, put, raw, set, swap};

const SEGMENT: u64 = 16 * 1024;

/// A block that is no body: what a delete writes.
fn node(number: u64) -> Block {
    let bytes = serde_ipld_dagcbor::to_vec(&("node", number)).unwrap();
    Block::new(Codec::DagCbor, bytes.into()).unwrap()
}

/// Fills a disk with room for ten segments, until no more bodies are taken. Tells how many were.
async fn filled(disk: &SimDisk) -> (LocalStore, u64) {
    let store = open(disk).unwrap();
    disk.set_capacity(10 * SEGMENT);
    let mut stored = 0;
    loop {
        match set(&store, &format!("k/{stored:03}"), None, &numbered(stored, 1000)).await {
            Ok(_) => stored += 1,
            Err(StoreError::Full) => return (store, stored),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_full_disk_still_deletes_and_a_collection_gives_the_space_back() {
    let disk = SimDisk::new(1);
    let (store, stored) = filled(&disk).await;
    assert!(stored > 80, "{stored}");
    let (live, dead): (Vec<u64>, Vec<u64>) = (0..stored).partition(|key| key % 10 == 0);
    let live: Vec<Cid> = live.iter().map(|key| *numbered(*key, 1000).cid()).collect();
    for (group, keys) in dead.chunks(10).enumerate() {
        // As a bucket deletes: a node says so, and a head moves.
        let name = format!("root/{group}");
        let root = set(&store, &name, None, &node(group as u64)).await.unwrap();
        let body = |key: &u64| Some(*numbered(*key, 1000).cid());
        let mut swaps: Vec<_> =
            keys.iter().map(|key| swap(&format!("k/{key:03}"), body(key), None)).collect();
        swaps.push(swap(&name, Some(root), None));
        store.commit(&[], &swaps).await.unwrap();
    }
    let swept = keep(&store, &live).await.unwrap();
    assert!(swept.freed_bytes > 5 * SEGMENT, "{swept:?}");
    for key in 0..stored {
        let kept = store.get(numbered(key, 1000).cid()).await.unwrap().is_some();
        assert_eq!(kept, key % 10 == 0);
    }
    set(&store, "again", None, &numbered(999, 1000)).await.unwrap();
    let cut = open(&disk.power_cut(1)).unwrap();
    assert_eq!(cut.heads("k/").await.unwrap().len(), live.len());
    assert!(cut.get(numbered(999, 1000).cid()).await.unwrap().is_some());
}

#[tokio::test]
async fn when_even_nodes_fill_the_disk_a_collection_still_has_room() {
    let disk = SimDisk::new(1);
    let (store, stored) = filled(&disk).await;
    let mut nodes = 0;
    let error = loop {
        match set(&store, "nodes", store.head("nodes").await.unwrap(), &node(nodes)).await {
            Ok(_) => nodes += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    assert!(nodes > 10, "{nodes}");
    let live: Vec<Cid> = (0..stored).step_by(12).map(|key| *numbered(key, 1000).cid()).collect();
    // Heads move without any block.
    let dead = (0..stored).filter(|key| key % 12 > 0);
    let swaps: Vec<_> =
        dead.map(|key| swap(&format!("k/{key:03}"), Some(*numbered(key, 1000).cid()), None)).collect();
    store.commit(&[], &swaps).await.unwrap();
    let root = store.head("nodes").await.unwrap().unwrap();
    keep(&store, &[&live[..], &[root]].concat()).await.unwrap();
    for cid in live {
        assert!(store.get(&cid).await.unwrap().is_some());
    }
    set(&store, "again", None, &numbered(999, 1000)).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_opens_although_an_index_is_lost() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    for key in 0..60 {
        set(&store, &format!("k/{key}"), None, &numbered(key, 1000)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    for number in [1, 3] {
        disk.remove(Path::new(&format!("/store/segments/{number:08}.idx"))).unwrap();
    }
    disk.set_capacity(disk.used());
    for mended in [false, true] {
        let store = open(&disk).unwrap();
        for key in 0..60 {
            assert_eq!(store.get(numbered(key, 1000).cid()).await.unwrap(), Some(numbered(key, 1000)));
        }
        let there = disk.open(Path::new("/store/segments/00000001.idx")).is_ok();
        assert_eq!(there, mended);
        drop(store);
        disk.set_capacity(u64::MAX);
    }
}

#[tokio::test]
async fn an_index_lost_while_the_disk_is_full_is_made_anew_in_memory() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    for key in 0..60 {
        set(&store, &format!("k/{key}"), None, &numbered(key, 1000)).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    disk.remove(Path::new("/store/segments/00000001.idx")).unwrap();
    disk.set_capacity(0);
    for key in 0..60 {
        assert_eq!(store.get(numbered(key, 1000).cid()).await.unwrap(), Some(numbered(key, 1000)));
    }
}

#[test]
fn a_read_only_file_system_is_named() {
    // /proc and /sys are never written, whoever asks.
    for dir in ["/proc/carob", "/sys/carob"] {
        let opened = open_on(dir.as_ref(), std::sync::Arc::new(RealDisk), 1 << 20);
        assert!(matches!(opened, Err(LocalError::Io { .. })), "{opened:?}");
    }
}

#[tokio::test]
async fn a_read_error_is_an_error_and_passes() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let kept = set(&store, "h", None, &raw("kept")).await.unwrap();
    disk.fail(carob_local::sim::SimOp::Read, 1, u64::MAX);
    assert!(matches!(store.get(&kept).await, Err(StoreError::Unavailable { .. })));
    disk.heal();
    assert_eq!(store.get(&kept).await.unwrap(), Some(raw("kept")));
    let session = store.session();
    put(&*session, &raw("more")).await.unwrap();
}
