//! Differences, restores, branches and merges, compared with those of plain maps.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use carob_block::{Heads, MemoryStore};
use carob_bucket::{
    Bucket, BucketError, Config, DeleteOptions, Grafted, Lock, MergeRule, Moment, ObjectLock, Portion,
    PutOptions, Snapshot, Versioning, VersionsEntry, VersionsQuery,
};
use proptest::prelude::*;
use support::{put, put_with, read, space, space_over};

const KEYS: [&str; 7] = ["a", "a/1", "a/2", "a0", "b", "b/1", "ü"];

type Map = BTreeMap<String, String>;

/// Sets a key to a body, or deletes it.
type Edit = (usize, Option<u8>);

fn edits(max: usize) -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((0..KEYS.len(), any::<Option<u8>>()), 0..max)
}

async fn apply(bucket: &Bucket, map: &mut Map, edits: &[Edit]) {
    for (key, body) in edits {
        let key = KEYS[*key];
        match body {
            Some(body) => {
                put(bucket, key, &body.to_string()).await.unwrap();
                map.insert(key.to_owned(), body.to_string());
            }
            None => {
                bucket.delete(key, DeleteOptions::default()).await.unwrap();
                map.remove(key);
            }
        }
    }
}

async fn objects(bucket: &Bucket) -> Map {
    let mut map = Map::new();
    for key in KEYS {
        if let Some(body) = read(bucket, key).await {
            map.insert(key.to_owned(), body);
        }
    }
    assert_eq!(bucket.snapshot().await.unwrap().objects(), map.len() as u64);
    map
}

async fn changed(old: &Snapshot, new: &Snapshot, portion: Portion) -> BTreeSet<String> {
    let mut changes = old.changes(new, portion);
    let mut keys = BTreeSet::new();
    while let Some(change) = changes.next().await.unwrap() {
        let tag = |record: &Option<Arc<carob_bucket::Record>>| record.as_ref().map(|record| record.etag);
        assert!(change.old.is_some() || change.new.is_some());
        assert!(tag(&change.old) != tag(&change.new) || change.old != change.new);
        assert!(keys.last().is_none_or(|last| *last < change.key), "in order, each once");
        keys.insert(change.key);
    }
    keys
}

async fn versioned(bucket: &Bucket, versioning: Versioning) {
    let change = move |config: &mut Config| {
        config.versioning = versioning;
        Ok(())
    };
    bucket.configure(change).await.unwrap();
}

fn portion() -> impl Strategy<Value = Portion> {
    prop_oneof![
        Just(Portion::Whole),
        prop::sample::select(vec!["", "a", "a/", "b/1", "zz"]).prop_map(|p| Portion::Prefix(p.to_owned())),
        prop::sample::select(KEYS.to_vec()).prop_map(|k| Portion::Key(k.to_owned())),
    ]
}

