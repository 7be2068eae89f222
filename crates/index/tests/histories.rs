//! The property that everything rests on: a tree is a function of its entries, salt and parameters.

mod support;

use proptest::prelude::*;
use support::*;

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn any_history_gives_the_tree_that_bulk_build_gives(
        params in params(),
        salt in any::<[u8; 16]>(),
        cached in any::<bool>(),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let mut bench = Bench::new(params);
        bench.salt = carob_index::Salt(salt);
        if !cached {
            bench = bench.uncached();
        }
        block_on(async {
            let mut model = Model::new();
            let mut tree = bench.empty();
            for step in steps {
                let edits = step.edits(&model);
                let before = model.clone();
                apply(&mut model, &edits);
                let edited = bench.edit(&tree, edits).await;
                let built = bench.build(&model);
                prop_assert_eq!(edited.tree.root(), built.root());
                prop_assert_eq!(edited.blocks.is_empty(), before == model, "no blocks exactly if nothing changed");
                prop_assert_eq!(edited.tree.len(), model.len() as u64);
                prop_assert_eq!(edited.tree.bytes(), model.values().map(|entry| entry.weight).sum::<u64>());
                tree = edited.tree;
            }
            prop_assert_eq!(&contents(&tree).await, &model);
            prop_assert_eq!(&contents(&bench.open(tree.root()).await).await, &model);
            walk(&tree).await;
            Ok(())
        })?;
    }

    #[test]
    fn an_edit_returns_exactly_the_new_blocks(
        params in params(),
        before in prop::collection::btree_map(key(), any_entry(), 0..200),
        step in step(),
    ) {
        let bench = Bench::new(params);
        block_on(async {
            let tree = bench.build(&before);
            let old: Vec<_> = walk(&tree).await.iter().map(|block| *block.cid()).collect();
            let edited = bench.edit(&tree, step.edits(&before)).await;
            let mut new: Vec<_> = walk(&edited.tree).await.iter().map(|block| *block.cid()).collect();
            new.retain(|cid| !old.contains(cid));
            let mut given: Vec<_> = edited.blocks.iter().map(|block| *block.cid()).collect();
            new.sort();
            given.sort();
            prop_assert_eq!(&given, &new);

            // A walk over what is new finds the same, and perhaps the ends of levels.
            let mut walk = edited.tree.nodes_since(&tree);
            let mut since = Vec::new();
            while let Some(visited) = walk.next().await.unwrap() {
                since.push(*visited.block.cid());
            }
            prop_assert!(new.iter().all(|cid| since.contains(cid)));
            prop_assert!(since.len() <= new.len() + tree.height(), "{} of {}", since.len(), new.len());
            Ok(())
        })?;
    }
}

#[test]
fn order_and_grouping_of_puts_do_not_matter() {
    let bench = Bench::small();
    block_on(async {
        let model = numbered(0..300);
        let built = bench.build(&model);
        for group in [1, 7, 64, 300] {
            let mut entries: Vec<_> = model.clone().into_iter().collect();
            entries.sort_by_key(|(_, entry)| entry.weight);
            let mut tree = bench.empty();
            for chunk in entries.chunks(group) {
                let edits = chunk.iter().map(|(key, entry)| (key.clone(), Some(entry.clone()))).collect();
                tree = bench.edit(&tree, edits).await.tree;
            }
            assert_eq!(tree.root(), built.root(), "in groups of {group}");
        }
    });
}

#[test]
fn deleting_everything_gives_the_empty_tree() {
    let bench = Bench::small();
    block_on(async {
        let model = numbered(0..500);
        let mut tree = bench.build(&model);
        assert!(tree.height() > 3);
        let all = model.keys().map(|key| (key.clone(), None)).collect();
        assert_eq!(bench.edit(&tree, all).await.tree.root(), bench.empty().root());
        for key in model.keys() {
            tree = bench.edit(&tree, [(key.clone(), None)].into()).await.tree;
        }
        assert_eq!(tree.root(), bench.empty().root());
        assert!(tree.is_empty());
    });
}

#[test]
fn delete_of_absent_key_leaves_root_unchanged() {
    let bench = Bench::small();
    block_on(async {
        let tree = bench.build(&numbered(0..100));
        for key in ["a", "photos/", "zzz"] {
            let edited = bench.edit(&tree, [(key.into(), None)].into()).await;
            assert_eq!((edited.tree.root(), edited.blocks.len()), (tree.root(), 0));
        }
        let edited = bench.edit(&tree, Edits::new()).await;
        assert_eq!((edited.tree.root(), edited.blocks.len()), (tree.root(), 0));
    });
}

#[test]
fn roots_differ_by_salt_and_params() {
    let bench = Bench::small();
    let model = numbered(0..100);
    let root = bench.build(&model).root();
    let mut other = bench.clone();
    other.salt.0[15] = 1;
    assert_ne!(other.build(&model).root(), root);
    let mut other = bench.clone();
    other.params = carob_index::Params::new(65, 8, 8, 8).unwrap();
    assert_ne!(other.build(&model).root(), root);
}
