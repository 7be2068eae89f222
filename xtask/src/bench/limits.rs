//! What this machine can do at all, measured in the same run as the load.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::Result;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::MIB;
use crate::cargo;

const EACH: Duration = Duration::from_secs(2);
const FIXED: u64 = 16 * MIB;

/// The ceilings of a gateway on this machine.
#[derive(Debug)]
pub(super) struct Limits {
    /// Bytes per second of MD5 on one core: the ceiling of one PUT stream, since its ETag is an MD5.
    pub(super) md5: f64,
    /// Bytes per second of SHA-256 on one core: every block's name is one.
    pub(super) sha256: f64,
    /// Appends of 4 KiB, each followed by fdatasync, per second. Each also commits the file's new length.
    pub(super) append: f64,
    /// Writes of 4 KiB inside a file of fixed length, each followed by fdatasync, per second: the ceiling of a
    /// log that prepares its files.
    pub(super) fdatasync: f64,
}

impl std::fmt::Display for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "  MD5, one core          {:>8.2} GB/s", self.md5 / 1e9)?;
        writeln!(f, "  SHA-256, one core      {:>8.2} GB/s", self.sha256 / 1e9)?;
        writeln!(f, "  4 KiB append+fdatasync {:>8.0} /s", self.append)?;
        write!(f, "  4 KiB write+fdatasync  {:>8.0} /s in a file of fixed length", self.fdatasync)
    }
}

/// Measures all limits, on the file system that the gateway's data will be on.
pub(super) fn measure() -> Result<Limits> {
    let dir = cargo::temp_dir("limits-")?;
    Ok(Limits {
        md5: digest_rate::<Md5>(),
        sha256: digest_rate::<Sha256>(),
        append: fdatasync_rate(&File::create(dir.path().join("appended"))?, u64::MAX)?,
        fdatasync: {
            let file = File::create(dir.path().join("fixed"))?;
            file.write_all_at(&vec![0; FIXED as usize], 0)?;
            file.sync_all()?;
            fdatasync_rate(&file, FIXED)?
        },
    })
}

fn digest_rate<D: Digest>() -> f64 {
    let block = vec![0x5a; MIB as usize];
    let mut hasher = D::new();
    let (begun, mut bytes) = (Instant::now(), 0);
    while begun.elapsed() < EACH {
        hasher.update(&block);
        bytes += MIB;
    }
    std::hint::black_box(hasher.finalize());
    bytes as f64 / begun.elapsed().as_secs_f64()
}

/// Writes one block after the other, from the start again at `length`.
fn fdatasync_rate(file: &File, length: u64) -> Result<f64> {
    let block = [0x5a; 4096];
    let (begun, mut count) = (Instant::now(), 0_u64);
    while begun.elapsed() < EACH {
        file.write_all_at(&block, count * block.len() as u64 % length)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}
