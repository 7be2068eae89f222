//! How many commits a second the store makes durable, beside what the disk flushes a second.
//!
//! `cargo run --release -p carob-local --example commit_rate -- DIRECTORY`

#![expect(clippy::print_stdout, reason = "it is what the program is for")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use carob_block::{Block, Codec, HeadSwap, Store};
use carob_local::{Disk, LocalOptions, LocalStore, RealDisk};

const BLOCK: usize = 4096;
const TIME: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("give a directory for scratch files")?);
    let dir = tempfile::tempdir_in(dir)?;
    for round in 1..=2 {
        println!("round {round}");
        println!("{:>9.0} flushes/s of {BLOCK} bytes each, one after the other", raw_flushes(dir.path())?);
        for clients in [1, 16, 64] {
            let store = LocalStore::open(LocalOptions::new(dir.path().join("store"), [1; 16]))?;
            let store = Arc::new(store);
            let before = store.stats();
            let commits = commit_rate(&store, clients, round).await?;
            let flushes = store.stats().flushes - before.flushes;
            let shared = commits * TIME.as_secs_f64() / flushes as f64;
            println!("{commits:>9.0} commits/s from {clients} clients, {shared:.1} to a flush");
            store.close().await?;
        }
    }
    Ok(())
}

fn raw_flushes(dir: &std::path::Path) -> std::io::Result<f64> {
    let path = dir.join("raw");
    let file = RealDisk.create(&path)?;
    file.preallocate(64 * 1024 * 1024)?;
    file.flush_all()?;
    let (start, mut flushes) = (Instant::now(), 0_u32);
    while start.elapsed() < TIME {
        file.write_at(u64::from(flushes) * BLOCK as u64, &[7; BLOCK])?;
        file.flush()?;
        flushes += 1;
    }
    RealDisk.remove(&path)?;
    Ok(f64::from(flushes) / start.elapsed().as_secs_f64())
}

async fn commit_rate(store: &Arc<LocalStore>, clients: u64, round: u64) -> Result<f64, Box<dyn Error>> {
    let (done, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let tasks = (0..clients).map(|id| {
        let (store, done) = (Arc::clone(store), Arc::clone(&done));
        tokio::spawn(async move {
            let (name, mut expected) = (format!("{round}/{clients}/{id}"), None);
            for number in 0_u64.. {
                if start.elapsed() > TIME {
                    break;
                }
                let mut body = vec![0; BLOCK];
                for (at, value) in [round, clients, id, number].into_iter().enumerate() {
                    body[at * 8..at * 8 + 8].copy_from_slice(&value.to_be_bytes());
                }
                let block = Block::new(Codec::Raw, body.into()).map_err(|e| e.to_string())?;
                let next = Some(*block.cid());
                let session = store.session();
                session.put(vec![block]).await.map_err(|e| e.to_string())?;
                let swap = HeadSwap { name: name.clone(), expected, next };
                store.commit(&[&*session], &[swap]).await.map_err(|e| e.to_string())?;
                expected = next;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, String>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64())
}
