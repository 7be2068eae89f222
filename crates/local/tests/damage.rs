//! Bytes that are not what was written: an unfinished end is cut, damage is reported and left alone.

mod fixture;

use std::path::{Path, PathBuf};

use carob_block::{Block, Cid, Codec, Heads, ReadBlocks, Store, StoreError};
use carob_local::sim::SimDisk;
use carob_local::{Disk, LocalError, LocalStore};
use fixture::{LOG_ID, numbered, open, put, raw, set, swap};

fn segment(number: u32) -> PathBuf {
    format!("/store/segments/{number:08}.car").into()
}

fn read(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

/// A copy of the disk where the file holds `bytes`.
fn with(disk: &SimDisk, path: &Path, bytes: &[u8]) -> SimDisk {
    let disk = disk.image();
    let file = disk.create(path).unwrap();
    file.write_at(0, bytes).unwrap();
    file.flush_all().unwrap();
    disk
}

/// The bytes without the zeros at their end.
fn used(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    bytes
}

/// Commits `count` blocks on the head `h`, one by one; returns all places where it was.
async fn history(store: &LocalStore, count: u64, len: usize) -> Vec<Option<Cid>> {
    let mut heads = vec![None];
    for round in 0..count {
        let next = set(store, "h", heads[heads.len() - 1], &numbered(round, len)).await.unwrap();
        heads.push(Some(next));
    }
    heads
}

fn damaged(disk: &SimDisk) -> (PathBuf, u64) {
    match open(disk).unwrap_err() {
        LocalError::Damaged { path, offset, .. } => (path, offset),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn no_flipped_bit_in_a_closed_store_loses_anything() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let heads = history(&store, 50, 300).await;
    store.close().await.unwrap();
    let (mut refused, mut told, mut unnoticed) = (0, 0, 0);
    for number in 1..=2 {
        let path = segment(number);
        let bytes = read(&disk, &path);
        for at in (0..bytes.len()).step_by(31) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            let disk = with(&disk, &path, &bytes);
            match open(&disk) {
                // Both segments have indexes: blocks are looked at when they are read.
                Ok(store) => {
                    assert_eq!(store.head("h").await.unwrap(), heads[50], "{number} {at}");
                    let mut damaged = 0;
                    for (round, head) in heads.iter().flatten().enumerate() {
                        match store.get(head).await {
                            Ok(block) => {
                                assert_eq!(block, Some(numbered(round as u64, 300)), "{number} {at}");
                            }
                            Err(StoreError::Damaged(_) | StoreError::Unavailable { .. }) => damaged += 1,
                            Err(other) => panic!("{other}"),
                        }
                    }
                    assert!(damaged <= 1, "{number} {at}");
                    told += damaged;
                    unnoticed += 1 - damaged;
                }
                Err(LocalError::Damaged { path: named, offset, .. }) => {
                    assert_eq!(named, path);
                    assert!(offset <= at as u64 && at as u64 <= offset + 400, "{at} is not at {offset}");
                    assert_eq!(read(&disk, &path), bytes, "nothing was repaired");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
    // The head records before the checkpoint and the codecs in CIDs do not matter any more.
    assert!(refused > 5 && told > 400 && unnoticed < 350, "{refused} {told} {unnoticed}");
}

#[tokio::test]
async fn a_log_cut_anywhere_opens_at_a_commit_before_the_cut() {
    let disk = SimDisk::new(1);
    let fresh = open(&disk).unwrap();
    let session = fresh.session();
    put(&*session, &raw("")).await.unwrap();
    fresh.commit(&[&*session], &[]).await.unwrap();
    let start = used(read(&disk, &segment(1))).len();
    let heads = history(&fresh, 8, 100).await;
    let bytes = used(read(&disk, &segment(1)));
    let mut reached = 0;
    for cut in (start..bytes.len()).step_by(5).chain([bytes.len()]) {
        // With nothing after the cut, with zeros, with what an interrupted write may leave.
        let mut lowest = heads.len();
        for (more, byte) in [(0, 0), (3000, 0), (3000, 0x5a)] {
            let mut bytes = bytes[..cut].to_vec();
            bytes.resize(cut + more, byte);
            let disk = with(&disk, &segment(1), &bytes);
            let store = open(&disk).unwrap();
            let head = store.head("h").await.unwrap();
            let at = heads.iter().position(|known| *known == head).unwrap();
            assert!(at >= reached, "a longer log never holds less");
            lowest = lowest.min(at);
            let next = set(&store, "h", head, &raw("next")).await.unwrap();
            let cut = open(&disk.power_cut(cut as u64)).unwrap();
            assert_eq!(cut.head("h").await.unwrap(), Some(next));
        }
        reached = lowest;
    }
    assert_eq!(reached, 8);
}

#[tokio::test]
async fn damage_below_a_later_flush_is_refused_and_above_it_is_cut() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let heads = history(&store, 5, 100).await;
    let bytes = read(&disk, &segment(1));
    let damage = |number| {
        let data = numbered(number, 100).data().clone();
        let at = bytes.windows(data.len()).position(|window| window == data).unwrap();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        (with(&disk, &segment(1), &bytes), at as u64)
    };
    let (disk, at) = damage(3);
    assert_eq!(
        damaged(&disk),
        (segment(1), at - 38),
        "the frame begins with two bytes of length and the CID"
    );
    let (disk, _) = damage(4);
    assert_eq!(open(&disk).unwrap().head("h").await.unwrap(), heads[4]);
}

/// A record of a write that was cut off lies where a new frame of the right length would make it follow.
#[tokio::test]
async fn frames_behind_a_cut_do_not_come_back() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let heads = history(&store, 2, 100).await;
    let mut bytes = read(&disk, &segment(1));
    let data = numbered(1, 100).data().clone();
    let at = bytes.windows(100).position(|window| window == data).unwrap();
    bytes[at] ^= 1;
    let disk = with(&disk, &segment(1), &bytes);
    let store = open(&disk).unwrap();
    assert_eq!(store.head("h").await.unwrap(), heads[1]);
    let session = store.session();
    put(&*session, &numbered(2, 100)).await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    let store = open(&disk.image()).unwrap();
    assert_eq!(store.head("h").await.unwrap(), heads[1]);
    assert!(store.get(numbered(2, 100).cid()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_copy_of_the_log_in_a_body_is_only_a_body() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let first = set(&store, "h", None, &raw("first")).await.unwrap();
    let second = set(&store, "h", Some(first), &raw("second")).await.unwrap();
    let log = used(read(&disk, &segment(1)));
    let body = raw(log.clone());
    let session = store.session();
    put(&*session, &body).await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    // And again in an end that was never finished.
    let mut bytes = used(read(&disk, &segment(1)));
    bytes.extend([0xff; 9]);
    bytes.extend(log);
    let store = open(&with(&disk, &segment(1), &bytes)).unwrap();
    assert_eq!(store.head("h").await.unwrap(), Some(second));
    assert_eq!(store.get(body.cid()).await.unwrap(), Some(body));
}

#[tokio::test]
async fn a_block_made_to_pass_for_a_record_is_refused() {
    let store = open(&SimDisk::new(1)).unwrap();
    let mut forged = b"\xa7\x61v\x01\x63log\x50".to_vec();
    forged.extend(LOG_ID);
    let session = store.session();
    for codec in [Codec::DagCbor, Codec::DagPb] {
        let forged = Block::new(codec, forged.clone().into()).unwrap();
        assert!(matches!(put(&*session, &forged).await, Err(StoreError::Unavailable { .. })));
    }
    put(&*session, &raw(forged)).await.unwrap();
}

#[tokio::test]
async fn missing_foreign_and_swapped_segments_are_named() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    history(&store, 100, 300).await;
    drop(store);
    assert!(disk.open(&segment(3)).is_ok());

    let missing = disk.image();
    missing.remove(&segment(2)).unwrap();
    assert_eq!(damaged(&missing), (segment(2), 0));

    let swapped = with(&disk, &segment(2), &read(&disk, &segment(1)));
    assert_eq!(damaged(&swapped), (segment(2), 0));

    let format = PathBuf::from("/store/FORMAT");
    let text = String::from_utf8(read(&disk, &format)).unwrap();
    let other = text.replace(&hex::encode(LOG_ID), &hex::encode([0; 16]));
    assert_ne!(text, other);
    assert_eq!(damaged(&with(&disk, &format, other.as_bytes())), (segment(1), 0));

    let nameless = disk.image();
    nameless.remove(&format).unwrap();
    assert_eq!(damaged(&nameless), (format, 0));
}

#[tokio::test]
async fn a_segment_that_was_being_made_is_made_anew() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let heads = history(&store, 3, 100).await;
    let image = disk.image();
    image.create(Path::new("/store/segments/next.tmp")).unwrap().write_at(0, b"half a head").unwrap();
    let store = open(&image).unwrap();
    assert_eq!(store.head("h").await.unwrap(), heads[3]);
    assert!(image.open(Path::new("/store/segments/next.tmp")).is_err());
}

#[tokio::test]
async fn a_damaged_block_is_never_served() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let block = numbered(7, 500);
    let head = set(&store, "h", None, &block).await.unwrap();
    let bytes = read(&disk, &segment(1));
    let at = bytes.windows(500).position(|window| window == block.data().as_ref()).unwrap();
    disk.open(&segment(1)).unwrap().write_at(at as u64, b"!").unwrap();
    assert!(matches!(store.get(&head).await, Err(StoreError::Damaged(_))));
    assert!(store.commit(&[], &[swap("h", Some(head), None)]).await.is_ok(), "the rest goes on");
}
