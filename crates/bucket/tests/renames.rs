//! What a renaming promises: both keys change in one commit, and the object is what it was.

mod support;

use std::sync::Arc;

use carob_bucket::{BucketError, EtagCondition, Precondition, PutOptions, Record, RenameOptions, Versioning};
use support::{bucket, put, read, space};

fn unconditional(source: Arc<Record>) -> RenameOptions {
    RenameOptions { source, precondition: Precondition::default(), replaced: None }
}

#[tokio::test]
async fn an_object_moves_in_one_commit_and_stays_what_it_was() {
    let bucket = bucket().await;
    let written = put(&bucket, "a", "body").await.unwrap();
    put(&bucket, "b", "replaced").await.unwrap();
    let before = bucket.snapshot().await.unwrap();
    let renamed = bucket.rename("a", "b", unconditional(written.record.clone())).await.unwrap();
    assert_eq!(renamed.record, written.record, "its time, too");
    let after = bucket.snapshot().await.unwrap();
    assert_eq!((after.cid(), after.commit().seq), (renamed.commit, before.commit().seq + 1));
    assert_eq!((after.objects(), after.bytes()), (1, 4));
    assert_eq!(read(&bucket, "a").await, None);
    assert_eq!(read(&bucket, "b").await.as_deref(), Some("body"));
}

#[tokio::test]
async fn renamings_in_one_group_follow_each_other() {
    let bucket = bucket().await;
    let record = put(&bucket, "a", "body").await.unwrap().record;
    let (first, second) = tokio::join!(
        bucket.rename("a", "b", unconditional(record.clone())),
        bucket.rename("b", "c", unconditional(record)),
    );
    first.unwrap();
    second.unwrap();
    assert_eq!(read(&bucket, "c").await.as_deref(), Some("body"));
    assert_eq!(bucket.snapshot().await.unwrap().objects(), 1);
}

#[tokio::test]
async fn what_was_not_decided_on_is_not_renamed() {
    let bucket = bucket().await;
    let old = put(&bucket, "a", "old").await.unwrap().record;
    let new = put(&bucket, "a", "new").await.unwrap().record;
    let there = put(&bucket, "b", "there").await.unwrap().record;
    let before = bucket.snapshot().await.unwrap().cid();
    let rename = |source: &Arc<Record>, precondition: Precondition, replaced: Option<&Arc<Record>>| {
        let options = RenameOptions { source: source.clone(), precondition, replaced: replaced.cloned() };
        let bucket = bucket.clone();
        async move { bucket.rename("a", "b", options).await.unwrap_err() }
    };
    let none = Precondition::default;
    assert!(matches!(rename(&old, none(), None).await, BucketError::Contention));
    assert!(matches!(rename(&new, none(), Some(&old)).await, BucketError::Contention));
    let create = Precondition { if_none_match: Some(EtagCondition::Any), ..none() };
    assert!(matches!(rename(&new, create, None).await, BucketError::PreconditionFailed("If-None-Match")));
    let other = EtagCondition::OneOf(vec![old.etag.to_string()]);
    let other = Precondition { if_match: Some(other), ..none() };
    assert!(matches!(rename(&new, other.clone(), None).await, BucketError::PreconditionFailed("If-Match")));
    // Where nothing is, no entity tag matches; the key that is missed is not this one.
    let options = RenameOptions { source: new.clone(), precondition: other, replaced: None };
    let absent = bucket.rename("a", "c", options).await.unwrap_err();
    assert!(matches!(absent, BucketError::PreconditionFailed("If-Match")));
    let missing = bucket.rename("x", "b", unconditional(new.clone())).await.unwrap_err();
    assert!(matches!(missing, BucketError::NoSuchKey(key) if key == "x"));
    assert_eq!(bucket.snapshot().await.unwrap().cid(), before);
    let same = EtagCondition::OneOf(vec![there.etag.to_string()]);
    let same = Precondition { if_match: Some(same), ..none() };
    let options = RenameOptions { source: new, precondition: same, replaced: Some(there) };
    bucket.rename("a", "b", options).await.unwrap();
}

#[tokio::test]
async fn where_versions_are_kept_nothing_is_renamed() {
    for versioning in [Versioning::Enabled, Versioning::Suspended] {
        let space = space().await;
        space.create_bucket("bucket").await.unwrap();
        let bucket = space.bucket("bucket").await.unwrap();
        let set = move |config: &mut carob_bucket::Config| {
            config.versioning = versioning;
            Ok(())
        };
        bucket.configure(set).await.unwrap();
        let record = put(&bucket, "a", "body").await.unwrap().record;
        let refused = bucket.rename("a", "b", unconditional(record)).await.unwrap_err();
        assert!(matches!(refused, BucketError::VersioningState(_)));
    }
}

#[tokio::test]
async fn a_large_record_moves_too() {
    let bucket = bucket().await;
    let metadata = [("name".to_owned(), "x".repeat(1500))].into();
    let options = PutOptions { metadata, ..PutOptions::default() };
    let record = support::put_with(&bucket, "a", "body", options).await.unwrap().record;
    bucket.rename("a", "b", unconditional(record.clone())).await.unwrap();
    assert_eq!(bucket.get("b").await.unwrap().unwrap().record(), &*record);
}
