//! Ranges verified by the BLAKE3 trees of a body: the right bytes, few of them read, and none that are damaged.

mod support;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carob_block::{Block, BlockError, Check, Cid, Codec, MemoryStore, ReadBlocks, Session, StoreError};
use carob_object::{
    Body, Budget, BudgetOptions, GROUP_SIZE, LEAF_SIZE, ObjectError, blocks, join, read_within,
};
use futures::TryStreamExt;
use parking_lot::Mutex;
use proptest::prelude::*;
use support::{body_of, pattern, run_of, store, write};

/// Keeps bytes that may be damaged, and counts what is read.
#[derive(Debug, Default)]
struct Disk {
    blocks: Mutex<HashMap<Cid, Vec<u8>>>,
    read: Mutex<Reads>,
}

#[derive(Debug, Default)]
struct Reads {
    whole: HashSet<Cid>,
    part_bytes: usize,
}

#[async_trait]
impl ReadBlocks for Disk {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.read.lock().whole.insert(*cid);
        let bytes = self.blocks.lock().get(cid).cloned();
        Ok(bytes.map(|bytes| Block::verify(*cid, bytes.into())).transpose()?)
    }

    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        self.read.lock().part_bytes += range.len();
        let part = self.blocks.lock().get(cid).and_then(|bytes| bytes.get(range).map(Bytes::copy_from_slice));
        match part.filter(|part| check(part)) {
            Some(part) => Ok(Some(part)),
            None => Err(BlockError::HashMismatch(*cid).into()),
        }
    }
}

impl Disk {
    /// With all blocks of `body` and of its outboards.
    async fn with(store: &Arc<MemoryStore>, body: &Body) -> Arc<Self> {
        let disk = Self::default();
        let roots = body.runs.iter().filter_map(|run| run.outboard).chain([body.content]);
        for root in roots {
            let all: Vec<Block> = blocks(store.clone(), root).try_collect().await.unwrap();
            disk.blocks.lock().extend(all.into_iter().map(|block| (*block.cid(), block.data().to_vec())));
        }
        Arc::new(disk)
    }

    fn leaves_read_whole(&self) -> usize {
        self.read.lock().whole.iter().filter(|cid| cid.codec() == Codec::Raw.code()).count()
    }
}

async fn read(disk: &Arc<Disk>, body: &Body, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
    let budget = Budget::new(BudgetOptions::default());
    let first = budget.enter(LEAF_SIZE).await.unwrap();
    let mut reader = read_within(disk.clone(), body.clone(), range, budget, first)?;
    let mut read = Vec::new();
    while let Some(piece) = reader.try_next().await? {
        read.extend_from_slice(&piece);
    }
    Ok(read)
}

/// A body of such parts, and its bytes.
async fn joined(store: &Arc<MemoryStore>, session: &Arc<dyn Session>, parts: &[usize]) -> (Body, Bytes) {
    let whole = pattern(parts.iter().sum());
    let (mut rest, mut written) = (whole.clone(), Vec::new());
    for len in parts {
        written.push(write(session, [rest.split_to(*len)], &[]).await.unwrap());
    }
    if let [one] = &written[..] {
        return (body_of(one), whole);
    }
    let links: Vec<_> = written.iter().map(|part| (part.cid, part.size)).collect();
    let blocks: Arc<dyn ReadBlocks> = store.clone();
    let content = join(&blocks, &**session, &links).await.unwrap().content;
    let runs = written.iter().map(run_of).collect();
    (Body { content, size: whole.len() as u64, runs }, whole)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn parts() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![1..70_000_usize, 1..3_500_000_usize, (1..4_usize).prop_map(|n| n * LEAF_SIZE)];
    prop::collection::vec(size, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_range_is_read_through_the_groups_that_it_touches(
        parts in parts(),
        from in any::<prop::sample::Index>(),
        len in prop_oneof![1..40_000_usize, 1..5_000_000_usize],
    ) {
        runtime().block_on(async {
            let (store, session) = store();
            let (body, whole) = joined(&store, &session, &parts).await;
            let from = from.index(whole.len());
            let range = from..whole.len().min(from + len);
            let disk = Disk::with(&store, &body).await;
            let bytes = read(&disk, &body, range.start as u64..range.end as u64).await.unwrap();
            assert!(bytes == whole[range.clone()], "other bytes");
            assert_eq!(disk.leaves_read_whole(), 0);
            // A group more at each end, of each part; and the pairs on the way down.
            let pairs = 64 * 2 * 13 * (range.len() / LEAF_SIZE + 2 * parts.len());
            assert!(disk.read.lock().part_bytes <= range.len() + 2 * GROUP_SIZE * parts.len() + pairs);
        });
    }

    #[test]
    fn a_damaged_byte_is_never_given_out(
        parts in parts(),
        at in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        len in 1..2_000_000_usize,
    ) {
        runtime().block_on(async {
            let (store, session) = store();
            let (body, whole) = joined(&store, &session, &parts).await;
            let disk = Disk::with(&store, &body).await;
            let mut cids: Vec<Cid> = disk.blocks.lock().keys().copied().collect();
            cids.sort();
            let damaged = cids[at.index(cids.len())];
            if let Some(bytes) = disk.blocks.lock().get_mut(&damaged) {
                let at = at.index(bytes.len());
                bytes[at] ^= 0x10;
            }
            let from = from.index(whole.len());
            let range = from..whole.len().min(from + len);
            let outboards: HashSet<Cid> = body.runs.iter().filter_map(|run| run.outboard).collect();
            match read(&disk, &body, range.start as u64..range.end as u64).await {
                Ok(bytes) => assert!(bytes == whole[range], "other bytes"),
                Err(_) => assert!(!outboards.contains(&damaged), "without an outboard, leaves are hashed whole"),
            }
        });
    }
}

#[tokio::test]
async fn the_groups_of_a_large_body_are_found_through_several_leaves_of_outboard() {
    let (store, session) = store();
    // One MiB of the same bytes 300 times: a leaf, and outboard of more than a leaf.
    let leaf = pattern(LEAF_SIZE);
    let object = write(&session, (0..300).map(|_| leaf.clone()), &[]).await.unwrap();
    let body = body_of(&object);
    assert_eq!(object.outboard.unwrap().codec(), Codec::DagPb.code());
    let disk = Disk::with(&store, &body).await;
    let at = 299 * LEAF_SIZE + 5;
    let bytes = read(&disk, &body, at as u64..at as u64 + 100).await.unwrap();
    assert_eq!(bytes, leaf[5..105]);
    assert_eq!(disk.leaves_read_whole(), 0);
    let bytes = read(&disk, &body, 0..object.size).await.unwrap();
    assert!(bytes == leaf.repeat(300), "other bytes");
    assert_eq!(disk.leaves_read_whole(), 0);
}

#[tokio::test]
async fn with_another_bodys_tree_leaves_are_hashed_whole() {
    let (store, session) = store();
    let object = write(&session, [pattern(3 * LEAF_SIZE)], &[]).await.unwrap();
    let other = write(&session, [pattern(3 * LEAF_SIZE).slice(1..)], &[]).await.unwrap();
    let body = Body { runs: vec![run_of(&other)], ..body_of(&object) };
    let disk = Disk::with(&store, &body).await;
    let bytes = read(&disk, &body, 0..object.size).await.unwrap();
    assert!(bytes == pattern(3 * LEAF_SIZE), "other bytes");
    assert_eq!(disk.leaves_read_whole(), 3);
}
