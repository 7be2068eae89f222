//! Opening: what is durable, what is torn, what is corrupt.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carob_block::{Block, Cid};
use carob_car::{CarError, CarReader, Frame};

use crate::checkpoint::Checkpoint;
use crate::disk::{Disk, DiskFile, FileReader};
use crate::error::LocalError;
use crate::extents::Extents;
use crate::gone::Gone;
use crate::index::{Index, Key, Place};
use crate::log::Tail;
use crate::record::{HeadRecord, LogId, Position, Removal, Swap};
use crate::sidecar::{Entry, Of, Sidecar};
use crate::table::PREFIX;
use crate::{hollowing, scan, segment, segments, sidecar};

/// No frame is shorter: it has a CID.
const MIN_FRAME: u32 = 37;

/// What the segments of a store say.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) index: Index,
    pub(crate) heads: BTreeMap<String, Cid>,
    /// The sequence numbers of the records that moved the heads last.
    moved: BTreeMap<String, u64>,
    pub(crate) extents: Extents,
    /// The segments that records say are gone.
    gone: Gone,
    /// Whether segments are gone between the last record and what is read now, and records with them.
    gap: bool,
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
        moved: BTreeMap::new(),
        extents: Extents::default(),
        gone: Gone::default(),
        gap: false,
        seq: 0,
        end: Position::default(),
        tail: None,
        sealed_bytes: 0,
        finished: true,
        entries: Some(Vec::new()),
        upto: Position::default(),
    };
    let segments = list_segments(disk, dir, log)?;
    hollowing::redo(disk, dir, log)?;
    let checkpoint =
        Checkpoint::read(disk, root, log).map_err(LocalError::io("read the checkpoint in", root))?;
    let gone = find_gone(disk, &segments, checkpoint.as_ref().map(|checkpoint| &checkpoint.gone), dir, log)?;
    // One that the log does not bear out is of no use: then everything is read.
    let checkpoint = match checkpoint {
        Some(checkpoint) if borne_out(disk, &segments, &gone, checkpoint.upto)? => Some(checkpoint),
        _ => None,
    };
    let known = checkpoint.as_ref().map_or(Position::default(), |checkpoint| checkpoint.upto);
    if let Some(checkpoint) = checkpoint {
        recovered.start(checkpoint);
    }
    recovered.index.reserve_sealed(expected(disk, dir, &segments, &gone, known));
    let mut before = 0;
    for (at, current) in segments.iter().enumerate() {
        let end = end_of(&segments, at, &gone);
        if gone.has(current.number) {
            continue;
        }
        recovered.gap |= current.number > known.segment && current.number != before.max(known.segment) + 1;
        before = current.number;
        match end {
            Some(end) if current.number <= known.segment => recovered.load(disk, dir, current, end, log)?,
            Some(end) => recovered.read_sealed(disk, dir, current, end, log)?,
            None if current.number == known.segment => {
                recovered.load(disk, dir, current, known.offset, log)?;
            }
            None => recovered.read_last(disk, current, log, size)?,
        }
    }
    // The names, too, may so far have been known to the page cache alone.
    disk.flush_dir(dir).map_err(LocalError::io("flush", dir))?;
    recovered.remove_gone(disk, dir, &segments, &gone)?;
    Ok(recovered)
}

/// How many blocks the indexes up to `known` list, going by their lengths.
fn expected(disk: &dyn Disk, dir: &Path, segments: &[Segment], gone: &Gone, known: Position) -> u64 {
    let loaded = segments.iter().enumerate().filter(|(_, segment)| segment.number <= known.segment);
    let count = |(at, segment): (usize, &Segment)| {
        let sidecar = Sidecar::open(disk, dir, segment.number).ok().flatten()?;
        // No more than the segment has room for, whatever the file says.
        let end = end_of(segments, at, gone).unwrap_or(known.offset);
        Some(u64::from(sidecar.count().min(end / MIN_FRAME)))
    };
    loaded.filter(|(_, segment)| !gone.has(segment.number)).filter_map(count).sum()
}

/// Which segments were removed. If the checkpoint does not account for all that are missing, the last record that says
/// so does: it stands after the last of them.
pub(crate) fn find_gone(
    disk: &dyn Disk,
    segments: &[Segment],
    known: Option<&Gone>,
    dir: &Path,
    log: LogId,
) -> Result<Gone, LocalError> {
    let none = Gone::default();
    if lost(segments, known.unwrap_or(&none)).is_none() {
        return Ok(known.cloned().unwrap_or_default());
    }
    let mut gone = none;
    for at in (0..segments.len()).rev() {
        if let Some(Removal { segments, .. }) = last_removal(disk, segments, at, log)? {
            gone = segments;
            break;
        }
        if at > 0 && segments[at - 1].number + 1 != segments[at].number {
            break;
        }
    }
    match lost(segments, &gone) {
        Some(lost) => Err(LocalError::damaged(&segment::path(dir, lost), 0, "the segment is missing")),
        None => Ok(gone),
    }
}

