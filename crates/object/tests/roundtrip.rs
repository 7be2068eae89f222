//! What is written is read back, however it is cut.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carob_block::fault::FaultyStore;
use carob_block::{Block, Cid, Codec, MemoryStore, ReadBlocks, Session, SessionId, Store, StoreError};
use carob_object::{
    ChecksumAlgorithm, DagBuilder, GROUP_SIZE, LEAF_SIZE, Link, ObjectError, ObjectWriter, blocks, read,
};
use futures::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};
use support::{pattern, read_range, store, write};
use tokio::runtime::Runtime;

/// Sizes around the boundaries that matter, and some between.
fn sizes() -> impl Strategy<Value = usize> {
    let near = [0, GROUP_SIZE, 64 * 1024, LEAF_SIZE, 2 * LEAF_SIZE, 3 * LEAF_SIZE];
    let near = prop::sample::select(near.to_vec()).prop_flat_map(|at| at.saturating_sub(2)..at + 3);
    prop_oneof![near, 0..4 * LEAF_SIZE]
}

fn cut(body: &Bytes, cuts: &[Index]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    cuts.extend([0, body.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| body.slice(pair[0]..pair[1])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chunking_gives_the_same_object_and_any_range_reads_back(
        size in sizes(),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
        ranges in prop::collection::vec(any::<(Index, Index)>(), 6),
    ) {
        let body = pattern(size);
        Runtime::new().unwrap().block_on(async {
            let (store, session) = store();
            let all = ChecksumAlgorithm::ALL;
            let object = write(&session, [body.clone()], &all).await.unwrap();
            let again = write(&session, cut(&body, &cuts), &all).await.unwrap();
            assert_eq!(object, again);
            assert_eq!(object.blake3, *blake3::hash(&body).as_bytes());
            assert_eq!(object.checksums[4].value, Sha256::digest(&body).to_vec());
            assert_eq!(object.outboard.is_some(), size > GROUP_SIZE);
            for (a, b) in ranges {
                let (a, b) = (a.index(size + 1), b.index(size + 1));
                let (start, end) = (a.min(b), a.max(b));
                let range = start as u64..end as u64;
                let read = read_range(store.clone(), object.cid, size as u64, range).await.unwrap();
                assert!(read == body[start..end], "{start}..{end} of {size}");
            }
        });
    }
}

#[tokio::test]
async fn every_edge_of_a_range_is_exact() {
    let size = 2 * LEAF_SIZE + 7;
    let body = pattern(size);
    let (store, session) = store();
    let object = write(&session, [body.clone()], &[]).await.unwrap();
    let edges = [0, 1, LEAF_SIZE - 1, LEAF_SIZE, LEAF_SIZE + 1, 2 * LEAF_SIZE, size - 1, size];
    for start in edges {
        for end in edges.into_iter().filter(|end| *end >= start) {
            let range = start as u64..end as u64;
            let read = read_range(store.clone(), object.cid, size as u64, range).await.unwrap();
            assert!(read == body[start..end], "{start}..{end}");
        }
    }
}

#[tokio::test]
async fn a_range_outside_of_the_body_is_refused() {
    let (store, session) = store();
    let object = write(&session, [pattern(10)], &[]).await.unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "it is what is tested")]
    for range in [0..11, 11..11, 5..4, u64::MAX - 1..u64::MAX] {
        let err = read(store.clone(), object.cid, 10, range.clone()).unwrap_err();
        assert!(matches!(err, ObjectError::OutOfRange { .. }), "{range:?}");
    }
}

