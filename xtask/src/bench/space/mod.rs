//! What disk a gateway takes: after everything dead was collected, and at its worst while everything is overwritten.

mod disk;
mod load;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::cargo::{self, Profile};
use crate::gateway::{BinaryArgs, Gateway};
use disk::{Admin, Peak};
use load::Load;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const BUCKET: &str = "space";

/// Below so much data what a store takes at the least outweighs what it takes for a byte: nothing is judged then.
const JUDGED: f64 = 4.0;

/// Arguments of `xtask bench space`.
#[derive(Debug, clap::Args)]
pub(crate) struct SpaceArgs {
    /// How much data there is, in GiB. The bounds hold from 4 on.
    #[arg(long, default_value_t = 4.0)]
    gib: f64,
    /// How often the one key is overwritten [default: a million times for 4 GiB, and less for less]
    #[arg(long)]
    overwrites: Option<u64>,
    /// How many times all of the data is overwritten, in random order.
    #[arg(long, default_value_t = 1.0)]
    turnover: f64,
    /// Which workloads; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Each load ends after so many minutes, done or not, and is then not judged.
    #[arg(long, default_value_t = 15)]
    minutes: u64,
    /// Decides what is overwritten.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    binary: BinaryArgs,
}

/// What is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Workload {
    /// Objects of 1 MiB.
    Large,
    /// Objects of 4 KiB with keys of 40 bytes.
    Small,
    /// One object of 4 KiB, overwritten again and again.
    OneKey,
}

impl Workload {
    fn size(self) -> u64 {
        if self == Self::Large { MIB } else { 4096 }
    }

    fn clients(self) -> usize {
        if self == Self::Large { 8 } else { 64 }
    }

    /// How many times the size of the bodies a store takes once all that is dead is gone.
    fn settled_bound(self) -> f64 {
        if self == Self::Large { 1.02 } else { 1.15 }
    }
}

/// How many times the size of the bodies a store takes at most while they are overwritten.
const LOADED_BOUND: f64 = 1.5;

/// How many times what comes in is copied meanwhile, at most.
const COPIED_BOUND: f64 = 2.0;

/// What a store that holds one small object takes at most: afterwards, and at its worst.
const ONE_KEY_BOUNDS: (u64, u64) = (64 * MIB, 2 * GIB);

/// Where everything runs.
struct Bench {
    binary: PathBuf,
    admin: PathBuf,
    limit: Duration,
    seed: u64,
    judged: bool,
    /// What was beyond its bound.
    beyond: Vec<String>,
}

impl SpaceArgs {
    /// Runs each workload on a store of its own; an error if a bound does not hold.
    pub(crate) async fn run(self) -> Result<()> {
        let (binary, admin) =
            (self.binary.resolve(Profile::Release)?, self.binary.resolve_admin(Profile::Release)?);
        let (limit, seed) = (Duration::from_secs(60 * self.minutes), self.seed);
        let mut bench = Bench { binary, admin, limit, seed, judged: self.gib >= JUDGED, beyond: Vec::new() };
        println!("{} GiB, seed {seed}; nothing but the newest state is kept", self.gib);
        let bytes = whole(self.gib * GIB as f64);
        for workload in [Workload::Large, Workload::Small, Workload::OneKey] {
            if !self.only.is_empty() && !self.only.contains(&workload) {
                continue;
            }
            if workload == Workload::OneKey {
                let million = (self.gib / JUDGED).min(1.0) * 1e6;
                bench.one_key(self.overwrites.unwrap_or(whole(million))).await?;
            } else {
                bench.many_keys(workload, bytes / workload.size(), self.turnover).await?;
            }
        }
        ensure!(bench.beyond.is_empty(), "beyond their bounds: {}", bench.beyond.join("; "));
        Ok(())
    }
}

/// A count that an option gives as a fraction.
#[expect(clippy::cast_sign_loss, reason = "whoever asks for less than nothing gets nothing")]
fn whole(number: f64) -> u64 {
    number as u64
}

impl Bench {
    async fn start(&self, data: &std::path::Path) -> Result<(Gateway, Admin)> {
        let gateway = Gateway::start(&self.binary, data).await?;
        gateway.client()?.create_bucket(BUCKET).await?;
        let admin = Admin::new(self.admin.clone(), data.to_owned());
        admin.keep_head_only(BUCKET).await?;
        Ok((gateway, admin))
    }

