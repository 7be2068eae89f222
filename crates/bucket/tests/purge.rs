//! Keys that are erased from the past, too.

use std::sync::Arc;

use carob_block::{Cid, MemoryStore, ReadBlocks};
use carob_bucket::{
    Bucket, BucketError, CollectOptions, CompleteOptions, DeleteOptions, Found, Lock, Moment, ObjectLock,
    PartClaim, Portion, Purge, PutOptions, Question, Space, UploadOptions, Versioning,
};
use carob_identity::{ManualClock, Timestamp};
use futures::TryStreamExt;
use support::{EAGER, START, body, put, put_with, read, space_at};

mod support;

struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    space: Space,
    bucket: Bucket,
}

impl World {
    async fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(Timestamp(START))));
        let space = space_at(Arc::new(store.clone()), &clock).await;
        space.create_bucket("bucket").await.unwrap();
        let bucket = space.bucket("bucket").await.unwrap();
        Self { store, clock, space, bucket }
    }

    /// Writes, a second after whatever was before.
    async fn put(&self, key: &str, body: &str) -> Cid {
        self.clock.advance(1000);
        put(&self.bucket, key, body).await.unwrap().commit
    }

    async fn purge(&self, key: &str) -> Purge {
        self.clock.advance(1000);
        self.space.purge(&self.store, "bucket", key, EAGER).await.unwrap()
    }

    async fn collect(&self) {
        self.space.collect(&self.store, EAGER).await.unwrap();
    }

    async fn then(&self, commit: Cid) -> Bucket {
        self.bucket.as_of(&Moment::from(commit)).await.unwrap()
    }

    async fn content(&self, key: &str) -> Cid {
        self.bucket.get(key).await.unwrap().unwrap().record().content
    }

    async fn has(&self, cid: Cid) -> bool {
        self.store.get(&cid).await.unwrap().is_some()
    }

    async fn version(&self, versioning: Versioning) {
        let change = move |config: &mut carob_bucket::Config| {
            config.versioning = versioning;
            Ok(())
        };
        self.bucket.configure(change).await.unwrap();
    }
}

async fn is_purged(bucket: &Bucket, key: &str) -> bool {
    matches!(bucket.get(key).await, Err(BucketError::Purged { .. }))
}

#[tokio::test]
async fn a_purged_key_is_gone_from_every_state_and_nothing_else_is() {
    let world = World::new().await;
    let first = world.put("k", "one").await;
    let one = world.content("k").await;
    world.bucket.create_snapshot("named", None).await.unwrap();
    world.collect().await;
    world.put("other", "stays").await;
    let second = world.put("k", "two").await;
    let two = world.content("k").await;

    let purge = world.purge("k").await;
    assert_eq!((purge.versions, purge.states, purge.erased, purge.shared), (1, 3, 2, 0), "{purge:?}");
    assert!(!world.has(one).await && !world.has(two).await);
    assert_eq!(read(&world.bucket, "k").await, None);
    for commit in [first, second] {
        assert!(is_purged(&world.then(commit).await, "k").await);
    }
    let named = world.bucket.as_of(&"named".parse().unwrap()).await.unwrap();
    assert!(is_purged(&named, "k").await);
    assert_eq!(read(&world.then(second).await, "other").await.as_deref(), Some("stays"));
    let then = world.then(second).await.snapshot().await.unwrap();
    assert!(matches!(then.check_whole().await, Err(BucketError::Purged { key }) if key == "k"));
    let proof = then.prove(Question::Key("k".into()), true).await;
    assert!(matches!(proof, Err(BucketError::Purged { .. })), "{proof:?}");
    then.prove(Question::Key("k".into()), false).await.unwrap();
    then.prove(Question::Key("other".into()), true).await.unwrap();
    let usage = then.unpurged_usage().await.unwrap();
    assert_eq!((then.objects(), usage.objects, usage.bytes), (2, 1, 5));
    let export = then.export();
    let export: Result<Vec<_>, _> = export.try_collect().await;
    assert!(matches!(export, Err(BucketError::Purged { .. })), "{export:?}");

    // Collections go on, with the holes there, and so does the bucket.
    world.put("k", "three").await;
    world.collect().await;
    assert_eq!(read(&world.bucket, "k").await.as_deref(), Some("three"));
    assert!(is_purged(&world.then(first).await, "k").await);
    let again = world.purge("nothing").await;
    assert_eq!((again.versions, again.states, again.erased), (0, 0, 0));
}

