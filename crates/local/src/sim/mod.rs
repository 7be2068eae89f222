//! A disk in memory that loses power and fails on demand.
//!
//! It promises no more than [`Disk`] does. After [`SimDisk::power_cut`] each 4 KiB page that was not flushed
//! is there, or as it was before, or torn at the borders of 512-byte sectors; each change of a name or a
//! length happened or did not, whatever came after it. A failed flush makes some pages durable and forgets
//! that the others need to be: a second flush succeeds without writing them, as Linux does.
//!
//! All of its choices come from seeds.

mod file;
mod names;
mod pages;
mod states;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, DiskLock};
use file::{SimFile, SimInode};
use names::{Change, Names};

pub use states::{Kept, Moment};

/// The kinds of calls that [`SimDisk`] counts and fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SimOp {
    /// [`Disk::create`].
    Create,
    /// [`Disk::open`], [`Disk::list`] and [`Disk::free`].
    Open,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::flush_dir`].
    FlushDir,
    /// [`DiskFile::read_at`], [`DiskFile::len`] and [`DiskFile::allocated`].
    Read,
    /// [`DiskFile::write_at`].
    Write,
    /// [`DiskFile::flush`] and [`DiskFile::flush_all`].
    Flush,
    /// [`DiskFile::set_len`] and [`DiskFile::preallocate`].
    Resize,
    /// [`DiskFile::punch`].
    Punch,
}

impl SimOp {
    /// The calls that change something, or make a change durable.
    pub const CHANGES: [Self; 8] = [
        Self::Create,
        Self::Rename,
        Self::Remove,
        Self::FlushDir,
        Self::Write,
        Self::Flush,
        Self::Resize,
        Self::Punch,
    ];
}

/// A simulated disk. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    rng: fastrand::Rng,
    inodes: Vec<SimInode>,
    names: Names,
    locks: BTreeSet<PathBuf>,
    /// The most bytes that all files together may take.
    capacity: u64,
    /// Whether parts of files can be given back.
    punches: bool,
    calls: BTreeMap<SimOp, u64>,
    faults: Vec<Fault>,
    /// How many more changes until the power goes; `None` when it does not.
    power: Option<u64>,
    /// Whether a call has failed for want of power.
    dead: bool,
    flush_time: Duration,
    /// The disk before each flush, if asked for.
    moments: Option<Vec<Moment>>,
}

/// Fails calls of one kind, from `from` to before `until`, as [`State::calls`] counts them.
#[derive(Debug)]
struct Fault {
    op: SimOp,
    from: u64,
    until: u64,
}

impl SimDisk {
    /// An empty disk; `seed` decides what failing calls do.
    pub fn new(seed: u64) -> Self {
        Self::with(Vec::new(), Names::default(), seed)
    }

    fn with(inodes: Vec<SimInode>, names: Names, seed: u64) -> Self {
        let state = State {
            rng: fastrand::Rng::with_seed(seed),
            inodes,
            names,
            locks: BTreeSet::new(),
            capacity: u64::MAX,
            punches: true,
            calls: BTreeMap::new(),
            faults: Vec::new(),
            power: None,
            dead: false,
            flush_time: Duration::ZERO,
            moments: None,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The disk as it is when the power comes back; `seed` decides what became of everything unflushed.
    ///
    /// The disk that lost power fails every call from now on.
    #[must_use]
    pub fn power_cut(&self, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut state = self.state.lock();
        (state.power, state.dead) = (Some(0), true);
        let names = state.names.after_power_cut(&mut rng);
        let mut inodes: Vec<_> = state.inodes.iter().map(|inode| inode.after_power_cut(&mut rng)).collect();
        // A file without a name is gone for good.
        let named: BTreeSet<usize> = names.live.values().copied().collect();
        for (at, inode) in inodes.iter_mut().enumerate() {
            if !named.contains(&at) {
                *inode = SimInode::default();
            }
        }
        Self::with(inodes, names, rng.u64(..))
    }

    /// The disk as a process killed at this moment leaves it: all that it did is in the page cache, as the
    /// next process finds. This one goes on, unseen.
    #[must_use]
    pub fn image(&self) -> Self {
        let mut state = self.state.lock();
        let seed = state.rng.u64(..);
        Self::with(state.inodes.clone(), state.names.clone(), seed)
    }

    /// Lets the power go after that many more changes: every call then fails, a write maybe halfway,
    /// until [`SimDisk::power_cut`] or [`SimDisk::image`] tells what is left.
    pub fn lose_power_after(&self, changes: u64) {
        self.state.lock().power = Some(changes);
    }

    /// Fails the `nth` call of `op` from now (the first is 1) and the `count - 1` after it with an I/O error.
    pub fn fail(&self, op: SimOp, nth: u64, count: u64) {
        let mut state = self.state.lock();
        let from = state.calls.get(&op).copied().unwrap_or(0).saturating_add(nth);
        state.faults.push(Fault { op, from, until: from.saturating_add(count) });
    }

    /// Takes back what [`SimDisk::fail`] asked for.
    pub fn heal(&self) {
        self.state.lock().faults.clear();
    }

    /// Refuses to give back parts of files from now on, as some file systems do.
    pub fn refuse_punching(&self) {
        self.state.lock().punches = false;
    }

    /// Limits the bytes that all files together may take; growing beyond fails for want of space.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.lock().capacity = bytes;
    }

    /// Makes every flush of a file take that long.
    pub fn set_flush_time(&self, time: Duration) {
        self.state.lock().flush_time = time;
    }

    /// Keeps the disk as it is before each flush from now on.
    pub fn record(&self) {
        self.state.lock().moments = Some(Vec::new());
    }

    /// What was kept since [`SimDisk::record`], or since this was last asked.
    pub fn moments(&self) -> Vec<Moment> {
        self.state.lock().moments.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The disk as it is now.
    pub fn moment(&self) -> Moment {
        let state = self.state.lock();
        Moment::new(&state.inodes, &state.names)
    }

    /// How many bytes all files together take.
    pub fn used(&self) -> u64 {
        let state = self.state.lock();
        state.used()
    }

    /// How many calls of `op` there were.
    pub fn calls(&self, op: SimOp) -> u64 {
        self.state.lock().calls.get(&op).copied().unwrap_or(0)
    }

    fn call(&self, op: SimOp) -> io::Result<parking_lot::MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        state.count(op)?;
        Ok(state)
    }
}

impl State {
    /// Keeps the disk as it is, if that is asked for.
    fn keep_moment(&mut self) {
        let Self { moments, inodes, names, .. } = self;
        if let Some(moments) = moments {
            moments.push(Moment::new(inodes, names));
        }
    }

    /// Counts a call of `op`, and fails it if that is its turn.
    fn count(&mut self, op: SimOp) -> io::Result<()> {
        match &mut self.power {
            Some(0) => {
                self.dead = true;
                return Err(io::Error::other("the power is gone"));
            }
            Some(left) if SimOp::CHANGES.contains(&op) => *left -= 1,
            _ => {}
        }
        let call = self.calls.entry(op).or_default();
        *call += 1;
        if self.faults.iter().any(|fault| fault.op == op && (fault.from..fault.until).contains(call)) {
            return Err(io::Error::other("injected fault"));
        }
        Ok(())
    }

    fn used(&self) -> u64 {
        self.names.live.values().filter_map(|inode| self.inodes.get(*inode)).map(SimInode::allocated).sum()
    }

    fn inode_of(&self, path: &Path) -> io::Result<usize> {
        self.names.live.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Disk for SimDisk {
    // Directories are made before anything that matters; they count as durable at once.
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.call(SimOp::Open)?;
        state.names.dirs.extend(dir.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.call(SimOp::Create)?;
        if !path.parent().is_some_and(|dir| state.names.dirs.contains(dir)) {
            return Err(ErrorKind::NotFound.into());
        }
        let inode = match state.names.live.get(path).copied() {
            Some(inode) => {
                state.inodes[inode].set_len(0);
                inode
            }
            None => {
                let inode = state.inodes.len();
                state.inodes.push(SimInode::default());
                state.names.change(Change::Link { path: path.to_owned(), inode });
                inode
            }
        };
        Ok(Arc::new(SimFile::new(self.clone(), inode)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let inode = self.call(SimOp::Open)?.inode_of(path)?;
        Ok(Arc::new(SimFile::new(self.clone(), inode)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.call(SimOp::Open)?;
        if !state.names.dirs.contains(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = state.names.live.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call(SimOp::Rename)?;
        let inode = state.inode_of(from)?;
        state.names.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), inode });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call(SimOp::Remove)?;
        state.inode_of(path)?;
        state.names.change(Change::Unlink { path: path.to_owned() });
        Ok(())
    }

    fn flush_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.call(SimOp::FlushDir)?;
        state.keep_moment();
        state.names.flush(dir);
        Ok(())
    }

    fn free(&self, _dir: &Path) -> io::Result<u64> {
        let state = self.call(SimOp::Open)?;
        Ok(state.capacity.saturating_sub(state.used()))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        let mut state = self.call(SimOp::Open)?;
        let free = state.locks.insert(path.to_owned());
        Ok(free.then(|| Box::new(SimLock { disk: self.clone(), path: path.to_owned() }) as Box<dyn DiskLock>))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state.lock().locks.remove(&self.path);
    }
}
