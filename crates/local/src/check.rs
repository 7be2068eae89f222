//! Looking through a whole store for anything that is not as it was written.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use carob_block::{Block, Cid};
use carob_car::{CarError, CarReader, FrameStart};

use crate::checkpoint::{self, Checkpoint};
use crate::disk::{Disk, DiskFile, FileReader, fill};
use crate::error::LocalError;
use crate::gone::Gone;
use crate::hollow::{Announcement, Hollow};
use crate::hollowing::{self, Relisted};
use crate::index::Key;
use crate::record::{HeadRecord, LogId, Position, Removal, Swap};
use crate::recover::{self, Segment};
use crate::sidecar::{self, Entry, Of, Sidecar};
use crate::{format, scan, segment};

/// What a check found, and what the store consists of.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong; nothing in a sound store.
    pub findings: Vec<Finding>,
    /// Blocks that are damaged and were put up with, by [`repair`] with [`Losses::Accept`].
    pub accepted: Vec<Finding>,
    /// Files that [`repair`] wrote anew.
    pub repaired: Vec<PathBuf>,
    /// Segment files.
    pub segments: u32,
    /// Bytes of frames in them.
    pub bytes: u64,
    /// Blocks in them, copies included.
    pub blocks: u64,
    /// Records that move heads.
    pub records: u64,
    /// Heads, as far as the records tell.
    pub heads: u64,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: PathBuf,
    /// Where in the file, in bytes; 0 if that is of no importance.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
    /// What that means.
    pub harm: Harm,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Blocks, or the places of heads, are lost.
    Loss,
    /// Nothing is lost: the file can be made anew from others, by [`repair`] or when the store is opened.
    Repairable,
}

/// What [`repair`] does about damaged blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Losses {
    /// Reports them. If they are among what was written last, the store does not open.
    Report,
    /// Ends the log behind them and lists them as if they were sound, if nothing else is lost: the store opens, and only reading
    /// them fails. Where a damaged block ends must be certain, and no record of heads may be among them.
    Accept,
}

/// Checks a store that nobody has open: every frame of every segment, the records of heads, the indexes, the
/// checkpoint. Changes nothing. Blocking.
///
/// What an unfinished write left at the end of the log is no finding: opening cuts it off.
///
/// # Errors
/// [`LocalError`] if the store is open, if it is none that this version knows, or if it cannot be read.
pub fn check(dir: &Path, disk: &dyn Disk) -> Result<Report, LocalError> {
    run(dir, disk, None)
}

/// As [`check`], and makes indexes and the checkpoint anew where they are missing or wrong, from the segments alone.
/// What segments hold is never changed, and nothing is made from one that is damaged, unless its losses are accepted. What is
/// still wrong is reported. Blocking.
///
/// # Errors
/// As for [`check`]; [`LocalError::Io`] if a file cannot be written.
pub fn repair(dir: &Path, disk: &dyn Disk, losses: Losses) -> Result<Report, LocalError> {
    run(dir, disk, Some(losses))
}

fn run(root: &Path, disk: &dyn Disk, mend: Option<Losses>) -> Result<Report, LocalError> {
    let lock = root.join("LOCK");
    let lock = disk.lock(&lock).map_err(LocalError::io("lock", &lock))?;
    let _lock = lock.ok_or_else(|| LocalError::Locked(root.to_owned()))?;
    let log = format::read(disk, root)?.ok_or_else(|| {
        LocalError::damaged(&root.join("FORMAT"), 0, "it is missing: this is no store, or a damaged one")
    })?;
    let dir = root.join("segments");
    let mut check = Check {
        disk,
        root,
        dir: &dir,
        log,
        mend,
        report: Report::default(),
        hollow: BTreeMap::new(),
        heads: BTreeMap::new(),
        last: (0, Position::default()),
        gone: Gone::default(),
        whole: true,
        gap: false,
        fresh: None,
    };
    check.run()?;
    Ok(check.report)
}

struct Check<'a> {
    disk: &'a dyn Disk,
    root: &'a Path,
    dir: &'a Path,
    log: LogId,
    mend: Option<Losses>,
    report: Report,
    /// The segments that the next opening hollows, because a sweep was cut short.
    hollow: BTreeMap<u32, Hollow>,
    /// The heads, and the sequence numbers of the records that moved them last.
    heads: BTreeMap<String, (Cid, u64)>,
    /// The sequence number of the last record, and what it says was durable.
    last: (u64, Position),
    gone: Gone,
    /// Whether all records that count were read, so that the heads are known.
    whole: bool,
    /// Whether records may be missing before the next one.
    gap: bool,
    /// What the checkpoint could say.
    fresh: Option<Checkpoint>,
}

