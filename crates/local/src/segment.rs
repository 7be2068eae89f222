//! One segment file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use carob_car::{CarError, CarReader, Frame};

use crate::disk::{Disk, DiskFile, FileReader};
use crate::record::{Descriptor, LogId};

/// Segments are addressed with 32 bits; this leaves room for the last frame.
pub(crate) const MAX_SEGMENT_SIZE: u32 = 1 << 30;

/// Below this, segments would be mostly descriptors.
pub(crate) const MIN_SEGMENT_SIZE: u32 = 4096;

/// The file of a segment.
pub(crate) fn path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:08}.car"))
}

/// The number of a segment file, or `None` for any other name.
pub(crate) fn number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".car").filter(|digits| digits.len() >= 8)?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (path(Path::new(""), number).to_str() == Some(name)).then_some(number)
}

/// A segment that is durable but for its name: a file under that name always has a whole header.
#[derive(Debug)]
pub(crate) struct Draft {
    number: u32,
    file: Arc<dyn DiskFile>,
    /// Where its first frame after the descriptor goes.
    end: u32,
}

fn draft_path(dir: &Path) -> PathBuf {
    dir.join("next.tmp")
}

impl Draft {
    /// Prepares a segment whose predecessor ends at `prev`. An error has changed nothing.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        log: LogId,
        number: u32,
        prev: u32,
        size: u32,
    ) -> io::Result<Self> {
        let descriptor = Descriptor::new(log, number, prev).to_block()?;
        let mut opening = carob_car::header(&[*descriptor.cid()]).map_err(io::Error::other)?;
        Frame::of(&descriptor).append_to(&mut opening);
        let end = u32::try_from(opening.len()).map_err(io::Error::other)?;
        let create = || {
            let file = disk.create(&draft_path(dir))?;
            file.preallocate(u64::from(size))?;
            file.write_at(0, &opening)?;
            file.flush_all()?;
            Ok(Self { number, file, end })
        };
        create().inspect_err(|_| {
            // Its space may be what the disk lacks. Opening the store removes it too.
            let _ = disk.remove(&draft_path(dir));
        })
    }

    /// Gives it its name, durably. Returns the file and where its first frame after the descriptor goes.
    ///
    /// After an error it may have its name or not, now and once the store is opened again: nothing may be written any
    /// more where its predecessor goes on. Preparing it anew, and this again, is right.
    pub(crate) fn name(self, disk: &dyn Disk, dir: &Path) -> io::Result<(Arc<dyn DiskFile>, u32)> {
        disk.rename(&draft_path(dir), &path(dir, self.number))?;
        disk.flush_dir(dir)?;
        Ok((self.file, self.end))
    }
}

/// Reads the descriptor and leaves the reader at the first frame after it. `None` if it is not one of `log`.
pub(crate) fn open(
    file: &dyn DiskFile,
    end: u64,
    log: LogId,
) -> Result<Option<(Descriptor, CarReader<FileReader<'_>>)>, CarError> {
    let mut reader = CarReader::new(FileReader::new(file, 0, end))?;
    let Some(block) = reader.next_block()? else { return Ok(None) };
    let rooted = reader.roots() == [*block.cid()];
    Ok(Descriptor::read(&block, log).filter(|_| rooted).map(|descriptor| (descriptor, reader)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_names_are_segments() {
        assert_eq!(number("00000001.car"), Some(1));
        assert_eq!(number("123456789.car"), Some(123_456_789));
        for name in ["00000000.car", "1.car", "+0000001.car", "000000001.car", "00000001.tmp", "FORMAT"] {
            assert_eq!(number(name), None, "{name}");
        }
    }
}
