//! Opening: what is durable, what is torn, what is corrupt.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use carob_block::{Block, Cid};
use carob_car::{CarError, CarReader, Frame};

use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, DiskFile, FileReader};
use crate::error::LocalError;
use crate::index::{Index, Key, Place};
use crate::log::Tail;
use crate::record::{HeadRecord, LogId, Position};
use crate::sidecar::{Entry, Of, Sidecar};
use crate::{scan, segment, sidecar};

/// What the segments of a store say.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) index: Index,
    pub(crate) heads: BTreeMap<String, Cid>,
    /// The sequence number of the last head record.
    pub(crate) seq: u64,
    /// The end of the log. All before it is durable.
    pub(crate) end: Position,
    /// The segment to go on with; none in an empty store.
    pub(crate) tail: Option<Tail>,
    /// Bytes in all other segments.
    pub(crate) sealed_bytes: u64,
    /// Whether the log is empty or ends with a record of no swaps.
    pub(crate) finished: bool,
    /// The blocks of the segment that was read last, if it was.
    pub(crate) entries: Option<Vec<Entry>>,
    /// The last completed flush that a record tells of.
    upto: Position,
}

/// Reads the segments in `dir` from the checkpoint in `root` on, cuts off an unfinished write, and makes the rest
/// durable. Of the segments before, only the indexes are read.
///
/// Two kinds of bad bytes are told apart. Whatever a later segment or a later head record shows to have been
/// durable once is damage: nothing is changed, and opening fails. What comes after that is the end of a write
/// that power or process did not outlive, and was never acknowledged.
pub(crate) fn recover(
    disk: &dyn Disk,
    root: &Path,
    dir: &Path,
    log: LogId,
    size: u32,
) -> Result<Recovered, LocalError> {
    let mut recovered = Recovered {
        index: Index::new(),
        heads: BTreeMap::new(),
        seq: 0,
        end: Position::default(),
        tail: None,
        sealed_bytes: 0,
        finished: true,
        entries: Some(Vec::new()),
        upto: Position::default(),
    };
    let segments = list_segments(disk, dir, log)?;
    let checkpoint =
        Checkpoint::read(disk, root, log).map_err(LocalError::io("read the checkpoint in", root))?;
    // One that the log does not bear out is of no use: then everything is read.
    let checkpoint = match checkpoint {
        Some(checkpoint) if borne_out(disk, &segments, checkpoint.upto)? => Some(checkpoint),
        _ => None,
    };
    let known = checkpoint.as_ref().map_or(Position::default(), |checkpoint| checkpoint.upto);
    for (at, current) in segments.iter().enumerate() {
        match segments.get(at + 1) {
            Some(next) if current.number <= known.segment => {
                recovered.load(disk, dir, current, next.prev, log)?;
            }
            Some(next) => recovered.read_sealed(disk, dir, current, next.prev, log)?,
            None if current.number == known.segment => {
                recovered.load(disk, dir, current, known.offset, log)?;
            }
            None => recovered.read_last(disk, current, log, size)?,
        }
        if let Some(checkpoint) = checkpoint.as_ref().filter(|_| current.number == known.segment) {
            (recovered.seq, recovered.upto) = (checkpoint.seq, checkpoint.upto);
            recovered.heads.clone_from(&checkpoint.heads);
            // If nothing comes after it, the log was closed in order.
            recovered.finished = true;
        }
    }
    // The names, too, may so far have been known to the page cache alone.
    disk.flush_dir(dir).map_err(LocalError::io("flush", dir))?;
    Ok(recovered)
}

/// Whether a segment ends at `upto`: it has a successor that says so, or it was cut there when the log was closed.
fn borne_out(disk: &dyn Disk, segments: &[Segment], upto: Position) -> Result<bool, LocalError> {
    if let Some(next) = segments.get(upto.segment as usize) {
        return Ok(next.prev == upto.offset);
    }
    match segments.last() {
        Some(last) if last.number == upto.segment => {
            let len = disk.open(&last.path).and_then(|file| file.len());
            Ok(len.map_err(LocalError::io("read", &last.path))? == u64::from(upto.offset))
        }
        _ => Ok(false),
    }
}

/// The blocks of a segment that ends where `of` says, all checked. Blocking.
pub(crate) fn entries(file: &dyn DiskFile, path: &Path, of: Of) -> Result<Vec<Entry>, LocalError> {
    let opened = segment::open(file, of.end.into(), of.log).map_err(|e| LocalError::frame(path, e))?;
    let Some((_, mut reader)) = opened else {
        return Err(LocalError::damaged(path, 0, "it is not a segment of this store"));
    };
    let mut entries = Vec::new();
    loop {
        let at = reader.offset();
        let Some(block) = reader.next_block().map_err(|e| LocalError::frame(path, e))? else { break };
        let offset = u32::try_from(at).map_err(|e| LocalError::damaged(path, at, e))?;
        let begin = Position { segment: of.segment, offset };
        if HeadRecord::read(&block, of.log, begin).is_none() {
            entries.extend(Key::of(block.cid()).map(|key| (key, offset)));
        }
    }
    if reader.offset() == u64::from(of.end) {
        Ok(entries)
    } else {
        Err(LocalError::damaged(path, reader.offset(), "the segment is cut short"))
    }
}

