//! Collections: what they give back, what they leave, and what a crash in one of them leaves.

mod fixture;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use carob_block::{Block, Cid, Heads, ReadBlocks, Store, StoreError, Sweep, SweepOptions};
use carob_local::sim::SimDisk;
use carob_local::{Disk, LocalError, LocalStore};
use fixture::{THOROUGH, keep, numbered, open, put, raw, set, swap};

const SEGMENT: u64 = 16 * 1024;

fn segment(number: u32) -> PathBuf {
    format!("/store/segments/{number:08}.car").into()
}

fn segments(disk: &SimDisk) -> Vec<u32> {
    let names = disk.list(Path::new("/store/segments")).unwrap();
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| name.strip_suffix(".car")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

/// Heads `h/0` to `h/9` over blocks in old segments, a deleted head, and a thousand dead blocks in between.
async fn aged(disk: &SimDisk) -> (LocalStore, Vec<Cid>) {
    let store = open(disk).unwrap();
    let deleted = set(&store, "deleted", None, &raw("deleted")).await.unwrap();
    let (mut live, mut dead) = (Vec::new(), None);
    for round in 0..10 {
        live.push(set(&store, &format!("h/{round}"), None, &numbered(round, 500)).await.unwrap());
        for other in 0..30 {
            dead = Some(set(&store, "dead", dead, &numbered(1000 * (round + 1) + other, 500)).await.unwrap());
        }
        if round == 4 {
            store.commit(&[], &[swap("deleted", Some(deleted), None)]).await.unwrap();
        }
    }
    store.commit(&[], &[swap("dead", dead, None)]).await.unwrap();
    (store, live)
}

/// The heads of [`aged`] are where they were, and readable, and there are no others but those in `more`.
async fn check(store: &LocalStore, live: &[Cid], more: &[&str]) {
    let mut names: Vec<String> = (0..live.len()).map(|n| format!("h/{n}")).collect();
    names.extend(more.iter().map(|name| (*name).to_owned()));
    names.sort_unstable();
    let heads = store.heads("").await.unwrap();
    assert_eq!(heads.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names);
    for (round, cid) in (0..).zip(live) {
        assert_eq!(store.head(&format!("h/{round}")).await.unwrap(), Some(*cid));
        assert_eq!(store.get(cid).await.unwrap(), Some(numbered(round, 500)));
    }
}

#[tokio::test]
async fn space_comes_back_and_heads_outlive_the_segments_of_their_records() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    let before = store.stats();
    let survey = store.collect().await.unwrap().survey(&THOROUGH).await.unwrap();
    assert_eq!(survey.live_bytes, 0, "nothing is marked");
    let swept = keep(&store, &live).await.unwrap();
    assert!(swept.segments >= 9 && swept.copied_bytes == 10 * 500, "{swept:?}");
    let after = store.stats();
    assert!(after.bytes < SEGMENT && after.segments <= 2 && after.blocks == 10, "{before:?} {after:?}");
    assert!(disk.used() < 3 * SEGMENT, "{}", disk.used());
    check(&store, &live, &[]).await;
    // Again with nothing but the log to go by.
    for checkpoint in [true, false] {
        let image = disk.image();
        if !checkpoint {
            let _ = image.remove(Path::new("/store/CHECKPOINT"));
        }
        let store = open(&image).unwrap();
        check(&store, &live, &[]).await;
        assert_eq!((store.stats().segments, store.stats().blocks), (after.segments, 10));
    }
}

#[tokio::test]
async fn a_key_overwritten_again_and_again_takes_less_than_a_segment_afterwards() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let mut head = None;
    for round in 0..1000 {
        head = Some(set(&store, "key", head, &numbered(round, 4096)).await.unwrap());
    }
    assert!(store.stats().bytes > 4_000_000);
    keep(&store, &[head.unwrap()]).await.unwrap();
    assert!(store.stats().bytes < SEGMENT, "{:?}", store.stats());
    assert_eq!(store.get(&head.unwrap()).await.unwrap(), Some(numbered(999, 4096)));
}