impl Check<'_> {
    fn finding(&mut self, path: &Path, offset: u64, what: impl Into<String>, harm: Harm) {
        self.report.findings.push(Finding { path: path.to_owned(), offset, what: what.into(), harm });
    }

    /// Takes down what was found wrong; what could not be read is an error.
    fn note(&mut self, error: LocalError) -> Result<(), LocalError> {
        match error {
            LocalError::Damaged { path, offset, source } => {
                self.finding(&path, offset, source.to_string(), Harm::Loss);
                self.whole = false;
                Ok(())
            }
            other => Err(other),
        }
    }

    fn run(&mut self) -> Result<(), LocalError> {
        let segments = self.segments()?;
        self.announced()?;
        let checkpoint = self.checkpoint()?;
        let known = checkpoint.as_ref().map(|checkpoint| &checkpoint.gone);
        let gone = match recover::find_gone(self.disk, &segments, known, self.dir, self.log) {
            Ok(gone) => gone,
            Err(error) => {
                self.note(error)?;
                known.cloned().unwrap_or_default()
            }
        };
        let mut ends = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            // One that is gone was left over; the next opening removes it.
            if gone.has(segment.number) {
                continue;
            }
            let before = ends.last().map_or(0, |end: &Position| end.segment);
            if segment.number != before + 1 {
                (self.whole, self.gap) = (false, true);
            }
            let end = recover::end_of(&segments, at, &gone);
            let last = self.segment(segment, end)?;
            self.compare(checkpoint.as_ref(), last);
            let closed = at + 1 == segments.len() && !self.report.accepted.is_empty();
            if self.whole && (closed || end.is_some() && at + 2 == segments.len()) {
                self.fresh = Some(self.to_checkpoint(last));
            }
            ends.push(last);
        }
        self.mend_checkpoint(checkpoint.is_some())?;
        self.report.segments = u32::try_from(ends.len()).unwrap_or(u32::MAX);
        self.report.heads = self.heads.len() as u64;
        Ok(())
    }

    /// The segments whose descriptors can be read.
    fn segments(&mut self) -> Result<Vec<Segment>, LocalError> {
        let names = self.disk.list(self.dir).map_err(LocalError::io("read", self.dir))?;
        let mut numbers: Vec<u32> = names.iter().filter_map(|name| segment::number(name)).collect();
        numbers.sort_unstable();
        let mut segments = Vec::new();
        for number in numbers {
            match recover::describe(self.disk, self.dir, number, self.log) {
                Ok(segment) => segments.push(segment),
                Err(error) => self.note(error)?,
            }
        }
        Ok(segments)
    }

    /// What a sweep has announced and not done. Mending does it, as the next opening would.
    fn announced(&mut self) -> Result<(), LocalError> {
        if self.mend.is_some() {
            return match hollowing::redo(self.disk, self.dir, self.log) {
                Ok(()) => Ok(()),
                Err(error) => self.note(error),
            };
        }
        match Announcement::read(self.disk, self.dir, self.log) {
            Ok(announced) => {
                let segments = announced.into_iter().flat_map(|announced| announced.segments);
                self.hollow.extend(segments.map(|hollow| (hollow.segment, hollow)));
                Ok(())
            }
            Err(error) => self.note(error),
        }
    }

    fn checkpoint(&mut self) -> Result<Option<Checkpoint>, LocalError> {
        let path = self.root.join(checkpoint::NAME);
        let read = Checkpoint::read(self.disk, self.root, self.log);
        let read = read.map_err(LocalError::io("read", &path))?;
        if read.is_none() && self.disk.open(&path).is_ok() {
            self.finding(&path, 0, "it is not a checkpoint of this store", Harm::Repairable);
        }
        Ok(read)
    }

    /// Checks a segment and its index. Tells where its frames end.
    fn segment(&mut self, segment: &Segment, end: Option<u32>) -> Result<Position, LocalError> {
        let Segment { number, path, .. } = segment;
        let file = segment.open(self.disk)?;
        let found = self.report.findings.len();
        let (mut entries, last) = self.frames(segment, &*file, end)?;
        let sound = self.report.findings.len() == found;
        self.report.bytes += u64::from(last);
        self.report.blocks += entries.len() as u64;
        if let Some(end) = end.filter(|end| *end != last) {
            self.finding(path, last.into(), format!("it ends here and not at {end}"), Harm::Loss);
            self.whole = false;
        } else if sound {
            let of = Of { log: self.log, segment: *number, end: last };
            let closed = end.is_none() && !self.report.accepted.is_empty();
            if closed {
                // As a log is closed in order: then the checkpoint can stand for what is in it.
                file.set_len(last.into())
                    .and_then(|()| file.flush_all())
                    .map_err(LocalError::io("cut", path))?;
            }
            self.index(of, closed || end.is_some(), &mut entries)?;
        }
        Ok(Position { segment: *number, offset: end.unwrap_or(last) })
    }

    /// Follows the frames of a segment, past bad ones if their lengths still tell where the next begins.
    fn frames(
        &mut self,
        segment: &Segment,
        file: &dyn DiskFile,
        end: Option<u32>,
    ) -> Result<(Vec<Entry>, u32), LocalError> {
        let Segment { number, path, .. } = segment;
        let limit = end.map_or(u64::MAX, u64::from);
        let opened = segment::open(file, limit, self.log).map_err(|e| LocalError::frame(path, e))?;
        let (mut reader, mut entries) = (opened.map(|(_, reader)| reader), Vec::new());
        let mut last = 0;
        while let Some(frames) = &mut reader {
            let at = frames.offset();
            let begin = Position { segment: *number, offset: offset(path, at)? };
            // What is there may be half made.
            let blank = self.hollow.get(number).and_then(|hollow| hollow.at(begin.offset));
            if let Some(blank) =
                blank.filter(|blank| blank.start == begin.offset && u64::from(blank.end()) <= limit)
            {
                let block = blank.block(self.log, *number).map_err(LocalError::io("read", path))?;
                entries.extend(Key::of(block.cid()).map(|key| (key, blank.start)));
                (reader, last) = (Some(resume(file, blank.end().into(), limit)), blank.end());
                continue;
            }
            match frames.next_block() {
                Ok(Some(block)) => self.frame(path, &block, begin, &mut entries),
                Ok(None) => return Ok((entries, begin.offset)),
                Err(CarError::Io(e)) => return Err(LocalError::io("read", path)(e)),
                Err(error) => {
                    if end.is_none() {
                        let later = scan::find_later_record(file, self.log, begin);
                        if later.map_err(LocalError::io("read", path))?.is_none() {
                            return Ok((entries, begin.offset));
                        }
                    }
                    let bad = Bad::at(file, at, limit).map_err(LocalError::io("read", path))?;
                    let next = bad.as_ref().map(|bad| bad.end);
                    match bad
                        .filter(|bad| self.mend == Some(Losses::Accept) && bad.is_followed)
                        .and_then(|bad| Key::of(&bad.cid))
                    {
                        Some(key) => {
                            let (path, what) = (path.clone(), error.to_string());
                            let accepted = Finding { path, offset: at, what, harm: Harm::Loss };
                            self.report.accepted.push(accepted);
                            entries.push((key, begin.offset));
                        }
                        None => {
                            self.note(LocalError::frame(path, error))?;
                            self.gap = true;
                        }
                    }
                    reader = next.map(|next| resume(file, next, limit));
                }
            }
            last = begin.offset;
        }
        Ok((entries, last))
    }

    fn frame(&mut self, path: &Path, block: &Block, begin: Position, entries: &mut Vec<Entry>) {
        let Some(record) = HeadRecord::read(block, self.log, begin) else {
            entries.extend(Key::of(block.cid()).map(|key| (key, begin.offset)));
            return;
        };
        self.report.records += 1;
        let (seq, upto) = self.last;
        if record.seq != seq + 1 && !(self.gap && record.seq > seq)
            || record.upto > begin
            || record.upto < upto
        {
            self.finding(path, begin.offset.into(), "a head record is out of sequence", Harm::Loss);
        }
        (self.last, self.gap) = ((record.seq, record.upto), false);
        for Swap { name, cid } in record.swaps {
            match cid {
                Some(cid) => self.heads.insert(name, (cid, record.seq)),
                None => self.heads.remove(&name),
            };
        }
        if let Some(Removal { since, segments }) = record.gone {
            self.heads.retain(|_, (_, moved)| *moved > since);
            (self.gone, self.whole) = (segments, true);
        }
    }

    /// Checks that a segment's index lists its blocks: every sealed segment has one.
    fn index(&mut self, of: Of, sealed: bool, entries: &mut [Entry]) -> Result<(), LocalError> {
        let path = sidecar::path(self.dir, of.segment);
        let hollow = self.hollow.get(&of.segment);
        let wrong = wrong_index(self.disk, self.dir, of, sealed, entries, hollow);
        let Some(wrong) = wrong.map_err(LocalError::io("read", &path))? else { return Ok(()) };
        if self.mend.is_some() {
            sidecar::write(self.disk, self.dir, of, entries).map_err(LocalError::io("write", &path))?;
            self.report.repaired.push(path);
        } else {
            self.finding(&path, 0, wrong, Harm::Repairable);
        }
        Ok(())
    }

    /// Compares the checkpoint with what the records up to `end` say.
    fn compare(&mut self, checkpoint: Option<&Checkpoint>, end: Position) {
        let Some(checkpoint) = checkpoint.filter(|_| self.whole) else { return };
        if checkpoint.upto.segment == end.segment && *checkpoint != self.to_checkpoint(end) {
            let path = self.root.join(checkpoint::NAME);
            self.finding(&path, 0, "it does not say what the records say", Harm::Repairable);
        }
    }

    /// Replaces a checkpoint that is wrong or missing.
    fn mend_checkpoint(&mut self, there: bool) -> Result<(), LocalError> {
        let path = self.root.join(checkpoint::NAME);
        let right = there
            && self.report.accepted.is_empty()
            && self.report.findings.iter().all(|finding| finding.path != path);
        let lost = self.report.findings.iter().any(|finding| finding.harm == Harm::Loss);
        let Some(fresh) = self.fresh.take().filter(|_| self.mend.is_some() && !right && !lost) else {
            return Ok(());
        };
        fresh.write(self.disk, self.root).map_err(LocalError::io("write", &path))?;
        self.report.findings.retain(|finding| finding.path != path);
        self.report.repaired.push(path);
        Ok(())
    }

    fn to_checkpoint(&self, end: Position) -> Checkpoint {
        let heads = self.heads.iter().map(|(name, (cid, _))| (name.clone(), *cid)).collect();
        Checkpoint::new(self.log, end, self.last.0, heads, self.gone.clone())
    }
}