fn holds(portion: &Portion, key: &str) -> bool {
    match portion {
        Portion::Whole => true,
        Portion::Prefix(prefix) => key.starts_with(prefix),
        Portion::Key(only) => key == only,
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_restore_brings_back_what_was_and_nothing_else(
        (before, after, portion) in (edits(12), edits(12), portion()),
        versioning in prop::sample::select(vec![
            Versioning::Unversioned, Versioning::Enabled, Versioning::Suspended,
        ]),
    ) {
        run(async {
            let bucket = support::bucket().await;
            if versioning != Versioning::Unversioned {
                versioned(&bucket, versioning).await;
            }
            let mut then = Map::new();
            apply(&bucket, &mut then, &before).await;
            let past = bucket.snapshot().await.unwrap();
            let mut now = then.clone();
            apply(&bucket, &mut now, &after).await;
            let present = bucket.snapshot().await.unwrap();

            let differing: BTreeSet<String> = KEYS
                .iter()
                .filter(|key| then.get(**key) != now.get(**key) && holds(&portion, key))
                .map(|key| (*key).to_owned())
                .collect();
            let found = changed(&present, &past, portion.clone()).await;
            prop_assert!(found.is_superset(&differing), "{:?} of {:?}", found, differing);

            let versions_before = all_versions(&present).await;
            let grafted = bucket.restore(&Moment::from(past.cid()), portion.clone()).await.unwrap();
            let mut expected = now.clone();
            expected.retain(|key, _| !holds(&portion, key));
            expected.extend(then.iter().filter(|(key, _)| holds(&portion, key)).map(|(k, v)| (k.clone(), v.clone())));
            prop_assert_eq!(objects(&bucket).await, expected.clone());
            let restored = bucket.snapshot().await.unwrap();
            prop_assert_eq!(
                (grafted.commit, grafted.from, grafted.objects_before, grafted.objects),
                (restored.cid(), past.cid(), now.len() as u64, expected.len() as u64)
            );
            prop_assert_eq!(restored.commit().config, present.commit().config);
            prop_assert!(restored.commit().seq <= present.commit().seq + 1, "one commit");
            prop_assert_eq!(restored.cid() == present.cid(), found.is_empty());
            if versioning == Versioning::Enabled {
                prop_assert!(all_versions(&restored).await.is_superset(&versions_before), "no version is lost");
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_merge_is_that_of_the_maps(
        (common, ours, theirs, again) in (edits(10), edits(10), edits(10), edits(6)),
        rule in prop::sample::select(vec![MergeRule::Ours, MergeRule::Theirs, MergeRule::Fail]),
        versioning in prop::sample::select(vec![Versioning::Unversioned, Versioning::Enabled]),
    ) {
        run(async {
            let space = space().await;
            space.create_bucket("main").await.unwrap();
            let main = space.bucket("main").await.unwrap();
            if versioning != Versioning::Unversioned {
                versioned(&main, versioning).await;
            }
            let mut base = Map::new();
            apply(&main, &mut base, &common).await;
            let state = main.snapshot().await.unwrap();
            space.branch(&main, &state, "branch", *space.did()).await.unwrap();
            let branch = space.bucket("branch").await.unwrap();
            prop_assert_eq!(objects(&branch).await, base.clone());

            let (mut mine, mut other) = (base.clone(), base.clone());
            apply(&main, &mut mine, &ours).await;
            apply(&branch, &mut other, &theirs).await;
            prop_assert_eq!(objects(&main).await, mine.clone());
            let before = main.snapshot().await.unwrap().cid();
            match main.merge(&branch, rule).await {
                Err(BucketError::Conflicts(keys)) => {
                    prop_assert!(rule == MergeRule::Fail && !keys.is_empty());
                    prop_assert_eq!(main.snapshot().await.unwrap().cid(), before);
                    return Ok(());
                }
                Ok(merged) => {
                    // An object that was written anew with the same body counts as changed.
                    let differing = naive_conflicts(&base, &mine, &other);
                    prop_assert!(differing.iter().all(|key| merged.conflicts.contains(key)));
                    let expected = naive_merge(&base, &mine, &other, &merged, rule);
                    prop_assert_eq!(objects(&main).await, expected);
                }
                Err(other) => prop_assert!(false, "{}", other),
            }
            // What was merged is not merged again, and what comes after is, in either direction.
            let after = main.snapshot().await.unwrap();
            prop_assert_eq!(main.merge(&branch, rule).await.unwrap().commit, after.cid());
            let mut merged = objects(&main).await;
            apply(&main, &mut merged, &again).await;
            branch.merge(&main, MergeRule::Fail).await.unwrap();
            prop_assert_eq!(objects(&branch).await, merged);
            Ok(())
        })?;
    }
}

fn naive_conflicts(base: &Map, ours: &Map, theirs: &Map) -> Vec<String> {
    let differ = |key: &str| {
        let (b, o, t) = (base.get(key), ours.get(key), theirs.get(key));
        o != b && t != b && o != t
    };
    KEYS.into_iter().filter(|key| differ(key)).map(str::to_owned).collect()
}

fn naive_merge(base: &Map, ours: &Map, theirs: &Map, merged: &Grafted, rule: MergeRule) -> Map {
    let mut result = Map::new();
    for key in KEYS {
        let (b, o, t) = (base.get(key), ours.get(key), theirs.get(key));
        let conflict = merged.conflicts.iter().any(|conflict| conflict == key);
        let chosen = match rule {
            MergeRule::Theirs if conflict => t,
            _ if conflict => o,
            _ if t == b => o,
            _ => t,
        };
        if let Some(body) = chosen {
            result.insert(key.to_owned(), body.clone());
        }
    }
    result
}

async fn all_versions(snapshot: &Snapshot) -> BTreeSet<(String, String)> {
    let query = VersionsQuery { max_keys: 1000, ..VersionsQuery::default() };
    let versions =
        snapshot.list_versions(&query).await.unwrap().entries.into_iter().map(|entry| match entry {
            VersionsEntry::Object { key, record, .. } => (key, record.version_name().to_string()),
            VersionsEntry::DeleteMarker { key, marker, .. } => (key, marker.name().to_string()),
            VersionsEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
        });
    versions.collect()
}

#[tokio::test]
async fn a_restore_unlinks_no_locked_version() {
    let space = space().await;
    let config = Config {
        versioning: Versioning::Enabled,
        object_lock: Some(ObjectLock::default()),
        ..Config::default()
    };
    space.create_bucket_with("bucket", *space.did(), &config).await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    let empty = bucket.snapshot().await.unwrap().cid();
    let lock = Lock { legal_hold: Some(true), ..Lock::default() };
    let held = put_with(&bucket, "k", "held", PutOptions { lock, ..PutOptions::default() }).await.unwrap();
    bucket.restore(&Moment::from(empty), Portion::Whole).await.unwrap();
    assert_eq!(read(&bucket, "k").await, None);
    let options = DeleteOptions { version: Some(held.record.version_name()), ..DeleteOptions::default() };
    assert!(matches!(bucket.delete("k", options).await, Err(BucketError::Locked)));
    bucket.restore(&Moment::from(held.commit), Portion::Whole).await.unwrap();
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("held"));
    let again = bucket.get("k").await.unwrap().unwrap();
    assert_eq!(again.record().lock, Lock::default(), "a new version has its own protection");
}

#[tokio::test]
async fn a_restore_of_a_whole_bucket_writes_one_block_however_much_changed() {
    let store = Arc::new(MemoryStore::new());
    let space = space_over(store.clone()).await;
    space.create_bucket("bucket").await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    for n in 0..500 {
        put(&bucket, &format!("{n:04}"), "x").await.unwrap();
    }
    let full = bucket.snapshot().await.unwrap();
    let keys = (0..500).map(|n| (format!("{n:04}"), DeleteOptions::default())).collect();
    bucket.delete_many(keys).await.unwrap();
    assert_eq!(bucket.snapshot().await.unwrap().objects(), 0);
    let blocks = store.block_count();
    let restored = bucket.restore(&Moment::from(full.cid()), Portion::Whole).await.unwrap();
    assert_eq!((restored.objects_before, restored.objects), (0, 500));
    assert_eq!(store.block_count(), blocks + 1, "the commit");
    assert_eq!(bucket.snapshot().await.unwrap().commit().objects, full.commit().objects);
}

#[tokio::test]
async fn a_branch_shares_everything_and_is_a_bucket_of_its_own() {
    let store = Arc::new(MemoryStore::new());
    let space = space_over(store.clone()).await;
    space.create_bucket("main").await.unwrap();
    let main = space.bucket("main").await.unwrap();
    put(&main, "k", "before").await.unwrap();
    main.configure(|config| {
        config.documents.insert("policy".into(), "everybody".into());
        Ok(())
    })
    .await
    .unwrap();
    let state = main.snapshot().await.unwrap();
    let blocks = store.block_count();
    let info = space.branch(&main, &state, "branch", *space.did()).await.unwrap();
    assert_eq!(store.block_count(), blocks + 3, "the commit, the genesis and the configuration");
    let branch = space.bucket("branch").await.unwrap();
    assert_eq!(branch.info(), &info);
    let documents = branch.snapshot().await.unwrap().config().documents.clone();
    assert_eq!(documents.into_keys().collect::<Vec<_>>(), ["ownership"], "no policy lets others in");
    let before = branch.at(&Moment::from(state.cid())).await;
    assert!(matches!(before, Err(BucketError::NoSuchState { .. })), "its history is its own: {before:?}");

    put(&branch, "k", "after").await.unwrap();
    assert_eq!(read(&main, "k").await.as_deref(), Some("before"));
    let taken = space.branch(&main, &state, "main", *space.did()).await;
    assert!(matches!(taken, Err(BucketError::BucketExists(_))), "{taken:?}");
    let bad = space.branch(&main, &state, "main--at-x", *space.did()).await;
    assert!(matches!(bad, Err(BucketError::InvalidBucketName(..))), "{bad:?}");
}

#[tokio::test]
async fn buckets_that_have_nothing_in_common_are_not_merged() {
    let store = Arc::new(MemoryStore::new());
    let space = space_over(store.clone()).await;
    for name in ["main", "other"] {
        space.create_bucket(name).await.unwrap();
    }
    let (main, other) = (space.bucket("main").await.unwrap(), space.bucket("other").await.unwrap());
    let unrelated = main.merge(&other, MergeRule::Ours).await;
    assert!(matches!(unrelated, Err(BucketError::Unrelated { .. })), "{unrelated:?}");

    let state = main.snapshot().await.unwrap();
    space.branch(&main, &state, "branch", *space.did()).await.unwrap();
    let branch = space.bucket("branch").await.unwrap();
    put(&branch, "k", "x").await.unwrap();
    put(&main, "l", "y").await.unwrap();
    let merged = main.merge(&branch, MergeRule::Fail).await.unwrap();
    let parents = main.snapshot().await.unwrap().commit().parents.clone();
    assert_eq!((parents.len(), parents[1]), (2, merged.from));
    assert_eq!(store.heads("base/").await.unwrap().len(), 2);
    branch.delete("k", DeleteOptions::default()).await.unwrap();
    space.delete_bucket("branch").await.unwrap();
    assert_eq!(store.heads("base/").await.unwrap(), [], "what both had in common goes with either");
}