#[tokio::test]
async fn segments_with_few_dead_bytes_stay_until_asked_for() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let session = store.session();
    let blocks: Vec<Block> = (0..100).map(|n| numbered(n, 1000)).collect();
    session.put(blocks.clone()).await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    drop(session);
    let live: Vec<Cid> = blocks.iter().filter(|b| b.data()[7] % 5 > 0).map(|b| *b.cid()).collect();
    for (dead_percent, goes) in [(30, false), (15, true)] {
        let collection = store.collect().await.unwrap();
        collection.mark(&live).await.unwrap();
        let options = SweepOptions { dead_percent, bytes_per_second: None };
        let survey = collection.survey(&options).await.unwrap();
        let swept = collection.sweep(&options).await.unwrap();
        assert_eq!(swept.segments > 1, goes, "{swept:?}");
        assert_eq!((survey.segments, survey.dead_bytes), (swept.segments, swept.dead_bytes));
        assert_eq!(store.get(blocks[0].cid()).await.unwrap().is_none(), goes);
    }
}

#[tokio::test]
async fn many_small_segments_become_one() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let mut live = Vec::new();
    for round in 0..20 {
        live.push(set(&store, &format!("h/{round}"), None, &numbered(round, 500)).await.unwrap());
        keep(&store, &live).await.unwrap();
        assert!(store.stats().segments <= 10, "{:?}", store.stats());
    }
    check(&store, &live, &[]).await;
    // Where nothing changes, nothing is written.
    keep(&store, &live).await.unwrap();
    let bytes = store.stats().bytes;
    for _ in 0..5 {
        keep(&store, &live).await.unwrap();
    }
    assert_eq!(store.stats().bytes, bytes);
}

#[tokio::test]
async fn power_lost_anywhere_in_a_collection_loses_nothing_and_the_next_one_finishes_it() {
    let mut swept = 0;
    for changes in 0..70 {
        let disk = SimDisk::new(changes);
        let (store, live) = aged(&disk).await;
        disk.lose_power_after(changes);
        let _ = keep(&store, &live).await;
        for seed in 0..6 {
            let disk = if seed == 0 { disk.image() } else { disk.power_cut(seed) };
            let store = open(&disk).unwrap();
            check(&store, &live, &[]).await;
            swept += u32::from(segments(&disk).len() < 9);
            let more = set(&store, "more", None, &raw("more")).await.unwrap();
            keep(&store, &[&live[..], &[more]].concat()).await.unwrap();
            assert_eq!(store.stats().blocks, 11, "{changes} changes, seed {seed}");
            let store = open(&disk.power_cut(seed)).unwrap();
            check(&store, &live, &["more"]).await;
            assert_eq!(store.get(&more).await.unwrap(), Some(raw("more")));
        }
    }
    assert!((100..350).contains(&swept), "{swept} after the removal");
}

#[tokio::test]
async fn a_checkpoint_from_before_a_collection_brings_nothing_back() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    store.close().await.unwrap();
    drop(store);
    let file = disk.open(Path::new("/store/CHECKPOINT")).unwrap();
    let mut old = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut old).unwrap();

    let store = open(&disk).unwrap();
    keep(&store, &live).await.unwrap();
    store.commit(&[], &[swap("h/9", Some(live[9]), None)]).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let file = disk.open(Path::new("/store/CHECKPOINT")).unwrap();
    file.set_len(0).unwrap();
    file.write_at(0, &old).unwrap();
    check(&open(&disk).unwrap(), &live[..9], &[]).await;
}

#[tokio::test]
async fn a_segment_that_no_collection_removed_is_still_missed() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    keep(&store, &live).await.unwrap();
    for round in 20..60 {
        set(&store, &format!("k/{round}"), None, &numbered(round, 1500)).await.unwrap();
    }
    drop(store);
    let left = segments(&disk);
    assert!(left[0] > 1 && left.len() > 3, "{left:?}");
    for checkpoint in [true, false] {
        for lost in &left[..left.len() - 1] {
            let image = disk.image();
            image.remove(&segment(*lost)).unwrap();
            if !checkpoint {
                let _ = image.remove(Path::new("/store/CHECKPOINT"));
            }
            let found = open(&image).unwrap_err();
            assert!(matches!(found, LocalError::Damaged { .. }), "{lost}: {found}");
        }
    }
}