/// 1025 leaves make a tree of two levels; they are all one block, to be quick.
#[tokio::test]
async fn ranges_cross_leaves_and_levels_of_a_gibibyte() {
    let (store, session) = store();
    let leaf = Block::new(Codec::Raw, pattern(LEAF_SIZE)).unwrap();
    let last = Block::new(Codec::Raw, Bytes::from_static(b"the end")).unwrap();
    let (mut dag, mut nodes) = (DagBuilder::new(), vec![leaf.clone(), last.clone()]);
    for _ in 0..1025 {
        dag.push(Link::to_leaf(&leaf), &mut nodes).unwrap();
    }
    dag.push(Link::to_leaf(&last), &mut nodes).unwrap();
    let root = dag.finish(&mut nodes).unwrap().unwrap();
    session.put(nodes).await.unwrap();
    assert_eq!(root.size, (1025 << 20) + 7);
    let gib = 1 << 30;
    for range in [gib - 3..gib + 3, root.size - 9..root.size, gib..gib, 0..3] {
        let read = read_range(store.clone(), root.cid, root.size, range.clone()).await.unwrap();
        let byte = |at: u64| match at.checked_sub(1025 << 20) {
            Some(at) => last.data()[at as usize],
            None => leaf.data()[at as usize % LEAF_SIZE],
        };
        assert_eq!(read, range.map(byte).collect::<Vec<u8>>());
    }
    let dag: Vec<_> = blocks(store, root.cid).try_collect().await.unwrap();
    assert_eq!(dag.len(), 1026 + 3, "every leaf each time it stands there, and three nodes");
    assert_eq!(dag[0].cid(), &root.cid);
    let bytes: usize = dag.iter().map(|block| block.data().len()).sum();
    assert_eq!(bytes as u64, root.dag_size);
}

#[tokio::test]
async fn blocks_come_parents_first_and_leaves_in_order() {
    let body = pattern(3 * LEAF_SIZE + 1);
    let (store, session) = store();
    let object = write(&session, [body.clone()], &[]).await.unwrap();
    let dag: Vec<_> = blocks(store.clone(), object.cid).try_collect().await.unwrap();
    assert_eq!(dag[0].links().unwrap(), dag[1..].iter().map(|leaf| *leaf.cid()).collect::<Vec<_>>());
    assert!(dag[1..].iter().map(|leaf| &leaf.data()[..]).collect::<Vec<_>>().concat() == body);
    let single = write(&session, [], &[]).await.unwrap();
    let dag: Vec<_> = blocks(store, single.cid).try_collect().await.unwrap();
    assert!(dag.len() == 1 && dag[0].data().is_empty(), "an empty body is one empty block");
}

#[tokio::test]
async fn the_outboard_reads_back_as_a_file() {
    let body = pattern(LEAF_SIZE + 1);
    let (store, session) = store();
    let object = write(&session, [body.clone()], &[]).await.unwrap();
    let outboard = read_range(store, object.outboard.unwrap(), 64 * 64, 0..64 * 64).await.unwrap();
    let group = bao_tree::BlockSize::from_chunk_log(4);
    let peer = bao_tree::io::outboard::PostOrderMemOutboard::create(&body, group);
    assert_eq!(outboard, peer.data);
}

#[tokio::test]
async fn a_missing_block_is_named_wherever_it_is() {
    let body = pattern(2 * LEAF_SIZE + 1);
    for lost in 0..4 {
        let (store, session) = store();
        let object = write(&session, [body.clone()], &[]).await.unwrap();
        let dag: Vec<_> = blocks(store.clone(), object.cid).try_collect().await.unwrap();
        store.lose(dag[lost].cid());
        let range = 0..object.size;
        let err = read_range(store.clone(), object.cid, object.size, range).await.unwrap_err();
        assert!(matches!(err, ObjectError::MissingBlock(cid) if cid == *dag[lost].cid()));
        let mut stream = read(store, object.cid, object.size, 0..object.size).unwrap();
        let mut good = 0;
        while let Some(Ok(bytes)) = stream.next().await {
            good += bytes.len();
        }
        assert_eq!(good, lost.saturating_sub(1) * LEAF_SIZE, "all before it is served");
        assert!(stream.next().await.is_none(), "nothing follows an error");
    }
}

