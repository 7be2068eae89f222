//! Merges against those of maps.

mod support;

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use carob_index::{Base, Conflict, Entry, IndexError, Params, Salt};
use proptest::prelude::*;
use support::*;

fn greater(conflict: &Conflict) -> Result<Option<Entry>, IndexError> {
    Ok(conflict.greater())
}

/// The slow, obvious merge; with no base, of two maps of which nothing is known.
fn naive(base: Option<&Model>, ours: &Model, theirs: &Model) -> Model {
    let keys: BTreeSet<&Bytes> = ours.keys().chain(theirs.keys()).collect();
    let merged = keys.into_iter().filter_map(|key| {
        let get = |model: &Model| model.get(key).cloned();
        let (ours, theirs) = (get(ours), get(theirs));
        let conflict = Conflict { key: key.clone(), base: None, ours: ours.clone(), theirs: theirs.clone() };
        let entry = match base {
            _ if ours == theirs => ours,
            None if ours.is_none() => theirs,
            None if theirs.is_none() => ours,
            None => conflict.greater(),
            Some(base) if ours == get(base) => theirs,
            Some(base) if theirs == get(base) => ours,
            Some(_) => conflict.greater(),
        };
        Some((key.clone(), entry?))
    });
    merged.collect()
}

fn after(base: &Model, steps: Vec<Step>) -> Model {
    let mut model = base.clone();
    for step in steps {
        let edits = step.edits(&model);
        apply(&mut model, &edits);
    }
    model
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_merge_is_that_of_the_maps_and_the_same_from_both_sides(
        params in params(),
        base in prop::collection::btree_map(key(), any_entry(), 0..150),
        ours in prop::collection::vec(step(), 0..4),
        theirs in prop::collection::vec(step(), 0..4),
        two_way in any::<bool>(),
        salts in prop_oneof![2 => Just([0u8; 3]), 1 => any::<[u8; 3]>()],
    ) {
        let [base_bench, our_bench, their_bench] = salts.map(|salt| {
            Bench { salt: Salt([salt; 16]), ..Bench::new(params) }
        });
        let (ours, theirs) = (after(&base, ours), after(&base, theirs));
        let expected = naive((!two_way).then_some(&base), &ours, &theirs);
        block_on(async {
            let base = base_bench.build(&base);
            // Each merges in a store of its own; reading theirs does not need ours.
            let (our_tree, their_tree) = (our_bench.build(&ours), their_bench.build(&theirs));
            let common = if two_way { Base::TwoWay } else { Base::Common(&base) };
            let merged = our_tree.merge(&their_tree, common, greater).await.unwrap();
            prop_assert_eq!(merged.tree.root(), our_bench.build(&expected).root(), "in our salt");
            let merged_by_them = their_tree.merge(&our_tree, common, greater).await.unwrap();
            prop_assert_eq!(merged_by_them.tree.root(), their_bench.build(&expected).root(), "in theirs");

            // What is returned is all that our store lacks.
            let alone = Bench { salt: our_bench.salt, ..Bench::new(params) }.uncached();
            alone.build(&ours);
            alone.store.put(&merged.blocks);
            let opened = alone.open(merged.tree.root()).await;
            walk(&opened).await;
            prop_assert_eq!(contents(&opened).await, expected);
            Ok(())
        })?;
    }
}

