//! Deleted buckets that come back.

use std::sync::Arc;

use carob_block::fault::FaultyStore;
use carob_block::{Cid, HeadSwap, Heads, MemoryStore, Store};
use carob_bucket::{
    Bucket, BucketError, BucketInfo, Collected, DeleteOptions, HistoryRetention, MergeRule, Moment,
    ObjectLock, Portion, Space, UploadOptions, Versioning,
};
use carob_commit::Kept;
use carob_identity::{Clock, ManualClock, SeededEntropy, Signer, SpaceKey, Timestamp};
use futures::TryStreamExt;
use support::yielding::Yielding;
use support::{EAGER, START, put, read, space_at};

mod support;

const HOUR: u64 = 60 * 60 * 1000;
struct World {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    space: Space,
}

impl World {
    async fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(Timestamp(START / HOUR * HOUR))));
        let space = space_at(Arc::new(store.clone()), &clock).await;
        Self { store, clock, space }
    }

    async fn create(&self, name: &str) -> Bucket {
        self.clock.advance(1000);
        self.space.create_bucket(name).await.unwrap();
        self.space.bucket(name).await.unwrap()
    }

    /// Puts `k` with this body, deletes it, and then the bucket. Gives the commit that had it.
    async fn doom(&self, bucket: &Bucket, body: &str) -> Cid {
        self.clock.advance(1000);
        let commit = put(bucket, "k", body).await.unwrap().commit;
        self.clock.advance(1000);
        bucket.delete("k", DeleteOptions::default()).await.unwrap();
        self.clock.advance(1000);
        bucket.delete_bucket().await.unwrap();
        commit
    }

    async fn collect(&self) -> Collected {
        self.space.collect(&self.store, EAGER).await.unwrap()
    }

    async fn undelete(&self, name: &str) -> Bucket {
        self.clock.advance(1000);
        self.space.undelete_bucket(name, None, None).await.unwrap();
        self.space.bucket(name).await.unwrap()
    }

    async fn heads(&self) -> Vec<(String, Cid)> {
        self.store.heads("").await.unwrap()
    }
}

/// The numbers of what its log shows, each of which is there as a whole.
async fn log(bucket: &Bucket) -> Vec<u64> {
    let mut numbers = Vec::new();
    for entry in bucket.snapshot().await.unwrap().log(1000).await.unwrap() {
        let state = bucket.at(&Moment::from(entry.commit.cid())).await.unwrap();
        state.export().try_for_each(|_| async { Ok(()) }).await.unwrap();
        numbers.push(entry.commit.seq);
    }
    numbers
}

async fn restore(bucket: &Bucket, commit: Cid) -> Option<String> {
    bucket.restore(&Moment::from(commit), Portion::Whole).await.unwrap();
    read(bucket, "k").await
}

