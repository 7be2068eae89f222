//! What a write promises: conditions, durability, one commit for many, history.

mod support;

use std::sync::Arc;

use carob_block::fault::FaultyStore;
use carob_block::{MemoryStore, Store};
use carob_bucket::{BucketError, DeleteOptions, EtagCondition, Precondition, PutOptions};
use futures::future::join_all;
use support::{bucket, put, put_with, read, space, space_over};

fn if_absent() -> PutOptions {
    let precondition = Precondition { if_none_match: Some(EtagCondition::Any), ..Precondition::default() };
    PutOptions { precondition, ..PutOptions::default() }
}

fn if_match(tag: &str) -> Precondition {
    Precondition { if_match: Some(EtagCondition::OneOf(vec![tag.to_owned()])), ..Precondition::default() }
}

#[tokio::test]
async fn a_write_is_read_back_and_covered_by_its_commit() {
    let bucket = bucket().await;
    let written = put(&bucket, "k", "body").await.unwrap();
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("body"));
    assert_eq!(written.record.etag.to_string(), "841a2d689ad86bd1611447453c22c6fc");
    let snapshot = bucket.snapshot().await.unwrap();
    assert_eq!(snapshot.cid(), written.commit);
    assert_eq!((snapshot.objects(), snapshot.bytes()), (1, 4));
    assert_eq!(written.record.modified, snapshot.commit().time.timestamp());
}

#[tokio::test]
async fn exactly_one_of_many_create_only_writers_wins() {
    let bucket = bucket().await;
    for round in 0..20 {
        let key = format!("key {round}");
        let writers = (0..64).map(|n| {
            let (bucket, key) = (bucket.clone(), key.clone());
            tokio::spawn(async move { put_with(&bucket, &key, &n.to_string(), if_absent()).await.map(|_| n) })
        });
        let results: Vec<_> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<i32> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
        assert_eq!(won.len(), 1);
        assert_eq!(read(&bucket, &key).await, Some(won[0].to_string()));
        let lost = |result: &Result<i32, BucketError>| {
            matches!(result, Err(BucketError::PreconditionFailed("If-None-Match")))
        };
        assert_eq!(results.iter().filter(|result| lost(result)).count(), 63);
    }
}

#[tokio::test]
async fn if_match_needs_the_present_tag() {
    let bucket = bucket().await;
    let options = |tag: &str| PutOptions { precondition: if_match(tag), ..PutOptions::default() };
    let absent = put_with(&bucket, "k", "1", options("d41d8cd98f00b204e9800998ecf8427e")).await;
    assert!(matches!(absent, Err(BucketError::NoSuchKey(_))));
    let tag = put(&bucket, "k", "1").await.unwrap().record.etag.to_string();
    let wrong = put_with(&bucket, "k", "2", options("d41d8cd98f00b204e9800998ecf8427e")).await;
    assert!(matches!(wrong, Err(BucketError::PreconditionFailed("If-Match"))));
    put_with(&bucket, "k", "2", options(&tag)).await.unwrap();
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("2"));
    assert!(matches!(
        bucket.delete("k", if_match(&tag).into()).await,
        Err(BucketError::PreconditionFailed(_))
    ));
}

#[tokio::test]
async fn delete_of_an_absent_key_makes_no_commit() {
    let bucket = bucket().await;
    let before = put(&bucket, "k", "1").await.unwrap().commit;
    let deleted = bucket.delete("other", DeleteOptions::default()).await.unwrap();
    assert!(!deleted.existed);
    assert_eq!(deleted.commit, before);
    assert_eq!(bucket.snapshot().await.unwrap().cid(), before);
}

