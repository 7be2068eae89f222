//! What is held back on a disk that fills up.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use carob_block::{Block, Codec};
use parking_lot::Mutex;

use crate::disk::Disk;

/// How often the disk is asked whether there is room again.
const PATIENCE: Duration = Duration::from_secs(1);

/// With less free space than this many segments no bodies are taken: nodes still are, so that objects can be deleted.
const FOR_NODES: u64 = 2;

/// With less than this nothing is taken: a collection can still copy what is live.
const FOR_COLLECTIONS: u64 = 1;

/// Knows how full the disk is. Only segments take space, so that it is asked whenever one was begun.
#[derive(Debug)]
pub(crate) struct Space {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_size: u64,
    /// How many segments there is still room for, up to [`FOR_NODES`].
    room: AtomicU8,
    asked: Mutex<Instant>,
}

impl Space {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, segment_size: u32) -> Self {
        let (room, asked) = (AtomicU8::new(FOR_NODES as u8), Mutex::new(Instant::now()));
        let space = Self { disk, dir, segment_size: segment_size.into(), room, asked };
        space.ask();
        space
    }

    /// Asks how much room there is. If the disk cannot say, what is written will.
    pub(crate) fn ask(&self) {
        let free = self.disk.free(&self.dir).unwrap_or(u64::MAX);
        let room = (free / self.segment_size).min(FOR_NODES) as u8;
        let before = self.room.swap(room, Ordering::SeqCst);
        let takes = |room| u64::from(room) >= FOR_NODES;
        if takes(before) && !takes(room) {
            tracing::warn!(free, "the disk is full but for what is held back: uploads are refused");
        } else if !takes(before) && takes(room) {
            tracing::info!(free, "there is room for uploads again");
        }
    }

    /// Whether there is room for blocks of these kinds.
    pub(crate) fn takes(&self, blocks: &[Block]) -> bool {
        let bodies = blocks.iter().any(|block| block.codec() == Codec::Raw);
        let needed = if bodies { FOR_NODES } else { FOR_COLLECTIONS };
        let enough = || u64::from(self.room.load(Ordering::SeqCst)) >= needed;
        if !enough() && self.is_due() {
            self.ask();
        }
        enough()
    }

    fn is_due(&self) -> bool {
        let mut asked = self.asked.lock();
        let due = asked.elapsed() >= PATIENCE;
        if due {
            *asked = Instant::now();
        }
        due
    }
}