#[tokio::test]
async fn what_other_keys_share_stays_and_is_counted() {
    let world = World::new().await;
    let first = world.put("k", "the same").await;
    world.put("j", "the same").await;
    let purge = world.purge("k").await;
    assert_eq!((purge.erased, purge.shared), (0, 1), "{purge:?}");
    assert_eq!(read(&world.bucket, "j").await.as_deref(), Some("the same"));
    assert!(is_purged(&world.then(first).await, "k").await, "under its own name it is gone all the same");
    let purge = world.purge("j").await;
    assert_eq!((purge.erased, purge.shared), (1, 0), "no other key holds it now, nor does what is hidden");
}

#[tokio::test]
async fn another_bucket_keeps_what_it_shares() {
    let world = World::new().await;
    world.put("k", "the same").await;
    let state = world.bucket.snapshot().await.unwrap();
    world.space.branch(&world.bucket, &state, "branch", world.bucket.info().owner).await.unwrap();
    let purge = world.purge("k").await;
    assert_eq!((purge.erased, purge.shared), (0, 1));
    let branch = world.space.bucket("branch").await.unwrap();
    assert_eq!(read(&branch, "k").await.as_deref(), Some("the same"));
}

#[tokio::test]
async fn a_lock_refuses_a_purge_and_nothing_is_changed() {
    let world = World::new().await;
    let change = |config: &mut carob_bucket::Config| {
        config.versioning = Versioning::Enabled;
        config.object_lock = Some(ObjectLock { default: None });
        Ok(())
    };
    world.bucket.configure(change).await.unwrap();
    let lock = Lock { legal_hold: Some(true), ..Lock::default() };
    put_with(&world.bucket, "k", "held", PutOptions { lock, ..PutOptions::default() }).await.unwrap();
    world.put("k", "newer").await;
    let before = world.bucket.snapshot().await.unwrap().cid();
    let refused = world.space.purge(&world.store, "bucket", "k", EAGER).await;
    assert!(matches!(refused, Err(BucketError::Locked)), "{refused:?}");

    world.put("j", "named").await;
    let until = Timestamp(START + 1_000_000);
    world.bucket.create_snapshot("locked", Some(until)).await.unwrap();
    let refused = world.space.purge(&world.store, "bucket", "j", EAGER).await;
    assert!(matches!(refused, Err(BucketError::SnapshotLocked { .. })), "{refused:?}");
    assert_eq!(read(&world.bucket, "j").await.as_deref(), Some("named"));
    assert_ne!(before, world.bucket.snapshot().await.unwrap().cid());
    assert_eq!(read(&world.bucket, "k").await.as_deref(), Some("newer"));
}

#[tokio::test]
async fn every_version_goes_and_so_do_delete_markers() {
    let world = World::new().await;
    world.version(Versioning::Enabled).await;
    world.put("k", "one").await;
    let with_two = world.put("k", "two").await;
    let versions = world.then(with_two).await;
    world.bucket.delete("k", carob_bucket::DeleteOptions::default()).await.unwrap();
    let purge = world.purge("k").await;
    assert_eq!((purge.versions, purge.erased), (3, 2), "{purge:?}");
    assert!(matches!(world.bucket.snapshot().await.unwrap().find("k", None).await, Ok(Found::Nothing)));
    assert_eq!(world.bucket.snapshot().await.unwrap().noncurrent(), 0);
    drop(versions);
    let past = world.then(with_two).await.snapshot().await.unwrap();
    assert!(matches!(past.find("k", None).await, Err(BucketError::Purged { .. })));
}

#[tokio::test]
async fn a_restore_brings_back_all_but_what_was_purged() {
    for versioning in [Versioning::Unversioned, Versioning::Enabled] {
        let world = World::new().await;
        world.version(versioning).await;
        world.put("other", "stays").await;
        let then = world.put("k", "gone").await;
        world.put("other", "changed").await;
        world.purge("k").await;
        let moment = Moment::from(then);
        world.bucket.restore(&moment, Portion::Whole).await.unwrap();
        assert_eq!(read(&world.bucket, "other").await.as_deref(), Some("stays"));
        assert_eq!(read(&world.bucket, "k").await, None);
        let refused = world.bucket.restore(&moment, Portion::Key("k".into())).await;
        assert!(matches!(refused, Err(BucketError::Purged { .. })), "{refused:?}");
        world.collect().await;
        let whole: Result<Vec<_>, _> = world.bucket.snapshot().await.unwrap().export().try_collect().await;
        whole.unwrap();
    }
}

