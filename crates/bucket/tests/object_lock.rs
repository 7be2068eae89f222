//! What object lock protects stays, whatever is tried.

mod support;

use carob_bucket::{
    Amendment, Bucket, BucketError, Config, DefaultRetention, DeleteOptions, Found, Lock, ObjectLock,
    PutOptions, Retention, RetentionMode, RetentionPeriod, Space, VersionName, Versioning,
};
use carob_identity::Timestamp;
use support::{START, put, put_with, space};

const HOUR: u64 = 60 * 60 * 1000;

async fn locked_bucket(default: Option<DefaultRetention>) -> (Space, Bucket) {
    let space = space().await;
    let config = Config {
        versioning: Versioning::Enabled,
        object_lock: Some(ObjectLock { default }),
        ..Config::default()
    };
    space.create_bucket_with("bucket", *space.did(), &config).await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    (space, bucket)
}

fn retention(mode: RetentionMode, hours: u64) -> Retention {
    Retention { mode, until: Timestamp(START + hours * HOUR) }
}

fn locked(retention: Option<Retention>, held: bool) -> PutOptions {
    PutOptions { lock: Lock { retention, legal_hold: held.then_some(true) }, ..PutOptions::default() }
}

fn delete(version: VersionName, bypass_governance: bool) -> DeleteOptions {
    DeleteOptions { version: Some(version), bypass_governance, ..DeleteOptions::default() }
}

async fn assert_kept(bucket: &Bucket, version: VersionName) {
    let found = bucket.snapshot().await.unwrap().find("k", Some(version)).await.unwrap();
    assert!(matches!(found, Found::Object(_)), "{found:?}");
}

#[tokio::test]
async fn nobody_deletes_what_compliance_or_a_legal_hold_keeps() {
    let compliance = Some(retention(RetentionMode::Compliance, 1));
    for options in [locked(compliance, false), locked(None, true)] {
        let (space, bucket) = locked_bucket(None).await;
        let version = put_with(&bucket, "k", "x", options).await.unwrap().record.version_name();
        // Current, overwritten, and under a delete marker.
        for step in 0..3 {
            for bypass in [false, true] {
                let error = bucket.delete("k", delete(version, bypass)).await.unwrap_err();
                assert!(matches!(error, BucketError::Locked), "step {step}: {error}");
            }
            assert!(matches!(space.delete_bucket("bucket").await, Err(BucketError::BucketNotEmpty(_))));
            assert_kept(&bucket, version).await;
            match step {
                0 => _ = put(&bucket, "k", "y").await.unwrap(),
                _ => _ = bucket.delete("k", DeleteOptions::default()).await.unwrap(),
            }
        }
        let suspend = |config: &mut Config| {
            config.versioning = Versioning::Suspended;
            Ok(())
        };
        assert!(matches!(bucket.configure(suspend).await, Err(BucketError::VersioningState(_))));
        let disable = |config: &mut Config| {
            config.object_lock = None;
            Ok(())
        };
        assert!(matches!(bucket.configure(disable).await, Err(BucketError::VersioningState(_))));
    }
}

#[tokio::test]
async fn governance_keeps_a_version_from_whoever_does_not_bypass_it() {
    let (_space, bucket) = locked_bucket(None).await;
    let options = locked(Some(retention(RetentionMode::Governance, 1)), false);
    let version = put_with(&bucket, "k", "x", options).await.unwrap().record.version_name();
    assert!(matches!(bucket.delete("k", delete(version, false)).await, Err(BucketError::Locked)));
    assert!(bucket.delete("k", delete(version, true)).await.unwrap().existed);
}

#[tokio::test]
async fn a_lifted_hold_lets_go() {
    let (_space, bucket) = locked_bucket(None).await;
    let version = put(&bucket, "k", "x").await.unwrap().record.version_name();
    bucket.amend("k", None, Amendment::LegalHold(true)).await.unwrap();
    assert!(matches!(bucket.delete("k", delete(version, true)).await, Err(BucketError::Locked)));
    let shorter = Amendment::Retention { retention: None, bypass: true };
    bucket.amend("k", Some(version), shorter).await.unwrap();
    assert!(matches!(bucket.delete("k", delete(version, true)).await, Err(BucketError::Locked)));
    bucket.amend("k", Some(version), Amendment::LegalHold(false)).await.unwrap();
    assert!(bucket.delete("k", delete(version, false)).await.unwrap().existed);
}

#[tokio::test]
async fn the_default_retention_is_given_to_what_brings_none() {
    let default = DefaultRetention { mode: RetentionMode::Governance, period: RetentionPeriod::Days(1) };
    let (_space, bucket) = locked_bucket(Some(default)).await;
    let written = put(&bucket, "k", "x").await.unwrap();
    let expected = Retention { mode: RetentionMode::Governance, until: Timestamp(START + 24 * HOUR) };
    assert_eq!(written.record.lock.retention, Some(expected));
    let own = retention(RetentionMode::Compliance, 2);
    let written = put_with(&bucket, "k", "x", locked(Some(own), false)).await.unwrap();
    assert_eq!(written.record.lock.retention, Some(own));
    let copy = bucket.get("k").await.unwrap().unwrap();
    let copied = bucket.copy(&copy, "copy", PutOptions::default()).await.unwrap();
    assert_eq!(copied.record.lock.retention, Some(expected), "a copy has a protection of its own");
}

#[tokio::test]
async fn protection_without_object_lock_is_refused() {
    let bucket = support::bucket().await;
    let hold = put_with(&bucket, "k", "x", locked(None, true)).await;
    assert!(matches!(hold, Err(BucketError::LockNotEnabled)));
    put(&bucket, "k", "x").await.unwrap();
    let hold = bucket.amend("k", None, Amendment::LegalHold(true)).await;
    assert!(matches!(hold, Err(BucketError::LockNotEnabled)));
}

#[tokio::test]
async fn a_retention_that_ends_in_the_past_is_refused() {
    let (_space, bucket) = locked_bucket(None).await;
    let past = Retention { mode: RetentionMode::Governance, until: Timestamp(START - 1) };
    let refused = put_with(&bucket, "k", "x", locked(Some(past), false)).await;
    assert!(matches!(refused, Err(BucketError::RetentionDate)));
    assert!(bucket.get("k").await.unwrap().is_none());
}
