//! What is kept, and what goes.

use std::sync::Arc;
use std::time::Duration;

use carob_block::{MemoryStore, SweepOptions};
use carob_bucket::{
    Bucket, BucketError, CollectOptions, Collected, CompleteOptions, HistoryRetention, PartClaim, PutOptions,
    Space, UploadOptions,
};
use carob_identity::{ManualClock, Timestamp};
use futures::TryStreamExt;
use support::{START, body, put, read, space_at};

mod support;

const HOUR: u64 = 60 * 60 * 1000;
const EAGER: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: Some(Duration::from_hours(7 * 24)),
};

struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    space: Space,
    bucket: Bucket,
}

impl World {
    /// A bucket with this retention, at the start of an hour.
    async fn new(history: HistoryRetention) -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(Timestamp(START / HOUR * HOUR))));
        let space = space_at(Arc::new(store.clone()), &clock).await;
        space.create_bucket("bucket").await.unwrap();
        let bucket = space.bucket("bucket").await.unwrap();
        let world = Self { store, clock, space, bucket };
        world.retain(history).await;
        world
    }

    async fn retain(&self, history: HistoryRetention) {
        let change = move |config: &mut carob_bucket::Config| {
            config.history = history;
            Ok(())
        };
        self.bucket.configure(change).await.unwrap();
    }

    async fn collect(&self) -> Collected {
        self.space.collect(&self.store, EAGER).await.unwrap()
    }

    fn pass(&self, millis: u64) {
        self.clock.advance(millis);
    }

    /// The sequence numbers of what the log shows, each of which is read in full.
    async fn log(&self) -> Vec<u64> {
        let log = self.bucket.snapshot().await.unwrap().log(1000).await.unwrap();
        log.iter().map(|entry| entry.commit.seq).collect()
    }
}

/// Every block of a state is there.
async fn whole(snapshot: &carob_bucket::Snapshot) -> bool {
    snapshot.export().try_for_each(|_| async { Ok(()) }).await.is_ok()
}

#[tokio::test]
async fn without_retention_only_the_newest_state_stays() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    for n in 0..20 {
        put(&world.bucket, "k", &format!("body {n}")).await.unwrap();
    }
    let old = world.bucket.snapshot().await.unwrap().log(1000).await.unwrap();
    let collected = world.collect().await;
    assert_eq!(collected.buckets[0].dropped, 21);
    assert!(collected.swept.dead_bytes > 0);
    assert_eq!(world.log().await, [21]);
    assert_eq!(read(&world.bucket, "k").await.as_deref(), Some("body 19"));
    // The genesis, the commit, its configuration, the descriptor, one node, the body, and the list of kept ones.
    assert_eq!(world.store.block_count(), 7);
    assert_eq!(old.len(), 22);
    // Writing goes on from there, and its own history is whole again.
    put(&world.bucket, "k", "after").await.unwrap();
    assert_eq!(world.log().await, [22, 21]);
    world.collect().await;
    assert_eq!(world.store.block_count(), 7);
}

#[tokio::test]
async fn every_state_of_the_last_hour_and_hourly_ones_of_a_week_stay() {
    let world = World::new(HistoryRetention::default()).await;
    // Ten minutes apart, from ten past.
    for n in 0..60_u64 {
        world.pass(HOUR / 6);
        put(&world.bucket, "k", &format!("body {n}")).await.unwrap();
        if n % 7 == 0 {
            world.collect().await;
        }
    }
    world.collect().await;
    // Those that were current within the last hour, then those at full hours: every sixth, which was written at one.
    let newest = 60;
    let recent: Vec<u64> = (newest - 6..=newest).rev().collect();
    let mut expected = recent.clone();
    expected.extend((0..=9).rev().map(|hour| hour * 6).filter(|seq| !recent.contains(seq)));
    assert_eq!(world.log().await, expected);
    for entry in world.bucket.snapshot().await.unwrap().log(1000).await.unwrap() {
        assert!(world.space_has(&entry.commit).await, "{}", entry.commit.seq);
    }
    // An idle bucket loses what falls out of its spans.
    world.pass(2 * HOUR);
    world.collect().await;
    let mut expected: Vec<u64> = (0..=10).rev().map(|hour| hour * 6).collect();
    assert_eq!(world.log().await, expected);
    world.pass(7 * 24 * HOUR - 6 * HOUR);
    world.collect().await;
    expected.retain(|seq| *seq > 6 * 6);
    assert_eq!(world.log().await, expected);
    world.pass(7 * 24 * HOUR);
    world.collect().await;
    assert_eq!(world.log().await, [newest]);
}

