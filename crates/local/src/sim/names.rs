//! Names of the simulated disk.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the directories hold, in the page cache and on the medium.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) live: BTreeMap<PathBuf, usize>,
    pub(super) stored: BTreeMap<PathBuf, usize>,
    /// Changes that were not flushed, oldest first.
    pending: Vec<Change>,
    pub(super) dirs: BTreeSet<PathBuf>,
}

#[derive(Debug, Clone)]
pub(super) enum Change {
    Link { path: PathBuf, inode: usize },
    Rename { from: PathBuf, to: PathBuf, inode: usize },
    Unlink { path: PathBuf },
}

impl Change {
    fn dir(&self) -> Option<&Path> {
        match self {
            Self::Link { path, .. } | Self::Unlink { path } | Self::Rename { to: path, .. } => path.parent(),
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link { path, inode } => {
                names.insert(path, inode);
            }
            Self::Rename { from, to, inode } => {
                names.remove(&from);
                names.insert(to, inode);
            }
            Self::Unlink { path } => {
                names.remove(&path);
            }
        }
    }
}

impl Names {
    pub(super) fn change(&mut self, change: Change) {
        change.clone().apply(&mut self.live);
        self.pending.push(change);
    }

    /// Makes the changes in `dir` durable.
    pub(super) fn flush(&mut self, dir: &Path) {
        for change in std::mem::take(&mut self.pending) {
            if change.dir() == Some(dir) {
                change.apply(&mut self.stored);
            } else {
                self.pending.push(change);
            }
        }
    }

    /// How many changes were not flushed.
    pub(super) fn changes(&self) -> usize {
        self.pending.len()
    }

    /// The files that may have a name when the power comes back.
    pub(super) fn reachable(&self) -> BTreeSet<usize> {
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Link { inode, .. } | Change::Rename { inode, .. } => Some(*inode),
            Change::Unlink { .. } => None,
        });
        self.stored.values().copied().chain(pending).collect()
    }

    /// The names as they are found when the power comes back, with those changes that `kept` says, asked in order.
    pub(super) fn after(&self, kept: &mut dyn FnMut() -> bool) -> Self {
        let mut stored = self.stored.clone();
        for change in &self.pending {
            if kept() {
                change.clone().apply(&mut stored);
            }
        }
        Self { live: stored.clone(), stored, pending: Vec::new(), dirs: self.dirs.clone() }
    }

    /// The names as they may be found when the power comes back.
    pub(super) fn after_power_cut(&self, rng: &mut fastrand::Rng) -> Self {
        self.after(&mut || rng.bool())
    }
}