/// A segment whose descriptor was read.
struct Segment {
    number: u32,
    path: PathBuf,
    /// Where the one before ends.
    prev: u32,
}

/// Reads the descriptors of the segments in order, and removes what was being made.
fn list_segments(disk: &dyn Disk, dir: &Path, log: LogId) -> Result<Vec<Segment>, LocalError> {
    let names = disk.list(dir).map_err(LocalError::io("read", dir))?;
    for name in names.iter().filter(|name| Path::new(name).extension().is_some_and(|end| end == "tmp")) {
        let path = dir.join(name);
        disk.remove(&path).map_err(LocalError::io("remove", &path))?;
    }
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number(name)).collect();
    numbers.sort_unstable();
    let mut segments: Vec<Segment> = Vec::new();
    for (expected, number) in (1..).zip(numbers) {
        if number != expected {
            return Err(LocalError::damaged(&segment::path(dir, expected), 0, "the segment is missing"));
        }
        let path = segment::path(dir, number);
        let file = disk.open(&path).map_err(LocalError::io("open", &path))?;
        let opened = segment::open(&*file, u64::MAX, log).map_err(|e| LocalError::frame(&path, e))?;
        let Some((descriptor, _)) = opened.filter(|(descriptor, _)| descriptor.seg == number) else {
            return Err(LocalError::damaged(&path, 0, "it is not this segment of this store"));
        };
        segments.push(Segment { number, path, prev: descriptor.prev });
    }
    Ok(segments)
}

impl Recovered {
    /// Takes a segment from its index, which is made anew if there is none.
    fn load(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        segment: &Segment,
        fence: u32,
        log: LogId,
    ) -> Result<(), LocalError> {
        let Segment { number, path, .. } = segment;
        let of = Of { log, segment: *number, end: fence };
        let file = disk.open(path).map_err(LocalError::io("open", path))?;
        if file.len().map_err(LocalError::io("read", path))? < u64::from(fence) {
            return Err(LocalError::damaged(path, fence.into(), "the segment is cut short"));
        }
        let read = || Sidecar::open(disk, dir, *number)?.map_or(Ok(None), |sidecar| sidecar.prefixes(of));
        match read().map_err(LocalError::io("read the index of", path))? {
            Some(prefixes) => {
                self.index.insert_sealed(prefixes.as_chunks().0, *number);
            }
            None => {
                let mut entries = entries(&*file, path, of)?;
                sidecar::write(disk, dir, of, &mut entries)
                    .map_err(LocalError::io("write the index of", path))?;
                self.index.seal(*number, &entries);
            }
        }
        self.end = Position { segment: *number, offset: fence };
        self.sealed_bytes += u64::from(fence);
        self.entries = None;
        Ok(())
    }

    /// Reads a segment that has a successor, which says where it ends. All before that was durable.
    fn read_sealed(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        segment: &Segment,
        fence: u32,
        log: LogId,
    ) -> Result<(), LocalError> {
        let file = disk.open(&segment.path).map_err(LocalError::io("open", &segment.path))?;
        let end = self.read_frames(segment, &*file, u64::from(fence), log)?;
        if let Some(error) = end.error {
            return Err(LocalError::frame(&segment.path, error));
        }
        if self.end.offset != fence {
            return Err(LocalError::damaged(
                &segment.path,
                self.end.offset.into(),
                "the segment is cut short",
            ));
        }
        let io = || LocalError::io("cut", &segment.path);
        if file.len().map_err(io())? > u64::from(fence) {
            file.set_len(fence.into()).and_then(|()| file.flush_all()).map_err(io())?;
        }
        self.sealed_bytes += u64::from(fence);
        let of = Of { log, segment: segment.number, end: fence };
        let entries = self.entries.get_or_insert_default();
        match sidecar::write(disk, dir, of, entries) {
            Ok(()) => self.index.seal(segment.number, entries),
            // Memory can do what the disk has no room for.
            Err(error) => tracing::warn!(%error, segment = segment.number, "no index for this segment"),
        }
        Ok(())
    }

