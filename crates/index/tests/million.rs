//! What operations cost at a million keys, counted in nodes: a thousand folders of a thousand keys of 40 bytes, with
//! records of 200 bytes.

mod support;

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use carob_index::{Base, Builder, Entry, NodeCache, Params, Tree, Value};
use support::*;

const FOLDERS: u64 = 1000;
const IN_EACH: u64 = 1000;

fn key_of(folder: u64, n: u64) -> Bytes {
    // Spread, so that a new number falls among the old ones.
    format!("{folder:04}/2024/{:030}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into()
}

fn record(n: u64) -> Entry {
    let mut bytes = [(n % 251) as u8; 198];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Entry { weight: n, value: Value::from_serialize(&serde_bytes::Bytes::new(&bytes)).unwrap() }
}

/// The tree, over a store that counts, with a cache that keeps nothing.
static MILLION: LazyLock<(Bench, Tree)> = LazyLock::new(|| {
    let bench = Bench::new(Params::default()).uncached();
    let mut builder = Builder::new(bench.salt, bench.params);
    for folder in 0..FOLDERS {
        let mut keys: Vec<_> = (0..IN_EACH).map(|n| (key_of(folder, n), n)).collect();
        keys.sort_unstable();
        for (key, n) in keys {
            assert_eq!(key.len(), 40);
            builder.push(&key, &record(n)).unwrap();
        }
        bench.store.put(&builder.take_blocks());
    }
    let (tree, blocks) = builder.finish(bench.store.clone(), bench.cache.clone()).unwrap();
    bench.store.put(&blocks);
    (bench, tree)
});

/// The tree by a store that counts for one test alone.
fn million() -> (Bench, Tree, u64) {
    let (shared, tree) = &*MILLION;
    let bench = Bench { store: Arc::new(shared.store.fork()), ..shared.clone() };
    let opened = block_on(bench.open(tree.root()));
    (bench, opened, tree.height() as u64)
}

#[test]
fn listing_with_a_delimiter_reads_for_the_folders_alone() {
    let (bench, tree, height) = million();
    block_on(async {
        let before = bench.store.reads();
        let mut cursor = tree.cursor();
        let mut folders = Vec::new();
        while let Some((key, _)) = cursor.next().await.unwrap() {
            let slash = key.iter().position(|byte| *byte == b'/').unwrap();
            folders.push(key.slice(..=slash));
            cursor.seek_past_prefix(&key[..=slash]).await.unwrap();
        }
        assert!(folders.iter().eq((0..FOLDERS).map(|n| format!("{n:04}/")).collect::<Vec<_>>().iter()));
        let reads = bench.store.reads() - before;
        assert!(reads <= FOLDERS * height, "{reads} nodes");
        assert!(reads <= FOLDERS * 5 / 2, "seeks climb no higher than they must: {reads} nodes");
    });
}

#[test]
fn backward_the_same() {
    let (bench, tree, height) = million();
    block_on(async {
        let before = bench.store.reads();
        let mut cursor = tree.cursor();
        cursor.seek_end().await.unwrap();
        let mut folders = 0;
        while let Some((key, _)) = cursor.prev().await.unwrap() {
            folders += 1;
            cursor.seek(&key[..5]).await.unwrap();
        }
        assert_eq!(folders, FOLDERS);
        let reads = bench.store.reads() - before;
        // Before a folder's first key may mean a leaf of its own.
        assert!(reads <= FOLDERS * height, "{reads} nodes");
    });
}

#[test]
fn point_reads_ranks_and_counts_read_one_way_down_a_bound() {
    let (bench, tree, height) = million();
    block_on(async {
        let below_top = height - 1;
        for folder in [0, 1, 500, 999] {
            let before = bench.store.reads();
            assert_eq!(tree.get(&key_of(folder, 7)).await.unwrap(), Some(record(7)));
            assert_eq!(bench.store.reads() - before, below_top);
            assert_eq!(tree.rank(&key_of(folder, 0)).await.unwrap(), folder * IN_EACH, "0 sorts first");
            assert_eq!(bench.store.reads() - before, 2 * below_top);
            let totals = tree.count_prefix(format!("{folder:04}/").as_bytes()).await.unwrap();
            assert_eq!((totals.count, totals.bytes), (IN_EACH, IN_EACH * (IN_EACH - 1) / 2));
            assert!(bench.store.reads() - before <= 4 * below_top);
        }
    });
}

#[test]
fn a_random_put_in_groups_of_64_writes_at_most_12_kib_of_nodes() {
    let (bench, tree, _) = million();
    let bench = Bench { cache: Arc::new(NodeCache::new(256 << 20)), ..bench };
    block_on(async {
        let mut tree = bench.open(tree.root()).await;
        let (mut bytes, mut puts) = (0, 0);
        for group in 0..10 {
            let numbers = (group * 64..group * 64 + 64).map(|n| (n * 389 % FOLDERS, IN_EACH + n));
            let edits: Edits = numbers.map(|(folder, n)| (key_of(folder, n), Some(record(n)))).collect();
            puts += edits.len();
            let edited = bench.edit(&tree, edits).await;
            bytes += edited.blocks.iter().map(|block| block.data().len()).sum::<usize>();
            tree = edited.tree;
        }
        let each = bytes / puts;
        assert!(each <= 12 << 10, "{each} bytes for each of {puts}");
    });
}

#[test]
fn a_diff_of_a_hundred_changes_reads_for_them_alone() {
    let (bench, tree, height) = million();
    block_on(async {
        let numbers = (0..100).map(|n| (n * 389 % FOLDERS, IN_EACH + n));
        let edits: Edits = numbers.map(|(folder, n)| (key_of(folder, n), Some(record(n)))).collect();
        let edited = bench.edit(&tree, edits.clone()).await.tree;
        let before = bench.store.reads();
        let mut diff = tree.diff(&edited);
        let mut found = Edits::new();
        while let Some(change) = diff.next().await.unwrap() {
            assert_eq!(change.old, None);
            found.insert(change.key, change.new);
        }
        assert_eq!(found, edits);
        let reads = bench.store.reads() - before;
        assert!(reads <= 100 * 2 * height, "{reads} nodes");
    });
}

#[test]
fn splicing_a_folder_or_half_the_tree_writes_a_few_nodes_a_level() {
    let (bench, tree, height) = million();
    block_on(async {
        // In the other state, every hundredth key has changed.
        let mut edits = Edits::new();
        for folder in 0..FOLDERS {
            edits.extend((0..IN_EACH / 100).map(|n| (key_of(folder, n * 100), Some(record(n)))));
        }
        let other = bench.edit(&tree, edits).await.tree;
        for (start, end) in [("0500/", "05000"), ("0250/", "0750/"), ("", "0001/"), ("0999/", "9")] {
            let before = bench.store.reads();
            let spliced = tree.splice(start.as_bytes(), Some(end.as_bytes()), &other).await.unwrap();
            let (reads, written) = (bench.store.reads() - before, spliced.blocks.len() as u64);
            assert!(written <= 4 * height + 1, "{written} nodes written at height {height}");
            assert!(reads <= 40 * height, "{reads} nodes read at height {height}");
            bench.store.put(&spliced.blocks);
            let mut diff = other.diff(&spliced.tree);
            while let Some(change) = diff.next().await.unwrap() {
                assert!(&change.key[..] < start.as_bytes() || &change.key[..] >= end.as_bytes());
            }
            let mut diff = tree.diff(&spliced.tree);
            while let Some(change) = diff.next().await.unwrap() {
                assert!(&change.key[..] >= start.as_bytes() && &change.key[..] < end.as_bytes());
            }
        }
    });
}

#[test]
fn a_merge_reads_and_writes_for_what_differs_alone() {
    let (bench, base, height) = million();
    block_on(async {
        let side = |offset: u64| {
            let numbers = (0..50).map(move |n| (n * 389 % FOLDERS, IN_EACH + offset + n));
            numbers.map(|(folder, n)| (key_of(folder, n), Some(record(n)))).collect::<Edits>()
        };
        let ours = bench.edit(&base, side(0)).await.tree;
        let theirs = bench.edit(&base, side(1000)).await.tree;
        let before = bench.store.reads();
        let merged = ours.merge(&theirs, Base::Common(&base), |c| Ok(c.greater())).await.unwrap();
        let reads = bench.store.reads() - before;
        assert_eq!(merged.tree.len(), FOLDERS * IN_EACH + 100);
        assert!(reads <= 50 * 6 * height, "{reads} nodes read");
        assert!(merged.blocks.len() as u64 <= 50 * (height + 2), "{} nodes written", merged.blocks.len());
    });
}
