//! A file of the simulated disk.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use super::pages::{PAGE, Pages};
use super::{SimDisk, SimOp, State};
use crate::disk::DiskFile;

/// What the medium writes as a whole.
pub(super) const SECTOR: usize = 512;

/// A file: what the page cache shows, and what is on the medium.
#[derive(Debug, Clone, Default)]
pub(super) struct SimInode {
    pub(super) live: Pages,
    pub(super) stored: Pages,
    /// The pages that a flush would write. Others may differ, too, after a failed one.
    pub(super) dirty: BTreeSet<usize>,
    /// The pages that were given back.
    holes: BTreeSet<usize>,
}

impl SimInode {
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    /// The file as it may be found when the power comes back.
    pub(super) fn after_power_cut(&self, rng: &mut fastrand::Rng) -> Self {
        self.found_as(self.partly_stored(rng))
    }

    /// The file whose bytes are found on the medium when the power comes back.
    pub(super) fn found_as(&self, medium: Pages) -> Self {
        let holes = self.holes.iter().copied().filter(|page| medium.is_clear(*page)).collect();
        Self { live: medium.clone(), stored: medium, dirty: BTreeSet::new(), holes }
    }

    /// How many bytes it takes.
    pub(super) fn allocated(&self) -> u64 {
        self.len().saturating_sub((self.holes.len() * PAGE) as u64)
    }

    /// The medium with each unflushed change made, not made, or torn.
    fn partly_stored(&self, rng: &mut fastrand::Rng) -> Pages {
        let mut medium = self.stored.clone();
        medium.resize(self.stored.len().max(self.live.len()));
        for page in &self.dirty {
            let torn = rng.u8(..3);
            let (kept, end) = (rng.bool(), medium.len().min((page + 1) * PAGE));
            for start in (page * PAGE..end).step_by(SECTOR) {
                if if torn == 0 { rng.bool() } else { kept } {
                    medium.take(&self.live, start..(start + SECTOR).min(end));
                }
            }
        }
        medium.resize(if rng.bool() { self.live.len() } else { self.stored.len() });
        medium
    }

    fn flush(&mut self) {
        self.stored.resize(self.stored.len().max(self.live.len()));
        for page in std::mem::take(&mut self.dirty) {
            self.stored.take(&self.live, page * PAGE..(page + 1) * PAGE);
        }
        self.stored.resize(self.live.len());
    }

    /// Some of it becomes durable, and none of it will be tried again.
    fn fail_flush(&mut self, rng: &mut fastrand::Rng) {
        self.stored = self.partly_stored(rng);
        self.dirty.clear();
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.live.write(offset, bytes);
        let pages = offset / PAGE..=(offset + bytes.len() - 1) / PAGE;
        self.holes.retain(|page| !pages.contains(page));
        self.dirty.extend(pages);
    }

    /// Gives back some of these pages.
    fn punch(&mut self, pages: std::ops::Range<usize>) {
        for page in pages {
            self.live.clear(page);
            self.dirty.insert(page);
            self.holes.insert(page);
        }
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let old = self.live.len();
        self.live.resize(len);
        if len < old {
            self.dirty.extend(len / PAGE..=(old - 1) / PAGE);
            self.holes.retain(|page| (page + 1) * PAGE <= len);
        }
    }
}

/// An open file of a [`SimDisk`].
#[derive(Debug)]
pub(super) struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl SimFile {
    pub(super) fn new(disk: SimDisk, inode: usize) -> Self {
        Self { disk, inode }
    }

    /// Grows or cuts the file, if the disk has room for it.
    fn resize(&self, state: &mut State, len: u64) -> io::Result<()> {
        let now = state.inodes[self.inode].len();
        if len > now && state.used() + (len - now) > state.capacity {
            return Err(ErrorKind::StorageFull.into());
        }
        state.inodes[self.inode].set_len(size(len)?);
        Ok(())
    }
}

fn size(len: u64) -> io::Result<usize> {
    usize::try_from(len).map_err(io::Error::other)
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.call(SimOp::Read)?.inodes[self.inode].len())
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.call(SimOp::Read)?;
        Ok(state.inodes[self.inode].live.read(size(offset)?, buf))
    }

    /// Half of the time nothing is at hand.
    fn read_cached_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<Option<usize>> {
        if self.disk.state.lock().rng.bool() {
            return Ok(None);
        }
        self.read_at(offset, buf).map(Some)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        let dead = state.dead;
        if let Err(e) = state.count(SimOp::Write) {
            // What was written of it is anyone's guess.
            if !dead {
                let some = state.rng.usize(..=bytes.len());
                state.inodes[self.inode].write(size(offset)?, &bytes[..some]);
            }
            return Err(e);
        }
        let end = offset + bytes.len() as u64;
        if end > state.inodes[self.inode].len() {
            self.resize(&mut state, end)?;
        }
        state.inodes[self.inode].write(size(offset)?, bytes);
        Ok(())
    }

    /// Whole pages within the file alone.
    fn punch(&self, offset: u64, len: u64) -> io::Result<bool> {
        let mut state = self.disk.state.lock();
        if !state.punches {
            return Ok(false);
        }
        let (start, end) = (size(offset)?.div_ceil(PAGE), size(offset + len)? / PAGE);
        let end = end.min(size(state.inodes[self.inode].len())? / PAGE);
        let dead = state.dead;
        let counted = state.count(SimOp::Punch);
        if counted.is_ok() {
            state.inodes[self.inode].punch(start..end);
        } else if !dead && start < end {
            // What was done of it is anyone's guess.
            let some = state.rng.usize(start..=end);
            state.inodes[self.inode].punch(start..some);
        }
        counted.map(|()| true)
    }

    fn allocated(&self) -> io::Result<u64> {
        Ok(self.disk.call(SimOp::Read)?.inodes[self.inode].allocated())
    }

    fn flush(&self) -> io::Result<()> {
        let time = self.disk.state.lock().flush_time;
        if !time.is_zero() {
            std::thread::sleep(time);
        }
        let mut state = self.disk.state.lock();
        state.keep_moment();
        let counted = state.count(SimOp::Flush);
        if counted.is_ok() {
            state.inodes[self.inode].flush();
        } else if !state.dead {
            let State { inodes, rng, .. } = &mut *state;
            inodes[self.inode].fail_flush(rng);
        }
        counted
    }

    fn flush_all(&self) -> io::Result<()> {
        self.flush()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.call(SimOp::Resize)?;
        self.resize(&mut state, len)
    }

    fn preallocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.call(SimOp::Resize)?;
        let now = state.inodes[self.inode].len();
        self.resize(&mut state, len.max(now))
    }
}
