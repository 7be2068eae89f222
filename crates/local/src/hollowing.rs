//! Hollowing: what is dead in a segment is given back where it lies.
//!
//! Runs of dead frames become [blanks](crate::blank), whose zeros take no space. First nobody looks into them any more;
//! then it is announced, durably, where they will be; then they are made, and the segment's index is written without what
//! was there. Whatever a crash leaves of that, the next opening makes it whole: what is announced can be done again.

use std::collections::HashSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use carob_block::StoreError;
use carob_car::FrameStart;
use parking_lot::Mutex;

use crate::blank::{self, Blank, PAGE};
use crate::collect::{Live, LocalCollection, blocking};
use crate::disk::{Disk, DiskFile, fill};
use crate::error::LocalError;
use crate::frames::{self, Listed};
use crate::hollow::{Announcement, Hollow};
use crate::index::Key;
use crate::record::{LogId, Position};
use crate::segment;
use crate::sidecar::{self, Entry, Of, Sidecar};
use crate::store::Shared;

/// What a run of dead frames has to give back, at the least.
const WORTH: u32 = PAGE;

/// A segment of which no more than one part in so many lives is left to be copied.
const LITTLE: u64 = 16;

/// How many segments are announced at once.
const BATCH: usize = 16;

/// How many zeros are written at once.
const ZEROS: usize = 64 * 1024;

/// The runs of dead frames in a segment that are worth it.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) segment: u32,
    end: u32,
    runs: Vec<Run>,
}

/// Dead frames, one directly behind the other.
#[derive(Debug)]
struct Run {
    blanks: Vec<Blank>,
    dead: Vec<Key>,
    /// What making them gives back.
    gain: u64,
}

impl Runs {
    pub(crate) fn gain(&self) -> u64 {
        self.runs.iter().map(|run| run.gain).sum()
    }

    /// What there is to announce.
    fn to_hollow(&self) -> Hollow {
        let blanks = self.runs.iter().flat_map(|run| run.blanks.iter().copied()).collect();
        Hollow { segment: self.segment, end: self.end, blanks }
    }
}

/// Hollows the segments of a collection. Tells how much that has given back.
pub(crate) async fn hollow(collection: &LocalCollection) -> Result<u64, StoreError> {
    let (shared, live) = (&collection.shared, &collection.live);
    let (of, marked, turn) = (Arc::clone(shared), Arc::clone(live), Arc::clone(&collection.turn));
    let before = shared.segments.extents.hollow_bytes();
    let freed = || shared.segments.extents.hollow_bytes().saturating_sub(before);
    let able = blocking(move || {
        let _turn = turn;
        // What an earlier sweep could not do.
        or_full(finish(&of, &marked).and_then(|()| of.segments.can_punch()))
    });
    if able.await? != Some(true) {
        return Ok(0);
    }
    let segments: Vec<(u32, u32)> =
        live.lock().segments.iter().map(|(number, marks)| (*number, marks.end)).collect();
    let mut rest = segments.into_iter();
    while rest.len() > 0 {
        let (of, marked, turn) = (Arc::clone(shared), Arc::clone(live), Arc::clone(&collection.turn));
        let some = blocking(move || {
            let _turn = turn;
            let mut found = Vec::new();
            for (segment, end) in rest.by_ref() {
                found.extend(find(&of, &marked, segment, end)?);
                if found.len() == BATCH {
                    break;
                }
            }
            Ok(or_full(make(&of, &marked, found))?.map(|()| rest))
        });
        rest = some.await?.unwrap_or_default();
        collection.brake();
    }
    Ok(freed())
}

/// `None` where there is no room to write down what shall be done: then copying has to give back some first.
fn or_full<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
            tracing::warn!(%error, "no room to hollow segments");
            Ok(None)
        }
        done => done.map(Some),
    }
}

