//! The file `HOLLOW`, which says where blanks are about to be.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::blank::Blank;
use crate::disk::Disk;
use crate::error::LocalError;
use crate::record::LogId;
use crate::summed;

pub(crate) const NAME: &str = "HOLLOW";

/// Bounds what is read: more than all blanks of a hundred segments come to.
const MAX_SIZE: u64 = 1 << 26;

/// What a sweep is about to do to sealed segments. Whatever it says can be done again. Fields are in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announcement {
    v: u64,
    log: ByteArray<16>,
    pub(crate) segments: Vec<Hollow>,
}

/// The blanks that a segment gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Parts", into = "Parts")]
pub(crate) struct Hollow {
    pub(crate) segment: u32,
    /// Where it ends.
    pub(crate) end: u32,
    /// In order, none over another.
    pub(crate) blanks: Vec<Blank>,
}

type Parts = (u32, u32, Vec<(u32, u32)>);

impl From<Parts> for Hollow {
    fn from((segment, end, blanks): Parts) -> Self {
        let blanks = blanks.into_iter().map(|(start, len)| Blank { start, len }).collect();
        Self { segment, end, blanks }
    }
}

impl From<Hollow> for Parts {
    fn from(Hollow { segment, end, blanks }: Hollow) -> Self {
        (segment, end, blanks.into_iter().map(|blank| (blank.start, blank.len)).collect())
    }
}

impl Hollow {
    /// The blank that covers `offset`.
    pub(crate) fn at(&self, offset: u32) -> Option<Blank> {
        let nth = self.blanks.partition_point(|blank| blank.start <= offset).checked_sub(1)?;
        self.blanks.get(nth).copied().filter(|blank| offset < blank.end())
    }

    /// Whether this may be what it says: read from disk, it may say anything.
    fn is_valid(&self) -> bool {
        let mut upto = 0;
        self.segment > 0
            && self.blanks.iter().all(|blank| {
                let follows = blank.start >= upto && Blank::new(blank.start, blank.len).is_some();
                upto = blank.start.saturating_add(blank.len);
                follows && upto <= self.end
            })
    }
}

impl Announcement {
    pub(crate) fn new(log: LogId, segments: Vec<Hollow>) -> Self {
        Self { v: 1, log: ByteArray::new(log), segments }
    }

    /// Writes it durably to `dir`, in place of any other.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        summed::write(disk, dir, NAME, self)?;
        disk.flush_dir(dir)
    }

    /// What is announced in `dir`. The file is there as a whole or not at all, so that anything else is damage.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path, log: LogId) -> Result<Option<Self>, LocalError> {
        let path = dir.join(NAME);
        let valid =
            |read: &Self| read.v == 1 && *read.log == log && read.segments.iter().all(Hollow::is_valid);
        match summed::read(disk, dir, NAME, MAX_SIZE) {
            Ok(None) => Ok(None),
            Ok(Some(read)) if valid(&read) => Ok(Some(read)),
            Err(e) if e.kind() != ErrorKind::InvalidData => Err(LocalError::io("read", &path)(e)),
            _ => Err(LocalError::damaged(&path, 0, "it is not what a sweep of this store announced")),
        }
    }

    /// Takes back what is in `dir`. If that is not durable, what was done is done again.
    pub(crate) fn remove(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        match disk.remove(&dir.join(NAME)) {
            Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    const LOG: LogId = *b"0123456789abcdef";

    fn announcement() -> Announcement {
        let blanks = vec![Blank { start: 200, len: 9000 }, Blank { start: 9200, len: 5000 }];
        Announcement::new(LOG, vec![Hollow { segment: 3, end: 20_000, blanks }])
    }

    #[test]
    fn the_bytes_are_pinned() {
        let bytes = serde_ipld_dagcbor::to_vec(&announcement()).unwrap();
        let mut expected = b"\xa3\x61v\x01\x63log\x500123456789abcdef\x68segments\x81\x83".to_vec();
        expected.extend(b"\x03\x19\x4e\x20\x82\x82\x18\xc8\x19\x23\x28\x82\x19\x23\xf0\x19\x13\x88");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn it_is_read_back_whole_and_anything_else_is_damage() {
        let (disk, dir) = (SimDisk::new(1), Path::new("/store"));
        disk.create_dir(dir).unwrap();
        assert_eq!(Announcement::read(&disk, dir, LOG).unwrap(), None);
        announcement().write(&disk, dir).unwrap();
        let disk = disk.power_cut(2);
        assert_eq!(Announcement::read(&disk, dir, LOG).unwrap(), Some(announcement()));
        assert!(Announcement::read(&disk, dir, [0; 16]).is_err());
        let file = disk.open(&dir.join(NAME)).unwrap();
        let len = file.len().unwrap();
        for at in 0..len {
            let mut byte = [0];
            file.read_at(at, &mut byte).unwrap();
            file.write_at(at, &[byte[0] ^ 1]).unwrap();
            assert!(Announcement::read(&disk, dir, LOG).is_err(), "{at}");
            file.write_at(at, &byte).unwrap();
        }
        for len in 0..len {
            let image = disk.image();
            image.open(&dir.join(NAME)).unwrap().set_len(len).unwrap();
            assert!(Announcement::read(&image, dir, LOG).is_err(), "cut to {len}");
        }
        Announcement::remove(&disk, dir).unwrap();
        Announcement::remove(&disk, dir).unwrap();
        assert_eq!(Announcement::read(&disk, dir, LOG).unwrap(), None);
    }

    #[test]
    fn one_that_says_the_impossible_is_refused() {
        let (disk, dir) = (SimDisk::new(1), Path::new("/store"));
        disk.create_dir(dir).unwrap();
        let blank = |start, len| Blank { start, len };
        for blanks in [
            vec![blank(200, 9000), blank(9000, 5000)],
            vec![blank(200, 20)],
            vec![blank(15_000, 5001)],
            vec![blank(u32::MAX - 10, 9000)],
        ] {
            Announcement::new(LOG, vec![Hollow { segment: 3, end: 20_000, blanks }])
                .write(&disk, dir)
                .unwrap();
            assert!(Announcement::read(&disk, dir, LOG).is_err());
        }
    }
}
