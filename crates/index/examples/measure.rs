//! What edits cost: nodes and bytes written, and time, by batch size and target size of nodes.
//!
//! `cargo run --release -p carob-index --example measure -- [KEYS]`
#![expect(clippy::print_stdout, reason = "a table for people")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use carob_index::{Entry, Params, Tree, Value};
use support::{Bench, Edits, Model, block_on};

fn key(n: u64) -> Bytes {
    // 40 bytes, random in order.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:03}/photos/2024/{spread:016x}-{:06}", spread % 100, n % 1_000_000).into()
}

fn record(n: u64) -> Entry {
    // With its head of two bytes, 200.
    let mut bytes = [(n % 251) as u8; 198];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Entry { weight: n, value: Value::from_serialize(&serde_bytes::Bytes::new(&bytes)).unwrap() }
}

/// Nodes read for a page at a random place, the mean of some, with nothing cached.
async fn page_reads(bench: &Bench, tree: &Tree, keys: u64) -> f64 {
    let cold = bench.clone().uncached().open(tree.root()).await;
    let before = bench.store.reads();
    for n in 0..50 {
        let mut cursor = cold.cursor();
        cursor.seek(&key(n * 7919 % keys)).await.unwrap();
        for _ in 0..1000 {
            cursor.next().await.unwrap();
        }
    }
    (bench.store.reads() - before) as f64 / 50.0
}

fn main() {
    let keys = std::env::args().nth(1).and_then(|keys| keys.parse().ok()).unwrap_or(100_000);
    let model: Model = (0..keys).map(|n| (key(n), record(n))).collect();
    println!("{keys} keys of 40 bytes, records of 200, everything cached");
    println!("target  height  nodes  bytes/key | batch  puts      nodes/put  KiB/put  us/put");
    for target in [1024, 2048, 4096, 8192] {
        let mut bench = Bench::new(Params::new(target, 256, 56, 256).unwrap());
        bench.cache = std::sync::Arc::new(carob_index::NodeCache::new(2 << 30));
        let started = Instant::now();
        let tree = bench.build(&model);
        let built = started.elapsed();
        let blocks = block_on(support::walk(&tree));
        let bytes: usize = blocks.iter().map(|block| block.data().len()).sum();
        let started = Instant::now();
        let scanned = block_on(support::contents(&tree)).len();
        let cold = started.elapsed();
        let started = Instant::now();
        let mut cursor = tree.cursor();
        block_on(async { while cursor.next().await.unwrap().is_some() {} });
        println!(
            "{target:6}  {:6} {:6}  {:9.0} | bulk load {:.0} ms; scan of {scanned}: first {:.0} ms, warm {:.1} M/s",
            tree.height(),
            blocks.len(),
            bytes as f64 / keys as f64,
            built.as_secs_f64() * 1e3,
            cold.as_secs_f64() * 1e3,
            keys as f64 / started.elapsed().as_secs_f64() / 1e6,
        );
        println!(
            "                                 | a page of 1000 reads {:.1} nodes, a get {}",
            block_on(page_reads(&bench, &tree, keys)),
            tree.height(),
        );
        for (kind, batch) in [("new", 1), ("overwrite", 1), ("new", 64), ("new", 256)] {
            let rounds = 2000 / batch;
            let (mut nodes, mut bytes, mut took) = (0, 0, Duration::ZERO);
            let mut current = tree.clone();
            for round in 0..rounds {
                let numbers = (0..batch).map(|n| {
                    let n = round * batch + n;
                    if kind == "new" { keys + n } else { n * 37 % keys }
                });
                let edits: Edits = numbers.map(|n| (key(n), Some(record(n + 1)))).collect();
                let started = Instant::now();
                let edited = block_on(current.edit(edits)).unwrap();
                took += started.elapsed();
                nodes += edited.blocks.len();
                bytes += edited.blocks.iter().map(|block| block.data().len()).sum::<usize>();
                bench.store.put(&edited.blocks);
                current = edited.tree;
            }
            let puts = (rounds * batch) as f64;
            println!(
                "                                 | {batch:5}  {kind:9} {:9.2}  {:7.2}  {:6.1}",
                nodes as f64 / puts,
                bytes as f64 / puts / 1024.0,
                took.as_secs_f64() * 1e6 / puts,
            );
        }
    }
}