fn resume(file: &dyn DiskFile, at: u64, limit: u64) -> CarReader<FileReader<'_>> {
    CarReader::resume(FileReader::new(file, at, limit), at)
}

fn offset(path: &Path, at: u64) -> Result<u32, LocalError> {
    u32::try_from(at).map_err(|e| LocalError::damaged(path, at, e))
}

/// A frame whose bytes are not those of its block.
struct Bad {
    /// The block that it says it is.
    cid: Cid,
    /// Where the next frame begins, going by its length.
    end: u64,
    /// Whether one does begin there.
    is_followed: bool,
}

impl Bad {
    /// The one at `at`, if it has a length that leads no further than to `limit`.
    fn at(file: &dyn DiskFile, at: u64, limit: u64) -> io::Result<Option<Self>> {
        let start = |at| {
            let mut start = [0; 64];
            let filled = fill(file, at, &mut start)?;
            Ok::<_, io::Error>(FrameStart::read(&start[..filled]))
        };
        let Some(bad) = start(at)? else { return Ok(None) };
        let end = at + (bad.prefix + bad.data) as u64;
        if end <= at || end > limit {
            return Ok(None);
        }
        Ok(Some(Self { cid: bad.cid, end, is_followed: end == limit || start(end)?.is_some() }))
    }
}

