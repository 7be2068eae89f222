//! The store in this process, over a disk that loses and tears what was not flushed.
//!
//! What SIGKILL cannot show: that every acknowledgement waited for a flush, and that whatever mixture of old, new and
//! torn pages a power cut leaves is recovered from. Now and then the power goes again during recovery.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use carob_block::SweepOptions;
use carob_bucket::{BucketError, CollectOptions, HistoryRetention, Space, SpaceOptions};
use carob_identity::{SeededEntropy, SpaceKey, SystemClock};
use carob_local::sim::SimDisk;
use carob_local::{Disk, Harm, LocalError, LocalOptions, LocalStore};
use futures::TryStreamExt;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::lives::is_mortal;

const DIR: &str = "store";
/// Small, so that cuts meet the change from one segment to the next.
const SEGMENT_SIZE: u32 = 4 << 20;
/// An old store gets so long to notice that its disk is gone.
const GIVE_UP: Duration = Duration::from_secs(30);

/// Every segment with anything dead in it is rewritten, so that cuts meet as many collections as there can be.
const COLLECT: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};
/// Between two collections.
const PAUSE: Duration = Duration::from_millis(20);

/// Panics of any thread of this process; the store's own threads among them.
static PANICS: AtomicU32 = AtomicU32::new(0);

/// A store, its disk, and who draws their fates.
#[derive(Debug)]
pub(super) struct Machine {
    seed: u64,
    rng: fastrand::Rng,
    disk: SimDisk,
    /// The disk as the store sees it.
    seen: fn(SimDisk) -> Arc<dyn Disk>,
    running: Option<(Space, Arc<LocalStore>)>,
    /// Collects garbage as long as the store runs; ends with the damage that it found.
    collecting: Option<JoinHandle<BucketError>>,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        Self::on(seed, |disk| Arc::new(disk))
    }

    /// A store that sees its disk through `seen`.
    pub(super) fn on(seed: u64, seen: fn(SimDisk) -> Arc<dyn Disk>) -> Self {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            report(panic);
        }));
        let mut rng = fastrand::Rng::with_seed(seed);
        let disk = SimDisk::new(rng.u64(..));
        Self { seed, rng, disk, seen, running: None, collecting: None }
    }

    async fn end_collecting(&mut self) -> Result<()> {
        let Some(collecting) = self.collecting.take() else { return Ok(()) };
        collecting.abort();
        match collecting.await {
            Ok(damage) => Err(damage).context("collecting garbage"),
            // Ended from here, or a panic, which has been counted.
            Err(_) => Ok(()),
        }
    }

    fn lose_power(&mut self) {
        self.disk = self.disk.power_cut(self.rng.u64(..));
    }

    async fn open(&mut self) -> Result<LocalStore, LocalError> {
        let mut log_id = [0; 16];
        self.rng.fill(&mut log_id);
        let disk = (self.seen)(self.disk.clone());
        let options = LocalOptions { dir: DIR.into(), segment_size: SEGMENT_SIZE, disk, log_id };
        let opened = tokio::task::spawn_blocking(|| LocalStore::open(options)).await;
        opened.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// Opens the store; one time in three the power goes again while it recovers.
    async fn recover(&mut self) -> Result<LocalStore> {
        while self.rng.u8(..3) == 0 {
            self.disk.lose_power_after(self.rng.u64(..12));
            // It may have opened before the power went, or not; either way it is gone now.
            drop(self.open().await);
            self.lose_power();
        }
        self.open().await.context("recovering the store")
    }

    async fn close(&mut self) -> Result<()> {
        self.end_collecting().await?;
        let Some((space, store)) = self.running.take() else { return Ok(()) };
        timeout(GIVE_UP, space.close()).await.context("the space did not close")?;
        timeout(GIVE_UP, store.close()).await.context("the store did not close")??;
        Ok(())
    }
}

#[async_trait]
impl super::Machine for Machine {
    type Target = Space;
    const FULL_EVERY: u32 = 50;

