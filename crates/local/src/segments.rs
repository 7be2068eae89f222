//! The segment files and their indexes, to read from.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use carob_block::{Bytes, Cid};
use carob_car::FrameStart;
use parking_lot::Mutex;
use quick_cache::sync::Cache;

use crate::blank::PAGE;
use crate::buffers::Buffers;
use crate::disk::{Disk, DiskFile, fill};
use crate::extents::Extents;
use crate::hollow::{Announcement, Hollow};
use crate::hollowing::{self, Relisted};
use crate::index::{Key, Place};
use crate::record::{LogId, Position};
use crate::sidecar::{Entry, Found, Of, Sidecar};
use crate::{recover, segment, sidecar};

/// How many files of each kind are kept open.
const OPEN_FILES: usize = 128;

/// How much of a frame is read before its length is known: small blocks come whole.
const FIRST: usize = 6 * 1024;

/// No frame has more before its data.
const FRAME_START: usize = 64;

/// Frames of up to so many bytes are read without moving to another thread, if the page cache has them.
pub(crate) const INLINE_LIMIT: usize = 16 * 1024;

/// The files that blocks are read from.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log: LogId,
    files: Cache<u32, Arc<dyn DiskFile>>,
    sidecars: Cache<u32, Arc<Sidecar>>,
    pub(crate) extents: Extents,
    buffers: Buffers,
    /// Held while an index is made anew.
    mending: Mutex<()>,
    /// The blanks that there shall be, until they are there.
    planned: Mutex<Option<Arc<Announcement>>>,
    /// Whether the file system can give back parts of a file.
    punches: OnceLock<bool>,
}

/// What came of looking for a frame.
#[derive(Debug)]
pub(crate) enum Frame {
    /// Its CID, not checked against its data.
    Read(Cid, Bytes),
    /// What is there is none.
    Malformed,
    Absent,
    /// Knowing would take waiting for the disk.
    Waits,
}

