//! Imports: they end with the trees that were exported, and nothing is taken on trust.

mod support;

use std::sync::Arc;

use carob_block::{Block, Cid, Heads, MemoryStore};
use carob_bucket::{Bucket, BucketError, Config, DeleteOptions, Imported, Space, Versioning};
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
    let mut import = space.import();
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