/// Finds what could be given back in a segment. Blocking.
pub(crate) fn find(shared: &Shared, live: &Mutex<Live>, segment: u32, end: u32) -> io::Result<Option<Runs>> {
    let entries = shared.segments.entries(segment)?;
    let frames = {
        let mut live = live.lock();
        live.pinned.extend(shared.pins.news());
        frames::list(&entries, segment, end, &live)
    };
    let lives: u64 = frames.iter().filter(|frame| frame.live).map(|frame| u64::from(frame.len())).sum();
    if lives <= u64::from(end) / LITTLE {
        return Ok(None);
    }
    let known = shared.segments.extents.blanks(segment);
    let is_known = |frame: &Listed| known.binary_search_by_key(&frame.start, |blank| blank.start).is_ok();
    let (mut runs, mut found) = (Vec::new(), Vec::new());
    for dead in frames
        .chunk_by(|one, next| one.live == next.live)
        .filter(|frames| frames.iter().all(|frame| !frame.live))
    {
        let len: u32 = dead.iter().map(Listed::len).sum();
        if len <= WORTH || dead.iter().all(is_known) {
            continue;
        }
        let walk = Walk { shared, segment };
        match walk.runs(dead, &mut found) {
            Ok(some) => runs.extend(some.into_iter().filter(|run| run.gain >= WORTH.into())),
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                tracing::error!(%error, segment, "a segment is damaged: it stays as it is");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    shared.segments.extents.hide(segment, &found);
    Ok((!runs.is_empty()).then_some(Runs { segment, end, runs }))
}

/// Goes through dead frames.
struct Walk<'a> {
    shared: &'a Shared,
    segment: u32,
}

impl Walk<'_> {
    /// The runs of these frames: head records, which stay, may divide them. Adds the blanks among them to `found`.
    fn runs(&self, dead: &[Listed], found: &mut Vec<Blank>) -> io::Result<Vec<Run>> {
        let (mut runs, mut begun) = (Vec::new(), 0);
        let mut given_back = 0;
        for (nth, frame) in dead.iter().enumerate() {
            let (end, blank) = self.end(frame)?;
            found.extend(blank);
            given_back += blank.map_or(0, |blank| u64::from(blank.gain()));
            let is_last = nth + 1 == dead.len();
            if end != frame.next || is_last {
                self.follow(end, frame.next)?;
                let frames = &dead[begun..=nth];
                let blanks = blank::fill(frames[0].start..end);
                let gain: u64 = blanks.iter().map(|blank| u64::from(blank.gain())).sum();
                let dead = frames.iter().map(|frame| frame.key).collect();
                runs.push(Run { blanks, dead, gain: gain.saturating_sub(given_back) });
                (begun, given_back) = (nth + 1, 0);
            }
        }
        Ok(runs)
    }

    /// Where a frame ends, and whether it is a blank.
    fn end(&self, frame: &Listed) -> io::Result<(u32, Option<Blank>)> {
        let bytes = self.shared.segments.start_of(self.segment, frame.start)?;
        let start = FrameStart::read(&bytes).filter(|start| Key::of(&start.cid) == Some(frame.key));
        let end =
            start.and_then(|start| frame.start.checked_add(u32::try_from(start.prefix + start.data).ok()?));
        let at = Position { segment: self.segment, offset: frame.start };
        match end.filter(|end| *end <= frame.next) {
            Some(end) => Ok((end, Blank::read(&bytes, self.shared.log, at))),
            None => Err(damaged(frame.start)),
        }
    }

    /// Makes sure that frames which no index lists lead from one place to another.
    fn follow(&self, mut from: u32, to: u32) -> io::Result<()> {
        while from < to {
            let start = FrameStart::read(&self.shared.segments.start_of(self.segment, from)?);
            let end =
                start.and_then(|start| from.checked_add(u32::try_from(start.prefix + start.data).ok()?));
            from = end.filter(|end| *end <= to).ok_or_else(|| damaged(from))?;
        }
        Ok(())
    }
}

fn damaged(at: u32) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("no frame at {at}"))
}

/// Makes what was found, but for what came to life meanwhile. Blocking.
fn make(shared: &Shared, live: &Mutex<Live>, found: Vec<Runs>) -> io::Result<()> {
    let mut segments = Vec::new();
    for mut runs in found {
        retire(shared, &mut live.lock(), &mut runs);
        segments.push(runs.to_hollow());
    }
    segments.retain(|hollow| !hollow.blanks.is_empty());
    if segments.is_empty() {
        return Ok(());
    }
    shared.segments.plan(Announcement::new(shared.log, segments));
    finish(shared, live)
}

/// Sees to it that nobody finds the dead blocks any more. Runs in which any came to life are left out.
fn retire(shared: &Shared, live: &mut Live, runs: &mut Runs) {
    let Runs { segment, runs, .. } = runs;
    let is_dead = |run: &Run, pinned: &HashSet<Key>| {
        pinned.is_empty() || !run.dead.iter().any(|key| pinned.contains(key))
    };
    // Looking through the next segment may have heard of pins in this one.
    runs.retain(|run| is_dead(run, &live.pinned));
    shared.pins.stop_for(|news: HashSet<Key>| {
        runs.retain(|run| is_dead(run, &news));
        live.pinned.extend(news);
        let blanks: Vec<Blank> = runs.iter().flat_map(|run| run.blanks.iter().copied()).collect();
        let mut prefixes: Vec<_> = runs.iter().flat_map(|run| &run.dead).map(Key::prefix).collect();
        prefixes.sort_unstable();
        // An index that still lists them does not count before those who have already looked here look again.
        shared.segments.extents.hide(*segment, &blanks);
        shared.index.retire(&prefixes, *segment);
    });
}