impl World {
    /// Whether everything that a commit reaches is there.
    async fn space_has(&self, commit: &carob_bucket::Commit) -> bool {
        let mut todo = vec![commit.cid()];
        while let Some(cid) = todo.pop() {
            use carob_block::ReadBlocks;
            let Some(block) = self.store.get(&cid).await.unwrap() else { return false };
            todo.extend(block.links().unwrap());
        }
        true
    }
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    for n in 0..5 {
        put(&world.bucket, "k", &format!("body {n}")).await.unwrap();
    }
    let (blocks, log) = (world.store.block_count(), world.log().await);
    let dry = CollectOptions { dry_run: true, ..EAGER };
    let would = world.space.collect(&world.store, dry).await.unwrap();
    assert_eq!((world.store.block_count(), world.log().await), (blocks, log));
    let did = world.collect().await;
    assert_eq!((would.buckets, would.swept.dead_bytes), (did.buckets, did.swept.dead_bytes));
    assert!(did.swept.dead_bytes > 0);
}

#[tokio::test]
async fn a_named_snapshot_stays_and_its_lock_holds() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    put(&world.bucket, "k", "named").await.unwrap();
    let until = Timestamp(START / HOUR * HOUR + HOUR);
    let named = world.bucket.create_snapshot("nightly", Some(until)).await.unwrap();
    let again = world.bucket.create_snapshot("nightly", None).await;
    assert!(matches!(again, Err(BucketError::SnapshotExists(_))));
    for bad in ["", "A", "a/b", "-a", "a..b", &"x".repeat(41)] {
        let refused = world.bucket.create_snapshot(bad, None).await;
        assert!(matches!(refused, Err(BucketError::InvalidSnapshotName(_))), "{bad}");
    }
    world.bucket.delete("k", carob_bucket::DeleteOptions::default()).await.unwrap();
    world.collect().await;
    let snapshot = world.bucket.named_snapshot("nightly").await.unwrap();
    assert_eq!(snapshot.cid(), named.commit);
    assert_eq!(body(&snapshot.get("k").await.unwrap().unwrap()).await, "named");
    assert_eq!(world.bucket.snapshots().await.unwrap(), [named]);
    let locked = world.bucket.remove_snapshot("nightly").await;
    assert!(matches!(locked, Err(BucketError::SnapshotLocked { until: end, .. }) if end == until));
    let deleted = world.space.delete_bucket("bucket").await;
    assert!(matches!(deleted, Err(BucketError::BucketNotEmpty(_))), "its snapshot would go with it");
    world.pass(HOUR);
    world.bucket.remove_snapshot("nightly").await.unwrap();
    assert!(matches!(world.bucket.named_snapshot("nightly").await, Err(BucketError::NoSuchSnapshot(_))));
    drop(snapshot);
    let blocks = world.store.block_count();
    world.collect().await;
    assert!(world.store.block_count() < blocks);
    world.space.delete_bucket("bucket").await.unwrap();
}

#[tokio::test]
async fn a_reader_keeps_what_it_reads() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    let long = "x".repeat(3 << 20);
    put(&world.bucket, "k", &long).await.unwrap();
    let snapshot = world.bucket.snapshot().await.unwrap();
    let mut stream = world.bucket.get("k").await.unwrap().unwrap().read(0..u64::MAX);
    let first = stream.try_next().await.unwrap().unwrap();
    put(&world.bucket, "k", "short").await.unwrap();
    world.collect().await;
    assert!(whole(&snapshot).await);
    drop(snapshot);
    world.collect().await;
    // The stream alone holds it now.
    let mut rest = first.to_vec();
    while let Some(bytes) = stream.try_next().await.unwrap() {
        rest.extend(bytes);
    }
    assert_eq!(rest, long.as_bytes());
    drop(stream);
    let swept = world.collect().await.swept;
    // Its leaves are one block.
    assert!(swept.dead_bytes > 1 << 20, "{swept:?}");
}

