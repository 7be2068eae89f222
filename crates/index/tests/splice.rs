//! Ranges of one tree in another.

mod support;

use std::collections::HashSet;

use bytes::Bytes;
use carob_index::{IndexError, Salt};
use proptest::prelude::*;
use support::*;

fn spliced(ours: &Model, theirs: &Model, start: &Bytes, end: Option<&Bytes>) -> Model {
    let within = |key: &Bytes| key >= start && end.is_none_or(|end| key < end);
    let ours = ours.iter().filter(|(key, _)| !within(key));
    let theirs = theirs.iter().filter(|(key, _)| within(key));
    ours.chain(theirs).map(|(key, entry)| (key.clone(), entry.clone())).collect()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_splice_is_that_of_the_maps(
        params in params(),
        ours in prop::collection::btree_map(key(), any_entry(), 0..250),
        steps in prop::collection::vec(step(), 0..4),
        unrelated in prop::option::weighted(0.3, prop::collection::btree_map(key(), any_entry(), 0..250)),
        start in prop_oneof![1 => Just(Bytes::new()), 6 => key()],
        end in prop::option::weighted(0.8, key()),
        other_salt in prop::option::weighted(0.2, any::<[u8; 16]>()),
    ) {
        let bench = Bench::new(params).uncached();
        let other_bench = Bench { salt: other_salt.map_or(bench.salt, Salt), ..bench.clone() };
        let mut theirs = ours.clone();
        for step in steps {
            let edits = step.edits(&theirs);
            apply(&mut theirs, &edits);
        }
        let theirs = unrelated.unwrap_or(theirs);
        let expected = spliced(&ours, &theirs, &start, end.as_ref());
        block_on(async {
            let (ours, theirs) = (bench.build(&ours), other_bench.build(&theirs));
            let mut old = HashSet::new();
            for tree in [&ours, &theirs] {
                old.extend(walk(tree).await.iter().map(|block| *block.cid()));
            }
            let edited = ours.splice(&start, end.as_deref(), &theirs).await.unwrap();
            let blocks: HashSet<_> = edited.blocks.iter().map(|block| *block.cid()).collect();
            prop_assert_eq!(blocks.len(), edited.blocks.len());
            bench.store.put(&edited.blocks);
            let tree = bench.open(edited.tree.root()).await;
            prop_assert_eq!(contents(&tree).await, expected.clone());
            let reachable: HashSet<_> = walk(&tree).await.iter().map(|block| *block.cid()).collect();
            prop_assert!(blocks.is_subset(&reachable), "nothing is written that the tree does not use");
            if other_salt.is_none() {
                let fresh: HashSet<_> = reachable.difference(&old).copied().collect();
                prop_assert!(fresh.is_subset(&blocks));
            }
            prop_assert_eq!(tree.root(), bench.build(&expected).root());
            Ok(())
        })?;
    }
}

#[test]
fn a_splice_of_a_missing_node_is_an_error() {
    block_on(async {
        let bench = Bench::small().uncached();
        let (ours, theirs) = (bench.build(&numbered(0..200)), bench.build(&numbered(100..300)));
        let middle = numbered_key(7);
        // The top of either is held open; what is below must be read at the cut.
        let mut failed = 0;
        for block in walk(&theirs).await.into_iter().skip(2) {
            bench.store.lose(block.cid());
            match ours.splice(&middle, None, &theirs).await {
                Ok(_) => {}
                Err(IndexError::MissingNode(cid)) => {
                    assert_eq!(cid, *block.cid());
                    failed += 1;
                }
                Err(error) => panic!("{error}"),
            }
            bench.store.put(&[block]);
        }
        assert!(failed > 0);
    });
}

#[test]
fn a_prefix_comes_back_from_an_earlier_state() {
    block_on(async {
        let bench = Bench::small();
        let keys = |folder: &'static str| (0..100).map(move |n| Bytes::from(format!("{folder}/{n:03}")));
        let model: Model =
            ["a", "b", "c"].into_iter().flat_map(keys).map(|key| (key, entry(1, "old"))).collect();
        let before = bench.build(&model);
        let edits = model.keys().map(|key| (key.clone(), key.ends_with(b"1").then(|| entry(2, "new"))));
        let after = bench.edit(&before, edits.collect()).await.tree;
        let restored = after.splice_prefix(b"b/", &before).await.unwrap();
        bench.store.put(&restored.blocks);
        assert_eq!(restored.tree.count_prefix(b"b/").await.unwrap().count, 100);
        assert_eq!(restored.tree.count_prefix(b"a/").await.unwrap().count, 10);
        assert!(before.splice_prefix(b"b/", &before).await.unwrap().blocks.is_empty());
        let whole = after.splice(b"", None, &before).await.unwrap();
        assert_eq!((whole.tree.root(), whole.blocks.len()), (before.root(), 0));
    });
}
