//! Imports: they end with the trees that were exported, and nothing is taken on trust.

mod support;

use std::sync::Arc;

use carob_block::{Block, Cid, Heads, MemoryStore};
use carob_bucket::{Bucket, BucketError, Config, DeleteOptions, Imported, PutOptions, Space, Versioning};
use futures::TryStreamExt;
use support::{put, read, space, space_over};

async fn exported() -> (Bucket, Vec<Block>) {
    let space = space().await;
    space.create_bucket("source").await.unwrap();
    let bucket = space.bucket("source").await.unwrap();
    for n in 0..120 {
        put(&bucket, &format!("key/{n}"), &"x".repeat(n)).await.unwrap();
    }
    let enable = |config: &mut Config| {
        config.versioning = Versioning::Enabled;
        config.documents.insert("policy".into(), "everybody".into());
        Ok(())
    };
    bucket.configure(enable).await.unwrap();
    put(&bucket, "key/7", "anew").await.unwrap();
    bucket.delete("key/8", DeleteOptions::default()).await.unwrap();
    put(&bucket, "large", &"0123456789".repeat(200_000)).await.unwrap();
    let snapshot = bucket.snapshot().await.unwrap();
    let blocks = snapshot.export().try_collect().await.unwrap();
    (bucket, blocks)
}

async fn import(space: &Space, root: Cid, blocks: &[Block], name: &str) -> Result<Imported, BucketError> {
    import_of(space, root, blocks, name, None).await
}

async fn import_of(
    space: &Space,
    root: Cid,
    blocks: &[Block],
    name: &str,
    max_bytes: Option<u64>,
) -> Result<Imported, BucketError> {
    let mut import = space.import(max_bytes);
    for block in blocks {
        import.add(block.clone()).await?;
    }
    import.finish(root, name, *space.did()).await
}

#[tokio::test]
async fn the_trees_are_the_same_on_the_other_side() {
    let (source, blocks) = exported().await;
    let state = source.snapshot().await.unwrap();
    let there = space().await;
    let imported = import(&there, state.cid(), &blocks, "copy").await.unwrap();
    assert_eq!(imported.from, state.cid());
    let copy = there.bucket("copy").await.unwrap();
    let now = copy.snapshot().await.unwrap();
    assert_eq!(
        (now.commit().objects, now.commit().versions, now.config().versioning),
        (state.commit().objects, state.commit().versions, Versioning::Enabled)
    );
    assert!(!now.config().documents.contains_key("policy"), "no policy comes with it");
    assert_eq!(read(&copy, "key/7").await.as_deref(), Some("anew"));
    put(&copy, "key/9", "written here").await.unwrap();
    // And back again.
    let back: Vec<Block> = now.export().try_collect().await.unwrap();
    let again = import(&there, now.cid(), &back, "again").await.unwrap();
    assert_eq!(again.state.commit().objects, state.commit().objects);
}

#[tokio::test]
async fn every_block_must_come_with_it_even_those_that_are_there() {
    let (source, blocks) = exported().await;
    let root = source.snapshot().await.unwrap().cid();
    let store = Arc::new(MemoryStore::new());
    let there = space_over(store.clone()).await;
    import(&there, root, &blocks, "whole").await.unwrap();
    for left_out in 0..blocks.len() {
        let mut fewer = blocks.clone();
        let gone = *fewer.remove(left_out).cid();
        fewer.retain(|block| *block.cid() != gone);
        let refused = import(&there, root, &fewer, "partial").await;
        let refused = refused.map(|imported| imported.bucket.name);
        assert!(matches!(refused, Err(BucketError::Untrustworthy(_))), "without {gone}: {refused:?}");
    }
    let names: Vec<_> = store.heads("name/").await.unwrap().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["name/whole"]);
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let (source, blocks) = exported().await;
    let store = Arc::new(MemoryStore::new());
    let there = space_over(store.clone()).await;
    let before = store.block_count();
    let root = source.snapshot().await.unwrap().commit().objects;
    let refused = import(&there, root, &blocks, "copy").await;
    assert!(matches!(refused, Err(BucketError::Untrustworthy(_))), "a tree is no commit: {refused:?}");
    assert_eq!(store.block_count(), before);
    let name = import(&there, root, &blocks, "copy--at-x").await;
    assert!(matches!(name, Err(BucketError::InvalidBucketName(..))), "{name:?}");
}

#[tokio::test]
async fn more_than_may_come_is_refused_and_leaves_nothing() {
    let (source, blocks) = exported().await;
    let root = source.snapshot().await.unwrap().cid();
    let bytes: u64 = blocks.iter().map(|block| block.data().len() as u64).sum();
    let store = Arc::new(MemoryStore::new());
    let there = space_over(store.clone()).await;
    for most in [0, 1, bytes - 1] {
        let refused = import_of(&there, root, &blocks, "copy", Some(most)).await;
        assert!(matches!(refused, Err(BucketError::TooManyBytes(limit)) if limit == most), "{refused:?}");
        assert_eq!((store.block_count(), store.heads("").await.unwrap()), (0, Vec::new()));
    }
    // The same again and again is no way around it.
    let twice = [&blocks[..], &blocks[..]].concat();
    let refused = import_of(&there, root, &twice, "copy", Some(2 * bytes - 1)).await;
    assert!(matches!(refused, Err(BucketError::TooManyBytes(_))), "{refused:?}");
    import_of(&there, root, &blocks, "copy", Some(bytes)).await.unwrap();
}

#[tokio::test]
async fn a_body_that_many_objects_have_is_checked_once() {
    let space = space().await;
    space.create_bucket("source").await.unwrap();
    let source = space.bucket("source").await.unwrap();
    put(&source, "0", &"0123456789abcdef".repeat(1 << 19)).await.unwrap();
    let body = source.get("0").await.unwrap().unwrap();
    // Were each copy read, that would be far more than there is any reason for.
    for n in 1..300 {
        source.copy(&body, &n.to_string(), PutOptions::default()).await.unwrap();
    }
    let state = source.snapshot().await.unwrap();
    let blocks: Vec<Block> = state.export().try_collect().await.unwrap();
    import(&space, state.cid(), &blocks, "copy").await.unwrap();
}
