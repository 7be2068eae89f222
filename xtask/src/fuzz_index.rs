//! Long runs against the index: histories of edits that must end in the tree that a bulk build gives, and
//! coverage-guided fuzzing of what decodes bytes from outside.

mod decoders;
mod history;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use history::{History, Outcome};

/// Arguments of `xtask fuzz-index`.
#[derive(Debug, clap::Args)]
pub(crate) struct FuzzIndexArgs {
    /// What the histories are drawn from; printed, so that a failure can be had again.
    #[arg(long)]
    seed: Option<u64>,
    /// How many histories to run.
    #[arg(long, default_value_t = 100_000)]
    histories: u64,
    /// Run this history of the seed alone.
    #[arg(long, conflicts_with = "histories")]
    only: Option<u64>,
    /// Start no history after this time; with `--decoders`, the time for each target.
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Fuzz the decoders instead: libFuzzer, guided by coverage. Needs a C++ compiler.
    #[arg(long, conflicts_with_all = ["seed", "histories", "only"])]
    decoders: bool,
    /// Compare the golden roots with those of the reference implementation in Python instead.
    #[arg(long, conflicts_with_all = ["seed", "histories", "only", "decoders"])]
    reference: bool,
}

impl FuzzIndexArgs {
    pub(crate) async fn run(self) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            if self.decoders {
                decoders::run(Duration::from_secs(self.seconds))
            } else if self.reference {
                decoders::reference()
            } else {
                self.histories()
            }
        })
        .await?
    }

    fn histories(&self) -> Result<()> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let (first, end) = self.only.map_or((0, self.histories), |only| (only, only + 1));
        println!("seed {seed}: histories {first} to {} on {} threads", end - 1, self.threads);
        let started = Instant::now();
        let (next, failed) = (AtomicU64::new(first), Mutex::new(None));
        let total = Mutex::new(Outcome::default());
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    while started.elapsed() < Duration::from_secs(self.seconds) {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= end {
                            break;
                        }
                        // An assertion inside the index is a finding like a differing root.
                        let run = AssertUnwindSafe(|| History::draw(seed, number).run());
                        match catch_unwind(run).unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))) {
                            Ok(outcome) => locked(&total).add(&outcome),
                            Err(error) => {
                                locked(&failed).get_or_insert((number, error));
                                next.store(end, Ordering::Relaxed);
                            }
                        }
                    }
                });
            }
        });
        if let Some((number, error)) = locked(&failed).take() {
            bail!("history {number}: {error:#}; again with --seed {seed} --only {number}");
        }
        let Outcome { histories, edits, batches, roots, highest } = *locked(&total);
        println!(
            "{histories} histories in {:.0} s: {edits} edits in {batches} batches, {roots} roots equal to those of \
             bulk builds, trees up to {highest} levels",
            started.elapsed().as_secs_f64()
        );
        if histories < end - first {
            println!("the time was up before the other {} of {}", end - first - histories, end - first);
        }
        Ok(())
    }
}

/// What these locks guard is whole at every moment, a panic elsewhere or not.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
