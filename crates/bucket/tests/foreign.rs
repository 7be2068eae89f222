//! States from elsewhere that are signed as they should be, and hold what no bucket of ours would.

mod support;

use std::sync::Arc;
use std::time::Duration;

use carob_block::{Block, Cid, Codec, MemoryStore};
use carob_bucket::{
    Blake3Root, Bucket, BucketError, Config, DeleteOptions, Found, Imported, PullOptions, Record, Space,
    Versioning,
};
use carob_commit::{Inline, Lock, TreeValue, Unsigned, Version, VersionName};
use carob_identity::{ManualClock, SeededEntropy, SpaceKey, Timestamp};
use carob_index::{Entry, NodeCache, Tree};
use carob_object::{DagBuilder, LEAF_SIZE, Link};
use futures::TryStreamExt;
use support::{START, put, read, space, space_at, space_over};

const HOUR: u64 = 60 * 60 * 1000;

async fn versioned(space: &Space) -> Bucket {
    space.create_bucket("source").await.unwrap();
    let bucket = space.bucket("source").await.unwrap();
    let enable = |config: &mut Config| {
        config.versioning = Versioning::Enabled;
        Ok(())
    };
    bucket.configure(enable).await.unwrap();
    bucket
}

async fn import(space: &Space, root: Cid, blocks: Vec<Block>) -> Result<Imported, BucketError> {
    let mut import = space.import(None);
    for block in blocks {
        import.add(block).await?;
    }
    import.finish(root, "copy", *space.did()).await
}

fn refused<T: std::fmt::Debug>(result: Result<T, BucketError>) -> String {
    match result {
        Err(BucketError::Untrustworthy(reason)) => reason.to_string(),
        other => panic!("{other:?}"),
    }
}

/// A space over `store` whose clock is so far from [`START`].
async fn ahead(store: &Arc<MemoryStore>, millis: u64) -> Space {
    space_at(Arc::clone(store) as _, &Arc::new(ManualClock::new(Timestamp(START + millis)))).await
}

#[tokio::test]
async fn what_is_deleted_is_gone_though_a_clock_was_ahead_that_wrote_it() {
    for history in [false, true] {
        let source = versioned(&ahead(&Arc::default(), HOUR / 2).await).await;
        for body in ["1", "2", "3"] {
            put(&source, "key", body).await.unwrap();
        }
        let states = source.kept_states().await.unwrap();
        let root = states.newest.cid();
        let blocks: Vec<Block> = match history {
            true => states.export().try_collect().await.unwrap(),
            false => states.newest.export().try_collect().await.unwrap(),
        };
        let store = Arc::default();
        import(&ahead(&store, 0).await, root, blocks).await.unwrap();
        // And another time after a restart.
        for body in ["here", "again"] {
            let copy = ahead(&store, 1).await.bucket("copy").await.unwrap();
            put(&copy, "key", body).await.unwrap();
            assert_eq!(read(&copy, "key").await.as_deref(), Some(body));
            copy.delete("key", DeleteOptions::default()).await.unwrap();
            let newest = copy.snapshot().await.unwrap().find("key", None).await.unwrap();
            let Found::DeleteMarker(marker) = newest else { panic!("{newest:?}") };
            // Without the marker, what it hid is back.
            let version = Some(marker.name());
            copy.delete("key", DeleteOptions { version, ..DeleteOptions::default() }).await.unwrap();
            assert_eq!(read(&copy, "key").await.as_deref(), Some(body));
        }
    }
}

#[tokio::test]
async fn a_state_of_the_future_is_refused() {
    let source = versioned(&ahead(&Arc::default(), 2 * HOUR).await).await;
    put(&source, "key", "1").await.unwrap();
    let state = source.snapshot().await.unwrap();
    let blocks: Vec<Block> = state.export().try_collect().await.unwrap();
    let here = ahead(&Arc::default(), 0).await;
    assert!(refused(import(&here, state.cid(), blocks).await).contains("future"));
}

/// Imports a bucket with two versions of a key, the newer of which `change` has made another, or has put among the older ones
/// as well.
async fn altered(change: impl Fn(&mut Record), twice: bool) -> Result<Imported, BucketError> {
    altered_with(change, twice, Vec::new()).await
}

