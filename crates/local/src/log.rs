//! The log of segments, appended to.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use carob_block::Block;
use carob_car::Frame;

use crate::disk::{BegunFlush, Disk, DiskFile};
use crate::flushes::Flushes;
use crate::index::{Key, Place};
use crate::record::{HeadRecord, LogId, Position, Removal, Swap};
use crate::segment::Draft;
use crate::sidecar::Entry;

/// How many bytes are collected before they are written.
const STAGE: usize = 4 * 1024 * 1024;

/// Data of so many bytes or more is written from where it is: to copy it would cost more than another call.
const LARGE: usize = 128 * 1024;

/// A store that is closed in order leaves a segment behind that is filled to one part in so many, or more.
const WORTH_INDEXING: u32 = 8;

/// The end of the log: appends frames, flushes them, goes on to new segments.
///
/// After any error of [`Log::append`], [`Log::append_record`], [`Log::write`] or [`Log::flush`] the caller
/// must [`Log::fence`]: until then it is unknown what lies after [`Log::durable`].
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    id: LogId,
    size: u32,
    /// Up to here everything is known to be durable. When there is no open segment, the last one ends here.
    durable: Position,
    tail: Option<Tail>,
    /// Frames that follow what is written.
    staged: Vec<u8>,
    /// A flush of the open segment that goes on while more is written.
    behind: Option<Behind>,
    /// Bytes in all segments before the open one.
    sealed_bytes: u64,
    /// Bytes written since the log was opened.
    written: u64,
    flushes: Arc<Flushes>,
    /// The blocks of the last segment; none if it has its index.
    entries: Option<Vec<Entry>>,
    sealed: Vec<Sealed>,
}

/// A flush of the open segment up to `end`.
#[derive(Debug)]
struct Behind {
    end: u32,
    begun: Instant,
    flush: BegunFlush,
}

/// A segment that has a successor.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Where it ends.
    pub(crate) end: Position,
    /// Its blocks, those before the end.
    pub(crate) entries: Vec<Entry>,
}

/// Where a log ends.
#[derive(Debug)]
pub(crate) struct LogEnd {
    /// All before is durable.
    pub(crate) durable: Position,
    /// The segment to go on with; without one, a new one is begun.
    pub(crate) tail: Option<Tail>,
    /// Bytes in all other segments.
    pub(crate) sealed_bytes: u64,
    /// The blocks of the last segment; none if it has its index.
    pub(crate) entries: Option<Vec<Entry>>,
}

/// The open segment.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where the first frame after the descriptor goes.
    pub(crate) start: u32,
    /// Where the next frame is written.
    pub(crate) end: u32,
}

