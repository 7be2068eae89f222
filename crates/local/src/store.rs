//! The store: reads, sessions, commits.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use carob_block::{Cid, HeadSwap, Heads, Session, Store, StoreError};
use parking_lot::{Mutex, RwLock};

use crate::brake::Brake;
use crate::disk::{Disk, DiskLock};
use crate::error::LocalError;
use crate::flushes::Flushes;
use crate::format;
use crate::group;
use crate::index::Index;
use crate::indexer::Indexer;
use crate::log::{Log, LogEnd};
use crate::pins::Pins;
use crate::queue::Queue;
use crate::real::RealDisk;
use crate::record::{LogId, Swap};
use crate::recover::{Recovered, recover};
use crate::segment::{MAX_SEGMENT_SIZE, MIN_SEGMENT_SIZE};
use crate::segments::Segments;
use crate::session::{LocalSession, Sessions};
use crate::space::Space;
use crate::writer::Writer;

/// How to open a [`LocalStore`].
#[derive(Debug, Clone)]
pub struct LocalOptions {
    /// The store's directory. It is created if it does not exist; nothing else should be in it.
    pub dir: PathBuf,
    /// When a segment is full, in bytes: 4 KiB to 1 GiB. It may change from one opening to the next.
    pub segment_size: u32,
    /// Where the directory is.
    pub disk: Arc<dyn Disk>,
    /// Fresh random bytes. Only a new store uses them: its head records carry them, so that nothing from
    /// elsewhere passes for one.
    pub log_id: [u8; 16],
}

impl LocalOptions {
    /// A store in the real file system, with segments of 64 MiB.
    pub fn new(dir: impl Into<PathBuf>, log_id: [u8; 16]) -> Self {
        Self { dir: dir.into(), segment_size: 64 * 1024 * 1024, disk: Arc::new(RealDisk), log_id }
    }
}

/// What a store consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalStats {
    /// Segment files.
    pub segments: u32,
    /// Bytes that they take; preallocated space does not count.
    pub bytes: u64,
    /// Different blocks held.
    pub blocks: u64,
    /// Heads.
    pub heads: u64,
    /// Flushes of file contents since the store was opened.
    pub flushes: u64,
}

/// A durable store in a directory: an append-only log of CAR segments that holds blocks and head records.
///
/// All writing is done by one thread. Everyone who waits for a commit shares one flush.
#[derive(Debug)]
pub struct LocalStore {
    pub(crate) shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<io::Result<()>>>>,
    /// Released last, when the writer is gone.
    _lock: Box<dyn DiskLock>,
}

/// What callers, sessions and the writer share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) log: LogId,
    pub(crate) index: Index,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) pins: Pins,
    pub(crate) brake: Arc<Brake>,
    pub(crate) queue: Queue,
    pub(crate) counts: Counts,
    pub(crate) flushes: Arc<Flushes>,
    /// Whether a collection is under way.
    pub(crate) collecting: AtomicBool,
    pub(crate) segment_size: u32,
    pub(crate) space: Space,
    heads: RwLock<BTreeMap<String, Cid>>,
    pub(crate) segments: Segments,
}

/// Figures that only the writer changes.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    segments: AtomicU32,
    bytes: AtomicU64,
    written: AtomicU64,
}

impl Counts {
    pub(crate) fn publish(&self, segments: u32, log: &Log) {
        self.segments.store(segments, Ordering::Relaxed);
        self.bytes.store(log.bytes(), Ordering::Relaxed);
        self.written.store(log.written(), Ordering::Relaxed);
    }

    /// Bytes written since the store was opened.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }
}

