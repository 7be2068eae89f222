//! How long a store of many small blocks takes to open, and the memory that it needs.
//!
//! `cargo run --release -p carob-local --example open_time -- DIRECTORY MILLIONS`

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use carob_block::{Block, Codec, HeadSwap, ReadBlocks, Store};
use carob_local::{LocalOptions, LocalStore};

/// Bytes of a block; each is another.
const BLOCK: usize = 256;

/// Blocks in a commit.
const BATCH: u64 = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let usage = "give a directory for scratch files and how many million blocks";
    let mut args = std::env::args().skip(1);
    let dir = PathBuf::from(args.next().ok_or(usage)?);
    let blocks = args.next().ok_or(usage)?.parse::<u64>()? * 1_000_000;
    let dir = tempfile::tempdir_in(dir)?;
    let (whole, killed) = (dir.path().join("store"), dir.path().join("killed"));

    let store = LocalStore::open(LocalOptions::new(&whole, [1; 16]))?;
    let begun = Instant::now();
    let mut head = None;
    for batch in 0..blocks / BATCH {
        let session = store.session();
        let put = (batch * BATCH..(batch + 1) * BATCH).map(block).collect::<Result<Vec<_>, _>>()?;
        let next = put.first().map(|block| *block.cid());
        session.put(put).await?;
        store.commit(&[&*session], &[HeadSwap { name: "h".into(), expected: head, next }]).await?;
        head = next;
    }
    println!("{:>8.2} s to write {blocks} blocks of {BLOCK} bytes, {} MB", seconds(begun), megabytes());
    // As a kill leaves it: the files as they are before the end.
    copy(&whole, &killed)?;
    store.close().await?;
    drop(store);

    for (state, dir) in [("closed in order", &whole), ("killed", &killed)] {
        let (before, begun) = (megabytes(), Instant::now());
        let store = LocalStore::open(LocalOptions::new(dir, [1; 16]))?;
        println!("{:>8.2} s to open it, {state}; memory {before} -> {} MB", seconds(begun), megabytes());
        lookups(&store, blocks).await?;
    }
    Ok(())
}

async fn lookups(store: &LocalStore, blocks: u64) -> Result<(), Box<dyn Error>> {
    let (mut held, mut absent) = (Vec::new(), Vec::new());
    for at in 0..100_000 {
        held.push(block(at * 7919 % blocks)?);
        absent.push(*block(blocks + at)?.cid());
    }
    let session = store.session();
    let begun = Instant::now();
    let missing = session.missing(&absent).await?.len();
    println!("{:>8.2} µs to miss a block, {missing} missed", seconds(begun) * 1e6 / absent.len() as f64);
    let begun = Instant::now();
    for block in &held {
        let found = store.get(block.cid()).await?;
        assert_eq!(found.as_ref(), Some(block), "a block that was stored is found");
    }
    println!("{:>8.2} µs to read a block", seconds(begun) * 1e6 / held.len() as f64);
    Ok(())
}

fn block(number: u64) -> Result<Block, Box<dyn Error>> {
    let data: Vec<u8> = number.to_be_bytes().into_iter().cycle().take(BLOCK).collect();
    Ok(Block::new(Codec::Raw, data.into())?)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else {
            let to = to.join(entry.file_name());
            std::fs::copy(entry.path(), &to)?;
            // Opening is not to wait for what the copy has to write.
            std::fs::File::open(to)?.sync_all()?;
        }
    }
    Ok(())
}

fn seconds(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64()
}

/// Resident memory, where the system tells.
fn megabytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}
