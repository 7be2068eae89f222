//! DAGs that lie: an error each, never a wrong byte, a panic or endless work.

mod support;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carob_block::{Block, Cid, Codec, MemoryStore, Session};
use carob_object::{LEAF_SIZE, ObjectError, blocks};
use futures::{StreamExt, TryStreamExt};
use ipld_dagpb::{PbLink, PbNode};
use proptest::prelude::*;
use support::{pattern, read_range, store, write};
use tokio::runtime::Runtime;

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn data(kind: u64, size: u64, sizes: &[u64]) -> Vec<u8> {
    let mut data = [vec![0x08], varint(kind), vec![0x18], varint(size)].concat();
    sizes.iter().for_each(|size| data.extend([vec![0x20], varint(*size)].concat()));
    data
}

fn node(links: &[Cid], data: Option<Vec<u8>>) -> Block {
    let link = |cid: &Cid| PbLink { cid: *cid, name: Some(String::new()), size: Some(1) };
    let node = PbNode { links: links.iter().map(link).collect(), data: data.map(Bytes::from) };
    Block::new(Codec::DagPb, node.into_bytes().into()).unwrap()
}

fn file(children: &[(Cid, u64)]) -> Block {
    let sizes: Vec<u64> = children.iter().map(|child| child.1).collect();
    let links: Vec<Cid> = children.iter().map(|child| child.0).collect();
    node(&links, Some(data(2, sizes.iter().sum(), &sizes)))
}