    /// Reads the last segment up to where its frames end, and readies it for more.
    fn read_last(
        &mut self,
        disk: &dyn Disk,
        segment: &Segment,
        log: LogId,
        size: u32,
    ) -> Result<(), LocalError> {
        let file = disk.open(&segment.path).map_err(LocalError::io("open", &segment.path))?;
        let read = self.read_frames(segment, &*file, u64::MAX, log)?;
        match read.error {
            None => {}
            Some(CarError::Io(e)) => return Err(LocalError::io("read", &segment.path)(e)),
            Some(error) => {
                let later = scan::find_later_record(&*file, log, self.end);
                if let Some(upto) = later.map_err(LocalError::io("read", &segment.path))? {
                    let upto = upto.offset;
                    tracing::error!(upto, "a later head record shows that this was durable");
                    return Err(LocalError::frame(&segment.path, error));
                }
                self.finished = false;
            }
        }
        let end = self.end.offset;
        let durable = if self.upto.segment == segment.number { self.upto.offset } else { read.start };
        settle(&*file, durable, end, size).map_err(|e| LocalError::frame(&segment.path, e))?;
        self.tail = Some(Tail { file, start: read.start, end });
        Ok(())
    }

    /// Follows the frames up to `end` as far as they verify, and leaves [`Recovered::end`] there.
    fn read_frames(
        &mut self,
        segment: &Segment,
        file: &dyn DiskFile,
        end: u64,
        log: LogId,
    ) -> Result<Frames, LocalError> {
        let Segment { number, path, .. } = segment;
        self.entries = Some(Vec::new());
        let opened = segment::open(file, end, log).map_err(|e| LocalError::frame(path, e))?;
        let Some((_, mut reader)) = opened else {
            return Err(LocalError::damaged(path, 0, "it is not a segment of this store"));
        };
        let place = |reader: &CarReader<FileReader<'_>>| {
            let too_long = |e| LocalError::damaged(path, reader.offset(), e);
            let offset = u32::try_from(reader.offset()).map_err(too_long)?;
            Ok::<_, LocalError>(Position { segment: *number, offset })
        };
        let start = place(&reader)?;
        self.end = start;
        loop {
            match reader.next_block() {
                Ok(Some(block)) => {
                    let next = place(&reader)?;
                    self.take(&block, next, log)
                        .map_err(|e| LocalError::damaged(path, self.end.offset.into(), e))?;
                    self.end = next;
                }
                Ok(None) => return Ok(Frames { start: start.offset, error: None }),
                Err(error) => return Ok(Frames { start: start.offset, error: Some(error) }),
            }
        }
    }

    /// Takes in the block whose frame begins at [`Recovered::end`] and is followed by `next`.
    fn take(&mut self, block: &Block, next: Position, log: LogId) -> Result<(), &'static str> {
        if let Some(record) = HeadRecord::read(block, log, self.end) {
            if record.seq != self.seq + 1 || record.upto > self.end || record.upto < self.upto {
                return Err("a head record is out of sequence");
            }
            (self.seq, self.upto) = (record.seq, record.upto);
            self.finished = record.swaps.is_empty();
            for swap in record.swaps {
                match swap.cid {
                    Some(cid) => self.heads.insert(swap.name, cid),
                    None => self.heads.remove(&swap.name),
                };
            }
            return Ok(());
        }
        self.finished = false;
        let len = u32::try_from(block.data().len()).map_err(|_| "a block too long")?;
        if let Some(key) = Key::of(block.cid()) {
            let at = Position { segment: next.segment, offset: next.offset - len };
            self.index.insert(key, Place { at, len });
            self.entries.get_or_insert_default().push((key, self.end.offset));
        }
        Ok(())
    }
}

/// How far the frames of a segment could be followed.
struct Frames {
    /// Where the first one after the descriptor begins.
    start: u32,
    /// Why it was not to the end.
    error: Option<CarError>,
}

/// Makes the frames up to `end` durable and removes all trace of others.
///
/// What no record shows to be durable, from `from` on, is written anew: if an earlier process met a failed
/// flush, it may be in the page cache alone and no longer marked for writing. Each frame is checked once more,
/// for such a page may have been dropped since.
fn settle(file: &dyn DiskFile, from: u32, end: u32, size: u32) -> Result<(), CarError> {
    let mut reader = CarReader::resume(FileReader::new(file, from.into(), end.into()), from.into());
    let mut at = reader.offset();
    while let Some(block) = reader.next_block()? {
        let mut frame = Vec::new();
        Frame::of(&block).append_to(&mut frame);
        file.write_at(at, &frame)?;
        at = reader.offset();
    }
    if at != u64::from(end) {
        return Err(CarError::Truncated { offset: at });
    }
    // Frames beyond the end must not come back behind those that follow now.
    file.set_len(end.into())?;
    match file.preallocate(size.into()) {
        // Reads need no space, and writes will say so themselves.
        Err(e) if matches!(e.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {}
        done => done?,
    }
    Ok(file.flush_all()?)
}