/// The first segment that is missing and not gone.
fn lost(segments: &[Segment], gone: &Gone) -> Option<u32> {
    let last = segments.last().map_or(0, |segment| segment.number);
    let mut present = segments.iter().map(|segment| segment.number).peekable();
    (1..=last).find(|number| present.next_if_eq(number).is_none() && !gone.has(*number))
}

/// The last record in a segment that says which segments are gone.
fn last_removal(
    disk: &dyn Disk,
    segments: &[Segment],
    at: usize,
    log: LogId,
) -> Result<Option<Removal>, LocalError> {
    let Segment { number, path, .. } = &segments[at];
    let file = segments[at].open(disk)?;
    let end = segments.get(at + 1).map_or(u64::MAX, |next| next.prev.into());
    let frame = |e| LocalError::frame(path, e);
    let Some((_, mut reader)) = segment::open(&*file, end, log).map_err(frame)? else { return Ok(None) };
    let mut found = None;
    loop {
        let begins = u32::try_from(reader.offset());
        match (begins, reader.next_block()) {
            (Ok(offset), Ok(Some(block))) => {
                let record = HeadRecord::read(&block, log, Position { segment: *number, offset });
                found = record.and_then(|record| record.gone).or(found);
            }
            (_, Err(CarError::Io(e))) => return Err(LocalError::io("read", path)(e)),
            // Whatever else is wrong here, reading it in earnest tells.
            _ => return Ok(found),
        }
    }
}

/// Where a segment ends that has, or had, a successor.
pub(crate) fn end_of(segments: &[Segment], at: usize, gone: &Gone) -> Option<u32> {
    let next = segments.get(at + 1).filter(|next| next.number == segments[at].number + 1);
    next.map(|next| next.prev).or_else(|| gone.end_of(segments[at].number))
}

/// Whether a segment ends, or ended, at `upto`: its successor says so, or it was cut there when the log was closed.
fn borne_out(disk: &dyn Disk, segments: &[Segment], gone: &Gone, upto: Position) -> Result<bool, LocalError> {
    let Some(last) = segments.last() else { return Ok(false) };
    if let Ok(at) = segments.binary_search_by_key(&upto.segment, |segment| segment.number)
        && let Some(end) = end_of(segments, at, gone)
    {
        return Ok(end == upto.offset);
    }
    if last.number == upto.segment {
        let len = last.open(disk)?.len().map_err(LocalError::io("read", &last.path))?;
        return Ok(len == u64::from(upto.offset));
    }
    // The segment itself is gone; what comes after says so.
    Ok(last.number > upto.segment && gone.has(upto.segment))
}

/// The blocks of a segment that ends where `of` says, all checked, and where their data lie. Blocking.
pub(crate) fn entries(file: &dyn DiskFile, path: &Path, of: Of) -> Result<Vec<(Entry, Place)>, LocalError> {
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
        if HeadRecord::read(&block, of.log, begin).is_none()
            && let Some(key) = Key::of(block.cid())
        {
            let len = u32::try_from(block.data().len()).map_err(|e| LocalError::damaged(path, at, e))?;
            let end = u32::try_from(reader.offset()).map_err(|e| LocalError::damaged(path, at, e))?;
            let at = Position { segment: of.segment, offset: end - len };
            entries.push(((key, offset), Place { at, len }));
        }
    }
    if reader.offset() == u64::from(of.end) {
        Ok(entries)
    } else {
        Err(LocalError::damaged(path, reader.offset(), "the segment is cut short"))
    }
}

/// A segment whose descriptor was read.
pub(crate) struct Segment {
    pub(crate) number: u32,
    pub(crate) path: PathBuf,
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
    numbers.into_iter().map(|number| describe(disk, dir, number, log)).collect()
}

/// Reads the descriptor of a segment.
pub(crate) fn describe(disk: &dyn Disk, dir: &Path, number: u32, log: LogId) -> Result<Segment, LocalError> {
    let path = segment::path(dir, number);
    let file = disk.open(&path).map_err(LocalError::io("open", &path))?;
    let opened = segment::open(&*file, u64::MAX, log).map_err(|e| LocalError::frame(&path, e))?;
    match opened.filter(|(descriptor, _)| descriptor.seg == number) {
        Some((descriptor, _)) => Ok(Segment { number, path, prev: descriptor.prev }),
        None => Err(LocalError::damaged(&path, 0, "it is not this segment of this store")),
    }
}

impl Segment {
    pub(crate) fn open(&self, disk: &dyn Disk) -> Result<Arc<dyn DiskFile>, LocalError> {
        disk.open(&self.path).map_err(LocalError::io("open", &self.path))
    }
}

impl Recovered {
    /// Begins with what a checkpoint says.
    fn start(&mut self, checkpoint: Checkpoint) {
        let Checkpoint { seq, upto, heads, gone, .. } = checkpoint;
        self.moved = heads.keys().map(|name| (name.clone(), seq)).collect();
        (self.seq, self.upto, self.heads, self.gone) = (seq, upto, heads, gone);
        // If nothing comes after it, the log was closed in order.
        self.finished = true;
    }

