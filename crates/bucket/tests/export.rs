//! An export holds all that a bucket is, and an altered one is refused.

mod support;

use std::io::Cursor;

use carob_block::Block;
use carob_bucket::{
    Bucket, BucketError, CompleteOptions, Config, DataKey, DeleteOptions, Encryption, PartClaim, PutOptions,
    Scheme, Seal, Snapshot, UploadOptions, Versioning,
};
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

/// Encrypted: one whole, and one in two parts.
async fn put_sealed(bucket: &Bucket) {
    let encryption = Encryption {
        scheme: Scheme::Customer,
        data_key: vec![1; 64],
        key: None,
        context: None,
        bucket_key: None,
    };
    let seal = Seal { data_key: DataKey::new([7; 32].into()), encryption: encryption.clone() };
    let body = |length: usize| bytes::Bytes::from(vec![5; length]);
    let mut upload = bucket.sealed_upload(&[], Some(&seal));
    upload.write(body(2_000_000)).await.unwrap();
    bucket.put("sealed", upload.finish().await.unwrap(), PutOptions::default()).await.unwrap();
    let options = UploadOptions { encryption: Some(encryption), ..UploadOptions::default() };
    let id = bucket.begin_upload("sealed parts", options).await.unwrap();
    let mut parts = Vec::new();
    for (number, length) in [(1, 5 << 20), (2, 1000)] {
        let mut upload = bucket.sealed_upload(&[], Some(&seal));
        upload.write(body(length)).await.unwrap();
        let part =
            bucket.put_part("sealed parts", id, number, upload.finish().await.unwrap(), None).await.unwrap();
        let etag = carob_bucket::ETag { md5: part.md5, parts: None }.to_string();
        parts.push(PartClaim { number, etag, checksum: None });
    }
    let options = CompleteOptions { parts, ..CompleteOptions::default() };
    bucket.complete_upload("sealed parts", id, options).await.unwrap();
}

/// Whoever has no key can tell that nothing is missing and nothing is changed.
#[tokio::test]
async fn an_export_of_encrypted_objects_verifies_without_their_keys() {
    let bucket = bucket().await;
    put_sealed(&bucket).await;
    let snapshot = bucket.snapshot().await.unwrap();
    let mut blocks = blocks(&snapshot).await;
    let report = verify_car(Cursor::new(car(&snapshot, &blocks)), None).await.unwrap();
    assert_eq!((report.objects, report.bytes), (2, 2_000_000 + (5 << 20) + 1000));
    assert!(blocks.iter().all(|block| !block.data().windows(64).any(|window| window == [5; 64])));
    let object = snapshot.get("sealed").await.unwrap().unwrap();
    let read: Result<Vec<_>, _> = object.read(0..10).try_collect().await;
    assert!(matches!(read, Err(BucketError::Encrypted)));
    let before = blocks.len();
    blocks.retain(|block| *block.cid() != object.record().content);
    assert_eq!(blocks.len() + 1, before);
    let cut = verify_car(Cursor::new(car(&snapshot, &blocks)), None).await;
    assert!(matches!(cut, Err(VerifyError::Object { .. })), "{cut:?}");
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
