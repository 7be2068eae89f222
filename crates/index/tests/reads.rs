//! Reads against a `BTreeMap`, and what they cost and say when nodes are missing.

mod support;

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::fault::FaultyStore;
use carob_block::{MemoryStore, Store};
use carob_index::{IndexError, NodeCache, Salt, Totals, Tree};
use proptest::prelude::*;
use support::*;

fn totals<'a>(entries: impl Iterator<Item = (&'a Bytes, &'a carob_index::Entry)>) -> Totals {
    entries.fold(Totals::default(), |sum, (_, entry)| Totals {
        count: sum.count + 1,
        bytes: sum.bytes + entry.weight,
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn reads_equal_a_btree_map(
        params in params(),
        cached in any::<bool>(),
        model in prop::collection::btree_map(key(), any_entry(), 0..250),
        probes in prop::collection::vec((prop_oneof![key(), Just(Bytes::new())], 0usize..5), 1..40),
    ) {
        let bench = Bench::new(params);
        let bench = if cached { bench } else { bench.uncached() };
        block_on(async {
            let tree = bench.build(&model);
            let mut cursor = tree.cursor();
            let mut previous = Bytes::new();
            for (probe, steps) in probes {
                prop_assert_eq!(tree.get(&probe).await.unwrap(), model.get(&probe).cloned());
                prop_assert_eq!(tree.rank(&probe).await.unwrap(), model.range(..probe.clone()).count() as u64);

                cursor.seek(&probe).await.unwrap();
                let mut expected = model.range(probe.clone()..);
                for _ in 0..steps {
                    let expected = expected.next().map(|(key, entry)| (key.clone(), entry.clone()));
                    prop_assert_eq!(cursor.next().await.unwrap(), expected);
                }

                let counted = tree.count_range(&previous, Some(&probe)).await.unwrap();
                if previous <= probe {
                    prop_assert_eq!(counted, totals(model.range(previous..probe.clone())));
                } else {
                    prop_assert_eq!(counted, Totals::default());
                }
                for prefix in [&probe[..], &probe[..probe.len() / 2]] {
                    let expected = totals(model.iter().filter(|(key, _)| key.starts_with(prefix)));
                    prop_assert_eq!(tree.count_prefix(prefix).await.unwrap(), expected);
                }
                let from = (Bound::Included(probe.clone()), Bound::Unbounded);
                prop_assert_eq!(tree.count_range(&probe, None).await.unwrap(), totals(model.range(from)));
                previous = probe;
            }
            Ok(())
        })?;
    }
}

#[test]
fn a_missing_node_is_named_and_nothing_answered_in_its_place() {
    block_on(async {
        let bench = Bench::small().uncached();
        let model = numbered(0..120);
        let tree = bench.build(&model);
        for block in walk(&tree).await.into_iter().skip(2) {
            bench.store.lose(block.cid());
            let missing =
                |error: &IndexError| matches!(error, IndexError::MissingNode(cid) if cid == block.cid());

            let mut cursor = tree.cursor();
            let mut seen = Vec::new();
            let error = loop {
                match cursor.next().await {
                    Ok(Some((key, _))) => seen.push(key),
                    Ok(None) => panic!("a scan ended without an error"),
                    Err(error) => break error,
                }
            };
            assert!(missing(&error), "{error}");
            let mut failed = 0;
            for (key, entry) in &model {
                match tree.get(key).await {
                    Ok(found) => assert_eq!(found.as_ref(), Some(entry)),
                    Err(error) => {
                        assert!(missing(&error), "{error}");
                        let edit = tree.edit([(key.clone(), None)].into()).await;
                        assert!(missing(&edit.unwrap_err()));
                        failed += 1;
                    }
                }
            }
            assert!(failed > 0, "the node held keys");
            let mut walk = tree.nodes();
            let error = loop {
                match walk.next().await {
                    Ok(visited) => assert!(visited.is_some(), "a walk ended without an error"),
                    Err(error) => break error,
                }
            };
            assert!(missing(&error), "{error}");

            // Once the node is back, scan and walk go on where they stood.
            bench.store.put(std::slice::from_ref(&block));
            while let Some((key, _)) = cursor.next().await.unwrap() {
                seen.push(key);
            }
            assert!(seen.iter().eq(model.keys()));
            assert_eq!(walk.next().await.unwrap().unwrap().block, block);
        }
    });
}

#[test]
fn a_failing_store_fails_the_call_and_leaves_the_cursor_sound() {
    block_on(async {
        let memory = Arc::new(MemoryStore::new());
        let session = memory.session();
        let store = Arc::new(FaultyStore::new(memory.clone()));
        let cache = Arc::new(NodeCache::new(0));
        let model = numbered(0..60);
        let params = Bench::small().params;
        let (tree, blocks) = Tree::build(store.clone(), cache, Salt([0; 16]), params, model.clone()).unwrap();
        session.put(blocks).await.unwrap();
        let failed = |error: &IndexError| matches!(error, IndexError::Store(_));
        for nth in 1..40 {
            store.fail_call(nth);
            let (mut cursor, mut seen, mut failures) = (tree.cursor(), Vec::new(), 0);
            loop {
                match cursor.next().await {
                    Ok(Some((key, _))) => seen.push(key),
                    Ok(None) => break,
                    Err(error) => {
                        assert!(failed(&error));
                        failures += 1;
                    }
                }
            }
            assert!(seen.iter().eq(model.keys()));
            assert_eq!(failures, u64::from(nth <= store.calls()));
        }
        store.fail_call(1);
        let key = model.keys().next().unwrap().clone();
        assert!(failed(&tree.edit([(key, None)].into()).await.unwrap_err()));
    });
}

#[test]
fn a_cache_keeps_to_its_bound() {
    block_on(async {
        let mut bench = Bench::new(carob_index::Params::default());
        bench.cache = Arc::new(NodeCache::new(256 << 10));
        let model = numbered(0..10_000);
        let tree = bench.build(&model);
        assert_eq!(contents(&tree).await, model);
        let memory = bench.cache.figures().memory;
        assert!((64 << 10..=256 << 10).contains(&memory), "{memory}");
    });
}

#[test]
fn futures_can_move_between_threads() {
    fn movable<T: Send>(value: T) -> T {
        value
    }
    block_on(async {
        let bench = Bench::small();
        let tree = bench.build(&numbered(0..10));
        movable(tree.get(b"x")).await.unwrap();
        movable(tree.edit(Edits::new())).await.unwrap();
        movable(tree.cursor().seek(b"x")).await.unwrap();
        movable(tree.cursor().next()).await.unwrap();
        movable(tree.nodes().next()).await.unwrap();
        movable(tree.count_prefix(b"x")).await.unwrap();
        movable(Tree::open(bench.store.clone(), bench.cache.clone(), tree.root())).await.unwrap();
    });
}

#[test]
fn a_missing_root_or_top_fails_to_open() {
    block_on(async {
        let bench = Bench::small().uncached();
        let tree = bench.build(&numbered(0..50));
        let blocks = walk(&tree).await;
        for block in &blocks[..2] {
            bench.store.lose(block.cid());
            let opened = Tree::open(bench.store.clone(), bench.cache.clone(), tree.root()).await;
            assert!(matches!(opened.unwrap_err(), IndexError::MissingNode(cid) if cid == *block.cid()));
            bench.store.put(std::slice::from_ref(block));
        }
    });
}

#[test]
fn a_read_loads_one_node_a_level() {
    block_on(async {
        let bench = Bench::small().uncached();
        let model = numbered(0..2000);
        let tree = bench.build(&model);
        let below_top = tree.height() as u64 - 1;
        for (rank, key) in model.keys().enumerate().step_by(97) {
            let before = bench.store.reads();
            tree.get(key).await.unwrap();
            assert_eq!(bench.store.reads() - before, below_top);
            assert_eq!(tree.rank(key).await.unwrap(), rank as u64);
            assert_eq!(bench.store.reads() - before, 2 * below_top);
            let mut cursor = tree.cursor();
            cursor.seek(key).await.unwrap();
            assert_eq!(bench.store.reads() - before, 3 * below_top);
            cursor.next().await.unwrap();
            cursor.seek(key).await.unwrap();
            assert_eq!(bench.store.reads() - before, 3 * below_top, "a seek within the leaf loads nothing");
        }
    });
}

#[test]
fn a_skip_scan_does_not_read_what_it_skips() {
    block_on(async {
        let bench = Bench::new(carob_index::Params::default()).uncached();
        let keys = (0..20).flat_map(|folder| (0..500).map(move |n| format!("folder{folder:02}/{n:04}")));
        let tree = bench.build(&keys.map(|key| (key.into(), entry(1, "x"))).collect());
        let before = bench.store.reads();
        let mut cursor = tree.cursor();
        let mut folders = 0;
        while let Some((key, _)) = cursor.next().await.unwrap() {
            folders += 1;
            let slash = key.iter().position(|byte| *byte == b'/').unwrap();
            let mut past = key[..slash].to_vec();
            past.push(b'/' + 1);
            cursor.seek(&past).await.unwrap();
        }
        assert_eq!(folders, 20);
        let reads = bench.store.reads() - before;
        assert!(reads <= folders * tree.height() as u64, "{reads} reads");
    });
}

#[test]
fn an_old_tree_reads_as_before_while_newer_ones_appear() {
    block_on(async {
        let bench = Bench::small();
        let model = numbered(0..200);
        let old = bench.build(&model);
        let mut cursor = old.cursor();
        let mut seen = Model::new();
        let mut newest = old.clone();
        while let Some((key, entry)) = cursor.next().await.unwrap() {
            newest = bench.edit(&newest, [(key.clone(), None)].into()).await.tree;
            seen.insert(key, entry);
        }
        assert_eq!(seen, model);
        assert!(newest.is_empty());
    });
}
