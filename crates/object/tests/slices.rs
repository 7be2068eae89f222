//! Bao slices: those of `bao-tree`, accepted by its decoder, and refused with anything in them changed.

mod support;

use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use bao_tree::io::outboard::{EmptyOutboard, PostOrderMemOutboard};
use bao_tree::io::sync::{decode_ranges, encode_ranges_validated};
use bao_tree::io::{round_up_to_chunks, round_up_to_chunks_groups};
use bao_tree::{BaoTree, BlockSize, ByteRanges, ChunkRanges};
use bytes::Bytes;
use carob_block::{MemoryStore, ReadBlocks, Session};
use carob_object::{
    Body, Budget, BudgetOptions, GROUP_SIZE, LEAF_SIZE, ObjectError, Piece, Run, SliceError, check_slices,
    join, read_slices, slices_size,
};
use futures::{TryStreamExt, stream};
use proptest::prelude::*;
use support::{body_of, pattern, run_of, store, write};

const GROUPS: BlockSize = BlockSize::from_chunk_log(4);

async fn encoded(store: &Arc<MemoryStore>, body: &Body, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
    let expected = slices_size(body.runs.iter().map(|run| run.size), &range);
    let reader = read_slices(Arc::clone(store) as _, body.clone(), range, None)?;
    assert_eq!(reader.remaining(), expected);
    let pieces: Vec<Bytes> = reader.try_collect().await?;
    let slices = pieces.concat();
    assert_eq!(slices.len() as u64, expected, "the length is known beforehand");
    Ok(slices)
}

fn pieces(body: &Body) -> Vec<Piece> {
    body.runs.iter().map(|run| Piece { size: run.size, root: run.root }).collect()
}

