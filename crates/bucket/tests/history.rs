//! Past states, compared with what a plain map remembers of each.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use carob_block::{HeadSwap, MemoryStore, Store};
use carob_bucket::{
    Bucket, BucketError, DeleteOptions, ListEntry, ListQuery, Moment, Snapshot, Space, SpaceOptions,
};
use carob_commit::{Kept, KeptCommit, NamedCommit};
use carob_identity::{Hlc, ManualClock, SeededEntropy, SpaceKey, Timestamp};
use carob_index::{Entry, NodeCache, Params, Salt, Tree};
use proptest::prelude::*;
use support::{START, put, read};

async fn on_a_clock(store: Arc<MemoryStore>) -> (Space, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp(START)));
    let options = SpaceOptions {
        store,
        signer: Arc::new(SpaceKey::generate(&SeededEntropy::new(7))),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(8)),
        cache_bytes: 8 << 20,
    };
    (Space::open(options).await.unwrap(), clock)
}

async fn state(snapshot: &Snapshot) -> BTreeMap<String, u64> {
    let query = ListQuery { max_keys: 1000, ..ListQuery::default() };
    let page = snapshot.list(&query).await.unwrap();
    let object = |entry| match entry {
        ListEntry::Object { key, summary } => (key, summary.size),
        ListEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
    };
    page.entries.into_iter().map(object).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn every_moment_has_the_state_that_it_had(
        ops in prop::collection::vec((0..6_u8, 0..9_usize, 0..3_u64), 1..120),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (space, clock) = on_a_clock(Arc::default()).await;
            space.create_bucket("bucket").await.unwrap();
            let bucket = space.bucket("bucket").await.unwrap();
            let mut now = BTreeMap::new();
            // Time in milliseconds, commit, objects.
            let mut states = vec![(START, bucket.snapshot().await.unwrap().cid(), now.clone())];
            for (key, size, passed) in ops {
                clock.advance(passed);
                let key = format!("{key}");
                if size == 0 {
                    bucket.delete(&key, DeleteOptions::default()).await.unwrap();
                    now.remove(&key);
                } else {
                    put(&bucket, &key, &"x".repeat(size)).await.unwrap();
                    now.insert(key, size as u64);
                }
                let snapshot = bucket.snapshot().await.unwrap();
                states.push((snapshot.commit().time.millis, snapshot.cid(), now.clone()));
            }
            let end = states.last().unwrap().0;
            for time in START - 1..=end + 1 {
                let expected = states.iter().rev().find(|(at, ..)| *at <= time);
                match (bucket.at(&Moment::At(Timestamp(time))).await, expected) {
                    (Ok(found), Some((_, commit, objects))) => {
                        prop_assert_eq!(found.cid(), *commit);
                        prop_assert_eq!(&state(&found).await, objects);
                    }
                    (Err(BucketError::NoSuchState { .. }), None) => {}
                    other => prop_assert!(false, "{}: {:?}", time, other),
                }
            }
            for (_, commit, objects) in &states {
                for moment in [Moment::from(*commit), Moment::Commit(commit.to_string()[..30].to_owned())] {
                    let found = bucket.at(&moment).await.unwrap();
                    prop_assert_eq!((found.cid(), &state(&found).await), (*commit, objects));
                }
            }
            Ok(())
        })?;
    }
}

async fn with_one_object(space: &Space, name: &str) -> Bucket {
    space.create_bucket(name).await.unwrap();
    let bucket = space.bucket(name).await.unwrap();
    put(&bucket, "k", name).await.unwrap();
    bucket
}

#[tokio::test]
async fn a_commit_of_another_bucket_is_not_readable_here() {
    let (space, _) = on_a_clock(Arc::default()).await;
    let (ours, theirs) = (with_one_object(&space, "ours").await, with_one_object(&space, "theirs").await);
    let foreign = theirs.snapshot().await.unwrap();
    let body = theirs.get("k").await.unwrap().unwrap().record().content;
    for cid in [foreign.cid(), foreign.commit().objects, body] {
        let found = ours.at(&Moment::from(cid)).await;
        assert!(matches!(found, Err(BucketError::NoSuchState { .. })), "{found:?}");
    }
    assert!(matches!(ours.at(&Moment::Commit("bafyrei".into())).await, Err(BucketError::NoSuchState { .. })));
}