impl LocalStore {
    /// Opens the store in a directory, or creates it. Blocks: it reads and checks the segments since the last
    /// checkpoint, and makes what it found durable.
    ///
    /// # Errors
    /// [`LocalError`]. Damage to what was once durable is never repaired or cut off, only reported.
    pub fn open(options: LocalOptions) -> Result<Self, LocalError> {
        let LocalOptions { dir, segment_size, disk, log_id } = options;
        let size = segment_size.clamp(MIN_SEGMENT_SIZE, MAX_SEGMENT_SIZE);
        disk.create_dir(&dir).map_err(LocalError::io("create", &dir))?;
        let lock_file = dir.join("LOCK");
        let lock = disk.lock(&lock_file).map_err(LocalError::io("lock", &lock_file))?;
        let lock = lock.ok_or_else(|| LocalError::Locked(dir.clone()))?;

        let segments = dir.join("segments");
        let log_id = match format::read(&*disk, &dir)? {
            Some(existing) => existing,
            None => {
                format::create(&*disk, &dir, &segments, log_id)?;
                log_id
            }
        };
        disk.create_dir(&segments).map_err(LocalError::io("create", &segments))?;
        // An earlier process may have been killed between creating these and flushing their names.
        disk.flush_dir(&dir).map_err(LocalError::io("flush", &dir))?;
        let recovered = recover(&*disk, &dir, &segments, log_id, size)?;

        let Recovered { index, heads, extents, seq, end, tail, sealed_bytes, finished, entries, .. } =
            recovered;
        let end = LogEnd { durable: end, tail, sealed_bytes, entries };
        let log = Log::new(Arc::clone(&disk), segments.clone(), log_id, size, end);
        let shared = Arc::new(Shared {
            log: log_id,
            index,
            sessions: Arc::default(),
            pins: Pins::default(),
            brake: Arc::default(),
            collecting: AtomicBool::new(false),
            segment_size: size,
            space: Space::new(Arc::clone(&disk), dir.clone(), size),
            queue: Queue::new(),
            counts: Counts::default(),
            flushes: log.flushes(),
            heads: RwLock::new(heads),
            segments: Segments::new(Arc::clone(&disk), segments.clone(), log_id, extents),
        });
        let indexer = Indexer::start(Arc::clone(&shared), disk, dir.clone(), segments);
        let indexer = indexer.map_err(LocalError::io("start the indexer of", &dir))?;
        let writer = Writer::new(Arc::clone(&shared), log, indexer, seq, finished);
        let thread = Builder::new().name("carob-log".into()).spawn(move || writer.run());
        let thread = thread.map_err(LocalError::io("start the writer of", &dir))?;
        Ok(Self { shared, writer: Mutex::new(Some(thread)), _lock: lock })
    }

    /// Finishes what was asked for so far, flushes, and ends the log in order. Everything asked for later
    /// fails; blocks can still be read. Dropping the store does the same, but blocks and reports nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the end of the log could not be written. No committed state is lost
    /// by that.
    pub async fn close(&self) -> Result<(), StoreError> {
        let Some(stopping) = self.stop() else { return Ok(()) };
        let stopped = tokio::task::spawn_blocking(move || stopping.join()).await;
        let failed = |source| StoreError::Unavailable { context: "closing the store", source };
        match stopped {
            Ok(Ok(finished)) => finished.map_err(|e| failed(e.into())),
            Ok(Err(_)) => Err(failed("the writer panicked".into())),
            Err(e) => Err(failed(e.into())),
        }
    }

    /// Has `hear` told how long each flush of file contents took. For metrics; the first to ask is told.
    pub fn on_flush(&self, hear: impl Fn(Duration) + Send + Sync + 'static) {
        self.shared.flushes.hear(Box::new(hear));
    }

    /// Counts what the store holds.
    pub fn stats(&self) -> LocalStats {
        let Shared { counts, flushes, index, heads, segments, .. } = &*self.shared;
        LocalStats {
            segments: counts.segments.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed).saturating_sub(segments.extents.hollow_bytes()),
            blocks: index.len(),
            heads: heads.read().len() as u64,
            flushes: flushes.count(),
        }
    }

    fn stop(&self) -> Option<JoinHandle<io::Result<()>>> {
        self.shared.queue.close();
        self.writer.lock().take()
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        if let Some(Ok(Err(error))) = self.stop().map(JoinHandle::join) {
            tracing::error!(%error, "the end of the log could not be written");
        }
    }
}

impl Shared {
    pub(crate) fn head(&self, name: &str) -> Option<Cid> {
        self.heads.read().get(name).copied()
    }

    pub(crate) fn heads(&self) -> BTreeMap<String, Cid> {
        self.heads.read().clone()
    }

    /// Lets readers see heads that are durable.
    pub(crate) fn move_heads(&self, swaps: Vec<Swap>) {
        let mut heads = self.heads.write();
        for swap in swaps {
            match swap.cid {
                Some(cid) => heads.insert(swap.name, cid),
                None => heads.remove(&swap.name),
            };
        }
    }
}

#[async_trait]
impl Heads for LocalStore {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        Ok(self.shared.head(name))
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        let heads = self.shared.heads.read();
        let from = heads.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
        Ok(from.take_while(|(name, _)| name.starts_with(prefix)).map(|(n, cid)| (n.clone(), *cid)).collect())
    }
}

#[async_trait]
impl Store for LocalStore {
    fn session(&self) -> Box<dyn Session> {
        Box::new(LocalSession::new(&self.shared))
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        if !group::fits_a_record(swaps) {
            let source = "its names are too long together".into();
            return Err(StoreError::Unavailable { context: "refusing a commit", source });
        }
        let holds = sessions.iter().map(|session| self.shared.sessions.get(session.id()));
        let holds = holds.collect::<Option<Vec<_>>>().ok_or(StoreError::SessionLost)?;
        self.shared.queue.commit(holds, swaps.to_vec()).await
    }
}
