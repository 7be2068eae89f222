//! Opening: what is durable, what is torn, what is corrupt.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carob_block::{Block, Cid};
use carob_car::{CarError, CarReader, Frame};

use crate::disk::{Disk, DiskFile, FileReader};
use crate::error::LocalError;
use crate::index::{Index, Key, Place};
use crate::log::Tail;
use crate::record::{HeadRecord, LogId, Position};
use crate::{scan, segment};

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
    /// The last completed flush that a record tells of.
    upto: Position,
}

/// Reads all segments in `dir`, cuts off an unfinished write, and makes the rest durable.
///
/// Two kinds of bad bytes are told apart. Whatever a later segment or a later head record shows to have been
/// durable once is damage: nothing is changed, and opening fails. What comes after that is the end of a write
/// that power or process did not outlive, and was never acknowledged.
pub(crate) fn recover(disk: &dyn Disk, dir: &Path, log: LogId, size: u32) -> Result<Recovered, LocalError> {
    let mut recovered = Recovered {
        index: Index::new(),
        heads: BTreeMap::new(),
        seq: 0,
        end: Position::default(),
        tail: None,
        sealed_bytes: 0,
        finished: true,
        upto: Position::default(),
    };
    let segments = open_segments(disk, dir, log)?;
    for (at, current) in segments.iter().enumerate() {
        match segments.get(at + 1) {
            Some(next) => recovered.read_sealed(current, next.prev, log)?,
            None => recovered.read_last(current, log, size)?,
        }
    }
    // The names, too, may so far have been known to the page cache alone.
    disk.flush_dir(dir).map_err(LocalError::io("flush", dir))?;
    Ok(recovered)
}

/// A segment whose descriptor was read.
struct Segment {
    number: u32,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Where the one before ends.
    prev: u32,
}

/// Opens the segments in order, and removes one that was being made.
fn open_segments(disk: &dyn Disk, dir: &Path, log: LogId) -> Result<Vec<Segment>, LocalError> {
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
        segments.push(Segment { number, path, prev: descriptor.prev, file });
    }
    Ok(segments)
}

impl Recovered {
    /// Reads a segment that has a successor, which says where it ends. All before that was durable.
    fn read_sealed(&mut self, segment: &Segment, fence: u32, log: LogId) -> Result<(), LocalError> {
        let end = self.read_frames(segment, u64::from(fence), log)?;
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
        if segment.file.len().map_err(io())? > u64::from(fence) {
            segment.file.set_len(fence.into()).and_then(|()| segment.file.flush_all()).map_err(io())?;
        }
        self.sealed_bytes += u64::from(fence);
        Ok(())
    }

    /// Reads the last segment up to where its frames end, and readies it for more.
    fn read_last(&mut self, segment: &Segment, log: LogId, size: u32) -> Result<(), LocalError> {
        let read = self.read_frames(segment, u64::MAX, log)?;
        match read.error {
            None => {}
            Some(CarError::Io(e)) => return Err(LocalError::io("read", &segment.path)(e)),
            Some(error) => {
                let later = scan::find_later_record(&*segment.file, log, self.end);
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
        settle(&*segment.file, durable, end, size).map_err(|e| LocalError::frame(&segment.path, e))?;
        self.tail = Some(Tail { file: Arc::clone(&segment.file), start: read.start, end });
        Ok(())
    }

    /// Follows the frames up to `end` as far as they verify, and leaves [`Recovered::end`] there.
    fn read_frames(&mut self, segment: &Segment, end: u64, log: LogId) -> Result<Frames, LocalError> {
        let Segment { number, path, file, .. } = segment;
        let opened = segment::open(&**file, end, log).map_err(|e| LocalError::frame(path, e))?;
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