#[tokio::test]
async fn a_bucket_comes_back_as_it_was_with_all_that_was_before() {
    for collected in [false, true] {
        let world = World::new().await;
        let bucket = world.create("bucket").await;
        let change = |config: &mut carob_bucket::Config| {
            config.versioning = Versioning::Enabled;
            config.object_lock = Some(ObjectLock { default: None });
            config.documents.insert("policy".to_owned(), "{}".into());
            Ok(())
        };
        bucket.configure(change).await.unwrap();
        let commit = put(&bucket, "k", "body").await.unwrap();
        let version = commit.record.version_name();
        world.clock.advance(1000);
        let gone = DeleteOptions { version: Some(version), ..DeleteOptions::default() };
        bucket.delete("k", gone).await.unwrap();
        let (info, last) = (bucket.info().clone(), bucket.snapshot().await.unwrap());
        let before = log(&bucket).await;
        world.clock.advance(1000);
        let at = world.clock.now();
        bucket.delete_bucket().await.unwrap();
        world.clock.advance(1000);
        if collected {
            world.collect().await;
            world.collect().await;
        }
        let listed = world.space.deleted_buckets().await.unwrap();
        assert_eq!((listed.len(), &listed[0].info, listed[0].deleted), (1, &info, Some(at)));
        assert_eq!((listed[0].kept, listed[0].history), (4, HistoryRetention::default()));

        let undeleted = world.space.undelete_bucket("bucket", None, None).await.unwrap();
        assert_eq!((&undeleted.info, &undeleted.before, undeleted.others.len()), (&info, &listed[0], 0));
        assert_eq!(world.space.deleted_buckets().await.unwrap(), []);
        assert_eq!(world.space.buckets().await.unwrap(), [info]);
        let again = world.space.bucket("bucket").await.unwrap();
        let now = again.snapshot().await.unwrap();
        assert_eq!((now.cid(), now.config()), (last.cid(), last.config()));
        assert_eq!(log(&again).await, before);
        world.collect().await;
        assert_eq!(log(&again).await, before);
        assert_eq!(restore(&again, commit.commit).await.as_deref(), Some("body"));
        world.collect().await;
        assert_eq!(log(&again).await.len(), before.len() + 1);
    }
}

#[tokio::test]
async fn retention_goes_on_as_if_it_had_never_been_deleted() {
    let world = World::new().await;
    let bucket = world.create("bucket").await;
    let change = |config: &mut carob_bucket::Config| {
        config.history = HistoryRetention { all: 3600, hourly: 0 };
        Ok(())
    };
    bucket.configure(change).await.unwrap();
    let commit = world.doom(&bucket, "body").await;
    world.clock.advance(HOUR / 2);
    world.collect().await;
    let bucket = world.undelete("bucket").await;
    // The newest state stays for ever now, those before for an hour after another took their place.
    let collected = world.collect().await;
    assert_eq!((collected.buckets[0].deleted, collected.buckets[0].kept), (false, 3));
    world.clock.advance(HOUR / 2);
    world.collect().await;
    assert_eq!(log(&bucket).await, [3]);
    let then = bucket.at(&Moment::from(commit)).await;
    assert!(matches!(then, Err(BucketError::NoSuchState { .. })), "{then:?}");
    world.clock.advance(10 * HOUR);
    world.collect().await;
    assert_eq!(log(&bucket).await, [3]);
    // What was its last state before is the one before the next until that is an hour old.
    put(&bucket, "k", "new").await.unwrap();
    world.clock.advance(HOUR - 1);
    world.collect().await;
    assert_eq!(log(&bucket).await, [4, 3]);
    world.clock.advance(1);
    world.collect().await;
    assert_eq!(log(&bucket).await, [4]);
}

#[tokio::test]
async fn a_second_deletion_counts_from_itself_and_leaves_nothing_in_the_end() {
    let world = World::new().await;
    let bucket = world.create("bucket").await;
    let commit = world.doom(&bucket, "body").await;
    for _ in 0..3 {
        world.clock.advance(HOUR / 4);
        world.collect().await;
        let bucket = world.undelete("bucket").await;
        world.clock.advance(HOUR / 4);
        bucket.delete_bucket().await.unwrap();
    }
    world.collect().await;
    let listed = world.space.deleted_buckets().await.unwrap();
    assert_eq!(listed[0].deleted.unwrap().0, world.clock.now().0);
    let bucket = world.undelete("bucket").await;
    assert!(bucket.at(&Moment::from(commit)).await.is_err(), "it was replaced more than an hour ago");
    bucket.delete_bucket().await.unwrap();
    world.clock.advance(8 * 24 * HOUR);
    world.collect().await;
    world.collect().await;
    assert_eq!((world.heads().await.len(), world.store.block_count()), (0, 0));
    let gone = world.space.undelete_bucket("bucket", None, None).await.unwrap_err();
    assert_eq!(gone.to_string(), "no deleted bucket bucket is kept as asked: no deleted bucket is kept");
}