#[tokio::test]
async fn an_object_in_hand_can_be_copied_though_it_was_deleted_and_collected() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    let long = "y".repeat(3 << 20);
    put(&world.bucket, "from", &long).await.unwrap();
    let source = world.bucket.get("from").await.unwrap().unwrap();
    world.bucket.delete("from", carob_bucket::DeleteOptions::default()).await.unwrap();
    world.collect().await;
    world.bucket.copy(&source, "to", PutOptions::default()).await.unwrap();
    drop(source);
    world.collect().await;
    assert_eq!(read(&world.bucket, "to").await, Some(long));
}

#[tokio::test]
async fn a_deleted_bucket_keeps_its_history_for_its_retention() {
    let world = World::new(HistoryRetention { all: 3600, hourly: 0 }).await;
    put(&world.bucket, "k", "body").await.unwrap();
    let commit = world.bucket.snapshot().await.unwrap().commit().clone();
    world.bucket.delete("k", carob_bucket::DeleteOptions::default()).await.unwrap();
    world.space.delete_bucket("bucket").await.unwrap();
    // It counts from the deletion, not from the first collection after it.
    world.pass(HOUR / 2);
    world.collect().await;
    world.pass(HOUR / 2 - 1);
    let kept = world.collect().await;
    assert!(kept.buckets[0].deleted && kept.buckets[0].kept > 0);
    assert!(world.space_has(&commit).await);
    world.pass(1);
    world.collect().await;
    // What it was about to write, it could not take.
    world.collect().await;
    assert_eq!(world.store.block_count(), 0);
    assert_eq!(carob_block::Heads::heads(&world.store, "").await.unwrap(), []);
}

#[tokio::test]
async fn old_uploads_go_and_young_ones_stay() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    let begin = async |key: &str| {
        let id = world.bucket.begin_upload(key, UploadOptions::default()).await.unwrap();
        let mut upload = world.bucket.upload(&[]);
        upload.write(key.repeat(1000).into()).await.unwrap();
        let part = world.bucket.put_part(key, id, 1, upload.finish().await.unwrap(), None).await.unwrap();
        (id, part)
    };
    let (old, _) = begin("old").await;
    world.pass(4 * 24 * HOUR);
    let (young, part) = begin("young").await;
    world.pass(3 * 24 * HOUR + 1);
    let collected = world.collect().await;
    assert_eq!(collected.buckets[0].uploads, 1);
    assert!(matches!(world.bucket.upload_info("old", old).await, Err(BucketError::NoSuchUpload(_))));
    let etag = carob_bucket::ETag { md5: part.md5, parts: None }.to_string();
    let parts = vec![PartClaim { number: 1, etag, checksum: None }];
    let options = CompleteOptions { parts, ..CompleteOptions::default() };
    world.bucket.complete_upload("young", young, options).await.unwrap();
    world.collect().await;
    assert_eq!(read(&world.bucket, "young").await, Some("young".repeat(1000)));
    // What it came to is forgotten in time, and no longer keeps the body.
    world.bucket.delete("young", carob_bucket::DeleteOptions::default()).await.unwrap();
    world.collect().await;
    let with_result = world.store.block_count();
    world.pass(24 * HOUR + 1);
    world.collect().await;
    assert!(world.store.block_count() < with_result);
}

#[tokio::test]
async fn nothing_is_swept_while_something_reachable_is_missing() {
    let world = World::new(HistoryRetention::HEAD_ONLY).await;
    put(&world.bucket, "k", "old").await.unwrap();
    put(&world.bucket, "k", "new").await.unwrap();
    let object = world.bucket.get("k").await.unwrap().unwrap();
    world.store.lose(&object.record().content);
    let blocks = world.store.block_count();
    let error = world.space.collect(&world.store, EAGER).await.unwrap_err();
    assert!(matches!(error, BucketError::Damaged(_)), "{error}");
    assert!(error.to_string().contains(&object.record().content.to_string()));
    assert!(world.store.block_count() >= blocks);
}