#[tokio::test]
async fn many_keys_are_deleted_in_one_commit() {
    let bucket = bucket().await;
    for key in ["a", "b", "c"] {
        put(&bucket, key, key).await.unwrap();
    }
    let before = bucket.snapshot().await.unwrap().commit().seq;
    let keys = ["a", "x", "b", "a"].map(|key| (key.to_owned(), DeleteOptions::default()));
    let results = bucket.delete_many(keys.into()).await.unwrap();
    let existed: Vec<bool> = results.into_iter().map(|result| result.unwrap().existed).collect();
    assert_eq!(existed, [true, false, true, false]);
    let after = bucket.snapshot().await.unwrap();
    assert_eq!((after.commit().seq, after.objects()), (before + 1, 1));
}

#[tokio::test]
async fn every_overwrite_stays_in_history_even_within_a_group() {
    let bucket = bucket().await;
    let writers = (0..50).map(|n| {
        let bucket = bucket.clone();
        tokio::spawn(async move { put(&bucket, "k", &n.to_string()).await.unwrap() })
    });
    let mut commits: Vec<_> = join_all(writers).await.into_iter().map(|w| w.unwrap().commit).collect();
    commits.sort();
    commits.dedup();
    assert_eq!(commits.len(), 50, "no two writes of a key share a commit");
    let log = bucket.snapshot().await.unwrap().log(usize::MAX).await.unwrap();
    assert_eq!(log.len(), 51);
    for pair in log.windows(2) {
        assert_eq!(pair[0].commit.parents, [pair[1].commit.cid()]);
        assert_eq!(pair[0].commit.seq, pair[1].commit.seq + 1);
        assert!(pair[0].commit.time > pair[1].commit.time, "time runs forward on a clock that stands still");
    }
    assert!(commits.iter().all(|commit| log.iter().any(|entry| entry.commit.cid() == *commit)));
}

#[tokio::test]
async fn concurrent_writes_of_different_keys_share_commits() {
    let bucket = bucket().await;
    let writers = (0..200).map(|n| {
        let bucket = bucket.clone();
        tokio::spawn(async move { put(&bucket, &n.to_string(), "x").await.unwrap() })
    });
    join_all(writers).await;
    let snapshot = bucket.snapshot().await.unwrap();
    assert_eq!(snapshot.objects(), 200);
    assert!(snapshot.commit().seq < 200, "{} commits for 200 writes", snapshot.commit().seq);
}

#[tokio::test]
async fn a_large_record_is_kept_whole() {
    let bucket = bucket().await;
    let metadata = [("name".to_owned(), "v".repeat(2000))].into();
    let options = PutOptions { metadata, ..PutOptions::default() };
    put_with(&bucket, "k", "1", options.clone()).await.unwrap();
    assert_eq!(bucket.get("k").await.unwrap().unwrap().record().metadata, options.metadata);
    let metadata = [("name".to_owned(), "v".repeat(2045))].into();
    let err = put_with(&bucket, "k", "1", PutOptions { metadata, ..PutOptions::default() }).await;
    assert!(matches!(err, Err(BucketError::MetadataTooLarge(2049))));
}

#[tokio::test]
async fn a_long_key_is_refused() {
    let bucket = bucket().await;
    put(&bucket, &"ü".repeat(512), "1").await.unwrap();
    let err = put(&bucket, &"k".repeat(1025), "1").await;
    assert!(matches!(err, Err(BucketError::KeyLength(1025))));
}

#[tokio::test]
async fn a_bucket_is_deleted_only_when_empty_and_starts_anew() {
    let space = space().await;
    let first = space.create_bucket("b-1").await.unwrap();
    assert!(matches!(space.create_bucket("b-1").await, Err(BucketError::BucketExists(_))));
    let bucket = space.bucket("b-1").await.unwrap();
    put(&bucket, "k", "1").await.unwrap();
    assert!(matches!(space.delete_bucket("b-1").await, Err(BucketError::BucketNotEmpty(_))));
    bucket.delete("k", DeleteOptions::default()).await.unwrap();
    space.delete_bucket("b-1").await.unwrap();
    assert!(matches!(space.bucket("b-1").await, Err(BucketError::NoSuchBucket(_))));
    assert!(
        matches!(put(&bucket, "k", "1").await, Err(BucketError::NoSuchBucket(_))),
        "old handles are dead"
    );
    let second = space.create_bucket("b-1").await.unwrap();
    assert_ne!(first.id, second.id);
    let anew = space.bucket("b-1").await.unwrap().snapshot().await.unwrap();
    assert_eq!((anew.commit().seq, anew.objects()), (0, 0), "nothing of the earlier bucket shows");
    assert!(matches!(put(&bucket, "k", "1").await, Err(BucketError::NoSuchBucket(_))));
}