#[tokio::test]
async fn a_name_that_is_taken_or_none_is_refused_and_nothing_changes() {
    let world = World::new().await;
    let old = world.create("bucket").await;
    let commit = world.doom(&old, "old").await;
    let new = world.create("bucket").await;
    put(&new, "k", "new").await.unwrap();
    let heads = world.heads().await;
    let undelete = async |name: Option<&str>| world.space.undelete_bucket("bucket", None, name).await;
    assert!(matches!(undelete(None).await, Err(BucketError::BucketExists(name)) if name == "bucket"));
    for bad in ["", "No", "a--at-b"] {
        assert!(matches!(undelete(Some(bad)).await, Err(BucketError::InvalidBucketName(..))), "{bad}");
    }
    assert_eq!(world.heads().await, heads);

    let renamed = undelete(Some("elsewhere")).await.unwrap();
    assert_eq!(renamed.info, BucketInfo { name: "elsewhere".into(), ..old.info().clone() });
    let bucket = world.space.bucket("elsewhere").await.unwrap();
    let now = bucket.snapshot().await.unwrap();
    assert_eq!((&*now.commit().name, now.commit().seq, now.objects()), ("elsewhere", 3, 0));
    assert_eq!(log(&bucket).await, [3, 2, 1, 0]);
    world.collect().await;
    assert_eq!(log(&bucket).await, [3, 2, 1, 0]);
    assert_eq!(restore(&bucket, commit).await.as_deref(), Some("old"));
    assert_eq!(read(&new, "k").await.as_deref(), Some("new"));
}

#[tokio::test]
async fn whoever_asked_by_the_old_name_is_refused_under_the_new_one() {
    let world = World::new().await;
    let stale = world.create("bucket").await;
    world.doom(&stale, "old").await;
    let other = world.create("bucket").await;
    put(&other, "k", "other").await.unwrap();
    world.space.undelete_bucket("bucket", None, Some("elsewhere")).await.unwrap();
    let gone = |error: &BucketError| matches!(error, BucketError::NoSuchBucket(name) if name == "bucket");
    // Before there is a committer of the new name, beside it, and after it was ended by a deletion.
    let refused = async || {
        assert!(gone(&put(&stale, "j", "written").await.unwrap_err()));
        assert!(gone(&stale.snapshot().await.unwrap_err()));
        assert!(gone(&stale.delete_bucket().await.unwrap_err()));
    };
    refused().await;
    let bucket = world.space.bucket("elsewhere").await.unwrap();
    put(&bucket, "j", "new").await.unwrap();
    refused().await;
    assert_eq!(read(&bucket, "j").await.as_deref(), Some("new"));
    bucket.delete("j", DeleteOptions::default()).await.unwrap();
    bucket.delete_bucket().await.unwrap();
    refused().await;
    assert_eq!(read(&other, "k").await.as_deref(), Some("other"));
    let listed = world.space.deleted_buckets().await.unwrap();
    assert_eq!((listed.len(), &*listed[0].info.name), (1, "elsewhere"));
}

