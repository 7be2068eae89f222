//! Looking past damage for a record that proves it to have been durable.

use std::io;

use carob_car::CarReader;
use memchr::memmem::Finder;

use crate::disk::{DiskFile, FileReader, fill};
use crate::record::{HeadRecord, LogId, Position};

/// How much of a file is looked at at once.
const WINDOW: usize = 1024 * 1024;

/// CIDv1 with codec and sha2-256, before a record's bytes.
const CID_SIZE: u64 = 36;

/// Looks through the bytes after `from`, where frames can no longer be followed, for a head record of `log`
/// that proves them to have been durable once: one whose last completed flush lay beyond.
///
/// A record counts only where it says it stands, so nothing in a body passes for one.
pub(crate) fn find_later_record(
    file: &dyn DiskFile,
    log: LogId,
    from: Position,
) -> io::Result<Option<Position>> {
    // Without the first byte of a record.
    let prefix = HeadRecord::prefix(log);
    let finder = Finder::new(&prefix);
    let mut window = vec![0; WINDOW];
    let mut start = u64::from(from.offset);
    loop {
        let filled = fill(file, start, &mut window)?;
        for at in finder.find_iter(&window[..filled]) {
            let Some(data) = (start + at as u64).checked_sub(1) else { continue };
            for before in (1..=4).map(|length| CID_SIZE + length) {
                let Some(begins) = data.checked_sub(before).filter(|at| *at > u64::from(from.offset)) else {
                    continue;
                };
                if let Some(upto) = record_at(file, log, from.segment, begins)?.filter(|upto| *upto > from) {
                    return Ok(Some(upto));
                }
            }
        }
        if filled < window.len() {
            return Ok(None);
        }
        // A prefix may lie across the border.
        start += (filled - prefix.len()) as u64;
    }
}

/// The `upto` of the record whose frame begins at `begins`, if there is one.
fn record_at(file: &dyn DiskFile, log: LogId, segment: u32, begins: u64) -> io::Result<Option<Position>> {
    let Ok(offset) = u32::try_from(begins) else { return Ok(None) };
    let mut reader = CarReader::resume(FileReader::new(file, begins, u64::MAX), begins);
    match reader.next_block() {
        Ok(Some(block)) => {
            Ok(HeadRecord::read(&block, log, Position { segment, offset }).map(|record| record.upto))
        }
        Err(carob_car::CarError::Io(e)) => Err(e),
        _ => Ok(None),
    }
}