impl Log {
    /// Goes on where the log ends.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, id: LogId, size: u32, end: LogEnd) -> Self {
        let LogEnd { durable, tail, sealed_bytes, entries } = end;
        let (staged, sealed) = (Vec::new(), Vec::new());
        Self {
            disk,
            dir,
            id,
            size,
            durable,
            tail,
            staged,
            behind: None,
            sealed_bytes,
            written: 0,
            flushes: Arc::default(),
            entries,
            sealed,
        }
    }

    /// How many segments were begun, those of earlier times included.
    pub(crate) fn begun(&self) -> u32 {
        self.durable.segment
    }

    /// The segments that got a successor since this was last asked.
    pub(crate) fn take_sealed(&mut self) -> Vec<Sealed> {
        std::mem::take(&mut self.sealed)
    }

    /// The end of what is known to be durable.
    pub(crate) fn durable(&self) -> Position {
        self.durable
    }

    /// Bytes in all segments, preallocated space not counted.
    pub(crate) fn bytes(&self) -> u64 {
        self.sealed_bytes + self.tail.as_ref().map_or(0, |tail| u64::from(tail.end))
    }

    /// How many bytes are written that are neither known to be durable nor being flushed.
    pub(crate) fn unflushed(&self) -> u32 {
        let begun = self.behind.as_ref().map_or(self.durable.offset, |behind| behind.end);
        self.tail.as_ref().map_or(0, |tail| tail.end.saturating_sub(begun))
    }

    /// Bytes written since the log was opened.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Counts the flushes, for as long as anybody cares.
    pub(crate) fn flushes(&self) -> Arc<Flushes> {
        Arc::clone(&self.flushes)
    }

    /// Adds a block's frame to what the next [`Log::write`] writes, if it is not written already. Returns where its data will be.
    pub(crate) fn append(&mut self, block: &Block) -> io::Result<Place> {
        let frame = Frame::of(block);
        let mut at = self.make_room(frame.len())?;
        if block.data().len() < LARGE {
            frame.append_to(&mut self.staged);
        } else {
            self.staged.extend_from_slice(frame.prefix());
            self.write()?;
            self.write_out(block.data())?;
        }
        if let (Some(entries), Some(key)) = (&mut self.entries, Key::of(block.cid())) {
            entries.push((key, at.offset));
        }
        at.offset = length(at.offset, frame.prefix().len())?;
        Ok(Place { at, len: length(0, block.data().len())? })
    }

    /// Adds a head record.
    pub(crate) fn append_record(
        &mut self,
        seq: u64,
        swaps: Vec<Swap>,
        gone: Option<Removal>,
    ) -> io::Result<()> {
        // Its length depends on its position, which depends on whether it fits: reserve for the longest.
        let widest = Position { segment: u32::MAX, offset: u32::MAX };
        let longest = HeadRecord::new(self.id, widest, u64::MAX, widest, swaps).saying(gone);
        let at = self.make_room(Frame::of(&longest.to_block()?).len())?;
        let HeadRecord { gone, swaps, .. } = longest;
        let record = HeadRecord::new(self.id, at, seq, self.durable, swaps).saying(gone);
        Frame::of(&record.to_block()?).append_to(&mut self.staged);
        Ok(())
    }

    /// Writes what is staged.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let staged = std::mem::take(&mut self.staged);
        let written = self.write_out(&staged);
        // After an error they say that there is something to give up.
        self.staged = staged;
        written?;
        self.staged.clear();
        Ok(())
    }

    fn write_out(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(tail) = &mut self.tail else { return Ok(()) };
        tail.file.write_at(u64::from(tail.end), bytes)?;
        tail.end = length(tail.end, bytes.len())?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes everything appended so far durable.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.write()?;
        let Some(tail) = self.tail.as_ref().filter(|tail| tail.end != self.durable.offset) else {
            return Ok(());
        };
        let end = tail.end;
        if self.behind.as_ref().is_some_and(|behind| behind.end == end) {
            return self.end_behind();
        }
        let begun = Instant::now();
        let flushed = tail.file.flush();
        self.flushes.ended(begun.elapsed());
        // If both cover a write that failed, but one of them hears of it.
        self.end_behind()?;
        flushed?;
        self.durable.offset = end;
        Ok(())
    }

    /// Begins to make what is written durable. If that was begun before and has not ended, waits for it: what is written
    /// meanwhile is then not more than once as much as is flushed.
    pub(crate) fn flush_behind(&mut self) -> io::Result<()> {
        self.end_behind()?;
        self.behind = self.tail.as_ref().map(|tail| Behind {
            end: tail.end,
            begun: Instant::now(),
            flush: Arc::clone(&tail.file).begin_flush(),
        });
        Ok(())
    }

    fn end_behind(&mut self) -> io::Result<()> {
        let Some(Behind { end, begun, flush }) = self.behind.take() else { return Ok(()) };
        let (flushed, ended) = flush.wait();
        self.flushes.ended(ended.duration_since(begun));
        flushed?;
        self.durable.offset = end;
        Ok(())
    }

    /// Gives up everything after [`Log::durable`], by starting a segment that says so.
    ///
    /// Until that succeeds, here or before the next append, the abandoned frames could come back when the
    /// store is opened again. They were never acknowledged, but an error was reported for them.
    pub(crate) fn fence(&mut self) {
        self.staged.clear();
        self.behind = None;
        let fence = self.durable;
        if let Some(entries) = &mut self.entries {
            entries.retain(|(_, frame)| *frame < fence.offset);
        }
        let abandoned = self.tail.take();
        if abandoned.is_some() {
            self.sealed_bytes += u64::from(fence.offset);
        }
        match self.open_segment() {
            Ok(()) => {
                if let Some(tail) = abandoned {
                    // Only for the space: whoever reads the segment knows where it ends.
                    let _ = tail.file.set_len(u64::from(fence.offset));
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot start a segment; nothing can be written until then");
            }
        }
    }

    /// Flushes, and ends the open segment with its last frame.
    pub(crate) fn seal(&mut self) -> io::Result<()> {
        self.flush()?;
        let Some(tail) = self.tail.take() else { return Ok(()) };
        self.sealed_bytes += u64::from(tail.end);
        tail.file.set_len(u64::from(tail.end))?;
        tail.file.flush_all()
    }

    /// Goes on in a new segment if the open one holds any block or much else, so that a collection can look at it.
    ///
    /// After an error that leaves [`Log::needs_fence`] false everything is durable: as long as there is no room for
    /// another segment, that of the open one is used.
    pub(crate) fn rotate(&mut self) -> io::Result<()> {
        self.flush()?;
        let little = self.durable.offset < self.size / WORTH_INDEXING;
        if self.durable.segment == 0 || little && self.entries.as_ref().is_some_and(Vec::is_empty) {
            return Ok(());
        }
        let (next, end) = (self.draft()?, self.durable.offset);
        // The next segment says that this one ends here, as soon as it has its name, which an error leaves open.
        let old = self.tail.take();
        if old.is_some() {
            self.sealed_bytes += u64::from(end);
        }
        self.begin(next)?;
        if let Some(old) = old {
            // Only for the space: whoever reads the segment knows where it ends.
            let _ = old.file.set_len(end.into());
        }
        Ok(())
    }

    /// Whether anything was written that is not known to be durable.
    pub(crate) fn needs_fence(&self) -> bool {
        !self.staged.is_empty() || self.tail.as_ref().is_some_and(|tail| tail.end != self.durable.offset)
    }

    /// Some sealed segments are no longer there: so many bytes.
    pub(crate) fn forget(&mut self, bytes: u64) {
        self.sealed_bytes = self.sealed_bytes.saturating_sub(bytes);
    }

    /// Ends the log for now. The last segment is handed out to be indexed if it is worth a file of its own: then it
    /// is not gone on with.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.seal()?;
        if self.durable.offset >= self.size / WORTH_INDEXING {
            self.sealed.extend(self.entries.take().map(|entries| Sealed { end: self.durable, entries }));
        }
        Ok(())
    }

    /// Makes sure that a frame of `len` bytes fits, and returns where it will begin.
    fn make_room(&mut self, len: usize) -> io::Result<Position> {
        if self.staged.len() >= STAGE {
            self.write()?;
        }
        if let Some(tail) = &self.tail {
            let end = length(tail.end, self.staged.len())?;
            // A frame longer than a whole segment still gets one of its own.
            if length(end, len)? > self.size && end > tail.start {
                self.seal()?;
            }
        }
        if self.tail.is_none() {
            self.open_segment()?;
        }
        let end = self.tail.as_ref().map_or(0, |tail| tail.end);
        Ok(Position { segment: self.durable.segment, offset: length(end, self.staged.len())? })
    }

    fn open_segment(&mut self) -> io::Result<()> {
        let next = self.draft()?;
        self.begin(next)
    }

    /// Prepares the next segment.
    fn draft(&self) -> io::Result<Draft> {
        let Position { segment, offset } = self.durable;
        let number = segment.checked_add(1).ok_or_else(|| io::Error::other("segments ran out"))?;
        Draft::create(&*self.disk, &self.dir, self.id, number, offset, self.size)
    }

    /// Goes on in the next segment. Without an open one before, doing it again after an error is right.
    fn begin(&mut self, next: Draft) -> io::Result<()> {
        let (file, end) = next.name(&*self.disk, &self.dir)?;
        if let Some(entries) = self.entries.replace(Vec::new()).filter(|_| self.durable.segment > 0) {
            self.sealed.push(Sealed { end: self.durable, entries });
        }
        self.tail = Some(Tail { file, start: end, end });
        self.durable = Position { segment: self.durable.segment + 1, offset: end };
        Ok(())
    }
}

/// A length within a segment. Segments are far smaller than 4 GiB.
fn length(at: u32, more: usize) -> io::Result<u32> {
    let sum = u32::try_from(more).ok().and_then(|more| at.checked_add(more));
    sum.ok_or_else(|| io::Error::other("a segment outgrew its addresses"))
}
