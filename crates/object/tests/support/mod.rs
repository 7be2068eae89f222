//! What the tests of this crate share.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, MemoryStore, ReadBlocks, Session, Store};
use carob_object::{Body, ChecksumAlgorithm, ObjectError, ObjectWriter, Run, WrittenObject, read};
use futures::TryStreamExt;

/// The content of all fixtures: see fixtures/unixfs/README.md.
pub(crate) fn pattern(size: usize) -> Bytes {
    (0..size as u32).map(|i| ((i & 0x7f_ffff).wrapping_mul(0x9e37_79b1) >> 24) as u8).collect()
}

/// A store, and a session that keeps what is put.
pub(crate) fn store() -> (Arc<MemoryStore>, Arc<dyn Session>) {
    let store = Arc::new(MemoryStore::new());
    let session = Arc::from(store.session());
    (store, session)
}

pub(crate) async fn write(
    session: &Arc<dyn Session>,
    chunks: impl IntoIterator<Item = Bytes>,
    checksums: &[ChecksumAlgorithm],
) -> Result<WrittenObject, ObjectError> {
    let mut writer = ObjectWriter::new(Arc::clone(session), checksums);
    let mut written = 0;
    for chunk in chunks {
        written += chunk.len() as u64;
        writer.write(chunk).await?;
        assert_eq!(writer.written(), written);
    }
    writer.finish().await
}

pub(crate) async fn read_range(
    store: Arc<dyn ReadBlocks>,
    content: Cid,
    size: u64,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, ObjectError> {
    let items: Vec<Bytes> = read(store, content, size, range)?.try_collect().await?;
    assert!(items.iter().all(|item| !item.is_empty()), "no empty item");
    Ok(items.concat())
}

/// What was written, with its tree to verify ranges by.
pub(crate) fn body_of(object: &WrittenObject) -> Body {
    Body { content: object.cid, size: object.size, runs: vec![run_of(object)] }
}

pub(crate) fn run_of(object: &WrittenObject) -> Run {
    Run { size: object.size, root: object.blake3, outboard: object.outboard }
}