#[test]
fn a_rule_is_asked_exactly_where_both_sides_changed_a_key_differently() {
    block_on(async {
        let bench = Bench::small();
        let base = numbered(0..100);
        let edited = |text: &str, numbers: &[u64], deleted: &[u64]| {
            let mut model = base.clone();
            model.extend(numbers.iter().map(|n| (numbered_key(*n), entry(*n, text))));
            deleted.iter().for_each(|n| drop(model.remove(&numbered_key(*n))));
            bench.build(&model)
        };
        let tree = bench.build(&base);
        let ours = edited("ours", &[1, 2, 3, 200], &[50, 51]);
        let theirs = edited("theirs", &[3, 4, 51, 200], &[2, 50, 60]);
        let mut asked = Vec::new();
        let merged = ours
            .merge(&theirs, Base::Common(&tree), |conflict| {
                asked.push(conflict.clone());
                Ok(conflict.base.clone())
            })
            .await
            .unwrap();
        let get = |model: &carob_index::Tree, n| {
            let model = model.clone();
            async move { model.get(&numbered_key(n)).await.unwrap() }
        };
        let mut expected: Vec<_> = [2, 3, 51, 200].map(numbered_key).to_vec();
        expected.sort();
        assert!(asked.iter().map(|conflict| &conflict.key).eq(&expected), "in order of keys");
        for conflict in &asked {
            assert_eq!(conflict.base, tree.get(&conflict.key).await.unwrap());
            assert_eq!(conflict.ours, ours.get(&conflict.key).await.unwrap());
            assert_eq!(conflict.theirs, theirs.get(&conflict.key).await.unwrap());
            assert_eq!(merged.tree.get(&conflict.key).await.unwrap(), conflict.base, "as the rule said");
        }
        assert_eq!(get(&merged.tree, 1).await, Some(entry(1, "ours")));
        assert_eq!(get(&merged.tree, 4).await, Some(entry(4, "theirs")));
        assert_eq!((get(&merged.tree, 50).await, get(&merged.tree, 60).await), (None, None));
    });
}

#[test]
fn a_rule_that_fails_fails_the_merge() {
    block_on(async {
        let bench = Bench::small();
        let trees =
            ["base", "ours", "theirs"].map(|text| bench.build(&[("k".into(), entry(0, text))].into()));
        let [base, ours, theirs] = &trees;
        let refuse =
            |_: &Conflict| Err::<Option<Entry>, _>(IndexError::InvalidValue("not to be decided".into()));
        let merged = ours.merge(theirs, Base::Common(base), refuse).await;
        assert!(matches!(merged.unwrap_err(), IndexError::InvalidValue(_)));
    });
}

#[test]
fn a_missing_base_is_an_error_unless_a_two_way_merge_is_asked_for() {
    block_on(async {
        let bench = Bench::small().uncached();
        let base = bench.build(&numbered(0..100));
        let mut models = [numbered(0..100), numbered(0..100)];
        models[0].extend(numbered(200..220));
        models[1].retain(|_, entry| entry.weight % 9 != 0);
        let [ours, theirs] = models.each_ref().map(|model| bench.build(model));
        let cids = |tree: Vec<carob_block::Block>| tree.iter().map(|b| *b.cid()).collect::<HashSet<_>>();
        let [our_nodes, their_nodes] = [cids(walk(&ours).await), cids(walk(&theirs).await)];
        let only_base = walk(&base)
            .await
            .into_iter()
            .skip(2)
            .filter(|block| !our_nodes.contains(block.cid()) && !their_nodes.contains(block.cid()));
        for block in only_base.collect::<Vec<_>>() {
            bench.store.lose(block.cid());
            let merged = ours.merge(&theirs, Base::Common(&base), greater).await;
            assert!(matches!(merged.unwrap_err(), IndexError::MissingNode(cid) if cid == *block.cid()));
            let merged = ours.merge(&theirs, Base::TwoWay, greater).await.unwrap();
            assert_eq!(merged.tree.len(), 120, "a two-way merge deletes nothing");
            bench.store.put(&[block]);
        }
    });
}

#[test]
fn a_merge_reads_and_writes_for_what_differs_alone() {
    block_on(async {
        let bench = Bench::new(Params::default()).uncached();
        let base = bench.build(&numbered(0..20_000));
        let changed = |numbers: std::ops::Range<u64>, text: &'static str| {
            numbers.map(move |n| (numbered_key(n * 97), Some(entry(n, text)))).collect::<Edits>()
        };
        let ours = bench.edit(&base, changed(0..50, "ours")).await.tree;
        let theirs = bench.edit(&base, changed(50..100, "theirs")).await.tree;
        let before = bench.store.reads();
        let merged = ours.merge(&theirs, Base::Common(&base), greater).await.unwrap();
        let reads = bench.store.reads() - before;
        let alone = ours.edit(changed(50..100, "theirs")).await.unwrap();
        assert_eq!(merged.blocks.len(), alone.blocks.len(), "what their edits would have written");
        let height = base.height() as u64;
        // Two diffs of 50 changes in two trees each, and an edit; their union of ways down.
        assert!(reads <= 5 * 50 * height, "{reads} reads");
    });
}
