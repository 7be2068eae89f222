//! An export holds all that a bucket is, and an altered one is refused.

mod support;

use std::io::Cursor;

use carob_block::Block;
use carob_bucket::{Bucket, Config, DeleteOptions, PutOptions, Snapshot, Versioning};
use carob_car::{CarReader, Frame, header};
use carob_commit::{VerifyError, verify_car};
use carob_identity::{SeededEntropy, Signer, SpaceKey};
use futures::TryStreamExt;
use support::{bucket, put, put_with};

async fn blocks(snapshot: &Snapshot) -> Vec<Block> {
    snapshot.export().try_collect().await.unwrap()
}

fn car(root: &Snapshot, blocks: &[Block]) -> Vec<u8> {
    let mut car = header(&[root.cid()]).unwrap();
    blocks.iter().for_each(|block| Frame::of(block).append_to(&mut car));
    car
}

/// An overwritten object, one with a record too large for a node, and a delete marker.
async fn put_versions(bucket: &Bucket) {
    let enable = |config: &mut Config| {
        config.versioning = Versioning::Enabled;
        Ok(())
    };
    bucket.configure(enable).await.unwrap();
    put(bucket, "versions", "first").await.unwrap();
    let tags = [("t".to_owned(), "v".repeat(500))].into();
    put_with(bucket, "versions", "second", PutOptions { tags, ..PutOptions::default() }).await.unwrap();
    bucket.delete("versions", DeleteOptions::default()).await.unwrap();
}

/// A bucket with bodies of one block, of several, shared ones, and a record too large for a node.
async fn filled() -> Bucket {
    let bucket = bucket().await;
    for n in 0..200 {
        put(&bucket, &format!("dir/{n}"), &format!("body {}", n / 2)).await.unwrap();
    }
    put(&bucket, "empty", "").await.unwrap();
    put_versions(&bucket).await;
    put(&bucket, "large", &"0123456789abcdef".repeat(150_000)).await.unwrap();
    let metadata = [("m".to_owned(), "v".repeat(1500))].into();
    put_with(&bucket, "meta", "x", PutOptions { metadata, ..PutOptions::default() }).await.unwrap();
    bucket
}

#[tokio::test]
async fn an_export_verifies_offline_and_says_what_it_holds() {
    let bucket = filled().await;
    let snapshot = bucket.snapshot().await.unwrap();
    let blocks = blocks(&snapshot).await;
    assert_eq!(*blocks[0].cid(), snapshot.cid(), "the commit comes first");
    let did = *SpaceKey::generate(&SeededEntropy::new(7)).did();
    let report = verify_car(Cursor::new(car(&snapshot, &blocks)), Some(&did)).await.unwrap();
    assert_eq!((report.objects, report.bytes), (203, snapshot.bytes()));
    assert_eq!((report.noncurrent, snapshot.noncurrent()), (3, 3));
    assert_eq!(&report.commit, snapshot.commit());
    assert_eq!(report.commit.name, "bucket");
    let other = *SpaceKey::generate(&SeededEntropy::new(9)).did();
    let err = verify_car(Cursor::new(car(&snapshot, &blocks)), Some(&other)).await.unwrap_err();
    assert!(matches!(err, VerifyError::OtherSpace(_)), "{err}");
}

#[tokio::test]
async fn an_export_without_any_one_of_its_blocks_is_refused() {
    let bucket = bucket().await;
    for n in 0..30 {
        put(&bucket, &format!("{n}"), &format!("body {n}")).await.unwrap();
    }
    put(&bucket, "large", &"0123456789abcdef".repeat(100_000)).await.unwrap();
    put_versions(&bucket).await;
    let snapshot = bucket.snapshot().await.unwrap();
    let all = blocks(&snapshot).await;
    for missing in 0..all.len() {
        let mut rest = all.clone();
        let gone = rest.remove(missing);
        let err = verify_car(Cursor::new(car(&snapshot, &rest)), None).await.unwrap_err();
        assert!(err.to_string().contains(&gone.cid().to_string()), "{err} names {}", gone.cid());
    }
}

#[tokio::test]
async fn an_export_with_any_flipped_bit_is_refused() {
    let bucket = bucket().await;
    for n in 0..8 {
        put(&bucket, &format!("{n}"), &format!("body {n}")).await.unwrap();
    }
    put_versions(&bucket).await;
    let snapshot = bucket.snapshot().await.unwrap();
    let intact = car(&snapshot, &blocks(&snapshot).await);
    verify_car(Cursor::new(intact.clone()), None).await.unwrap();
    for at in 0..intact.len() {
        let mut altered = intact.clone();
        altered[at] ^= 1 << (at % 8);
        let result = verify_car(Cursor::new(altered), None).await;
        assert!(result.is_err(), "byte {at} of {} altered unnoticed", intact.len());
    }
}

#[tokio::test]
async fn a_shorter_file_is_never_taken_for_a_smaller_bucket() {
    let bucket = filled().await;
    let snapshot = bucket.snapshot().await.unwrap();
    let blocks = blocks(&snapshot).await;
    let intact = car(&snapshot, &blocks);
    let mut reader = CarReader::new(intact.as_slice()).unwrap();
    let mut ends = Vec::new();
    while reader.next_block().unwrap().is_some() {
        ends.push(usize::try_from(reader.offset()).unwrap());
    }
    ends.pop();
    for end in ends.into_iter().step_by(7) {
        for cut in [end, end + 1] {
            assert!(verify_car(Cursor::new(intact[..cut].to_vec()), None).await.is_err());
        }
    }
}

#[tokio::test]
async fn dropping_an_export_half_way_is_harmless() {
    let bucket = filled().await;
    let mut export = std::pin::pin!(bucket.snapshot().await.unwrap().export());
    for _ in 0..5 {
        assert!(export.try_next().await.unwrap().is_some());
    }
}