impl Frame {
    fn is_of(&self, key: &Key) -> bool {
        matches!(self, Self::Read(cid, _) if Key::of(cid).as_ref() == Some(key))
    }
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, log: LogId, extents: Extents) -> Self {
        let (files, sidecars) = (Cache::new(OPEN_FILES), Cache::new(OPEN_FILES));
        let buffers = Buffers::default();
        let (mending, planned, punches) = (Mutex::new(()), Mutex::default(), OnceLock::new());
        Self { disk, dir, log, files, sidecars, extents, buffers, mending, planned, punches }
    }

    fn file(&self, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        let open = || self.disk.open(&segment::path(&self.dir, segment));
        self.files.get_or_insert_with(&segment, open)
    }

    /// The bytes at `place`, or fewer if the file ends before. Blocking.
    pub(crate) fn read(&self, place: Place) -> io::Result<Bytes> {
        let mut data = self.buffers.take(place.len as usize);
        let read = fill(&*self.file(place.at.segment)?, place.at.offset.into(), data.bytes_mut())?;
        Ok(data.freeze(read))
    }

    /// The bytes at `place`, if that takes no waiting.
    pub(crate) fn read_cached(&self, place: Place) -> Option<Bytes> {
        let file = self.files.get(&place.at.segment)?;
        let mut data = vec![0; place.len as usize];
        let read = file.read_cached_at(place.at.offset.into(), &mut data).ok()??;
        (read == data.len()).then(|| data.into())
    }

    /// Whether one of the sealed `segments` holds a block. Blocking.
    pub(crate) fn hold(&self, key: &Key, segments: &[u32]) -> io::Result<bool> {
        for segment in segments {
            if matches!(self.find(key, *segment, true)?, Found::Frame { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// As [`Segments::hold`], if that takes no waiting.
    pub(crate) fn hold_cached(&self, key: &Key, segments: &[u32]) -> Option<bool> {
        for segment in segments {
            match self.find(key, *segment, false) {
                Ok(Found::Frame { .. }) => return Some(true),
                Ok(Found::Absent) => {}
                Ok(Found::Waits) | Err(_) => return None,
            }
        }
        Some(false)
    }

    /// Where a sealed segment has the data of a block, going by its index and the frame's start, neither of them
    /// verified; `None` if it does not hold the block or, without `wait`, if that takes waiting.
    pub(crate) fn place(&self, key: &Key, segment: u32, wait: bool) -> io::Result<Option<Place>> {
        let Found::Frame { at, .. } = self.find(key, segment, wait)? else { return Ok(None) };
        let file = match self.files.get(&segment) {
            None if !wait => return Ok(None),
            None => self.file(segment)?,
            Some(file) => file,
        };
        let mut start = [0; FRAME_START];
        let filled = if wait {
            fill(&*file, at.into(), &mut start)?
        } else {
            match file.read_cached_at(at.into(), &mut start)? {
                Some(filled) => filled,
                None => return Ok(None),
            }
        };
        let start =
            FrameStart::read(&start[..filled]).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
        let place = |at: usize, len: usize| {
            let at = Position { segment, offset: u32::try_from(at).ok()? };
            Some(Place { at, len: u32::try_from(len).ok()? })
        };
        Ok(place(at as usize + start.prefix, start.data))
    }

    /// Reads the frame of a block from a sealed segment.
    pub(crate) fn read_sealed(&self, key: &Key, segment: u32, wait: bool) -> io::Result<Frame> {
        let at = match self.find(key, segment, wait)? {
            Found::Frame { at, .. } => at,
            Found::Absent => return Ok(Frame::Absent),
            Found::Waits => return Ok(Frame::Waits),
        };
        let frame = self.read_frame(segment, at, wait)?;
        if !wait || frame.is_of(key) {
            return Ok(frame);
        }
        // Whose bytes are wrong, those of the segment or of its index?
        self.mend_unless_sound(segment)?;
        match self.find(key, segment, true)? {
            Found::Frame { at, .. } => self.read_frame(segment, at, true),
            Found::Absent | Found::Waits => Ok(Frame::Absent),
        }
    }

    /// All blocks of a sealed segment, in the order of their digests. Blocking.
    pub(crate) fn entries(&self, segment: u32) -> io::Result<Vec<Entry>> {
        self.mend_unless_sound(segment)?;
        self.sidecar(segment)?.entries()
    }

    /// How many blocks a sealed segment has. Blocking.
    pub(crate) fn count(&self, segment: u32) -> io::Result<u32> {
        Ok(self.sidecar(segment)?.count())
    }

    /// Removes the files of a segment that nobody needs any more. Blocking.
    pub(crate) fn remove(&self, segment: u32) -> io::Result<()> {
        let removed = remove_files(&*self.disk, &self.dir, segment);
        // Their space is not free while they are open.
        self.files.remove(&segment);
        self.sidecars.remove(&segment);
        removed
    }

    /// Looks a block up in a sealed segment.
    pub(crate) fn find(&self, key: &Key, segment: u32, wait: bool) -> io::Result<Found> {
        match self.find_listed(key, segment, wait)? {
            // It is dead, whatever an index says that was read before.
            Found::Frame { at, .. } if self.extents.hides(segment, at) => Ok(Found::Absent),
            found => Ok(found),
        }
    }

    fn find_listed(&self, key: &Key, segment: u32, wait: bool) -> io::Result<Found> {
        if !wait {
            let Some(sidecar) = self.sidecars.get(&segment) else { return Ok(Found::Waits) };
            return Ok(match sidecar.find(key, false)? {
                Found::Absent if !sidecar.is_known_sound() => Found::Waits,
                found => found,
            });
        }
        let found = self.sidecar(segment)?.find(key, true)?;
        if found == Found::Absent {
            self.mend_unless_sound(segment)?;
            return self.sidecar(segment)?.find(key, true);
        }
        Ok(found)
    }

    fn sidecar(&self, segment: u32) -> io::Result<Arc<Sidecar>> {
        let open = || Sidecar::open(&*self.disk, &self.dir, segment);
        self.sidecars.get_or_insert_with(&segment, || match open()? {
            Some(sidecar) => Ok(Arc::new(sidecar)),
            None => self.mend(segment),
        })
    }

    /// Makes sure that the index of a segment says what it said when it was written.
    fn mend_unless_sound(&self, segment: u32) -> io::Result<()> {
        if !self.sidecar(segment)?.is_sound()? {
            self.mend(segment)?;
        }
        Ok(())
    }

    /// Makes the index of a segment anew.
    fn mend(&self, segment: u32) -> io::Result<Arc<Sidecar>> {
        let _mending = self.mending.lock();
        let end = self.extents.end_of(segment).ok_or(ErrorKind::NotFound)?;
        tracing::warn!(segment, "the index of a segment is missing or damaged: making it anew");
        let of = Of { log: self.log, segment, end };
        let path = segment::path(&self.dir, segment);
        let blocks = recover::entries(&*self.file(segment)?, &path, of).map_err(io::Error::other)?;
        let mut entries: Vec<Entry> = blocks.into_iter().map(|(entry, _)| entry).collect();
        let written = sidecar::write(&*self.disk, &self.dir, of, &mut entries)
            .and_then(|()| Sidecar::open(&*self.disk, &self.dir, segment));
        let sidecar = match written {
            Ok(Some(sidecar)) => Arc::new(sidecar),
            // Memory can do what the disk has no room for.
            Ok(None) | Err(_) => Arc::new(Sidecar::in_memory(of, &mut entries)?),
        };
        // Before another index of the segment can be made.
        self.sidecars.insert(segment, Arc::clone(&sidecar));
        Ok(sidecar)
    }

    /// Whether the file system can give back parts of a file: it is tried once. Blocking.
    pub(crate) fn can_punch(&self) -> io::Result<bool> {
        if let Some(can) = self.punches.get() {
            return Ok(*can);
        }
        let probe = self.dir.join("probe.tmp");
        let can = self.disk.create(&probe).and_then(|file| file.punch(0, PAGE.into()));
        self.disk.remove(&probe)?;
        can.map(|can| *self.punches.get_or_init(|| can))
    }

    /// The first bytes of a frame, enough to know it by. Blocking.
    pub(crate) fn start_of(&self, segment: u32, at: u32) -> io::Result<Vec<u8>> {
        hollowing::start(&*self.file(segment)?, at)
    }

    /// Plans to make these blanks. Nothing else must be planned.
    pub(crate) fn plan(&self, announcement: Announcement) {
        *self.planned.lock() = Some(Arc::new(announcement));
    }

    /// Announces durably what is planned, if anything is. Blocking.
    pub(crate) fn announce(&self) -> io::Result<Option<Arc<Announcement>>> {
        let planned = self.planned.lock().clone();
        planned.iter().try_for_each(|planned| planned.write(&*self.disk, &self.dir))?;
        Ok(planned)
    }

    /// All that was announced is done. Blocking.
    pub(crate) fn withdraw(&self) -> io::Result<()> {
        self.disk.flush_dir(&self.dir)?;
        Announcement::remove(&*self.disk, &self.dir)?;
        *self.planned.lock() = None;
        Ok(())
    }

    /// Makes blanks in a segment, and lists them in its index instead of what was there; `None` if the segment is no
    /// longer in use. Doing it again is right. Blocking.
    pub(crate) fn hollow(&self, hollow: &Hollow) -> io::Result<Option<Relisted>> {
        let Hollow { segment, end, .. } = *hollow;
        if self.extents.end_of(segment).is_none() {
            return Ok(None);
        }
        let (file, sidecar) = (self.file(segment)?, self.sidecar(segment)?);
        if !sidecar.is_sound()? {
            return Err(io::Error::new(ErrorKind::InvalidData, "the index of the segment is damaged"));
        }
        // Half made, it cannot be read from front to back.
        let _mending = self.mending.lock();
        let blanks = hollowing::write(&*file, self.log, hollow)?;
        let mut relisted = Relisted::of(sidecar.entries()?, hollow, blanks);
        let of = Of { log: self.log, segment, end };
        sidecar::write(&*self.disk, &self.dir, of, &mut relisted.new)?;
        let sidecar = Sidecar::open(&*self.disk, &self.dir, segment)?.ok_or(ErrorKind::NotFound)?;
        self.sidecars.insert(segment, Arc::new(sidecar));
        self.extents.hold(segment, file.allocated()?);
        Ok(Some(relisted))
    }

    /// The frame that begins at `at`. Without `wait`, only if that takes no waiting.
    pub(crate) fn read_frame(&self, segment: u32, at: u32, wait: bool) -> io::Result<Frame> {
        let file = match self.files.get(&segment) {
            None if !wait => return Ok(Frame::Waits),
            None => self.file(segment)?,
            Some(file) => file,
        };
        let read = |offset: u64, buf: &mut [u8]| {
            if wait { fill(&*file, offset, buf).map(Some) } else { file.read_cached_at(offset, buf) }
        };
        let mut frame = vec![0; FIRST];
        let Some(filled) = read(at.into(), &mut frame)? else { return Ok(Frame::Waits) };
        let Some(start) = FrameStart::read(&frame[..filled]) else { return Ok(Frame::Malformed) };
        let len = start.prefix + start.data;
        if len > filled {
            if !wait && len > INLINE_LIMIT {
                return Ok(Frame::Waits);
            }
            frame.resize(len, 0);
            match read(u64::from(at) + filled as u64, &mut frame[filled..])? {
                Some(rest) => frame.truncate(filled + rest),
                None => return Ok(Frame::Waits),
            }
        }
        frame.truncate(len);
        frame.shrink_to_fit();
        Ok(Frame::Read(start.cid, Bytes::from(frame).slice(start.prefix..)))
    }
}

/// The number of the segment that a file belongs to.
pub(crate) fn number(name: &str) -> Option<u32> {
    name.strip_suffix(".idx")
        .map_or_else(|| segment::number(name), |stem| segment::number(&format!("{stem}.car")))
}

/// Removes the files of a segment, if they are there. The blocks first: an index without a segment is nothing.
pub(crate) fn remove_files(disk: &dyn Disk, dir: &Path, segment: u32) -> io::Result<()> {
    for path in [segment::path(dir, segment), sidecar::path(dir, segment)] {
        match disk.remove(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}