#[tokio::test]
async fn of_several_the_one_deleted_last_comes_back_or_the_one_that_is_named() {
    let world = World::new().await;
    let first = world.create("bucket").await;
    let one = world.doom(&first, "one").await;
    let second = world.create("bucket").await;
    world.doom(&second, "two").await;
    let other = world.create("other").await;
    world.doom(&other, "three").await;
    world.collect().await;
    let listed = world.space.deleted_buckets().await.unwrap();
    let ids: Vec<_> = listed.iter().map(|gone| gone.info.id).collect();
    assert_eq!(ids, [first.info().id, second.info().id, other.info().id]);

    let wrong = world.space.undelete_bucket("bucket", Some(other.info().id), None).await.unwrap_err();
    let (first_id, second_id) = (first.info().id, second.info().id);
    assert_eq!(
        wrong.to_string(),
        format!(
            "no deleted bucket bucket is kept as asked: these are kept: bucket {second_id} (deleted \
             2023-11-14T22:00:08Z), bucket {first_id} (deleted 2023-11-14T22:00:04Z)"
        )
    );
    let nowhere = world.space.undelete_bucket("nowhere", None, None).await.unwrap_err().to_string();
    assert!(
        nowhere.contains(&format!("other {}", other.info().id)) && nowhere.contains("bucket"),
        "{nowhere}"
    );

    let newest = world.space.undelete_bucket("bucket", None, None).await.unwrap();
    assert_eq!((newest.info.id, newest.others[0].info.id), (second_id, first_id));
    let taken = world.space.undelete_bucket("bucket", None, None).await;
    assert!(matches!(taken, Err(BucketError::BucketExists(_))), "{taken:?}");
    let named = world.space.undelete_bucket("bucket", Some(first_id), Some("first")).await.unwrap();
    assert_eq!((named.info.id, named.others.len()), (first_id, 0));
    let first = world.space.bucket("first").await.unwrap();
    assert_eq!(restore(&first, one).await.as_deref(), Some("one"));
    let again = world.space.undelete_bucket("bucket", Some(first_id), Some("again")).await;
    assert!(matches!(again, Err(BucketError::NotDeleted { .. })), "{again:?}");
}

#[tokio::test]
async fn uploads_are_over_and_a_branch_is_a_bucket_of_its_own() {
    let world = World::new().await;
    let bucket = world.create("bucket").await;
    let upload = bucket.begin_upload("k", UploadOptions::default()).await.unwrap();
    let state = bucket.snapshot().await.unwrap();
    world.space.branch(&bucket, &state, "branch", bucket.info().owner).await.unwrap();
    let branch = world.space.bucket("branch").await.unwrap();
    put(&branch, "b", "branch").await.unwrap();
    world.doom(&bucket, "body").await;
    let bucket = world.undelete("bucket").await;
    assert!(matches!(bucket.upload_info("k", upload).await, Err(BucketError::NoSuchUpload(_))));
    let unrelated = bucket.merge(&branch, MergeRule::Fail).await;
    assert!(matches!(unrelated, Err(BucketError::Unrelated { .. })), "{unrelated:?}");
    bucket.begin_upload("k", UploadOptions::default()).await.unwrap();
    let state = bucket.snapshot().await.unwrap();
    world.space.branch(&bucket, &state, "another", bucket.info().owner).await.unwrap();
    world.collect().await;
    assert_eq!(read(&branch, "b").await.as_deref(), Some("branch"));
}

#[tokio::test]
async fn what_was_purged_stays_so_and_what_was_not_can_be() {
    let world = World::new().await;
    let bucket = world.create("bucket").await;
    let purged = put(&bucket, "p", "purged before").await.unwrap().commit;
    world.clock.advance(1000);
    world.space.purge(&world.store, "bucket", "p", EAGER).await.unwrap();
    let commit = world.doom(&bucket, "body").await;
    world.collect().await;
    let bucket = world.undelete("bucket").await;
    let then = bucket.as_of(&Moment::from(purged)).await.unwrap();
    assert!(matches!(then.get("p").await, Err(BucketError::Purged { .. })));
    world.collect().await;

    let then = bucket.as_of(&Moment::from(commit)).await.unwrap();
    assert_eq!(read(&then, "k").await.as_deref(), Some("body"));
    drop(then);
    let purge = world.space.purge(&world.store, "bucket", "k", EAGER).await.unwrap();
    assert_eq!((purge.versions, purge.states, purge.erased, purge.shared), (0, 1, 1, 0), "{purge:?}");
    let then = bucket.as_of(&Moment::from(commit)).await.unwrap();
    assert!(matches!(then.get("k").await, Err(BucketError::Purged { .. })));
    world.collect().await;
    // Deleted and brought back once more, the tombstones are still there.
    bucket.delete_bucket().await.unwrap();
    world.collect().await;
    let bucket = world.undelete("bucket").await;
    let then = bucket.as_of(&Moment::from(commit)).await.unwrap();
    assert!(matches!(then.get("k").await, Err(BucketError::Purged { .. })));
}

