//! Multipart uploads and copies.

mod support;

use std::sync::Arc;

use carob_block::MemoryStore;
use carob_bucket::{
    Bucket, BucketError, ChecksumType, CompleteOptions, DeleteOptions, EtagCondition, Layout, MIN_PART_BYTES,
    PartClaim, PartState, Precondition, PutOptions, UploadChecksum, UploadId, UploadOptions, UploadsEntry,
    UploadsQuery, Written,
};
use carob_object::ChecksumAlgorithm;
use futures::TryStreamExt;
use support::{bucket, put, put_with, read, space_over};

const MIB: usize = 1 << 20;

fn bytes(len: usize, seed: u8) -> Vec<u8> {
    (0..len).map(|at| (at / 3) as u8 ^ seed).collect()
}

async fn upload_part(bucket: &Bucket, key: &str, id: UploadId, number: u16, body: &[u8]) -> PartState {
    try_part(bucket, key, id, number, body).await.unwrap()
}

async fn try_part(
    bucket: &Bucket,
    key: &str,
    id: UploadId,
    number: u16,
    body: &[u8],
) -> Result<PartState, BucketError> {
    let mut upload = bucket.upload(&[ChecksumAlgorithm::Crc64Nvme]);
    upload.write(body.to_vec().into()).await?;
    let uploaded = upload.finish().await?;
    let checksum = uploaded.checksums().first().cloned();
    bucket.put_part(key, id, number, uploaded, checksum).await
}

fn claim(number: u16, part: &PartState) -> PartClaim {
    let etag = part.md5.iter().map(|byte| format!("{byte:02x}")).collect();
    PartClaim { number, etag, checksum: None }
}

async fn complete(
    bucket: &Bucket,
    key: &str,
    id: UploadId,
    parts: Vec<PartClaim>,
) -> Result<Written, BucketError> {
    bucket.complete_upload(key, id, CompleteOptions { parts, ..CompleteOptions::default() }).await
}

async fn begin(bucket: &Bucket, key: &str) -> UploadId {
    bucket.begin_upload(key, UploadOptions::default()).await.unwrap()
}

async fn uploads(bucket: &Bucket) -> usize {
    let query = UploadsQuery { max_uploads: 1000, ..UploadsQuery::default() };
    bucket.uploads(&query).await.unwrap().entries.len()
}

async fn whole(bucket: &Bucket, key: &str) -> Vec<u8> {
    let object = bucket.get(key).await.unwrap().unwrap();
    let chunks: Vec<_> = object.read(0..u64::MAX).try_collect().await.unwrap();
    chunks.concat()
}

#[tokio::test]
async fn whole_mebibyte_parts_give_the_cid_of_a_single_put() {
    let bucket = bucket().await;
    let body = bytes(13 * MIB + 17, 1);
    let id = begin(&bucket, "k").await;
    let mut claims = Vec::new();
    for (number, part) in (1..).zip(body.chunks(5 * MIB)) {
        claims.push(claim(number, &upload_part(&bucket, "k", id, number, part).await));
    }
    assert_eq!(bucket.get("k").await.unwrap().map(|_| ()), None, "nothing shows before it is complete");
    let written = complete(&bucket, "k", id, claims).await.unwrap();
    assert_eq!(written.record.etag.parts, Some(3));
    assert_eq!(written.record.layout, Layout::Balanced);
    assert!(whole(&bucket, "k").await == body);
    let mut upload = bucket.upload(&[ChecksumAlgorithm::Crc64Nvme]);
    upload.write(body.into()).await.unwrap();
    let single = upload.finish().await.unwrap();
    assert_eq!(written.record.content, single.cid());
    assert_eq!(written.record.checksum.as_ref(), single.checksums().first());
    let object = bucket.get("k").await.unwrap().unwrap();
    let sizes: Vec<u64> = object.parts().await.unwrap().unwrap().0.iter().map(|part| part.size).collect();
    assert_eq!(sizes, [5 << 20, 5 << 20, (3 << 20) + 17]);
    assert_eq!(uploads(&bucket).await, 0);
}

#[tokio::test]
async fn other_parts_are_joined_and_read_back() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let (one, two) = (bytes(5 * MIB + 1, 1), bytes(77, 2));
    let claims = vec![
        claim(2, &upload_part(&bucket, "k", id, 2, &one).await),
        claim(9, &upload_part(&bucket, "k", id, 9, &two).await),
    ];
    let written = complete(&bucket, "k", id, claims).await.unwrap();
    assert_eq!(written.record.layout, Layout::Joined);
    assert!(whole(&bucket, "k").await == [one, two].concat());
}

#[tokio::test]
async fn completing_again_gives_the_same_answer_also_after_a_crash() {
    let store = MemoryStore::new();
    let space = space_over(Arc::new(store.clone())).await;
    space.create_bucket("bucket").await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    let id = begin(&bucket, "k").await;
    let claims = vec![claim(1, &upload_part(&bucket, "k", id, 1, b"x").await)];
    let first = complete(&bucket, "k", id, claims.clone()).await.unwrap();
    let again = complete(&bucket, "k", id, claims.clone()).await.unwrap();
    assert_eq!(first.record, again.record);
    let space = space_over(Arc::new(store.crash())).await;
    let bucket = space.bucket("bucket").await.unwrap();
    let after = complete(&bucket, "k", id, claims.clone()).await.unwrap();
    assert_eq!(first.record, after.record);
    let other = complete(&bucket, "other", id, claims).await;
    assert!(matches!(other, Err(BucketError::NoSuchUpload(_))), "an id is good for its own key");
}

