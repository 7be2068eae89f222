//! How fast one stream is written, beside the speed of MD5 on one core, which bounds it.
//!
//! `cargo run --release -p carob-object --example throughput [MiB] [streams]`
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use carob_block::{Block, Cid, Session, SessionId, StoreError};
use carob_object::{ChecksumAlgorithm, LEAF_SIZE, ObjectError, ObjectWriter};
use md5::{Digest, Md5};

/// Takes blocks and forgets them.
#[derive(Debug)]
struct Null;

#[async_trait]
impl Session for Null {
    fn id(&self) -> SessionId {
        SessionId(0)
    }

    async fn put(&self, _: Vec<Block>) -> Result<(), StoreError> {
        Ok(())
    }

    async fn missing(&self, _: &[Cid]) -> Result<Vec<Cid>, StoreError> {
        Ok(Vec::new())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let mib: usize = args.next().map_or(Ok(256), |arg| arg.parse())?;
    let streams: usize = args.next().map_or(Ok(1), |arg| arg.parse())?;
    let leaf: Vec<u8> = (0..LEAF_SIZE).map(|i| (i % 251) as u8).collect();

    let start = Instant::now();
    let mut md5 = Md5::new();
    (0..mib).for_each(|_| md5.update(&leaf));
    md5.finalize();
    let rate = |count: usize, start: Instant| (count * mib) as f64 / start.elapsed().as_secs_f64();
    println!("{:32} {:7.0} MiB/s", "MD5 alone, one core", rate(1, start));

    let sets: [&[ChecksumAlgorithm]; 3] =
        [&[], &[ChecksumAlgorithm::Crc64Nvme], &[ChecksumAlgorithm::Sha256, ChecksumAlgorithm::Sha1]];
    for checksums in sets {
        let start = Instant::now();
        let tasks: Vec<_> =
            (0..streams).map(|_| tokio::spawn(write(leaf.clone().into(), mib, checksums))).collect();
        for task in tasks {
            task.await??;
        }
        println!("{:32} {:7.0} MiB/s", format!("written with {checksums:?}"), rate(streams, start));
    }
    Ok(())
}

async fn write(leaf: Bytes, mib: usize, checksums: &[ChecksumAlgorithm]) -> Result<(), ObjectError> {
    let mut writer = ObjectWriter::new(Arc::new(Null), checksums);
    for _ in 0..mib {
        for at in (0..LEAF_SIZE).step_by(64 * 1024) {
            writer.write(leaf.slice(at..at + 64 * 1024)).await?;
        }
    }
    writer.finish().await.map(|_| ())
}