    async fn many_keys(&mut self, workload: Workload, count: u64, turnover: f64) -> Result<()> {
        let scratch = cargo::temp_dir("space-")?;
        let (gateway, admin) = self.start(&scratch.path().join("data")).await?;
        let bodies = (count * workload.size()) as f64;
        println!("{workload:?}: {count} objects of {} bytes", workload.size());
        let load = Load::new(gateway.client()?, workload.size(), workload.clients(), self.seed, self.limit);

        let begun = Instant::now();
        let filled = load.write(0..count, |n| n).await?;
        let took = begun.elapsed();
        println!("  written               {filled} objects in {} s", took.as_secs());
        let settled = self.settle(&admin).await? as f64 / bodies;
        println!("  after a collection    {settled:.4} x the bodies, at most {}", workload.settled_bound());
        self.judge(filled == count, settled <= workload.settled_bound(), || {
            format!("{workload:?} takes {settled:.4} x the bodies")
        });

        let before = admin.status().await?;
        let peak = Peak::watch(gateway.data().join("store"));
        let overwrites = whole(count as f64 * turnover);
        let begun = Instant::now();
        let seed = self.seed;
        let any = move |n: u64| {
            let hash = blake3::hash(&[n.to_le_bytes(), seed.to_le_bytes()].concat());
            hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first)) % count
        };
        let overwritten = load.write(count..count + overwrites, any).await?;
        let (peak, took) = (peak.end().await? as f64 / bodies, begun.elapsed());
        let after = admin.status().await?;
        let copied = (after.copied - before.copied) as f64 / (overwritten * workload.size()).max(1) as f64;
        println!(
            "  overwritten           {overwritten} objects in {} s, {} collections meanwhile",
            took.as_secs(),
            after.collections - before.collections
        );
        println!("  at its worst          {peak:.3} x the bodies, at most {LOADED_BOUND}");
        println!("  copied                {copied:.3} x what came in, at most {COPIED_BOUND}");
        let whole = filled == count && overwritten == overwrites;
        self.judge(whole, peak <= LOADED_BOUND, || format!("{workload:?} took {peak:.3} x the bodies"));
        self.judge(whole, copied <= COPIED_BOUND, || {
            format!("{workload:?} copied {copied:.3} x what came in")
        });
        let settled = self.settle(&admin).await? as f64 / bodies;
        println!("  after a collection    {settled:.4} x the bodies, at most {}", workload.settled_bound());
        self.judge(whole, settled <= workload.settled_bound(), || {
            format!("{workload:?} overwritten takes {settled:.4} x the bodies")
        });
        gateway.stop().await
    }

    async fn one_key(&mut self, overwrites: u64) -> Result<()> {
        let scratch = cargo::temp_dir("space-")?;
        let (gateway, admin) = self.start(&scratch.path().join("data")).await?;
        println!("OneKey: one object of 4096 bytes, written {overwrites} times");
        let (size, clients) = (Workload::OneKey.size(), Workload::OneKey.clients());
        let load = Load::new(gateway.client()?, size, clients, self.seed, self.limit);
        let peak = Peak::watch(gateway.data().join("store"));
        let begun = Instant::now();
        let written = load.write(0..overwrites, |_| 0).await?;
        let (peak, took) = (peak.end().await?, begun.elapsed());
        println!("  written               {written} times in {} s", took.as_secs());
        let settled = self.settle(&admin).await?;
        let (most_settled, most) = ONE_KEY_BOUNDS;
        println!("  at its worst          {} MiB, at most {} MiB", peak / MIB, most / MIB);
        println!(
            "  after a collection    {:.3} MiB, less than {}",
            settled as f64 / MIB as f64,
            most_settled / MIB
        );
        let whole = written == overwrites;
        self.judge(whole, peak <= most, || format!("one key took {peak} bytes"));
        self.judge(whole, settled < most_settled, || format!("one key takes {settled} bytes"));
        gateway.stop().await
    }

    /// Collects everything that is dead, and tells what the store takes then beyond the segment that it holds ready.
    async fn settle(&self, admin: &Admin) -> Result<u64> {
        let begun = Instant::now();
        admin.collect_fully().await?;
        println!("  collected fully       in {:.1} s", begun.elapsed().as_secs_f64());
        disk::allocated_without_reserve(admin).await
    }

    fn judge(&mut self, whole: bool, holds: bool, what: impl FnOnce() -> String) {
        if self.judged && whole && !holds {
            self.beyond.push(what());
        }
    }
}