    /// Removes the segments that are gone and still there: the process that wrote so did not come to it.
    fn remove_gone(
        &mut self,
        disk: &dyn Disk,
        dir: &Path,
        segments: &[Segment],
        skipped: &Gone,
    ) -> Result<(), LocalError> {
        if let Some(lost) = lost(segments, &self.gone) {
            let why = "the segment is missing, and no record says that it is gone";
            return Err(LocalError::damaged(&segment::path(dir, lost), 0, why));
        }
        for Segment { number, path, .. } in segments.iter().filter(|segment| self.gone.has(segment.number)) {
            if !skipped.has(*number) {
                let read = |sidecar: Sidecar| sidecar.entries();
                let entries =
                    Sidecar::open(disk, dir, *number).and_then(|sidecar| sidecar.map(read).transpose());
                let entries = entries.map_err(LocalError::io("read the index of", path))?.unwrap_or_default();
                let prefixes: Vec<[u8; PREFIX]> = entries.iter().map(|(key, _)| key.prefix()).collect();
                self.index.retire(&prefixes, *number);
                self.index.forget(*number);
                self.sealed_bytes -= self.extents.end_of(*number).map_or(0, u64::from);
            }
        }
        // Its files, or what is left of them.
        let names = disk.list(dir).map_err(LocalError::io("read", dir))?;
        let numbers: BTreeSet<u32> = names.iter().filter_map(|name| segments::number(name)).collect();
        for number in numbers.into_iter().filter(|number| self.gone.has(*number)) {
            if let Err(error) = segments::remove_files(disk, dir, number) {
                tracing::warn!(%error, segment = number, "the next opening removes this segment");
            }
        }
        self.extents.remove(self.gone.clone());
        Ok(())
    }

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
        let file = segment.open(disk)?;
        if file.len().map_err(LocalError::io("read", path))? < u64::from(fence) {
            return Err(LocalError::damaged(path, fence.into(), "the segment is cut short"));
        }
        let read = || Sidecar::open(disk, dir, *number)?.map_or(Ok(None), |sidecar| sidecar.prefixes(of));
        self.extents.seal(Position { segment: *number, offset: fence });
        self.extents.hold(*number, file.allocated().map_err(LocalError::io("read", path))?);
        match read().map_err(LocalError::io("read the index of", path))? {
            Some(prefixes) => {
                self.index.insert_sealed(prefixes.as_chunks().0, *number);
                self.extents.index(*number);
            }
            None => {
                let blocks = entries(&*file, path, of)?;
                let mut entries: Vec<Entry> = blocks.iter().map(|(entry, _)| *entry).collect();
                if self.index_segment(disk, dir, of, &mut entries).is_err() {
                    blocks.into_iter().for_each(|((key, _), place)| self.index.insert(key, place));
                }
            }
        }
        self.end = Position { segment: *number, offset: fence };
        self.sealed_bytes += u64::from(fence);
        self.entries = None;
        Ok(())
    }

    /// Gives a segment its index. If that fails, its blocks have to be remembered: memory can do what the disk has no
    /// room for.
    fn index_segment(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        of: Of,
        entries: &mut [Entry],
    ) -> std::io::Result<()> {
        let written = sidecar::write(disk, dir, of, entries);
        match &written {
            Ok(()) => {
                self.index.seal(of.segment, entries);
                self.extents.index(of.segment);
            }
            Err(error) => tracing::warn!(%error, segment = of.segment, "no index for this segment"),
        }
        written
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
        let file = segment.open(disk)?;
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
        self.extents.seal(Position { segment: segment.number, offset: fence });
        self.extents.hold(segment.number, file.allocated().map_err(io())?);
        let mut entries = self.entries.take().unwrap_or_default();
        // Its blocks are remembered as it is.
        let _ = self.index_segment(disk, dir, of, &mut entries);
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
        let file = segment.open(disk)?;
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
            let next = record.seq == self.seq + 1 || self.gap && record.seq > self.seq;
            if !next || record.upto > self.end || record.upto < self.upto {
                return Err("a head record is out of sequence");
            }
            (self.seq, self.upto, self.gap) = (record.seq, record.upto, false);
            self.finished = record.swaps.is_empty() && record.gone.is_none();
            for Swap { name, cid } in record.swaps {
                match cid {
                    Some(cid) => {
                        self.moved.insert(name.clone(), record.seq);
                        self.heads.insert(name, cid);
                    }
                    None => {
                        self.moved.remove(&name);
                        self.heads.remove(&name);
                    }
                }
            }
            if let Some(Removal { since, segments }) = record.gone {
                self.gone = segments;
                self.moved.retain(|_, seq| *seq > since);
                self.heads.retain(|name, _| self.moved.contains_key(name));
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