async fn checked(pieces: Vec<Piece>, range: Range<u64>, slices: &[u8]) -> Result<Vec<u8>, SliceError> {
    // In pieces that fit nothing.
    let chunks: Vec<_> = slices.chunks(1000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let bytes: Vec<Bytes> =
        check_slices::<Infallible>(pieces, range, stream::iter(chunks))?.try_collect().await?;
    Ok(bytes.concat())
}

/// The whole groups that a range touches, as `bao-tree` rounds.
fn groups(range: &Range<u64>, size: u64) -> ChunkRanges {
    if range.end == size {
        return round_up_to_chunks_groups(round_up_to_chunks(&ByteRanges::from(range.start..)), GROUPS);
    }
    round_up_to_chunks_groups(round_up_to_chunks(&ByteRanges::from(range.clone())), GROUPS)
}

/// Writes a body and holds a slice of it against `bao-tree`'s encoder and its decoder.
async fn assert_as_bao_tree(body: Bytes, range: Range<u64>) {
    let (store, session) = store();
    let object = write(&session, [body.clone()], &[]).await.unwrap();
    let slices = encoded(&store, &body_of(&object), range.clone()).await.unwrap();
    let (prefix, slice) = slices.split_at(8);
    assert_eq!(prefix, object.size.to_le_bytes());

    let (chunks, mut theirs) = (groups(&range, object.size), Vec::new());
    let outboard = PostOrderMemOutboard::create(&body, GROUPS);
    encode_ranges_validated(&body[..], &outboard, &chunks, &mut theirs).unwrap();
    assert!(slice == theirs, "another slice of {range:?} of {}", object.size);

    let mut target = vec![0; body.len()];
    let tree = BaoTree::new(object.size, GROUPS);
    let outboard = EmptyOutboard { tree, root: blake3::Hash::from_bytes(object.blake3) };
    decode_ranges(slice, &chunks, &mut target, outboard).unwrap();
    let bytes = range.start as usize..range.end as usize;
    assert!(target[bytes.clone()] == body[bytes.clone()], "other bytes of {range:?} of {}", object.size);
    let ours = checked(pieces(&body_of(&object)), range, &slices).await.unwrap();
    assert!(ours == body[bytes]);
}

#[tokio::test]
async fn slices_are_those_of_bao_tree_around_every_boundary() {
    let group = GROUP_SIZE as u64;
    for size in [0, 1, 1024, group - 1, group, group + 1, 5 * group, (3 << 20) - 1, 3 << 20, (3 << 20) + 1] {
        let body = pattern(size as usize);
        assert_as_bao_tree(body.clone(), 0..size).await;
        for at in
            [0, 1, 1023, group - 1, group, 2 * group, 1 << 20, (1 << 20) + group, size.saturating_sub(1)]
        {
            if at < size {
                assert_as_bao_tree(body.clone(), at..at + 1).await;
                assert_as_bao_tree(body.clone(), at..size).await;
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn slices_are_those_of_bao_tree(
        size in 1_usize..3_500_000,
        at in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let start = at.index(size);
        let end = start + 1 + to.index(size - start);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(assert_as_bao_tree(pattern(size), start as u64..end as u64));
    }
}

/// A body joined from parts of these sizes.
async fn joined(sizes: &[usize]) -> (Arc<MemoryStore>, Arc<dyn Session>, Body, Bytes) {
    let (store, session) = store();
    let whole = pattern(sizes.iter().sum());
    let (mut rest, mut runs, mut parts) = (whole.clone(), Vec::new(), Vec::new());
    for size in sizes {
        let part = write(&session, [rest.split_to(*size)], &[]).await.unwrap();
        runs.push(run_of(&part));
        parts.push((part.cid, part.size));
    }
    let blocks: Arc<dyn ReadBlocks> = Arc::clone(&store) as _;
    let joined = join(&blocks, &*session, &parts).await.unwrap();
    (store, session, Body { content: joined.content, size: whole.len() as u64, runs }, whole)
}

#[tokio::test]
async fn a_range_over_parts_is_a_slice_of_each() {
    let (store, _session, body, whole) = joined(&[LEAF_SIZE + 5, 70_000, 1, 2 * LEAF_SIZE]).await;
    let size = body.size;
    for range in [0..size, 5..6, LEAF_SIZE as u64..size - 1, (LEAF_SIZE + 5) as u64..(LEAF_SIZE + 6) as u64] {
        let slices = encoded(&store, &body, range.clone()).await.unwrap();
        let found = checked(pieces(&body), range.clone(), &slices).await.unwrap();
        assert!(found == whole[range.start as usize..range.end as usize], "{range:?}");
    }
}

#[tokio::test]
async fn whatever_is_changed_on_the_way_is_refused() {
    let (store, _session, body, whole) = joined(&[2 * GROUP_SIZE + 10, 700, GROUP_SIZE]).await;
    let range = GROUP_SIZE as u64 + 3..body.size;
    let slices = encoded(&store, &body, range.clone()).await.unwrap();
    assert!(checked(pieces(&body), range.clone(), &slices).await.unwrap() == whole[range.start as usize..]);
    for at in 0..slices.len() {
        let mut bad = slices.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(checked(pieces(&body), range.clone(), &bad).await.is_err(), "byte {at} of {}", slices.len());
    }
    for cut in [0, 7, 8, 100, slices.len() - 1] {
        assert!(checked(pieces(&body), range.clone(), &slices[..cut]).await.is_err(), "cut at {cut}");
    }
    let longer = [&slices[..], &[0]].concat();
    let surplus = checked(pieces(&body), range.clone(), &longer).await;
    assert!(matches!(surplus, Err(SliceError::Surplus)), "{surplus:?}");
    let shorter = range.start..range.end - 1;
    assert!(checked(pieces(&body), shorter, &slices).await.is_ok(), "the same groups prove it");
    let other = 0..body.size;
    assert!(checked(pieces(&body), other, &slices).await.is_err(), "another range");
    let beyond = checked(pieces(&body), 0..body.size + 1, &slices).await;
    assert!(matches!(beyond, Err(SliceError::OutOfRange { .. })));
}

#[tokio::test]
async fn what_does_not_hash_to_the_root_is_never_given_out() {
    let (store, session) = store();
    let body = pattern(3 * GROUP_SIZE);
    let object = write(&session, [body], &[]).await.unwrap();
    let other = write(&session, [pattern(3 * GROUP_SIZE + 1).slice(1..)], &[]).await.unwrap();
    let run = |run: Run| Body { content: object.cid, size: object.size, runs: vec![run] };
    let size = object.size;
    let wrong = [
        run(Run { root: other.blake3, ..run_of(&object) }),
        run(Run { outboard: other.outboard, ..run_of(&object) }),
        Body { content: other.cid, ..run(run_of(&object)) },
        run(Run { outboard: None, ..run_of(&object) }),
        run(Run { outboard: Some(object.cid), ..run_of(&object) }),
    ];
    for body in wrong {
        let reader = read_slices(Arc::clone(&store) as _, body, 0..size, None).unwrap();
        let sent: Result<Vec<Bytes>, _> = reader.try_collect().await;
        assert!(sent.is_err());
    }
    let short = Body { runs: Vec::new(), ..run(run_of(&object)) };
    assert!(matches!(
        read_slices(Arc::clone(&store) as _, short, 0..size, None),
        Err(ObjectError::Malformed { .. })
    ));
    let empty = Arc::new(MemoryStore::new());
    let reader = read_slices(empty, run(run_of(&object)), 0..size, None).unwrap();
    assert!(matches!(reader.try_collect::<Vec<_>>().await, Err(ObjectError::MissingBlock(_))));
}

#[tokio::test]
async fn many_slices_go_out_within_a_budget_of_one_leaf() {
    let (store, session) = store();
    let object = write(&session, [pattern(5 * LEAF_SIZE)], &[]).await.unwrap();
    let budget = Budget::new(BudgetOptions { bytes: LEAF_SIZE, ..BudgetOptions::default() });
    let one = || async {
        let first = budget.enter(LEAF_SIZE).await.unwrap();
        let shares = Some((budget.clone(), first));
        let body = body_of(&object);
        let mut reader = read_slices(Arc::clone(&store) as _, body, 0..object.size, shares).unwrap();
        let mut sent = 0;
        while let Some(piece) = reader.try_next().await.unwrap() {
            sent += piece.len() as u64;
        }
        sent
    };
    let sent = futures::future::join_all((0..4).map(|_| one())).await;
    assert_eq!(sent, [slices_size([object.size], &(0..object.size)); 4]);
    assert_eq!(budget.taken(), 0);
}
