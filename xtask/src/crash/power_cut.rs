//! The store in this process, over a disk that loses and tears what was not flushed.
//!
//! What SIGKILL cannot show: that every acknowledgement waited for a flush, and that whatever mixture of old, new and
//! torn pages a power cut leaves is recovered from. Now and then the power goes again during recovery.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::{
    BucketError, DeleteOptions, EtagCondition, ListEntry, ListQuery, ListStart, Precondition, PutOptions, Space,
    SpaceOptions,
};
use carob_identity::{SeededEntropy, SpaceKey, SystemClock};
use carob_local::sim::SimDisk;
use carob_local::{Disk, LocalError, LocalOptions, LocalStore};
use futures::TryStreamExt;
use tokio::time::timeout;

use super::{Failure, Found, Listed, Target};

/// Small, so that cuts meet the change from one segment to the next.
const SEGMENT_SIZE: u32 = 16 << 20;
/// An old store gets so long to notice that its disk is gone.
const GIVE_UP: Duration = Duration::from_secs(30);

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
        Self { seed, rng, disk, seen, running: None }
    }

    fn lose_power(&mut self) {
        self.disk = self.disk.power_cut(self.rng.u64(..));
    }

    async fn open(&mut self) -> Result<LocalStore, LocalError> {
        let mut log_id = [0; 16];
        self.rng.fill(&mut log_id);
        let disk = (self.seen)(self.disk.clone());
        let options = LocalOptions { dir: "store".into(), segment_size: SEGMENT_SIZE, disk, log_id };
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
        let Some((space, store)) = self.running.take() else { return Ok(()) };
        timeout(GIVE_UP, space.close()).await.context("the space did not close")?;
        timeout(GIVE_UP, store.close()).await.context("the store did not close")??;
        Ok(())
    }
}

#[async_trait]
impl super::Machine for Machine {
    type Target = Space;

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
        self.running = Some((space.clone(), store));
        Ok(space)
    }

    async fn cut(&mut self) -> Result<()> {
        self.lose_power();
        // The store that lost its disk has nothing more to say, and no error of its closing matters.
        let (space, store) = self.running.take().context("no store is running")?;
        timeout(GIVE_UP, space.close()).await.context("the space hangs without its disk")?;
        _ = timeout(GIVE_UP, store.close()).await.context("the store hangs without its disk")?;
        no_panic()
    }

    async fn stop(&mut self) -> Result<()> {
        self.close().await?;
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
        }
        Ok(())
    }

    async fn wipe(&mut self) -> Result<()> {
        self.disk = SimDisk::new(self.rng.u64(..));
        Ok(())
    }
}

fn no_panic() -> Result<()> {
    ensure!(PANICS.load(Ordering::SeqCst) == 0, "a thread panicked; its report stands above");
    Ok(())
}

/// Errors of the store are what a client sees of a power cut; all others are the client's own.
fn failure(error: BucketError) -> Failure {
    match error {
        BucketError::Store(_) | BucketError::Damaged(_) => Failure::Interrupted(error.into()),
        BucketError::Overloaded => Failure::Refused {
            status: http::StatusCode::SERVICE_UNAVAILABLE,
            code: "SlowDown".into(),
            message: error.to_string(),
        },
        other => Failure::Nonsense(other.to_string()),
    }
}

#[async_trait]
impl Target for Space {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.create_bucket(bucket).await.map(drop).map_err(failure)
    }

    async fn put(
        &self,
        bucket: &str,
        key: &str,
        op: u64,
        body: Bytes,
        only_if_absent: bool,
    ) -> Result<bool, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let mut upload = bucket.upload(&[]);
        for start in (0..body.len()).step_by(64 << 10) {
            let chunk = body.slice(start..body.len().min(start + (64 << 10)));
            upload.write(chunk).await.map_err(failure)?;
        }
        let uploaded = upload.finish().await.map_err(failure)?;
        let options = PutOptions {
            metadata: BTreeMap::from([("op".to_owned(), op.to_string())]),
            precondition: Precondition {
                if_none_match: only_if_absent.then_some(EtagCondition::Any),
                ..DeleteOptions::default()
            },
            ..PutOptions::default()
        };
        match bucket.put(key, uploaded, options).await {
            Ok(_) => Ok(true),
            Err(BucketError::PreconditionFailed(_)) if only_if_absent => Ok(false),
            Err(error) => Err(failure(error)),
        }
    }

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Found>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let Some(object) = bucket.get(key).await.map_err(failure)? else { return Ok(None) };
        let record = object.record();
        let op = record.metadata.get("op").and_then(|op| op.parse().ok());
        let op = op.ok_or_else(|| Failure::Nonsense(format!("{key:?} without its metadata")))?;
        let etag = record.etag.to_string();
        let pieces: Vec<Bytes> = object.read(0..record.size).try_collect().await.map_err(failure)?;
        Ok(Some(Found { op, etag, body: pieces.concat().into() }))
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        bucket.delete(key, DeleteOptions::default()).await.map(drop).map_err(failure)
    }

    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let keys = keys.iter().map(|&key| (key.to_owned(), DeleteOptions::default())).collect();
        for result in bucket.delete_many(keys).await.map_err(failure)? {
            result.map_err(failure)?;
        }
        Ok(())
    }

    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let mut query = ListQuery { max_keys: page as usize, ..ListQuery::default() };
        let mut all = Vec::new();
        loop {
            let answer = bucket.list(&query).await.map_err(failure)?;
            for entry in answer.entries {
                match entry {
                    ListEntry::Object { key, record } => {
                        all.push(Listed { key, etag: record.etag.to_string(), size: record.size });
                    }
                    ListEntry::Prefix(prefix) => {
                        return Err(Failure::Nonsense(format!("prefix {prefix:?} without a delimiter")));
                    }
                }
            }
            match answer.next_token {
                Some(token) => query.start = ListStart::Token(token),
                None => return Ok(all),
            }
        }
    }
}
