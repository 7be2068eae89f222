//! The indexes of sealed segments and the checkpoint: they make opening short, and nothing depends on them.

mod fixture;

use std::path::{Path, PathBuf};

use carob_block::{Block, Cid, Heads, ReadBlocks, Store};
use carob_local::sim::{SimDisk, SimOp};
use carob_local::{Disk, LocalStore};
use fixture::{numbered, open, put, raw, set, swap};

const ROUNDS: u64 = 600;

fn block(round: u64) -> Block {
    numbered(round, 300)
}

/// A store of about 14 segments on one head, closed in order.
async fn filled() -> (SimDisk, Option<Cid>) {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let mut head = None;
    for round in 0..ROUNDS {
        head = Some(set(&store, "h", head, &block(round)).await.unwrap());
    }
    assert!(store.stats().segments > 10);
    store.close().await.unwrap();
    (disk, head)
}

async fn check(store: &LocalStore, head: Option<Cid>) {
    assert_eq!(store.head("h").await.unwrap(), head);
    for round in 0..ROUNDS {
        assert_eq!(store.get(block(round).cid()).await.unwrap(), Some(block(round)), "block {round}");
    }
    assert_eq!(store.get(raw("absent").cid()).await.unwrap(), None);
    assert_eq!(store.stats().blocks, ROUNDS);
}

fn index(number: u32) -> PathBuf {
    format!("/store/segments/{number:08}.idx").into()
}

fn flip(disk: &SimDisk, path: &Path, at: u64) {
    let (file, mut byte) = (disk.open(path).unwrap(), [0]);
    file.read_at(at, &mut byte).unwrap();
    file.write_at(at, &[byte[0] ^ 0x20]).unwrap();
}

fn len(disk: &SimDisk, path: &Path) -> u64 {
    disk.open(path).unwrap().len().unwrap()
}

#[tokio::test]
async fn opening_reads_what_came_after_the_checkpoint_alone() {
    let (disk, head) = filled().await;
    let before = disk.calls(SimOp::Read);
    let store = open(&disk).unwrap();
    let with = disk.calls(SimOp::Read) - before;
    check(&store, head).await;
    store.close().await.unwrap();
    drop(store);

    let disk = disk.image();
    disk.remove("/store/CHECKPOINT".as_ref()).unwrap();
    let before = disk.calls(SimOp::Write);
    let store = open(&disk).unwrap();
    assert!(disk.calls(SimOp::Write) - before > 10, "the indexes are made anew");
    check(&store, head).await;
    assert!(with < 14 * 9, "{with} reads for 14 segments");
}

#[tokio::test]
async fn blocks_in_sealed_segments_are_not_stored_again() {
    let (disk, head) = filled().await;
    let store = open(&disk).unwrap();
    let session = store.session();
    let all: Vec<Cid> = (0..ROUNDS).map(|round| *block(round).cid()).collect();
    assert_eq!(session.missing(&all).await.unwrap(), []);
    for round in 0..ROUNDS {
        put(&*session, &block(round)).await.unwrap();
    }
    store.commit(&[&*session], &[swap("other", None, Some(all[3]))]).await.unwrap();
    check(&store, head).await;
    assert_eq!(store.head("other").await.unwrap(), Some(all[3]));
}

#[tokio::test]
async fn a_lost_or_damaged_index_is_made_anew() {
    let (disk, head) = filled().await;
    let size = len(&disk, &index(3));
    for at in (0..size).step_by(7) {
        let disk = disk.image();
        flip(&disk, &index(3), at);
        check(&open(&disk).unwrap(), head).await;
        check(&open(&disk).unwrap(), head).await;
    }
    let lost = disk.image();
    lost.remove(&index(3)).unwrap();
    check(&open(&lost).unwrap(), head).await;
    assert_eq!(len(&lost, &index(3)), size);
    let short = disk.image();
    short.open(&index(3)).unwrap().set_len(size / 2).unwrap();
    check(&open(&short).unwrap(), head).await;
}

#[tokio::test]
async fn an_index_damaged_while_the_store_is_open_hides_no_block() {
    let (disk, head) = filled().await;
    let store = open(&disk).unwrap();
    for number in 1..=8 {
        let size = len(&disk, &index(number));
        (30..size - 400).step_by(11).for_each(|at| flip(&disk, &index(number), at));
    }
    check(&store, head).await;
}

#[tokio::test]
async fn a_damaged_checkpoint_is_not_needed() {
    let (disk, head) = filled().await;
    let path = PathBuf::from("/store/CHECKPOINT");
    for at in 0..len(&disk, &path) {
        let disk = disk.image();
        flip(&disk, &path, at);
        check(&open(&disk).unwrap(), head).await;
    }
}

/// Neither the index of a segment nor the checkpoint is needed to go on, whatever fails while they are written.
#[tokio::test]
async fn a_disk_that_refuses_indexes_loses_nothing() {
    for op in [SimOp::Create, SimOp::Rename] {
        let disk = SimDisk::new(1);
        let store = open(&disk).unwrap();
        let mut head = None;
        for round in 0..ROUNDS {
            if round % 50 == 0 {
                disk.fail(op, 2, 1);
            }
            head = match set(&store, "h", head, &block(round)).await {
                Ok(next) => Some(next),
                Err(_) => Some(set(&store, "h", head, &block(round)).await.unwrap()),
            };
        }
        check(&store, head).await;
        drop(store);
        check(&open(&disk.power_cut(1)).unwrap(), head).await;
    }
}