/// Announces what is planned, and does it. Blocking.
fn finish(shared: &Shared, live: &Mutex<Live>) -> io::Result<()> {
    let Some(announcement) = shared.segments.announce()? else { return Ok(()) };
    for hollow in &announcement.segments {
        let Some(relisted) = shared.segments.hollow(hollow)? else { continue };
        let mut added: Vec<_> = relisted.added().iter().map(|(key, _)| key.prefix()).collect();
        added.sort_unstable();
        shared.index.insert_sealed(&added, hollow.segment);
        live.lock().relist(hollow.segment, &relisted);
    }
    shared.segments.withdraw()?;
    shared.space.ask();
    Ok(())
}

/// What the index of a segment listed, and what it lists now.
#[derive(Debug)]
pub(crate) struct Relisted {
    pub(crate) old: Vec<Entry>,
    pub(crate) new: Vec<Entry>,
}

impl Relisted {
    /// Takes out what the blanks of a segment cover, and puts them in, whose `blanks` are these entries.
    pub(crate) fn of(old: Vec<Entry>, hollow: &Hollow, blanks: Vec<Entry>) -> Self {
        let stays = |(_, start): &&Entry| hollow.at(*start).is_none();
        let mut new: Vec<Entry> = old.iter().filter(stays).copied().chain(blanks).collect();
        sidecar::sort(&mut new);
        Self { old, new }
    }

    /// Where an entry was.
    pub(crate) fn place_of(list: &[Entry], entry: &Entry) -> Option<usize> {
        list.binary_search_by(|other| sidecar::order(other, entry)).ok()
    }

    fn added(&self) -> Vec<Entry> {
        self.new.iter().filter(|entry| Self::place_of(&self.old, entry).is_none()).copied().collect()
    }
}

/// Makes the blanks of a segment durable, and tells what an index has to list of them. Doing it again is right. Blocking.
pub(crate) fn write(file: &dyn DiskFile, log: LogId, hollow: &Hollow) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for blank in &hollow.blanks {
        let block = blank.block(log, hollow.segment)?;
        entries.extend(Key::of(block.cid()).map(|key| (key, blank.start)));
        let (hole, mut opening) = (blank.hole(), Blank::opening(&block));
        let before = hole.start.min(blank.end()) - blank.start;
        opening.resize(before as usize, 0);
        file.write_at(blank.start.into(), &opening)?;
        if !hole.is_empty() && !file.punch(hole.start.into(), hole.len() as u64)? {
            zeros(file, hole.start, hole.end)?;
        }
        zeros(file, hole.end, blank.end())?;
    }
    file.flush_all()?;
    Ok(entries)
}

fn zeros(file: &dyn DiskFile, mut from: u32, to: u32) -> io::Result<()> {
    while from < to {
        let some = ((to - from) as usize).min(ZEROS);
        file.write_at(from.into(), &vec![0; some])?;
        from += some as u32;
    }
    Ok(())
}

/// Does what was announced when the process ended, before anything else is read. Blocking.
pub(crate) fn redo(disk: &dyn Disk, dir: &Path, log: LogId) -> Result<(), LocalError> {
    let Some(announcement) = Announcement::read(disk, dir, log)? else { return Ok(()) };
    for hollow in &announcement.segments {
        let path = segment::path(dir, hollow.segment);
        let file = match disk.open(&path) {
            // A later collection removed it.
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            file => file.map_err(LocalError::io("open", &path))?,
        };
        // One that is cut short is damaged, as reading it tells.
        if file.len().map_err(LocalError::io("read", &path))? < u64::from(hollow.end) {
            continue;
        }
        let blanks = write(&*file, log, hollow).map_err(LocalError::io("hollow", &path))?;
        let of = Of { log, segment: hollow.segment, end: hollow.end };
        if relist(disk, dir, of, hollow, blanks).is_err() {
            let path = sidecar::path(dir, hollow.segment);
            match disk.remove(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(LocalError::io("remove", &path)(e)),
                // It is made anew.
                _ => {}
            }
        }
    }
    let withdraw = || {
        disk.flush_dir(dir)?;
        Announcement::remove(disk, dir)
    };
    withdraw().map_err(LocalError::io("finish what is announced in", dir))
}

/// Writes the index of a segment anew that has its blanks now. An error if there is none, or another's.
fn relist(disk: &dyn Disk, dir: &Path, of: Of, hollow: &Hollow, blanks: Vec<Entry>) -> io::Result<()> {
    let sidecar = Sidecar::open(disk, dir, of.segment)?.ok_or(ErrorKind::NotFound)?;
    if sidecar.prefixes(of)?.is_none() || !sidecar.is_sound()? {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut relisted = Relisted::of(sidecar.entries()?, hollow, blanks);
    sidecar::write(disk, dir, of, &mut relisted.new)
}

/// The first bytes of a file from `at` on, enough to know a frame by.
pub(crate) fn start(file: &dyn DiskFile, at: u32) -> io::Result<Vec<u8>> {
    let mut start = vec![0; blank::START];
    let filled = fill(file, at.into(), &mut start)?;
    start.truncate(filled);
    Ok(start)
}
