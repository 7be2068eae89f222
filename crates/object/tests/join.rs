//! Parts become one body without a byte of them being read.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, MemoryStore, ReadBlocks, Session, Store};
use carob_object::{LEAF_SIZE, ObjectError, ObjectWriter, join, read};
use futures::TryStreamExt;

async fn write(session: &Arc<dyn Session>, body: &[u8]) -> (Cid, u64) {
    let mut writer = ObjectWriter::new(Arc::clone(session), &[]);
    writer.write(Bytes::copy_from_slice(body)).await.unwrap();
    let written = writer.finish().await.unwrap();
    (written.cid, written.size)
}

fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 7 + at / 4099) as u8).collect()
}

async fn joined(parts: &[usize]) -> (bool, bool) {
    let store = MemoryStore::new();
    let session: Arc<dyn Session> = Arc::from(store.session());
    let whole = body(parts.iter().sum());
    let (mut bodies, mut at) = (Vec::new(), 0);
    for len in parts {
        bodies.push(write(&session, &whole[at..at + len]).await);
        at += len;
    }
    let store: Arc<dyn ReadBlocks> = Arc::new(store);
    let joined = join(&store, &*session, &bodies).await.unwrap();
    assert_eq!(joined.size, whole.len() as u64);
    let read = read(store, joined.content, joined.size, 0..joined.size).unwrap();
    let chunks: Vec<Bytes> = read.try_collect().await.unwrap();
    assert!(chunks.concat() == whole, "{parts:?}");
    (joined.canonical, joined.content == write(&session, &whole).await.0)
}

#[tokio::test]
async fn parts_of_whole_leaves_give_the_cid_of_a_single_write() {
    const MIB: usize = LEAF_SIZE;
    for parts in [
        vec![5 * MIB, 5 * MIB, 5 * MIB],
        vec![8 * MIB, 8 * MIB, 3],
        vec![MIB, MIB],
        vec![5 * MIB, 0],
        vec![0],
        vec![0, 0],
        vec![123],
        vec![],
    ] {
        assert_eq!(joined(&parts).await, (true, true), "{parts:?}");
    }
}

#[tokio::test]
async fn other_parts_give_a_readable_body_with_a_cid_of_its_own() {
    const MIB: usize = LEAF_SIZE;
    for parts in [vec![MIB + 1, 5], vec![5, 6, 7], vec![2 * MIB - 1, 3 * MIB, 1]] {
        assert_eq!(joined(&parts).await, (false, false), "{parts:?}");
    }
}

#[tokio::test]
async fn many_small_parts_are_joined() {
    assert_eq!(joined(&[3; 2500]).await, (false, false));
}

#[tokio::test]
async fn a_missing_part_is_named() {
    let store = MemoryStore::new();
    let session: Arc<dyn Session> = Arc::from(store.session());
    let bodies = [write(&session, &body(2 * LEAF_SIZE)).await, write(&session, b"tail").await];
    store.lose(&bodies[0].0);
    let store: Arc<dyn ReadBlocks> = Arc::new(store);
    let err = join(&store, &*session, &bodies).await.unwrap_err();
    assert!(matches!(err, ObjectError::MissingBlock(cid) if cid == bodies[0].0), "{err}");
}