#[tokio::test]
async fn one_that_was_deleted_before_its_genesis_was_held_on_to_is_the_spaces() {
    let world = World::new().await;
    let owner = *SpaceKey::generate(&SeededEntropy::new(9)).did();
    world.space.create_bucket_with("bucket", owner, &carob_bucket::Config::default()).await.unwrap();
    let bucket = world.space.bucket("bucket").await.unwrap();
    let commit = world.doom(&bucket, "body").await;
    let head = Kept::head(bucket.info().id);
    let (_, expected) = world.store.heads(&head).await.unwrap().remove(0);
    let list = carob_block::ReadBlocks::get(&world.store, &expected).await.unwrap().unwrap();
    let list = Kept { genesis: None, ..Kept::from_block(&list).unwrap() }.to_block().unwrap();
    let (session, next) = (world.store.session(), Some(*list.cid()));
    session.put(vec![list]).await.unwrap();
    let swap = HeadSwap { name: head, expected: Some(expected), next };
    world.store.commit(&[&*session], &[swap]).await.unwrap();
    world.collect().await;
    let bucket = world.undelete("bucket").await;
    assert_eq!(bucket.info().owner, *world.space.did());
    world.collect().await;
    assert_eq!(restore(&bucket, commit).await.as_deref(), Some("body"));
}

#[tokio::test]
async fn it_comes_back_as_a_whole_or_not_at_all() {
    for new_name in [None, Some("elsewhere")] {
        for nth in 1.. {
            let world = World::new().await;
            let bucket = world.create("bucket").await;
            let commit = world.doom(&bucket, "body").await;
            world.collect().await;
            let faulty = Arc::new(FaultyStore::new(Arc::new(world.store.clone())));
            let space = space_at(Arc::clone(&faulty) as _, &world.clock).await;
            let heads = world.heads().await;
            faulty.fail_call(nth);
            let done = space.undelete_bucket("bucket", None, new_name).await;
            let enough = faulty.calls() < nth;
            if done.is_err() {
                assert_eq!(world.heads().await, heads, "call {nth}");
                world.space.undelete_bucket("bucket", None, new_name).await.unwrap();
            }
            let again = space_at(Arc::new(world.store.clone()), &world.clock).await;
            world.collect().await;
            let bucket = again.bucket(new_name.unwrap_or("bucket")).await.unwrap();
            assert_eq!(restore(&bucket, commit).await.as_deref(), Some("body"), "call {nth}");
            if enough {
                assert!(nth > 8, "{nth}");
                break;
            }
            assert!(nth < 200, "it never ends");
        }
    }
}

