//! Against `fixtures/unixfs/vectors.json`, made by other implementations.

mod support;

use carob_block::{Block, Codec};
use carob_object::{DagBuilder, LEAF_SIZE, Link};
use serde_json::Value;
use support::{pattern, store, write};

fn vectors() -> Vec<(u64, Value)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/unixfs/vectors.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    vectors.into_iter().map(|vector| (vector["size"].as_u64().unwrap(), vector)).collect()
}

#[tokio::test]
async fn written_bodies_have_the_hashes_of_other_implementations() {
    let mut checked = Vec::new();
    for (size, vector) in vectors() {
        if vector.get("md5").is_none() {
            continue;
        }
        let (_, session) = store();
        let object = write(&session, [pattern(size as usize)], &[]).await.unwrap();
        assert_eq!(object.size, size);
        assert_eq!(object.cid.to_string(), vector["cid"], "{size} bytes");
        assert_eq!(hex::encode(object.md5), vector["md5"], "{size} bytes");
        assert_eq!(hex::encode(object.blake3), vector["blake3"], "{size} bytes");
        checked.push(size);
    }
    let mib = LEAF_SIZE as u64;
    assert!([0, 1, mib, mib + 1, 5 * mib].iter().all(|size| checked.contains(size)), "{checked:?}");
}

/// The pattern repeats every 8 MiB, so GiBs of it are made of eight leaves.
#[test]
fn trees_over_gibibytes_have_the_cids_of_other_implementations() {
    let body = pattern(8 * LEAF_SIZE);
    let leaf = |range| Link::to_leaf(&Block::new(Codec::Raw, body.slice(range)).unwrap());
    let leaves: Vec<Link> = (0..8).map(|n| leaf(n * LEAF_SIZE..(n + 1) * LEAF_SIZE)).collect();
    let mut checked = Vec::new();
    for (size, vector) in vectors().into_iter().filter(|(size, _)| *size > 1 << 29) {
        let (full, rest) = (size / LEAF_SIZE as u64, size as usize % LEAF_SIZE);
        let (mut dag, mut nodes) = (DagBuilder::new(), Vec::new());
        for link in leaves.iter().cycle().take(full as usize) {
            dag.push(link.clone(), &mut nodes).unwrap();
        }
        if rest > 0 {
            let start = full as usize % 8 * LEAF_SIZE;
            dag.push(leaf(start..start + rest), &mut nodes).unwrap();
        }
        let root = dag.finish(&mut nodes).unwrap().unwrap();
        assert_eq!(root.cid.to_string(), vector["cid"], "{size} bytes");
        assert_eq!(root.size, size);
        assert_eq!(nodes.last().unwrap().cid(), &root.cid, "the root comes last");
        checked.push(size >> 20);
    }
    assert_eq!(checked, [1024, 1025, 5120]);
}

/// No other implementation stores outboards so; the pairs themselves are compared with bao-tree's.
#[tokio::test]
async fn outboard_of_five_mebibytes_is_pinned() {
    let (_, session) = store();
    let object = write(&session, [pattern(5 * LEAF_SIZE)], &[]).await.unwrap();
    let outboard = object.outboard.unwrap().to_string();
    assert_eq!(outboard, "bafkreihlasdihwbxxxprsgtlxpzxj4mo2qp4pq3x6psclrysetrxpagm24");
}