#[tokio::test]
async fn a_write_racing_the_deletion_of_its_bucket_is_either_refused_or_prevents_it() {
    for _ in 0..50 {
        let space = space().await;
        space.create_bucket("race").await.unwrap();
        let bucket = space.bucket("race").await.unwrap();
        let write = tokio::spawn(async move { put(&bucket, "k", "1").await });
        let delete = space.delete_bucket("race").await;
        match write.await.unwrap() {
            Ok(_) => assert!(matches!(delete, Err(BucketError::BucketNotEmpty(_)))),
            Err(BucketError::NoSuchBucket(_)) => delete.unwrap(),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn another_process_moving_the_head_is_merged_in_not_overwritten() {
    let store = MemoryStore::new();
    let (one, two) = (space_over(Arc::new(store.clone())).await, space_over(Arc::new(store)).await);
    one.create_bucket("shared").await.unwrap();
    let (one, two) = (one.bucket("shared").await.unwrap(), two.bucket("shared").await.unwrap());
    for n in 0..10 {
        put(&one, &format!("one/{n}"), "1").await.unwrap();
        put(&two, &format!("two/{n}"), "2").await.unwrap();
    }
    assert_eq!(one.snapshot().await.unwrap().objects(), 20);
}

#[tokio::test]
async fn a_store_failing_at_any_call_loses_nothing_acknowledged_and_recovers() {
    let memory = MemoryStore::new();
    let faulty = Arc::new(FaultyStore::new(Arc::new(memory.clone()) as Arc<dyn Store>));
    let space = space_over(faulty.clone()).await;
    space.create_bucket("faulty").await.unwrap();
    let bucket = space.bucket("faulty").await.unwrap();
    put(&bucket, "stays", "1").await.unwrap();
    let mut failures = 0;
    for nth in 1..40 {
        let before = bucket.snapshot().await.unwrap();
        faulty.fail_call(nth);
        let result = put(&bucket, &format!("key {nth}"), "body").await;
        faulty.fail_call(0);
        let present = read(&bucket, &format!("key {nth}")).await;
        match result {
            Ok(_) => assert_eq!(present.as_deref(), Some("body")),
            Err(_) => {
                failures += 1;
                assert_eq!(present, None, "a failed write has not half happened");
                assert_eq!(bucket.snapshot().await.unwrap().cid(), before.cid());
            }
        }
        assert_eq!(read(&bucket, "stays").await.as_deref(), Some("1"));
    }
    assert!(failures >= 3, "only {failures} calls could fail");
    let after_crash = space_over(Arc::new(memory.crash())).await;
    let bucket = after_crash.bucket("faulty").await.unwrap();
    assert_eq!(read(&bucket, "stays").await.as_deref(), Some("1"));
    put(&bucket, "again", "2").await.unwrap();
}

#[tokio::test]
async fn a_closed_space_answers_what_waits_and_refuses_the_rest() {
    let space = space().await;
    space.create_bucket("closing").await.unwrap();
    let bucket = space.bucket("closing").await.unwrap();
    put(&bucket, "k", "1").await.unwrap();
    space.close().await;
    assert!(matches!(put(&bucket, "k", "2").await, Err(BucketError::Store(_))));
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("1"), "reads go on");
}
