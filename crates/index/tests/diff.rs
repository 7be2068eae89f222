//! Differences against those of two maps.

mod support;

use std::collections::HashSet;

use carob_block::Cid;
use carob_index::{Change, IndexError, Params, Salt, Tree};
use proptest::prelude::*;
use support::*;

async fn diff(old: &Tree, new: &Tree) -> Result<Vec<Change>, IndexError> {
    let mut diff = old.diff(new);
    let mut changes = Vec::new();
    while let Some(change) = diff.next().await? {
        changes.push(change);
    }
    Ok(changes)
}

fn naive(old: &Model, new: &Model) -> Vec<Change> {
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let change = |key: &bytes::Bytes| Change {
        key: key.clone(),
        old: old.get(key).cloned(),
        new: new.get(key).cloned(),
    };
    keys.into_iter().map(change).filter(|change| change.old != change.new).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_diff_is_that_of_the_maps(
        params in params(),
        before in prop::collection::btree_map(key(), any_entry(), 0..200),
        steps in prop::collection::vec(step(), 0..4),
        unrelated in prop::option::weighted(0.2, prop::collection::btree_map(key(), any_entry(), 0..100)),
        other_shape in prop::option::weighted(0.3, (any::<[u8; 16]>(), self::params())),
    ) {
        let bench = Bench::new(params).uncached();
        let mut other = bench.clone();
        if let Some((salt, params)) = other_shape {
            (other.salt, other.params) = (Salt(salt), params);
        }
        let mut after = before.clone();
        for step in steps {
            let edits = step.edits(&after);
            apply(&mut after, &edits);
        }
        let after = unrelated.unwrap_or(after);
        block_on(async {
            let (old, new) = (bench.build(&before), other.build(&after));
            prop_assert_eq!(diff(&old, &new).await.unwrap(), naive(&before, &after));
            prop_assert_eq!(diff(&new, &old).await.unwrap(), naive(&after, &before));
            Ok(())
        })?;
    }
}

#[test]
fn a_diff_reads_no_node_that_both_trees_share_below_the_places_of_change() {
    block_on(async {
        let bench = Bench::new(Params::new(1024, 64, 56, 64).unwrap()).uncached();
        let model = numbered(0..20_000);
        let tree = bench.build(&model);
        let height = tree.height() as u64;
        let (mut most, mut sum) = (0, 0);
        // One edit at a time, at keys all over, so that some fall on boundaries and move them.
        for (n, key) in model.keys().step_by(331).enumerate() {
            let edits: Edits = match n % 3 {
                0 => [(key.clone(), None)].into(),
                1 => [(key.clone(), Some(entry(0, "other")))].into(),
                _ => [([key.as_ref(), b"+"].concat().into(), Some(entry(0, "new")))].into(),
            };
            let edited = bench.edit(&tree, edits).await;
            let undo = [(key.clone(), model.get(key).cloned()), ([key.as_ref(), b"+"].concat().into(), None)];
            let undone = bench.edit(&edited.tree, undo.into()).await;
            assert_eq!(undone.tree.root(), tree.root());
            let differing = (edited.blocks.len() + undone.blocks.len()) as u64;
            let before = bench.store.reads();
            assert_eq!(diff(&tree, &edited.tree).await.unwrap().len(), 1);
            let reads = bench.store.reads() - before;
            // What differs, and where a boundary moved, the way down to what is after it.
            assert!(reads <= differing + height, "{reads} reads, {differing} nodes differ, height {height}");
            (most, sum) = (most.max(reads), sum + reads);
        }
        assert!(sum <= 61 * 4 * height, "{sum} reads for 61 diffs, at most {most} for one");
        let before = bench.store.reads();
        assert!(diff(&tree, &tree.clone()).await.unwrap().is_empty());
        assert_eq!(bench.store.reads(), before, "equal trees need no reading");
    });
}

#[test]
fn a_diff_of_few_changes_reads_few_nodes() {
    block_on(async {
        let bench = Bench::new(Params::default()).uncached();
        let model = numbered(0..20_000);
        let tree = bench.build(&model);
        for changes in [1, 10, 100] {
            let edits = (0..changes).map(|n| (numbered_key(n * 191), Some(entry(n, "changed")))).collect();
            let edited = bench.edit(&tree, edits).await;
            let before = bench.store.reads();
            assert_eq!(diff(&tree, &edited.tree).await.unwrap().len(), changes as usize);
            let reads = bench.store.reads() - before;
            // Overwriting moves no boundary: what was written is read, and its counterpart.
            assert!(reads <= 2 * edited.blocks.len() as u64, "{reads} reads for {changes} changes");
        }
    });
}

#[test]
fn a_missing_block_is_named_and_no_shorter_answer_given() {
    block_on(async {
        let bench = Bench::small().uncached();
        let before = numbered(0..150);
        let mut after = before.clone();
        after.extend(numbered(140..190));
        after.retain(|_, entry| entry.weight % 7 != 0);
        let (old, new) = (bench.build(&before), bench.build(&after));
        let cids =
            |blocks: Vec<carob_block::Block>| blocks.iter().map(|b| *b.cid()).collect::<HashSet<Cid>>();
        let (old_cids, new_cids) = (cids(walk(&old).await), cids(walk(&new).await));
        let complete = diff(&old, &new).await.unwrap();
        let tops = [&old, &new].map(Tree::root);
        for cid in old_cids.union(&new_cids).filter(|cid| !tops.contains(cid)) {
            let block = bench.store.block(cid).unwrap();
            bench.store.lose(cid);
            let shared = old_cids.contains(cid) && new_cids.contains(cid);
            match diff(&old, &new).await {
                Ok(changes) => {
                    let held = [&old, &new].iter().any(|tree| tree_top(tree, &block));
                    assert!(shared || held, "a node of one tree alone must be read");
                    assert_eq!(changes, complete);
                }
                Err(IndexError::MissingNode(missing)) => assert_eq!(missing, *cid),
                Err(error) => panic!("{error}"),
            }
            bench.store.put(&[block]);
        }
    });
}

/// Whether `block` is the tree's top, which an open tree holds.
fn tree_top(tree: &Tree, block: &carob_block::Block) -> bool {
    block.data().get(1).is_some_and(|level| usize::from(*level) + 1 == tree.height())
}

#[test]
fn a_diff_goes_on_where_it_failed() {
    block_on(async {
        let bench = Bench::small().uncached();
        let (before, after) = (numbered(0..100), numbered(50..150));
        let (old, new) = (bench.build(&before), bench.build(&after));
        let mut changes = Vec::new();
        let mut diff = old.diff(&new);
        let lost: Vec<_> = walk(&new).await.into_iter().skip(2).step_by(5).collect();
        lost.iter().for_each(|block| bench.store.lose(block.cid()));
        loop {
            match diff.next().await {
                Ok(Some(change)) => changes.push(change),
                Ok(None) => break,
                Err(IndexError::MissingNode(cid)) => {
                    let block = lost.iter().find(|block| *block.cid() == cid).unwrap();
                    bench.store.put(std::slice::from_ref(block));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(changes, naive(&before, &after));
    });
}
