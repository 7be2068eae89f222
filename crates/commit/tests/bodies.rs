//! A body, and what is said of it, must be what its record says, however little it takes to say so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carob_block::{Block, Bytes, Cid, Codec, MemoryStore, Session, Store};
use carob_commit::{
    Blake3Root, BucketId, ETag, Encryption, Layout, Lock, ObjectHeaders, Part, PartList, Record, Scheme,
    SealedBody, TreeValue, Unsigned, VerifyError, verify_blocks,
};
use carob_identity::{Hlc, Signer, SpaceKey, Timestamp};
use carob_index::{Entry, NodeCache, Params, Salt, Tree};
use carob_object::{DagBuilder, Link, ObjectWriter, sealed_size};
use futures::TryStreamExt;

const HELLO: &[u8] = b"hello";

fn raw(bytes: &[u8]) -> Block {
    Block::new(Codec::Raw, Bytes::copy_from_slice(bytes)).unwrap()
}

fn blake3(bytes: &[u8], outboard: Option<Cid>) -> Blake3Root {
    Blake3Root { root: *blake3::hash(bytes).as_bytes(), outboard }
}

/// The record of five bytes.
fn hello() -> Record {
    Record {
        content: *raw(HELLO).cid(),
        size: 5,
        etag: ETag { md5: [0; 16], parts: None },
        blake3: Some(blake3(HELLO, None)),
        parts: None,
        layout: Layout::Balanced,
        modified: Timestamp(1),
        headers: ObjectHeaders::default(),
        metadata: BTreeMap::new(),
        checksum: None,
        checksum_type: carob_commit::ChecksumType::FullObject,
        version: None,
        null: false,
        lock: Lock::default(),
        tags: BTreeMap::new(),
        access: None,
        sealed: None,
    }
}

fn sealed(size: u64, salt: Option<[u8; 16]>) -> Record {
    let encryption = Encryption {
        scheme: Scheme::Customer,
        data_key: vec![7; 64],
        key: None,
        context: None,
        bucket_key: None,
    };
    Record { size, sealed: Some(SealedBody { encryption, salt, stored: 5 }), ..hello() }
}

/// What is found wrong with a bucket that holds an object of this record.
async fn check(record: Record, mut blocks: Vec<Block>) -> Result<(), VerifyError> {
    let store = MemoryStore::new();
    let session = store.session();
    let nodes = Arc::new(NodeCache::new(1 << 20));
    let (tree, empty) = Tree::empty(Arc::new(store.clone()), nodes, Salt([0; 16]), Params::default());
    session.put(empty).await.unwrap();
    let (value, spilled) = record.to_value().unwrap();
    let entry = Entry { weight: record.size, value };
    let edited = tree.edit([(Bytes::from_static(b"key"), Some(entry))].into()).await.unwrap();
    let key = SpaceKey::from_seed(&[7; 32]);
    let unsigned = Unsigned {
        space: *key.did(),
        bucket: BucketId([1; 16]),
        name: "photos".to_owned(),
        objects: edited.tree.root(),
        versions: None,
        config: None,
        parents: Vec::new(),
        skip: None,
        seq: 0,
        time: Hlc { millis: 2, counter: 0 },
        author: *key.did(),
    };
    let (commit, block) = unsigned.sign(&key).unwrap();
    blocks.extend(edited.blocks.into_iter().chain(spilled).chain([block, raw(HELLO)]));
    session.put(blocks).await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    let verified = verify_blocks(commit.cid(), Arc::new(store.clone()), None);
    let verified = tokio::time::timeout(Duration::from_secs(20), verified).await;
    verified.expect("it takes no longer than there is to read").map(drop)
}

async fn mismatch(record: Record, blocks: Vec<Block>) -> &'static str {
    match check(record, blocks).await {
        Err(VerifyError::Mismatch { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

/// A file of a PiB, made of one leaf and one node a level.
fn repeating() -> (Cid, Vec<Block>) {
    let leaf = raw(&[0; 1 << 20]);
    let (mut top, mut blocks) = (Link::to_leaf(&leaf), vec![leaf]);
    for _ in 0..3 {
        let mut level = DagBuilder::new();
        for _ in 0..1024 {
            level.push(top.clone(), &mut blocks).unwrap();
        }
        top = level.finish(&mut blocks).unwrap().unwrap();
    }
    (top.cid, blocks)
}

#[tokio::test]
async fn an_outboard_has_the_length_that_its_body_gives_it() {
    check(hello(), Vec::new()).await.unwrap();
    let (outboard, blocks) = repeating();
    let with = |outboard| Record { blake3: Some(blake3(HELLO, outboard)), ..hello() };
    assert_eq!(mismatch(with(Some(outboard)), blocks.clone()).await, "outboard");
    assert_eq!(mismatch(with(Some(hello().content)), Vec::new()).await, "outboard");

    // Of a body that has one.
    let store = MemoryStore::new();
    let session: Arc<dyn Session> = store.session().into();
    let mut writer = ObjectWriter::new(Arc::clone(&session), &[]);
    let body = vec![1; 100_000];
    writer.write(body.clone().into()).await.unwrap();
    let written = writer.finish().await.unwrap();
    store.commit(&[&*session], &[]).await.unwrap();
    let right = carob_object::blocks(Arc::new(store), written.outboard.unwrap());
    let right: Vec<Block> = right.try_collect().await.unwrap();
    let with = |outboard| Record {
        content: *raw(&body).cid(),
        size: 100_000,
        blake3: Some(blake3(&body, outboard)),
        ..hello()
    };
    let blocks: Vec<Block> = blocks.into_iter().chain(right).chain([raw(&body)]).collect();
    check(with(written.outboard), blocks.clone()).await.unwrap();
    assert_eq!(mismatch(with(None), blocks.clone()).await, "outboard");
    for wrong in [outboard, hello().content] {
        let refused = check(with(Some(wrong)), blocks.clone()).await;
        assert!(matches!(refused, Err(VerifyError::Object { .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn the_size_of_a_sealed_body_follows_from_what_is_stored() {
    assert_eq!(sealed_size(0), Some(16));
    for size in [0, 5, 6, i64::MAX as u64, u64::MAX] {
        assert_eq!(mismatch(sealed(size, Some([1; 16])), Vec::new()).await, "size", "{size}");
    }
    let stored = [HELLO, &[0; 16]].concat();
    let mut record = sealed(5, Some([1; 16]));
    (record.content, record.blake3) = (*raw(&stored).cid(), Some(blake3(&stored, None)));
    record.sealed.as_mut().unwrap().stored = 21;
    check(record, vec![raw(&stored)]).await.unwrap();
}

#[tokio::test]
async fn a_part_list_adds_up_and_is_sealed_as_its_object_is() {
    let list = |size, salt| {
        let part = Part { number: 1, size, blake3: blake3(HELLO, None), checksum: None, salt };
        PartList(vec![part]).to_block().unwrap()
    };
    let with = |record: Record, list: &Block| Record { parts: Some(*list.cid()), blake3: None, ..record };
    let plain = list(5, None);
    check(with(hello(), &plain), vec![plain.clone()]).await.unwrap();
    assert_eq!(mismatch(with(sealed(5, None), &plain), vec![plain.clone()]).await, "part list");
    let salted = list(5, Some([1; 16]));
    assert_eq!(mismatch(with(hello(), &salted), vec![salted.clone()]).await, "part list");
    assert_eq!(mismatch(with(sealed(6, None), &salted), vec![salted.clone()]).await, "size");
}
