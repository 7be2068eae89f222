//! A file of the simulated disk.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use super::{SimDisk, SimOp, State};
use crate::disk::DiskFile;

/// What the page cache keeps and writes back as a whole.
pub(super) const PAGE: usize = 4096;

/// What the medium writes as a whole.
pub(super) const SECTOR: usize = 512;

/// A file: what the page cache shows, and what is on the medium.
#[derive(Debug, Clone, Default)]
pub(super) struct SimInode {
    pub(super) live: Vec<u8>,
    pub(super) stored: Vec<u8>,
    /// The pages that a flush would write. Others may differ, too, after a failed one.
    pub(super) dirty: BTreeSet<usize>,
}

impl SimInode {
    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    /// The file as it may be found when the power comes back.
    pub(super) fn after_power_cut(&self, rng: &mut fastrand::Rng) -> Self {
        let stored = self.partly_stored(rng);
        Self { live: stored.clone(), stored, dirty: BTreeSet::new() }
    }

    /// The medium with each unflushed change made, not made, or torn.
    fn partly_stored(&self, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut medium = self.stored.clone();
        medium.resize(self.stored.len().max(self.live.len()), 0);
        for page in &self.dirty {
            let torn = rng.u8(..3);
            let (kept, end) = (rng.bool(), medium.len().min((page + 1) * PAGE));
            for start in (page * PAGE..end).step_by(SECTOR) {
                if if torn == 0 { rng.bool() } else { kept } {
                    let sector = start..(start + SECTOR).min(end);
                    write_page(&mut medium, &self.live, sector);
                }
            }
        }
        medium.truncate(if rng.bool() { self.live.len() } else { self.stored.len() });
        medium
    }

    fn flush(&mut self) {
        self.stored.resize(self.stored.len().max(self.live.len()), 0);
        for page in std::mem::take(&mut self.dirty) {
            let end = self.stored.len().min((page + 1) * PAGE);
            write_page(&mut self.stored, &self.live, (page * PAGE).min(end)..end);
        }
        self.stored.truncate(self.live.len());
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
        let end = offset + bytes.len();
        self.live.resize(self.live.len().max(end), 0);
        self.live[offset..end].copy_from_slice(bytes);
        self.dirty.extend(offset / PAGE..=(end - 1) / PAGE);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        let old = self.live.len();
        self.live.resize(len, 0);
        if len < old {
            self.dirty.extend(len / PAGE..=(old - 1) / PAGE);
        }
    }
}

/// Copies a range from what the page cache shows, zeros where it shows nothing.
pub(super) fn write_page(medium: &mut [u8], live: &[u8], range: std::ops::Range<usize>) {
    for at in range {
        medium[at] = live.get(at).copied().unwrap_or(0);
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
        let bytes = state.inodes[self.inode].live.get(size(offset)?..).unwrap_or_default();
        let read = bytes.len().min(buf.len());
        buf[..read].copy_from_slice(&bytes[..read]);
        Ok(read)
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