#[tokio::test]
async fn a_completion_with_other_parts_is_no_repetition() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let one = claim(1, &upload_part(&bucket, "k", id, 1, b"one").await);
    let two = claim(2, &upload_part(&bucket, "k", id, 2, b"two").await);
    complete(&bucket, "k", id, vec![one.clone()]).await.unwrap();
    for parts in [vec![two.clone()], vec![one.clone(), two], vec![PartClaim { etag: "none".into(), ..one }]] {
        assert!(matches!(complete(&bucket, "k", id, parts).await, Err(BucketError::NoSuchUpload(_))));
    }
}

#[tokio::test]
async fn a_part_uploaded_again_replaces_the_first() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let old = upload_part(&bucket, "k", id, 1, b"old").await;
    let new = upload_part(&bucket, "k", id, 1, b"new").await;
    let err = complete(&bucket, "k", id, vec![claim(1, &old)]).await;
    assert!(matches!(err, Err(BucketError::InvalidPart(1))));
    complete(&bucket, "k", id, vec![claim(1, &new)]).await.unwrap();
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_upload_goes_on() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let small = upload_part(&bucket, "k", id, 1, b"small").await;
    let last = upload_part(&bucket, "k", id, 2, b"last").await;
    let result = complete(&bucket, "k", id, vec![claim(1, &small), claim(2, &last)]).await;
    assert!(matches!(result, Err(BucketError::PartTooSmall { number: 1, size: 5 })));
    for parts in [vec![claim(2, &last), claim(1, &small)], vec![claim(1, &small), claim(1, &small)]] {
        assert!(matches!(complete(&bucket, "k", id, parts).await, Err(BucketError::InvalidPartOrder)));
    }
    assert!(matches!(
        complete(&bucket, "k", id, vec![claim(3, &last)]).await,
        Err(BucketError::InvalidPart(3))
    ));
    assert!(matches!(complete(&bucket, "k", id, Vec::new()).await, Err(BucketError::InvalidPart(0))));
    for number in [0, 10_001] {
        let result = try_part(&bucket, "k", id, number, b"x").await;
        assert!(matches!(result, Err(BucketError::PartNumber(_))));
    }
    let options = CompleteOptions { parts: vec![claim(1, &small)], size: Some(6), ..Default::default() };
    let result = bucket.complete_upload("k", id, options).await;
    assert!(matches!(result, Err(BucketError::SizeMismatch { expected: 6, actual: 5 })));
    complete(&bucket, "k", id, vec![claim(1, &small)]).await.unwrap();
}

#[tokio::test]
async fn a_failed_condition_leaves_the_upload() {
    let bucket = bucket().await;
    put(&bucket, "k", "present").await.unwrap();
    let id = begin(&bucket, "k").await;
    let parts = vec![claim(1, &upload_part(&bucket, "k", id, 1, b"x").await)];
    let precondition = Precondition { if_none_match: Some(EtagCondition::Any), ..Default::default() };
    let options = CompleteOptions { parts: parts.clone(), precondition, ..Default::default() };
    let result = bucket.complete_upload("k", id, options).await;
    assert!(matches!(result, Err(BucketError::PreconditionFailed(_))));
    assert_eq!(uploads(&bucket).await, 1);
    complete(&bucket, "k", id, parts).await.unwrap();
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let part = upload_part(&bucket, "k", id, 1, b"x").await;
    bucket.abort_upload("k", id).await.unwrap();
    assert!(matches!(bucket.abort_upload("k", id).await, Err(BucketError::NoSuchUpload(_))));
    let late = try_part(&bucket, "k", id, 2, b"y").await;
    assert!(matches!(late, Err(BucketError::NoSuchUpload(_))));
    let result = complete(&bucket, "k", id, vec![claim(1, &part)]).await;
    assert!(matches!(result, Err(BucketError::NoSuchUpload(_))));
    assert!(matches!(bucket.parts("k", id, 0, 10).await, Err(BucketError::NoSuchUpload(_))));
}