#[tokio::test]
async fn a_branch_of_the_past_is_whole_without_what_was_purged() {
    let world = World::new().await;
    world.version(Versioning::Enabled).await;
    world.put("k", "one").await;
    world.put("k", "two").await;
    let then = world.put("other", "stays").await;
    world.purge("k").await;
    let state = world.bucket.at(&Moment::from(then)).await.unwrap();
    world.space.branch(&world.bucket, &state, "branch", world.bucket.info().owner).await.unwrap();
    drop(state);
    world.collect().await;
    let branch = world.space.bucket("branch").await.unwrap();
    assert_eq!(read(&branch, "other").await.as_deref(), Some("stays"));
    assert_eq!(read(&branch, "k").await, None);
    let whole: Result<Vec<_>, _> = branch.snapshot().await.unwrap().export().try_collect().await;
    whole.unwrap();
}

#[tokio::test]
async fn the_same_bytes_put_again_are_like_any_others() {
    let world = World::new().await;
    let then = world.put("k", "again").await;
    world.purge("k").await;
    let again = world.put("k", "again").await;
    world.collect().await;
    assert_eq!(read(&world.bucket, "k").await.as_deref(), Some("again"));
    assert!(is_purged(&world.then(then).await, "k").await);
    world.put("k", "something else").await;
    world.collect().await;
    assert_eq!(read(&world.then(again).await, "k").await.as_deref(), Some("again"));
}

#[tokio::test]
async fn what_was_put_again_and_is_past_by_the_next_collection_stays() {
    let world = World::new().await;
    let before = world.put("k", "again").await;
    world.purge("k").await;
    let again = world.put("k", "again").await;
    let other = world.put("another", "again").await;
    world.bucket.create_snapshot("named", None).await.unwrap();
    for key in ["k", "another"] {
        world.bucket.delete(key, DeleteOptions::default()).await.unwrap();
    }
    for _ in 0..2 {
        world.collect().await;
        for (state, key) in [(again, "k"), (other, "another")] {
            assert_eq!(read(&world.then(state).await, key).await.as_deref(), Some("again"));
        }
        assert!(is_purged(&world.then(before).await, "k").await);
    }
    world.purge("unrelated").await;
    assert_eq!(read(&world.then(other).await, "another").await.as_deref(), Some("again"));
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = World::new().await;
    world.put("k", "one").await;
    let commit = world.put("k", "two").await;
    let blocks = world.store.block_count();
    let dry = CollectOptions { dry_run: true, ..EAGER };
    let would = world.space.purge(&world.store, "bucket", "k", dry).await.unwrap();
    assert_eq!((world.store.block_count(), world.bucket.snapshot().await.unwrap().cid()), (blocks, commit));
    assert_eq!(read(&world.bucket, "k").await.as_deref(), Some("two"));
    let did = world.purge("k").await;
    assert_eq!((would.versions, would.erased), (did.versions, did.erased));
}

#[tokio::test]
async fn who_reads_meanwhile_reads_to_the_end_and_the_next_collection_takes_it() {
    let world = World::new().await;
    let then = world.put("k", "being read").await;
    let content = world.content("k").await;
    let object = world.then(then).await.get("k").await.unwrap().unwrap();
    world.purge("k").await;
    assert_eq!(body(&object).await, "being read");
    drop(object);
    world.collect().await;
    assert!(!world.has(content).await);
}

#[tokio::test]
async fn an_upload_in_parts_leaves_nothing_behind() {
    let world = World::new().await;
    let mut parts = Vec::new();
    let begun = world.bucket.begin_upload("k", UploadOptions::default()).await.unwrap();
    for number in 1..=2 {
        let mut upload = world.bucket.upload(&[]);
        upload.write(vec![b'a' + number as u8; 5 << 20].into()).await.unwrap();
        let part = upload.finish().await.unwrap();
        let stored = world.bucket.put_part("k", begun, number, part, None).await.unwrap();
        let etag = stored.md5.iter().map(|byte| format!("{byte:02x}")).collect();
        parts.push(PartClaim { number, etag, checksum: None });
    }
    let options = CompleteOptions { parts, ..CompleteOptions::default() };
    world.bucket.complete_upload("k", begun, options).await.unwrap();
    let content = world.content("k").await;
    let leaf = world.store.get(&content).await.unwrap().unwrap().links().unwrap()[0];
    let then = world.bucket.snapshot().await.unwrap().cid();
    let purge = world.purge("k").await;
    assert!(purge.erased > 4 && purge.shared == 0, "{purge:?}");
    assert!(!world.has(content).await && !world.has(leaf).await);
    // A proof would hold the list of its parts, which went with them.
    let then = world.then(then).await.snapshot().await.unwrap();
    for body in [false, true] {
        let proof = then.prove(Question::Key("k".into()), body).await;
        assert!(matches!(proof, Err(BucketError::Purged { .. })), "{proof:?}");
    }
}
