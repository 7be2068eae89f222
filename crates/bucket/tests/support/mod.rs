//! A space in memory, on a clock that is moved by hand.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod yielding;

use std::sync::Arc;

use carob_block::{MemoryStore, Store, SweepOptions};
use carob_bucket::{Bucket, BucketError, CollectOptions, Object, PutOptions, Space, SpaceOptions, Written};
use carob_identity::{ManualClock, SeededEntropy, SpaceKey, Timestamp};

pub(crate) const START: u64 = 1_700_000_000_000;

/// Takes all that is dead.
pub(crate) const EAGER: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};

pub(crate) async fn space_over(store: Arc<dyn Store>) -> Space {
    space_at(store, &Arc::new(ManualClock::new(Timestamp(START)))).await
}

pub(crate) async fn space_at(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Space {
    let key = SpaceKey::generate(&SeededEntropy::new(7));
    let options = SpaceOptions {
        store,
        signer: Arc::new(key),
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(SeededEntropy::new(8)),
        cache_bytes: 8 << 20,
    };
    Space::open(options).await.unwrap()
}

pub(crate) async fn space() -> Space {
    space_over(Arc::new(MemoryStore::new())).await
}

pub(crate) async fn bucket() -> Bucket {
    let space = space().await;
    space.create_bucket("bucket").await.unwrap();
    space.bucket("bucket").await.unwrap()
}

pub(crate) async fn put(bucket: &Bucket, key: &str, body: &str) -> Result<Written, BucketError> {
    put_with(bucket, key, body, PutOptions::default()).await
}

pub(crate) async fn put_with(
    bucket: &Bucket,
    key: &str,
    body: &str,
    options: PutOptions,
) -> Result<Written, BucketError> {
    let mut upload = bucket.upload(&[]);
    upload.write(body.to_owned().into()).await?;
    bucket.put(key, upload.finish().await?, options).await
}

pub(crate) async fn read(bucket: &Bucket, key: &str) -> Option<String> {
    Some(body(&bucket.get(key).await.unwrap()?).await)
}

pub(crate) async fn body(object: &Object) -> String {
    use futures::TryStreamExt;
    let chunks: Vec<_> = object.read(0..u64::MAX).try_collect().await.unwrap();
    String::from_utf8(chunks.concat()).unwrap()
}
