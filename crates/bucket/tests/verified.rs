//! The whole chain from the space's key to a byte, over a store on disk: commit, way down the index, record, outboard,
//! body. With any byte of it changed in a file, nothing comes out.

mod support;

use std::fs::{self, File, OpenOptions};
use std::io::Cursor;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carob_block::{Block, ReadBlocks};
use carob_bucket::{Answer, Question};
use carob_car::Frame;
use carob_commit::{Claim, Verified, answer, verify_file};
use carob_identity::Did;
use carob_index::Recorder;
use carob_local::{LocalOptions, LocalStore};
use carob_object::{Body, GROUP_SIZE, Run, check_slices, read_slices};
use futures::TryStreamExt;
use support::{put, space_over};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a gateway proves of a key, as it goes out.
async fn prove(store: &Arc<dyn ReadBlocks>, claim: &Claim) -> Result<(Vec<u8>, Vec<Block>), Failure> {
    let recorder = Arc::new(Recorder::new(Arc::clone(store)));
    answer(&(Arc::clone(&recorder) as _), claim).await?;
    let claim = claim.to_block()?;
    let mut car = carob_car::header(&[*claim.cid()])?;
    let blocks: Vec<Block> = recorder.blocks();
    for block in [&claim].into_iter().chain(&blocks) {
        Frame::of(block).append_to(&mut car);
    }
    Ok((car, blocks))
}

/// What a client makes of a proof.
async fn believe(car: Vec<u8>, claim: &Claim, space: &Did) -> Result<Answer, Failure> {
    match verify_file(Cursor::new(car), Some(space)).await? {
        Verified::Proof(proven) if proven.claim == *claim => Ok(proven.answer),
        _ => Err("something else was proven".into()),
    }
}

/// The slices of a range, as they go out and as the client opens them.
async fn read(store: &Arc<dyn ReadBlocks>, found: &Answer, range: Range<u64>) -> Result<Vec<u8>, Failure> {
    let Answer::Object(record, _) = found else { return Err("no object".into()) };
    let tree = record.blake3.as_ref().unwrap();
    let run = Run { size: record.size, root: tree.root, outboard: tree.outboard };
    let body = Body { content: record.content, size: record.size, runs: vec![run] };
    let slices = read_slices(Arc::clone(store), body, range.clone(), None)?;
    let bytes: Vec<_> = check_slices(found.pieces().unwrap(), range, slices)?.try_collect().await?;
    Ok(bytes.concat())
}

/// Where a block lies on disk.
fn place(files: &[(PathBuf, Vec<u8>)], block: &[u8]) -> (File, Range<u64>) {
    let mut found = files.iter().filter_map(|(path, bytes)| {
        let at = bytes.windows(block.len()).position(|window| window == block)? as u64;
        Some((OpenOptions::new().write(true).open(path).unwrap(), at..at + block.len() as u64))
    });
    found.next().expect("each block is in a segment")
}

fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: PathBuf| {
        if path.is_dir() { files(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] }
    };
    entries.flat_map(read).collect()
}

#[tokio::test]
async fn each_changed_byte_on_disk_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let body: String = (0..2 * GROUP_SIZE + 100).map(|n| char::from(b' ' + (n * 7 % 89) as u8)).collect();
    let size = body.len() as u64;
    let (space, commit) = {
        let store = Arc::new(LocalStore::open(LocalOptions::new(dir.path(), [1; 16])).unwrap());
        let space = space_over(store.clone()).await;
        space.create_bucket("bucket").await.unwrap();
        let bucket = space.bucket("bucket").await.unwrap();
        for n in 0..60 {
            put(&bucket, &format!("key{n:02}"), "other").await.unwrap();
        }
        put(&bucket, "key30", &body).await.unwrap();
        let commit = bucket.snapshot().await.unwrap().cid();
        space.close().await;
        store.close().await.unwrap();
        (*space.did(), commit)
    };
    // Opened anew, it has nothing of this in memory.
    let store: Arc<dyn ReadBlocks> =
        Arc::new(LocalStore::open(LocalOptions::new(dir.path(), [1; 16])).unwrap());
    let claim = Claim { commit, question: Question::Key("key30".into()), body: false };
    let (car, path) = prove(&store, &claim).await.unwrap();
    let found = believe(car.clone(), &claim, &space).await.unwrap();
    assert!(read(&store, &found, 0..size).await.unwrap() == body.as_bytes());
    assert!(path.len() >= 3, "the commit, the tree and a node");

    let files = files(dir.path());
    for block in &path {
        let (file, span) = place(&files, block.data());
        for (at, byte) in span.zip(block.data()) {
            file.write_all_at(&[byte ^ (1 << (at % 8))], at).unwrap();
            let proof = prove(&store, &claim).await;
            assert!(proof.is_err(), "byte {at} of {} was changed", block.cid());
            file.write_all_at(&[*byte], at).unwrap();
        }
    }
    let Answer::Object(record, _) = &found else { panic!("no object") };
    let outboard = record.blake3.as_ref().unwrap().outboard.unwrap();
    for cid in [outboard, record.content] {
        let block = store.get(&cid).await.unwrap().unwrap();
        let (file, span) = place(&files, block.data());
        for (at, byte) in span.zip(block.data()) {
            file.write_all_at(&[byte ^ (1 << (at % 8))], at).unwrap();
            assert!(read(&store, &found, 0..size).await.is_err(), "byte {at} of {cid} was changed");
            file.write_all_at(&[*byte], at).unwrap();
        }
    }
    assert!(read(&store, &found, 0..size).await.unwrap() == body.as_bytes(), "all is as it was");

    for at in 0..car.len() {
        let mut bad = car.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(believe(bad, &claim, &space).await.is_err(), "byte {at} of the proof was changed on its way");
    }
}