/// The same, with more blocks.
async fn altered_with(
    change: impl Fn(&mut Record),
    twice: bool,
    more: Vec<Block>,
) -> Result<Imported, BucketError> {
    let store = Arc::new(MemoryStore::new());
    let source = versioned(&space_over(Arc::clone(&store) as _).await).await;
    put(&source, "key", "1").await.unwrap();
    put(&source, "key", "2").await.unwrap();
    let state = source.snapshot().await.unwrap();
    let mut blocks: Vec<Block> = state.export().try_collect().await.unwrap();
    blocks.extend(more);
    let open = |root| Tree::open(Arc::clone(&store) as _, Arc::new(NodeCache::new(1 << 20)), root);
    let (objects, versions) = (state.commit().objects, state.commit().versions.unwrap());
    let (objects, versions) = (open(objects).await.unwrap(), open(versions).await.unwrap());
    let entry = objects.get(b"key").await.unwrap().unwrap();
    let Inline::Here(mut record) = Record::from_value(&entry.value, objects.root()).unwrap() else {
        panic!("a small record")
    };
    let VersionName::Id(id) = record.version_name() else { panic!("a version") };
    change(&mut record);
    let weight = record.size;
    let (value, spilled) = record.to_value().unwrap();
    let objects = objects.edit([("key".into(), Some(Entry { weight, value }))].into()).await.unwrap();
    let mut place = b"key\0\0".to_vec();
    place.extend(id.0.map(|byte| !byte));
    let (value, other) = Version::Object(record).to_value().unwrap();
    let entry = twice.then_some(Entry { weight, value });
    let versions = versions.edit([(place.into(), entry)].into()).await.unwrap();
    let mut unsigned = Unsigned::clone(state.commit());
    (unsigned.objects, unsigned.versions) = (objects.tree.root(), Some(versions.tree.root()));
    let key = SpaceKey::generate(&SeededEntropy::new(7));
    let (commit, block) = unsigned.sign(&key).unwrap();
    blocks
        .extend(objects.blocks.into_iter().chain(versions.blocks).chain(spilled).chain(other).chain([block]));
    import(&space().await, commit.cid(), blocks).await
}

#[tokio::test]
async fn a_version_is_there_once_and_not_of_the_future() {
    altered(|_| (), false).await.unwrap();
    assert!(refused(altered(|_| (), true).await).contains("twice"));
    assert!(refused(altered(|record| record.modified = Timestamp(u64::MAX), false).await).contains("future"));
    let lock = Lock { legal_hold: Some(true), ..Lock::default() };
    assert!(refused(altered(|record| record.lock = lock, false).await).contains("protected"));
}

#[tokio::test]
async fn a_body_that_repeats_a_leaf_without_end_is_not_read_to_its_end() {
    let leaf = Block::new(Codec::Raw, vec![7; LEAF_SIZE].into()).unwrap();
    let (mut top, mut blocks) = (Link::to_leaf(&leaf), vec![leaf]);
    for _ in 0..3 {
        let mut level = DagBuilder::new();
        for _ in 0..1024 {
            level.push(top.clone(), &mut blocks).unwrap();
        }
        top = level.finish(&mut blocks).unwrap().unwrap();
    }
    let blake3 = Blake3Root { root: [0; 32], outboard: Some(top.cid) };
    let pebibyte = |record: &mut Record| {
        (record.content, record.size, record.blake3) = (top.cid, 1 << 50, Some(blake3.clone()));
    };
    let imported = altered_with(pebibyte, false, blocks);
    let imported = tokio::time::timeout(Duration::from_mins(1), imported).await;
    let refused = imported.expect("it takes no longer than what there is to read");
    let Err(BucketError::Repetitive { most, different }) = refused else { panic!("{refused:?}") };
    assert!(different < 2 << 20 && most < 2 << 30, "{different} of {most}");
}

#[tokio::test]
async fn a_header_that_no_answer_can_hold_is_refused() {
    let told = |name: &'static str, value: &'static str| {
        altered(move |record| _ = record.metadata.insert(name.to_owned(), value.to_owned()), false)
    };
    told("x.y", "caf\u{e9}\t").await.unwrap();
    for (name, value) in
        [("x", "a\r\nb: c"), ("x", "\0"), ("x", "\u{7f}"), ("", "v"), ("a b", "v"), ("é", "v")]
    {
        assert!(refused(told(name, value).await).contains("a header"), "{name:?}: {value:?}");
    }
    let typed = altered(|record| record.headers.content_type = Some("a\nb".to_owned()), false).await;
    assert!(refused(typed).contains("control characters"));
}

#[tokio::test]
async fn no_more_commits_are_taken_than_were_asked_for() {
    let source = versioned(&space().await).await;
    put(&source, "key", "1").await.unwrap();
    let blocks: Vec<Block> = source.kept_states().await.unwrap().commits().try_collect().await.unwrap();
    assert!(blocks.len() > 2);
    let there = space().await;
    let begin = async |history| {
        there
            .pull(PullOptions { name: "copy".to_owned(), space: None, history, max_bytes: None })
            .await
            .unwrap()
    };
    let mut pull = begin(false).await;
    pull.offer(blocks[0].clone()).await.unwrap();
    for block in &blocks {
        assert!(refused(pull.offer(block.clone()).await).contains("more commits"));
    }
    let mut pull = begin(true).await;
    for block in &blocks {
        pull.offer(block.clone()).await.unwrap();
    }
    assert!(refused(pull.offer(blocks[0].clone()).await).contains("twice"));
}