#[tokio::test]
async fn uploads_are_listed_by_key_and_age_in_pages() {
    let bucket = bucket().await;
    let keys = ["a", "a", "b/1", "b/2", "c", "a\0x", "c/d/e"];
    let mut begun = Vec::new();
    for key in keys {
        begun.push((key.to_owned(), begin(&bucket, key).await));
        upload_part(&bucket, key, begun.last().unwrap().1, 1, b"part").await;
    }
    begun.sort();
    for max_uploads in 1..8 {
        let mut query = UploadsQuery { max_uploads, ..UploadsQuery::default() };
        let mut found = Vec::new();
        loop {
            let page = bucket.uploads(&query).await.unwrap();
            assert!(page.entries.len() <= max_uploads);
            found.extend(page.entries.into_iter().map(|entry| match entry {
                UploadsEntry::Upload { key, id, .. } => (key, id),
                UploadsEntry::Prefix(prefix) => panic!("{prefix}"),
            }));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(found, begun, "in pages of {max_uploads}");
        let mut query = UploadsQuery { max_uploads, delimiter: Some("/".into()), ..Default::default() };
        let mut found = Vec::new();
        loop {
            let page = bucket.uploads(&query).await.unwrap();
            found.extend(page.entries.into_iter().map(|entry| match entry {
                UploadsEntry::Upload { key, .. } => key,
                UploadsEntry::Prefix(prefix) => prefix,
            }));
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        assert_eq!(found, ["a", "a", "a\0x", "b/", "c", "c/"], "in pages of {max_uploads}");
    }
}

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    for number in [5, 1, 10_000, 3] {
        upload_part(&bucket, "k", id, number, &number.to_be_bytes()).await;
    }
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = bucket.parts("k", id, after, 2).await.unwrap();
        found.extend(page.parts.iter().map(|(number, _)| *number));
        after = *found.last().unwrap();
        if !page.truncated {
            break;
        }
    }
    assert_eq!(found, [1, 3, 5, 10_000]);
}

#[tokio::test]
async fn a_composite_checksum_is_over_the_parts_checksums() {
    let bucket = bucket().await;
    let checksum = UploadChecksum { algorithm: ChecksumAlgorithm::Crc64Nvme, kind: ChecksumType::Composite };
    let options = UploadOptions { checksum: Some(checksum), ..UploadOptions::default() };
    let id = bucket.begin_upload("k", options).await.unwrap();
    let part = upload_part(&bucket, "k", id, 1, b"123456789").await;
    let record = complete(&bucket, "k", id, vec![claim(1, &part)]).await.unwrap().record.clone();
    assert_eq!(record.checksum_type, ChecksumType::Composite);
    assert_ne!(record.checksum, part.checksum);
}

#[tokio::test]
async fn parts_and_completions_race_soundly() {
    let bucket = bucket().await;
    let id = begin(&bucket, "k").await;
    let first = upload_part(&bucket, "k", id, 1, &bytes(MIN_PART_BYTES as usize, 0)).await;
    let writers = (0..20_u8).map(|n| {
        let bucket = bucket.clone();
        tokio::spawn(async move { try_part(&bucket, "k", id, 2, &[n]).await })
    });
    let writers: Vec<_> = writers.collect();
    let mut done = None;
    for _ in 0..200 {
        let page = bucket.parts("k", id, 1, 1).await.unwrap();
        if let Some((_, second)) = page.parts.first() {
            match complete(&bucket, "k", id, vec![claim(1, &first), claim(2, second)]).await {
                Ok(written) => {
                    done = Some((written, second.clone()));
                    break;
                }
                Err(BucketError::InvalidPart(2) | BucketError::Contention) => {}
                Err(other) => panic!("{other}"),
            }
        }
        tokio::task::yield_now().await;
    }
    let (written, second) = done.expect("some completion got through");
    for writer in writers {
        let late = writer.await.unwrap();
        assert!(matches!(late, Ok(_) | Err(BucketError::NoSuchUpload(_))));
    }
    let stored = whole(&bucket, "k").await;
    assert_eq!(stored.len() as u64, written.record.size);
    let part =
        carob_block::Block::new(carob_block::Codec::Raw, stored[MIN_PART_BYTES as usize..].to_vec().into());
    assert_eq!(*part.unwrap().cid(), second.content, "the object has the part that was claimed");
    assert_eq!(uploads(&bucket).await, 0, "no part came back to life");
}

#[tokio::test]
async fn a_copy_shares_all_blocks_and_keeps_what_it_is_not_told() {
    let bucket = bucket().await;
    let options = PutOptions { metadata: [("a".into(), "b".into())].into(), ..PutOptions::default() };
    put_with(&bucket, "from", &"long body ".repeat(300_000), options).await.unwrap();
    let source = bucket.get("from").await.unwrap().unwrap();
    let copy = bucket.copy(&source, "to", PutOptions::default()).await.unwrap();
    assert_eq!(copy.record.content, source.record().content);
    assert_eq!(copy.record.etag, source.record().etag);
    assert!(copy.record.metadata.is_empty());
    bucket.delete("from", DeleteOptions::default()).await.unwrap();
    assert_eq!(whole(&bucket, "to").await.len(), 3_000_000);
}

#[tokio::test]
async fn uploads_do_not_keep_a_bucket_and_do_not_show_in_the_next_one() {
    let space = support::space().await;
    space.create_bucket("again").await.unwrap();
    let bucket = space.bucket("again").await.unwrap();
    begin(&bucket, "k").await;
    space.delete_bucket("again").await.unwrap();
    assert!(matches!(
        bucket.begin_upload("k", UploadOptions::default()).await,
        Err(BucketError::NoSuchBucket(_))
    ));
    space.create_bucket("again").await.unwrap();
    assert_eq!(uploads(&space.bucket("again").await.unwrap()).await, 0);
}
