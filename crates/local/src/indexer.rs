//! The thread that gives sealed segments their indexes, and removes those that are gone.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use tokio::sync::oneshot;

use crate::checkpoint::Checkpoint;
use crate::disk::Disk;
use crate::log::Sealed;
use crate::queue::Reply;
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
enum Job {
    Index { sealed: Sealed, checkpoint: Option<Checkpoint> },
    Remove { segments: Vec<u32>, reply: Reply },
    Reply(oneshot::Sender<()>),
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
        self.send(Job::Index { sealed, checkpoint });
    }

    /// Leaves the files of segments that are gone to be removed.
    pub(crate) fn remove(&self, segments: Vec<u32>, reply: Reply) {
        self.send(Job::Remove { segments, reply });
    }

    /// Replies when everything asked for so far is done.
    pub(crate) fn reply(&self, reply: oneshot::Sender<()>) {
        self.send(Job::Reply(reply));
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // Should the thread be gone, everything goes on without it.
            let _ = jobs.send(job);
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
        for job in jobs {
            match job {
                Job::Index { sealed, checkpoint } => {
                    let segment = sealed.end.segment;
                    if let Err(error) = self.index(sealed, checkpoint) {
                        tracing::warn!(%error, segment, "no index for this segment until the store is opened again");
                    }
                }
                Job::Remove { segments, reply } => {
                    for segment in segments {
                        if let Err(error) = self.shared.segments.remove(segment) {
                            tracing::warn!(%error, segment, "the next opening removes this segment");
                        }
                    }
                    self.shared.space.ask();
                    let _ = reply.send(Ok(()));
                }
                Job::Reply(reply) => {
                    let _ = reply.send(());
                }
            }
        }
    }

    fn index(&self, sealed: Sealed, checkpoint: Option<Checkpoint>) -> io::Result<()> {
        let Sealed { end, mut entries } = sealed;
        let of = Of { log: self.shared.log, segment: end.segment, end: end.offset };
        sidecar::write(&*self.disk, &self.segments, of, &mut entries)?;
        self.shared.index.seal(end.segment, &entries);
        self.shared.segments.extents.index(end.segment);
        checkpoint.map_or(Ok(()), |checkpoint| checkpoint.write(&*self.disk, &self.dir))
    }
}