/// What is wrong with the index of a segment.
fn wrong_index(
    disk: &dyn Disk,
    dir: &Path,
    of: Of,
    sealed: bool,
    entries: &mut [Entry],
    hollow: Option<&Hollow>,
) -> io::Result<Option<&'static str>> {
    let sidecar = match disk.open(&sidecar::path(dir, of.segment)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(sealed.then_some("it is missing")),
        _ => Sidecar::open(disk, dir, of.segment)?,
    };
    let Some(sidecar) = sidecar else { return Ok(Some("its length is that of no index")) };
    sidecar::sort(entries);
    if let Some(hollow) = hollow {
        // It may be from before or after, and is written anew.
        let blanks = entries.iter().filter(|(_, start)| hollow.at(*start).is_some()).copied().collect();
        let sound = sidecar.prefixes(of)?.is_some() && sidecar.is_sound()?;
        let same = sound && Relisted::of(sidecar.entries()?, hollow, blanks).new == entries;
        return Ok((!same).then_some("its entries are damaged"));
    }
    let prefixes = entries.iter().flat_map(|(key, _)| key.prefix()).collect::<Vec<_>>();
    Ok(match sidecar.prefixes(of)? {
        None => Some("its summary is damaged, or another segment's"),
        Some(found) if found != prefixes => Some("its summary is not that of the segment's blocks"),
        Some(_) if !sidecar.is_sound()? || sidecar.entries()? != entries => Some("its entries are damaged"),
        Some(_) => None,
    })
}
