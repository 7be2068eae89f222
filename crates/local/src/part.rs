//! Reading parts of blocks, which their readers know how to verify.

use std::io;
use std::ops::Range;

use carob_block::{BlockError, Bytes, Check, Cid, StoreError};

use crate::index::{Held, Key, Place};
use crate::read::unavailable;
use crate::store::Shared;

/// Parts of up to so many bytes are read, and verified, without moving to another thread if the page cache has them.
const INLINE_LIMIT: usize = 64 * 1024;

impl Shared {
    /// The part, if that takes no waiting.
    pub(crate) fn part_cached(
        &self,
        held: &Held,
        key: &Key,
        range: &Range<usize>,
        check: &Check,
    ) -> Option<Bytes> {
        let place = match held {
            Held::Queued(block) => return slice(block.data(), range).filter(|part| check(part)),
            _ if range.len() > INLINE_LIMIT => return None,
            Held::At(place) => *place,
            Held::Sealed(segments) => self.segments.place(key, *segments.first()?, false).ok()??,
        };
        self.segments.read_cached(within(place, range)?).filter(|part| check(part))
    }

    /// Reads the part. Blocking.
    pub(crate) fn part(
        &self,
        cid: &Cid,
        key: &Key,
        range: &Range<usize>,
        check: &Check,
    ) -> Result<Option<Bytes>, StoreError> {
        loop {
            let retired = self.index.retired();
            match self.try_part(cid, key, range, check) {
                Ok(None) | Err(_) if self.index.retired() != retired => {}
                read => return read,
            }
        }
    }

    fn try_part(
        &self,
        cid: &Cid,
        key: &Key,
        range: &Range<usize>,
        check: &Check,
    ) -> Result<Option<Bytes>, StoreError> {
        let damaged = || StoreError::Damaged(BlockError::HashMismatch(*cid));
        let read = |place| match within(place, range) {
            Some(place) => self.segments.read(place).map_err(unavailable),
            None => Err(damaged()),
        };
        let part = match self.index.get(key) {
            None => return Ok(None),
            Some(Held::Queued(block)) => slice(block.data(), range).ok_or_else(damaged)?,
            Some(Held::At(place)) => read(place)?,
            Some(Held::Sealed(segments)) => match self.sealed_place(key, &segments).map_err(unavailable)? {
                Some(place) => read(place)?,
                None => return Ok(None),
            },
        };
        if part.len() == range.len() && check(&part) { Ok(Some(part)) } else { Err(damaged()) }
    }

    fn sealed_place(&self, key: &Key, segments: &[u32]) -> io::Result<Option<Place>> {
        for segment in segments {
            match self.segments.place(key, *segment, true) {
                Ok(None) => {}
                found => return found,
            }
        }
        Ok(None)
    }
}

fn slice(data: &Bytes, range: &Range<usize>) -> Option<Bytes> {
    (range.start <= range.end && range.end <= data.len()).then(|| data.slice(range.clone()))
}

/// Where a part of what lies at `place` lies; `None` if it is not all there.
fn within(place: Place, range: &Range<usize>) -> Option<Place> {
    let (start, end) = (u32::try_from(range.start).ok()?, u32::try_from(range.end).ok()?);
    let mut at = place.at;
    at.offset = at.offset.checked_add(start)?;
    Some(Place { at, len: end.checked_sub(start).filter(|_| end <= place.len)? })
}