    async fn start(&mut self) -> Result<Space> {
        let store = Arc::new(self.recover().await?);
        let entropy = Arc::new(SeededEntropy::new(self.rng.u64(..)));
        let space = Space::open(SpaceOptions {
            store: store.clone(),
            // The same key after every cut.
            signer: Arc::new(SpaceKey::generate(&SeededEntropy::new(self.seed))),
            clock: Arc::new(SystemClock),
            entropy,
            cache_bytes: 4 << 20,
        })
        .await?;
        self.collecting = Some(tokio::spawn(collect(space.clone(), Arc::clone(&store), self.rng.bool())));
        self.running = Some((space.clone(), store));
        Ok(space)
    }

    async fn cut(&mut self) -> Result<()> {
        self.lose_power();
        self.end_collecting().await?;
        // The store that lost its disk has nothing more to say, and no error of its closing matters.
        let (space, store) = self.running.take().context("no store is running")?;
        timeout(GIVE_UP, space.close()).await.context("the space hangs without its disk")?;
        _ = timeout(GIVE_UP, store.close()).await.context("the store hangs without its disk")?;
        no_panic()
    }

    async fn stop(&mut self) -> Result<()> {
        self.close().await?;
        // As another process finds it: clients of the store that was closed may still hold its lock.
        let disk = self.disk.image();
        let checked = tokio::task::spawn_blocking(move || carob_local::check(Path::new(DIR), &disk)).await?;
        let mut findings = checked.context("checking the files of the store")?.findings;
        // What a cut made of an index is mended when somebody looks into it.
        findings.retain(|finding| finding.harm == Harm::Loss);
        ensure!(findings.is_empty(), "the files of the store are not as they were written: {findings:?}");
        no_panic()
    }

    /// Exports every bucket and verifies the export, as `carob export` and `carob verify` do.
    async fn verify(&mut self, buckets: &[String]) -> Result<()> {
        let (space, _) = self.running.as_ref().context("no store is running")?;
        for bucket in buckets {
            let snapshot = space.bucket(bucket).await?.snapshot().await?;
            let mut car = carob_car::header(&[snapshot.cid()])?;
            let mut blocks = std::pin::pin!(snapshot.export());
            while let Some(block) = blocks.try_next().await? {
                carob_car::Frame::of(&block).append_to(&mut car);
            }
            let report = carob_commit::verify_car(Cursor::new(car), Some(space.did()))
                .await
                .with_context(|| format!("verifying the export of {bucket}"))?;
            ensure!(
                report.objects == snapshot.objects(),
                "the export of {bucket} holds {} of {} objects",
                report.objects,
                snapshot.objects()
            );
            ensure!(
                report.noncurrent == snapshot.noncurrent(),
                "the export of {bucket} holds {} of {} noncurrent versions",
                report.noncurrent,
                snapshot.noncurrent()
            );
        }
        Ok(())
    }

    async fn wipe(&mut self, cycle: u32) -> Result<()> {
        let stores = fastrand::Rng::with_seed(self.seed).u64(..);
        self.rng = fastrand::Rng::with_seed(stores.wrapping_add(cycle.into()));
        self.disk = SimDisk::new(self.rng.u64(..));
        Ok(())
    }
}

/// Collects again and again, half of the time of buckets that keep nothing but their newest state.
async fn collect(space: Space, store: Arc<LocalStore>, head_only: bool) -> BucketError {
    loop {
        tokio::time::sleep(PAUSE).await;
        let collected = async {
            if head_only {
                keep_heads_only(&space).await?;
            }
            space.collect(&*store, COLLECT).await
        };
        // Any other error says that the power is gone.
        if let Err(damage @ BucketError::Damaged(_)) = collected.await {
            return damage;
        }
    }
}

async fn keep_heads_only(space: &Space) -> Result<(), BucketError> {
    for info in space.buckets().await? {
        // Those have a retention that the run knows of.
        if is_mortal(&info.name) {
            continue;
        }
        let bucket = space.bucket(&info.name).await?;
        if bucket.snapshot().await?.config().history != HistoryRetention::HEAD_ONLY {
            let change = |config: &mut carob_bucket::Config| {
                config.history = HistoryRetention::HEAD_ONLY;
                Ok(())
            };
            bucket.configure(change).await?;
        }
    }
    Ok(())
}

fn no_panic() -> Result<()> {
    ensure!(PANICS.load(Ordering::SeqCst) == 0, "a thread panicked; its report stands above");
    Ok(())
}
