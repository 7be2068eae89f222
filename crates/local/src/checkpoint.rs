//! Where the heads were when a segment was sealed, so that opening need not read what lies before.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use carob_block::Cid;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::disk::Disk;
use crate::gone::Gone;
use crate::record::{LogId, Position};
use crate::summed;

pub(crate) const NAME: &str = "CHECKPOINT";

/// Bounds what is read: a hundred million heads would not come near.
const MAX_SIZE: u64 = 1 << 34;

/// What the log says up to the end of a sealed segment. Fields are in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Checkpoint {
    v: u64,
    log: ByteArray<16>,
    /// The sequence number of the last record.
    pub(crate) seq: u64,
    /// The segments that had been removed by then.
    pub(crate) gone: Gone,
    /// The segment, and where it ends.
    pub(crate) upto: Position,
    pub(crate) heads: BTreeMap<String, Cid>,
}

impl Checkpoint {
    pub(crate) fn new(
        log: LogId,
        upto: Position,
        seq: u64,
        heads: BTreeMap<String, Cid>,
        gone: Gone,
    ) -> Self {
        Self { v: 1, log: ByteArray::new(log), seq, gone, upto, heads }
    }

    /// Replaces the checkpoint in `dir`.
    pub(crate) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        summed::write(disk, dir, NAME, self)
    }

    /// The checkpoint in `dir`, if there is a whole one of this log.
    pub(crate) fn read(disk: &dyn Disk, dir: &Path, log: LogId) -> io::Result<Option<Self>> {
        let valid = |read: &Self| read.v == 1 && *read.log == log && read.gone.is_valid();
        match summed::read(disk, dir, NAME, MAX_SIZE) {
            Err(e) if e.kind() == io::ErrorKind::InvalidData => Ok(None),
            read => Ok(read?.filter(valid)),
        }
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::sim::SimDisk;
    use carob_block::{Block, Codec};

    #[test]
    fn it_is_read_back_whole_or_not_at_all() {
        let (disk, dir, log) = (SimDisk::new(1), Path::new("/store"), *b"0123456789abcdef");
        disk.create_dir(dir).unwrap();
        assert_eq!(Checkpoint::read(&disk, dir, log).unwrap(), None);
        let cid = *Block::new(Codec::Raw, "x".into()).unwrap().cid();
        let heads = BTreeMap::from([("b".to_owned(), cid), ("aa".to_owned(), cid)]);
        let mut gone = Gone::default();
        gone.add(2, 700);
        let checkpoint = Checkpoint::new(log, (3, 1000).into(), 9, heads, gone);
        checkpoint.write(&disk, dir).unwrap();
        assert_eq!(Checkpoint::read(&disk, dir, log).unwrap(), Some(checkpoint));
        assert_eq!(Checkpoint::read(&disk, dir, [0; 16]).unwrap(), None);
        let file = disk.open(&dir.join(NAME)).unwrap();
        for at in 0..file.len().unwrap() {
            let mut byte = [0];
            file.read_at(at, &mut byte).unwrap();
            file.write_at(at, &[byte[0] ^ 1]).unwrap();
            assert_eq!(Checkpoint::read(&disk, dir, log).unwrap(), None, "{at}");
            file.write_at(at, &byte).unwrap();
        }
    }
}