#[tokio::test]
async fn a_named_snapshot_is_read_and_never_written() {
    let store = Arc::new(MemoryStore::new());
    let (space, _) = on_a_clock(Arc::clone(&store)).await;
    let bucket = with_one_object(&space, "bucket").await;
    let commit = bucket.snapshot().await.unwrap().cid();
    let named = NamedCommit { commit, created: Timestamp(START), locked_until: None }.to_block().unwrap();
    let (session, next) = (store.session(), Some(*named.cid()));
    session.put(vec![named]).await.unwrap();
    let name = NamedCommit::head(bucket.info().id, "release1");
    store.commit(&[&*session], &[HeadSwap { name, expected: None, next }]).await.unwrap();
    put(&bucket, "k", "changed").await.unwrap();

    let past = bucket.as_of(&Moment::Snapshot("release1".into())).await.unwrap();
    assert_eq!(read(&past, "k").await.as_deref(), Some("bucket"));
    assert!(matches!(put(&past, "k", "x").await, Err(BucketError::ReadOnly)));
    let deleted = past.delete("k", DeleteOptions::default()).await;
    assert!(matches!(deleted, Err(BucketError::ReadOnly)), "{deleted:?}");
    assert!(matches!(past.configure(|_| Ok(())).await, Err(BucketError::ReadOnly)));
    assert_eq!(read(&bucket, "k").await.as_deref(), Some("changed"));
}

/// A collection's list, written as a collection would.
async fn keep(store: &MemoryStore, bucket: &Bucket, all: &[(Hlc, KeptCommit)], upto: Hlc) {
    let session = store.session();
    let nodes = Arc::new(NodeCache::new(1 << 20));
    let (empty, blocks) = Tree::empty(Arc::new(store.clone()), nodes, Salt([0; 16]), Params::default());
    session.put(blocks).await.unwrap();
    let entry = |(time, kept): &(Hlc, KeptCommit)| {
        let key = KeptCommit::key(*time).to_vec();
        (key.into(), Some(Entry { weight: 0, value: kept.to_value().unwrap() }))
    };
    let edited = empty.edit(all.iter().map(entry).collect()).await.unwrap();
    let kept = Kept { upto, seq: 0, ended: None, genesis: None, commits: Some(edited.tree.root()) }
        .to_block()
        .unwrap();
    let next = Some(*kept.cid());
    session.put(edited.blocks.into_iter().chain([kept]).collect()).await.unwrap();
    let name = Kept::head(bucket.info().id);
    store.commit(&[&*session], &[HeadSwap { name, expected: None, next }]).await.unwrap();
}

#[tokio::test]
async fn a_state_that_retention_dropped_is_not_replaced_by_another() {
    let store = Arc::new(MemoryStore::new());
    let (space, clock) = on_a_clock(Arc::clone(&store)).await;
    space.create_bucket("bucket").await.unwrap();
    let bucket = space.bucket("bucket").await.unwrap();
    let mut commits = Vec::new();
    for n in 0..6 {
        clock.advance(10);
        let commit = put(&bucket, "k", &n.to_string()).await.unwrap().commit;
        commits.push((bucket.snapshot().await.unwrap().commit().time, commit));
    }
    let kept =
        |at: usize| (commits[at].0, KeptCommit { until: commits[at + 1].0.millis, commit: commits[at].1 });
    keep(&store, &bucket, &[kept(1)], commits[4].0).await;
    for dropped in [0, 2, 3] {
        store.lose(&commits[dropped].1);
    }
    for (n, (time, commit)) in commits.iter().enumerate() {
        for moment in [
            Moment::At(time.timestamp()),
            Moment::At(Timestamp(time.millis + 5)),
            Moment::from(*commit),
            Moment::Commit(commit.to_string()[..40].to_owned()),
        ] {
            match (bucket.at(&moment).await, n) {
                (Ok(found), 1 | 4 | 5) => assert_eq!(found.cid(), *commit, "{n} by {moment}"),
                (Err(BucketError::NoSuchState { .. }), 0 | 2 | 3) => {}
                (other, _) => panic!("{n} by {moment}: {other:?}"),
            }
        }
    }
}
