//! Every way in which a power cut may leave the disk.

use super::pages::PAGE;
use super::{SimDisk, SimInode, file, names::Names};

/// A disk at the moment when the power goes.
#[derive(Debug, Clone)]
pub struct Moment {
    inodes: Vec<SimInode>,
    names: Names,
}

/// What became of a change that was not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is lost.
    No,
    /// It is on the medium.
    Yes,
    /// Of a page, so many sectors are, the first ones; anything else is lost.
    Torn(u8),
}

impl Moment {
    pub(super) fn new(inodes: &[SimInode], names: &Names) -> Self {
        let reachable = names.reachable();
        let inode = |(at, inode): (usize, &SimInode)| {
            if reachable.contains(&at) { inode.without_idle_changes() } else { SimInode::default() }
        };
        Self { inodes: inodes.iter().enumerate().map(inode).collect(), names: names.clone() }
    }

    /// How many changes were not flushed: pages and lengths of files, and names. A page that is written as it was
    /// before is no change, and neither is one of a file that cannot have a name again.
    pub fn changes(&self) -> usize {
        self.inodes.iter().map(SimInode::changes).sum::<usize>() + self.names.changes()
    }

    /// The disk after the cut, if that became of the changes, by their numbers.
    #[must_use]
    pub fn after(&self, kept: impl Fn(usize) -> Kept) -> SimDisk {
        let mut next = 0..;
        let mut fate = || next.next().map_or(Kept::No, &kept);
        let inodes = self.inodes.iter().map(|inode| inode.after(&mut fate)).collect();
        let names = self.names.after(&mut || fate() == Kept::Yes);
        SimDisk::with(inodes, names, 0)
    }
}

impl SimInode {
    fn without_idle_changes(&self) -> Self {
        let mut inode = self.clone();
        inode.dirty.retain(|page| !self.live.has_same_page(&self.stored, *page));
        inode
    }

    fn changes(&self) -> usize {
        self.dirty.len() + usize::from(self.live.len() != self.stored.len())
    }

    fn after(&self, fate: &mut impl FnMut() -> Kept) -> Self {
        let mut medium = self.stored.clone();
        medium.resize(self.stored.len().max(self.live.len()));
        for page in &self.dirty {
            let sectors = match fate() {
                Kept::No => 0,
                Kept::Yes => PAGE / file::SECTOR,
                Kept::Torn(sectors) => sectors.into(),
            };
            let start = page * PAGE;
            medium.take(&self.live, start..start + (sectors * file::SECTOR).min(PAGE));
        }
        let grown = self.live.len() != self.stored.len() && fate() == Kept::Yes;
        medium.resize(if grown { self.live.len() } else { self.stored.len() });
        self.found_as(medium)
    }
}