#[tokio::test]
async fn only_what_the_range_touches_is_fetched() {
    let (store, session) = store();
    let object = write(&session, [pattern(3 * LEAF_SIZE)], &[]).await.unwrap();
    let dag: Vec<_> = blocks(store.clone(), object.cid).try_collect().await.unwrap();
    store.lose(dag[1].cid());
    store.lose(dag[3].cid());
    let range = LEAF_SIZE as u64..2 * LEAF_SIZE as u64;
    read_range(store.clone(), object.cid, object.size, range).await.unwrap();
    store.lose(&object.cid);
    assert!(read_range(store, object.cid, object.size, 9..9).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_write_that_fails_at_any_call_fails_the_object() {
    let body = pattern(3 * LEAF_SIZE + 5);
    let faulty = FaultyStore::new(Arc::new(MemoryStore::new()));
    let session: Arc<dyn Session> = Arc::from(faulty.session());
    faulty.fail_call(0);
    write(&session, cut(&body, &[]), &[]).await.unwrap();
    let calls = faulty.calls();
    assert!(calls >= 3, "leaves go out while the body streams in");
    for nth in 1..=calls {
        faulty.fail_call(nth);
        let mut writer = ObjectWriter::new(session.clone(), &[]);
        let mut failed = false;
        for chunk in body.chunks(LEAF_SIZE / 2) {
            let written = writer.write(Bytes::copy_from_slice(chunk)).await;
            if failed {
                let full = matches!(written, Err(ObjectError::Aborted { .. }));
                assert!(full || written.is_ok(), "at most buffered");
            }
            failed |= written.is_err();
        }
        assert!(writer.finish().await.is_err(), "call {nth} failed, and nobody may miss it");
    }
}

/// Never done with a block.
#[derive(Debug)]
struct Stuck;

#[async_trait::async_trait]
impl Session for Stuck {
    fn id(&self) -> SessionId {
        SessionId(0)
    }

    async fn put(&self, _: Vec<Block>) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn missing(&self, _: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_cancelled_write_ends_the_object() {
    let leaf = pattern(LEAF_SIZE);
    let mut writer = ObjectWriter::new(Arc::new(Stuck), &[]);
    writer.write(leaf.clone()).await.unwrap();
    let second = tokio::time::timeout(Duration::from_millis(50), writer.write(leaf.clone())).await;
    assert!(second.is_err(), "it waits for the first leaf to be put");
    assert!(matches!(writer.write(leaf).await, Err(ObjectError::Aborted { .. })));
    assert!(matches!(writer.finish().await, Err(ObjectError::Aborted { .. })));
}

#[tokio::test]
async fn a_dropped_writer_lets_go_of_its_session() {
    let (store, session) = store();
    let mut writer = ObjectWriter::new(session.clone(), &[]);
    writer.write(pattern(3 * LEAF_SIZE)).await.unwrap();
    assert!(store.block_count() > 0);
    drop(writer);
    assert_eq!(Arc::strong_count(&session), 1);
    drop(session);
    assert_eq!(store.block_count(), 0);
}

#[tokio::test]
async fn a_reader_stays_two_leaves_ahead_and_stops_when_dropped() {
    let (store, session) = store();
    let faulty = Arc::new(FaultyStore::new(store));
    let object = write(&session, [pattern(8 * LEAF_SIZE)], &[]).await.unwrap();
    let mut reader = read(faulty.clone(), object.cid, object.size, 0..object.size).unwrap();
    reader.next().await.unwrap().unwrap();
    assert_eq!(reader.remaining(), 7 * LEAF_SIZE as u64);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(faulty.calls(), 1 + 1 + 2, "the root, the leaf taken, and two ahead");
    drop(reader);
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&faulty), 1, "nothing goes on");
}

#[test]
fn streams_can_be_sent_and_shared() {
    fn check<T: Send + Sync + 'static>(_: impl FnOnce(Arc<dyn ReadBlocks>, Cid) -> T) {}
    check(|store, cid| read(store, cid, 0, 0..0).unwrap());
    fn send<T: Send + 'static>(_: impl FnOnce(Arc<dyn ReadBlocks>, Cid) -> T) {}
    send(blocks);
    fn writer<T: Send + Sync + 'static>() {}
    writer::<ObjectWriter>();
}
