//! What the real binary serves as slices, read by the decoder of iroh.

use std::io::Cursor;

use bao_tree::io::outboard::EmptyOutboard;
use bao_tree::io::sync::decode_ranges;
use bao_tree::io::{round_up_to_chunks, round_up_to_chunks_groups};
use bao_tree::{BaoTree, BlockSize, ByteRanges, ChunkRanges};
use carob_commit::{Answer, Verified, verify_file};
use carob_http::client::{Client, Question};

use crate::harness::Gateway;
use crate::s3::S3;

const GROUPS: BlockSize = BlockSize::from_chunk_log(4);

/// The bytes of a slice, from their place in the whole; `None` if the decoder refuses it.
fn decoded(root: [u8; 32], size: u64, chunks: &ChunkRanges, answer: &[u8]) -> Option<Vec<u8>> {
    let (prefix, mut slice) = answer.split_at_checked(8)?;
    // The size is known from the proof; the one that came is to be the same.
    if prefix != size.to_le_bytes() {
        return None;
    }
    let outboard =
        EmptyOutboard { tree: BaoTree::new(size, GROUPS), root: bao_tree::blake3::Hash::from_bytes(root) };
    let mut whole = vec![0; size as usize];
    decode_ranges(&mut slice, chunks, &mut whole, outboard).ok()?;
    slice.is_empty().then_some(whole)
}

#[tokio::test]
async fn iroh_accepts_what_is_served_and_refuses_each_changed_byte_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let s3 = S3::of(&gateway, dir.path());
    let body: Vec<u8> = (0..40_000_usize).map(|n| (n % 251) as u8 ^ (n / 4096) as u8).collect();
    assert_eq!(s3.send("PUT", "/photos", b"").status, 200);
    for n in 0..50 {
        assert_eq!(s3.send("PUT", &format!("/photos/other{n}"), b"other").status, 200);
    }
    assert_eq!(s3.send("PUT", "/photos/cat", &body).status, 200);

    let client = Client::new(dir.path().join("admin.sock"));
    let space = client.status().await.unwrap().space.parse().unwrap();
    let mut car = Vec::new();
    let question = Question::Key { key: "cat", body: false };
    client.prove("photos", &question, None, &mut car).await.unwrap();
    let Verified::Proof(proven) = verify_file(Cursor::new(car), Some(&space)).await.unwrap() else {
        panic!("no proof");
    };
    let Answer::Object(record, None) = &proven.answer else { panic!("no object") };
    let (root, size) = (record.blake3.as_ref().unwrap().root, record.size);

    let answer = s3.get("/photos/cat", &[("x-carob-verified", "bao")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("x-carob-bao-root"), hex::encode(root), "what is told is what is proven");
    assert_eq!(answer.header("content-length"), answer.body.len().to_string());
    assert!(decoded(root, size, &ChunkRanges::all(), &answer.body).unwrap() == body);

    let ranged = s3.get("/photos/cat", &[("range", "bytes=20000-20099"), ("x-carob-verified", "bao")]);
    let asked = round_up_to_chunks(&ByteRanges::from(20_000..20_100));
    let chunks = round_up_to_chunks_groups(asked, GROUPS);
    assert!(decoded(root, size, &chunks, &ranged.body).unwrap()[20_000..20_100] == body[20_000..20_100]);

    for (chunks, good) in [(ChunkRanges::all(), &answer.body), (chunks, &ranged.body)] {
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(decoded(root, size, &chunks, &bad).is_none(), "byte {at} of {}", good.len());
        }
        assert!(decoded(root, size, &chunks, &good[..good.len() - 1]).is_none());
    }
}