#[tokio::test]
async fn amid_a_collection_and_others_who_want_the_same_it_comes_back_once() {
    let mut back = 0;
    for seed in 1..60 {
        let (store, clock) =
            (Yielding::over(MemoryStore::new(), seed), Arc::new(ManualClock::new(Timestamp(START))));
        let store = Arc::new(store);
        let space = space_at(Arc::clone(&store) as _, &clock).await;
        let world = World { store: store.inner().clone(), clock, space };
        let mut doomed = Vec::new();
        for body in ["one", "two"] {
            let bucket = world.create("bucket").await;
            doomed.push((bucket.info().id, world.doom(&bucket, body).await));
        }
        if seed % 2 == 0 {
            world.collect().await;
            world.clock.advance(1000);
        }
        let undelete = || async {
            // Whoever makes a bucket waits until others are back: so that one can be first.
            for _ in 0..seed % 9 * 5 {
                tokio::task::yield_now().await;
            }
            world.space.undelete_bucket("bucket", None, None).await
        };
        let (collected, a, b, created) =
            tokio::join!(world.space.collect(&*store, EAGER), undelete(), undelete(), async {
                if seed % 3 == 0 { Some(world.space.create_bucket("bucket").await) } else { None }
            },);
        collected.unwrap();
        let created = matches!(created, Some(Ok(_)));
        let won = usize::from(a.is_ok()) + usize::from(b.is_ok()) + usize::from(created);
        assert_eq!(won, 1, "seed {seed}: {a:?} {b:?} {created:?}");
        back += usize::from(!created);
        world.collect().await;
        let ids: Vec<_> =
            world.space.deleted_buckets().await.unwrap().iter().map(|gone| gone.info.id).collect();
        assert_eq!(ids.len(), if created { 2 } else { 1 }, "seed {seed}");
        for id in ids {
            let name = format!("back-{}", &id.to_string()[..8]);
            world.space.undelete_bucket("bucket", Some(id), Some(&name)).await.unwrap();
        }
        world.collect().await;
        for info in world.space.buckets().await.unwrap() {
            let Some((_, commit)) = doomed.iter().find(|(id, _)| *id == info.id) else { continue };
            let bucket = world.space.bucket(&info.name).await.unwrap();
            assert!(restore(&bucket, *commit).await.is_some(), "seed {seed}");
        }
    }
    assert!((10..50).contains(&back), "{back}");
}

#[tokio::test]
async fn amid_deletions_of_its_name_none_but_the_last_comes_back() {
    for seed in 0..300 {
        let (store, clock) =
            (Yielding::over(MemoryStore::new(), seed), Arc::new(ManualClock::new(Timestamp(START))));
        let space = space_at(Arc::new(store), &clock).await;
        space.create_bucket("bucket").await.unwrap();
        space.delete_bucket("bucket").await.unwrap();
        clock.advance(1000);
        let newest = space.create_bucket("bucket").await.unwrap();
        clock.advance(1000);
        let (deleted, undeleted) =
            tokio::join!(space.delete_bucket("bucket"), space.undelete_bucket("bucket", None, None));
        deleted.unwrap();
        match undeleted {
            Ok(undeleted) => assert_eq!(undeleted.info.id, newest.id, "seed {seed}"),
            Err(error) => assert!(matches!(error, BucketError::BucketExists(_)), "seed {seed}: {error}"),
        }
    }
}

#[tokio::test]
async fn of_two_that_were_deleted_in_one_millisecond_the_later_comes_back() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(world.space.create_bucket("bucket").await.unwrap().id);
        world.space.delete_bucket("bucket").await.unwrap();
    }
    // Its last commit is the older one, its deletion the later one.
    world.space.undelete_bucket("bucket", Some(ids[0]), None).await.unwrap();
    world.space.delete_bucket("bucket").await.unwrap();
    let back = world.space.undelete_bucket("bucket", None, None).await.unwrap();
    assert_eq!(back.info.id, ids[0]);
}

#[tokio::test]
async fn what_comes_back_was_deleted_last_when_its_new_name_was_free() {
    for seed in 0..300 {
        let (store, clock) =
            (Yielding::over(MemoryStore::new(), seed), Arc::new(ManualClock::new(Timestamp(START))));
        let space = space_at(Arc::new(store), &clock).await;
        let first = space.create_bucket("bucket").await.unwrap();
        space.delete_bucket("bucket").await.unwrap();
        clock.advance(1000);
        space.create_bucket("bucket").await.unwrap();
        let deleted = async {
            space.delete_bucket("bucket").await.unwrap();
            // Nothing has it yet, so that it was not given before.
            space.bucket("other").await.is_err()
        };
        let (free, undeleted) = tokio::join!(deleted, space.undelete_bucket("bucket", None, Some("other")));
        let back = undeleted.unwrap().info.id;
        assert!(!(free && back == first.id), "seed {seed}");
    }
}