fn leaf(text: &str) -> Block {
    Block::new(Codec::Raw, Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

async fn put(session: &dyn Session, block: &Block) -> (Cid, u64) {
    session.put(vec![block.clone()]).await.unwrap();
    (*block.cid(), block.data().len() as u64)
}

/// Both ways of reading refuse the body.
async fn assert_refused(store: &Arc<MemoryStore>, root: &Block, size: u64, why: &str) {
    let read = read_range(store.clone(), *root.cid(), size, 0..size).await;
    assert!(matches!(read, Err(ObjectError::Malformed { .. })), "{why}: {read:?}");
    let all: Result<Vec<_>, _> = blocks(store.clone(), *root.cid()).try_collect().await;
    assert!(matches!(all, Err(ObjectError::Malformed { .. })), "{why}: {all:?}");
}

#[tokio::test]
async fn nodes_that_contradict_themselves_are_malformed() {
    let (store, session) = store();
    let (ab, cde) = (put(&*session, &leaf("ab")).await, put(&*session, &leaf("cde")).await);
    let good = file(&[ab, cde]);
    put(&*session, &good).await;
    assert_eq!(read_range(store.clone(), *good.cid(), 5, 0..5).await.unwrap(), b"abcde");
    let links = [ab.0, cde.0];
    let cbor = Block::new(Codec::DagCbor, Bytes::from_static(&[0xa0])).unwrap();
    put(&*session, &cbor).await;
    let many: Vec<(Cid, u64)> = [(ab.0, 2)].repeat(1025);
    let mut overlong = data(2, 5, &[2]);
    overlong.extend([0x20, 0x83, 0x00]);
    let whole = good.data().to_vec();
    let link = |name: &str, size| PbLink { cid: ab.0, name: Some(name.into()), size };
    let linked = |link| {
        let node = PbNode { links: vec![link], data: Some(data(2, 2, &[2]).into()) };
        Block::new(Codec::DagPb, node.into_bytes().into()).unwrap()
    };
    let cases = [
        ("no data", node(&links, None), 5),
        ("empty data", node(&links, Some(vec![])), 5),
        ("no links", node(&[], Some(data(2, 0, &[]))), 5),
        ("a directory", node(&links, Some(data(1, 5, &[2, 3]))), 5),
        ("a size too few", node(&links, Some(data(2, 5, &[5]))), 5),
        ("a size too many", node(&links, Some(data(2, 5, &[2, 3, 0]))), 5),
        ("a wrong sum", node(&links, Some(data(2, 6, &[2, 3]))), 6),
        ("a sum that overflows", node(&links, Some(data(2, 4, &[5, u64::MAX]))), 4),
        ("sizes that move bytes", node(&links, Some(data(2, 5, &[3, 2]))), 5),
        ("a leaf longer than it says", node(&links[1..], Some(data(2, 2, &[2]))), 2),
        ("a leaf shorter than it says", node(&links[..1], Some(data(2, 9, &[9]))), 9),
        ("a child without bytes", file(&[ab, (leaf("").cid().to_owned(), 0), cde]), 5),
        ("a child that is no file", file(&[ab, (*cbor.cid(), 3)]), 5),
        ("too many links", file(&many), 2050),
        ("data cut off", node(&links, Some(data(2, 5, &[2, 300])[..8].to_vec())), 5),
        ("an overlong varint", node(&links, Some(overlong)), 5),
        ("an unknown field", node(&links, Some([data(2, 5, &[2, 3]), vec![0x38, 1]].concat())), 5),
        (
            "bytes of its own",
            node(&links, Some([&[0x08, 2, 0x12, 1, 0], &data(2, 5, &[2, 3])[2..]].concat())),
            5,
        ),
        ("no protobuf", Block::new(Codec::DagPb, Bytes::from_static(b"\xff\xff")).unwrap(), 5),
        ("cut off", Block::new(Codec::DagPb, whole[..whole.len() - 1].to_vec().into()).unwrap(), 5),
        (
            "a link length beyond the end",
            Block::new(Codec::DagPb, Bytes::from_static(b"\x12\xff\xff\xff\xff\x0f")).unwrap(),
            5,
        ),
        ("a named link", linked(link("a", Some(2))), 2),
        ("a link without total size", linked(link("", None)), 2),
        ("too large", node(&links, Some(vec![0; 200_000])), 5),
        ("a root that is CBOR", cbor.clone(), 5),
    ];
    for (why, root, size) in cases {
        put(&*session, &root).await;
        assert_refused(&store, &root, size, why).await;
    }
}

#[tokio::test]
async fn a_body_of_another_size_than_its_record_says_is_malformed() {
    let (store, session) = store();
    for size in [0, 1, 7, LEAF_SIZE, LEAF_SIZE + 1] {
        let object = write(&session, [pattern(size)], &[]).await.unwrap();
        for wrong in [object.size + 1, object.size.saturating_sub(1)] {
            if wrong == object.size || wrong == 0 {
                continue;
            }
            let read = read_range(store.clone(), object.cid, wrong, 0..1).await;
            assert!(matches!(read, Err(ObjectError::Malformed { .. })), "{size} said to be {wrong}");
        }
    }
}

#[tokio::test]
async fn an_inner_node_of_another_size_is_malformed_before_any_byte_of_it() {
    let (store, session) = store();
    let ab = put(&*session, &leaf("ab")).await;
    let inner = file(&[ab, ab]);
    put(&*session, &inner).await;
    let root = file(&[ab, (*inner.cid(), 5), ab]);
    put(&*session, &root).await;
    assert_refused(&store, &root, 9, "inner of 4 said to be 5").await;
    let first = read_range(store, *root.cid(), 9, 0..2).await.unwrap();
    assert_eq!(first, b"ab", "what comes before it can be had");
}

/// A chain of nodes over one leaf, and a tower in which each node links the next 1024 times.
#[tokio::test]
async fn deep_dags_end_in_an_error_and_wide_ones_do_not_run_wild() {
    let (store, session) = store();
    let (mut chain, mut tower) = (put(&*session, &leaf("x")).await, put(&*session, &leaf("x")).await);
    let mut roots = Vec::new();
    for _ in 0..9 {
        let node = file(&[(chain.0, 1)]);
        put(&*session, &node).await;
        chain = (*node.cid(), 1);
        roots.push(node);
    }
    assert_eq!(read_range(store.clone(), *roots[7].cid(), 1, 0..1).await.unwrap(), b"x");
    assert_refused(&store, &roots[8], 1, "nine levels").await;
    for _ in 0..6 {
        let node = file(&[tower].repeat(1024));
        put(&*session, &node).await;
        tower = (*node.cid(), tower.1 * 1024);
    }
    let end = tower.1;
    let last = read_range(store.clone(), tower.0, end, end - 3..end);
    let last = tokio::time::timeout(Duration::from_secs(10), last).await.expect("a seek, not a scan");
    assert_eq!(last.unwrap(), b"xxx", "an exabyte that deduplicates well is a body like another");
    assert!(blocks(store, tower.0).next().await.unwrap().is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever is done to the root of a body, what is read is right or refused.
    #[test]
    fn a_mutated_root_never_panics_and_never_serves_more_or_less(
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..4),
        drop in 0_usize..3,
    ) {
        Runtime::new().unwrap().block_on(async {
            let (store, session) = store();
            let (ab, cde) = (put(&*session, &leaf("ab")).await, put(&*session, &leaf("cde")).await);
            let mut bytes = file(&[ab, cde, ab]).data().to_vec();
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + drop);
            bytes.splice(at..end, with);
            let root = Block::new(Codec::DagPb, bytes.into()).unwrap();
            put(&*session, &root).await;
            if let Ok(read) = read_range(store.clone(), *root.cid(), 7, 0..7).await {
                assert_eq!(read.len(), 7);
            }
            let _: Result<Vec<_>, _> = blocks(store, *root.cid()).try_collect().await;
        });
    }
}
