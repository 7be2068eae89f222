//! What edits write, counted in nodes, and the bounds that hold whatever the keys.

mod support;

use std::collections::HashSet;

use bytes::Bytes;
use carob_block::MAX_BLOCK_SIZE;
use carob_index::{IndexError, MAX_KEY, MAX_VALUE, Params, Value};
use support::*;

#[test]
fn an_overwrite_writes_one_node_a_level() {
    block_on(async {
        let bench = Bench::new(Params::default());
        let model = numbered(0..5000);
        let tree = bench.build(&model);
        for key in model.keys().step_by(501) {
            let edited = bench.edit(&tree, [(key.clone(), Some(entry(1, "other")))].into()).await;
            assert_eq!(edited.blocks.len(), tree.height() + 1, "the nodes on the way, and the descriptor");
        }
    });
}

#[test]
fn a_point_edit_writes_at_most_two_nodes_more_than_the_height_on_average() {
    block_on(async {
        for params in [Params::default(), Params::new(1024, 64, 56, 64).unwrap()] {
            let bench = Bench::new(params);
            let mut tree = bench.build(&numbered(0..10_000));
            let height = tree.height();
            let mut written = 0;
            for n in 0..400 {
                let (put, delete) = (numbered_key(10_000 + n), numbered_key(n));
                let edited = bench.edit(&tree, [(put, Some(entry(n, "new")))].into()).await;
                written += edited.blocks.len();
                let edited = bench.edit(&edited.tree, [(delete, None)].into()).await;
                written += edited.blocks.len();
                tree = edited.tree;
            }
            let average = written as f64 / 800.0;
            assert!(average <= height as f64 + 2.0, "{average} at height {height}");
        }
    });
}

#[test]
fn a_sequential_append_writes_amortised_constant_nodes() {
    block_on(async {
        let bench = Bench::new(Params::default());
        let ordered = |range: std::ops::Range<u64>| {
            range.map(|n| (Bytes::from(format!("log/{n:012}")), entry(n, "line")))
        };
        let tree = bench.build(&ordered(0..10_000).collect());
        let edits = ordered(10_000..12_000).map(|(key, entry)| (key, Some(entry))).collect();
        let edited = bench.edit(&tree, edits).await;
        assert!(edited.blocks.len() < 2000 / 10, "{} blocks for 2000 entries", edited.blocks.len());
    });
}

#[test]
fn a_batch_writes_each_node_once() {
    block_on(async {
        let bench = Bench::small();
        let tree = bench.build(&numbered(0..3000));
        let edits = numbered(2900..3100).into_iter().map(|(key, entry)| (key, Some(entry))).collect();
        let edited = bench.edit(&tree, edits).await;
        let reachable: HashSet<_> = walk(&edited.tree).await.iter().map(|block| *block.cid()).collect();
        let distinct: HashSet<_> = edited.blocks.iter().map(|block| *block.cid()).collect();
        assert_eq!(distinct.len(), edited.blocks.len());
        assert!(distinct.is_subset(&reachable), "nothing is written that the tree does not use");
    });
}

#[test]
fn edits_follow_each_other_from_the_cache_alone() {
    block_on(async {
        let bench = Bench::small();
        let mut tree = bench.build(&numbered(0..500));
        contents(&tree).await;
        let before = bench.store.reads();
        for n in 500..600 {
            // Not put into the store.
            tree = tree.edit([(numbered_key(n), Some(entry(n, "new")))].into()).await.unwrap().tree;
        }
        assert_eq!(bench.store.reads(), before);
        assert_eq!(tree.len(), 600);
    });
}

#[test]
fn the_heaviest_entries_stay_below_the_block_size() {
    block_on(async {
        let bench = Bench::new(Params::new(65_536, 1, 1, Params::MAX_ENTRIES).unwrap());
        let value = Value::from_serialize(&"v".repeat(MAX_VALUE - 3)).unwrap();
        assert_eq!(value.bytes().len(), MAX_VALUE);
        let key = |n: u16| {
            let mut key = n.to_be_bytes().to_vec();
            key.resize(MAX_KEY, 0xff);
            Bytes::from(key)
        };
        let entry = carob_index::Entry { weight: u64::MAX / 4096, value };
        let tree = bench.build(&(0..600).map(|n| (key(n), entry.clone())).collect());
        for block in walk(&tree).await {
            assert!(block.data().len() < MAX_BLOCK_SIZE / 4);
        }
    });
}

#[test]
fn what_is_over_the_limits_is_refused() {
    block_on(async {
        let bench = Bench::small();
        let tree = bench.empty();
        for key in [Bytes::new(), Bytes::from(vec![0; MAX_KEY + 1])] {
            let len = key.len();
            let error = tree.edit([(key.clone(), Some(entry(0, "x")))].into()).await.unwrap_err();
            assert!(matches!(error, IndexError::KeyLength(found) if found == len));
            let built = carob_index::Builder::new(bench.salt, bench.params).push(&key, &entry(0, "x"));
            assert!(matches!(built.unwrap_err(), IndexError::KeyLength(found) if found == len));
        }
        let long = Value::from_serialize(&"v".repeat(MAX_VALUE));
        assert!(matches!(long.unwrap_err(), IndexError::ValueTooLarge(_)));
        let heavy = entry(u64::MAX, "x");
        let edits = [("a".into(), Some(heavy.clone())), ("b".into(), Some(heavy))].into();
        assert!(matches!(tree.edit(edits).await.unwrap_err(), IndexError::WeightOverflow));
        let mut builder = carob_index::Builder::new(bench.salt, bench.params);
        builder.push(b"b", &entry(0, "x")).unwrap();
        for key in [b"a", b"b"] {
            assert!(matches!(builder.push(key, &entry(0, "x")).unwrap_err(), IndexError::Unsorted));
        }
        for (target, leaf, inner, max) in [
            (63, 8, 8, 8),
            (65_537, 8, 8, 8),
            (64, 0, 8, 8),
            (64, 8, 4097, 8),
            (64, 8, 8, 3),
            (64, 8, 8, 513),
        ] {
            assert!(matches!(Params::new(target, leaf, inner, max), Err(IndexError::InvalidParams(_))));
        }
    });
}