#[tokio::test]
async fn a_segment_with_a_damaged_live_block_stays_as_it_is() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    let file = disk.open(&segment(1)).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    let data = numbered(0, 500);
    let at = bytes.windows(500).position(|window| window == data.data().as_ref()).unwrap();
    file.write_at(at as u64 + 100, b"rot").unwrap();
    keep(&store, &live).await.unwrap();
    assert_eq!(segments(&disk)[0], 1, "it may yet be mended");
    assert!(matches!(store.get(&live[0]).await, Err(StoreError::Damaged(_))));
    for cid in &live[1..] {
        assert!(store.get(cid).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_slow_sweep_that_is_given_up_leaves_everything_for_the_next() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    let collection = store.collect().await.unwrap();
    collection.mark(&live).await.unwrap();
    // At this pace it takes more than an hour.
    let slow = SweepOptions { dead_percent: 0, bytes_per_second: Some(1) };
    let sweep = tokio::time::timeout(Duration::from_millis(100), collection.sweep(&slow));
    assert!(sweep.await.is_err());
    check(&store, &live, &[]).await;
    keep(&store, &live).await.unwrap();
    // What the first one had copied may have filled a segment more.
    assert_eq!(store.stats().blocks, 10);
    assert!(store.stats().segments <= 2, "{:?}", store.stats());
    check(&store, &live, &[]).await;
}

#[tokio::test]
async fn an_index_that_outlived_its_segment_is_removed() {
    let disk = SimDisk::new(1);
    let (store, live) = aged(&disk).await;
    keep(&store, &live).await.unwrap();
    drop(store);
    let orphan = Path::new("/store/segments/00000001.idx");
    disk.create(orphan).unwrap().write_at(0, b"left over").unwrap();
    check(&open(&disk).unwrap(), &live, &[]).await;
    assert!(disk.open(orphan).is_err());
}

/// Readers and writers that find blocks present, while their segments are copied and removed beneath them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn blocks_are_found_all_the_time_while_they_move() {
    let disk = SimDisk::new(1);
    let store = Arc::new(open(&disk).unwrap());
    let blocks: Vec<Block> = (0..60).map(|n| numbered(n, 400)).collect();
    let (marked, unmarked) = blocks.split_at(30);
    let session = store.session();
    session.put(blocks.clone()).await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    drop(session);
    let live: Vec<Cid> = marked.iter().map(|block| *block.cid()).collect();
    let readers = (0..3).map(|n| {
        let (store, marked, unmarked) = (store.clone(), marked.to_vec(), unmarked.to_vec());
        tokio::spawn(async move {
            for round in 0..400 {
                let block = &marked[(round * 7 + n) % marked.len()];
                assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
                let part = store.get_part(block.cid(), 100..200, Arc::new(|_: &[u8]| true)).await.unwrap();
                assert_eq!(part, Some(block.data().slice(100..200)));
                // What is reported present stays for the session; what is not is put again.
                let (block, session) = (&unmarked[(round * 11 + n) % unmarked.len()], store.session());
                if !session.missing(&[*block.cid()]).await.unwrap().is_empty() {
                    put(&*session, block).await.unwrap();
                }
                for _ in 0..3 {
                    assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
                    tokio::task::yield_now().await;
                }
                store.commit(&[&*session], &[]).await.unwrap();
                assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
            }
        })
    });
    let readers: Vec<_> = readers.collect();
    let mut rounds = 0;
    while !readers.iter().all(tokio::task::JoinHandle::is_finished) {
        keep(&store, &live).await.unwrap();
        rounds += 1;
    }
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(rounds > 3, "{rounds}");
}
