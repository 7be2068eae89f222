//! The thread that gives sealed segments their indexes.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::log::Sealed;
use crate::sidecar::{self, Of};
use crate::store::Shared;

/// How many segments may wait for their index.
const WAITING: usize = 2;

/// Writes the index of each sealed segment, then leaves its blocks to it. Whatever it fails to write is made again
/// when the store is opened, and until then remembered.
#[derive(Debug)]
pub(crate) struct Indexer {
    jobs: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Job {
    sealed: Sealed,
    checkpoint: Option<Checkpoint>,
}

impl Indexer {
    /// Starts the thread for the store in `dir` with its segments in `segments`.
    pub(crate) fn start(
        shared: Arc<Shared>,
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        segments: PathBuf,
    ) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel(WAITING);
        let work = Work { shared, disk, dir, segments };
        let thread = Builder::new().name("carob-index".into()).spawn(move || work.run(&waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Leaves a segment to the thread; waits if it is behind. With what is known of the log up to the segment's end,
    /// if that is to be written down.
    pub(crate) fn index(&self, sealed: Sealed, checkpoint: Option<Checkpoint>) {
        if let Some(jobs) = &self.jobs {
            // Should the thread be gone, everything goes on without the index.
            let _ = jobs.send(Job { sealed, checkpoint });
        }
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.jobs = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that indexes segments panicked");
        }
    }
}

struct Work {
    shared: Arc<Shared>,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: PathBuf,
}

impl Work {
    fn run(&self, jobs: &Receiver<Job>) {
        for Job { sealed, checkpoint } in jobs {
            let segment = sealed.end.segment;
            if let Err(error) = self.index(sealed, checkpoint) {
                tracing::warn!(%error, segment, "no index for this segment until the store is opened again");
            }
        }
    }

    fn index(&self, sealed: Sealed, checkpoint: Option<Checkpoint>) -> io::Result<()> {
        let Sealed { end, mut entries } = sealed;
        let of = Of { log: self.shared.log, segment: end.segment, end: end.offset };
        sidecar::write(&*self.disk, &self.segments, of, &mut entries)?;
        self.shared.index.seal(end.segment, &entries);
        checkpoint.map_or(Ok(()), |checkpoint| checkpoint.write(&*self.disk, &self.dir))
    }
}
