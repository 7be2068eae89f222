//! Reading blocks.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use carob_block::{Block, Bytes, Check, Cid, ReadBlocks, StoreError};

use crate::index::{Held, Key, Place};
use crate::segments::{Frame, INLINE_LIMIT};
use crate::store::{LocalStore, Shared};

impl Shared {
    /// Looks a block up with `look`, and if it is in a sealed segment, makes sure of that. Blocking.
    pub(crate) fn find(&self, key: &Key, look: impl Fn() -> Option<Held>) -> io::Result<Option<Held>> {
        loop {
            let retired = self.index.retired();
            let held = look();
            let Some(Held::Sealed(segments)) = &held else { return Ok(held) };
            match self.segments.hold(key, segments) {
                Ok(true) => return Ok(held),
                // The segment may just have been retired, and the block be in another one.
                _ if self.index.retired() != retired => {}
                found => return found.map(|_| None),
            }
        }
    }

    /// Reads a block. Blocking.
    fn read(&self, cid: &Cid, key: &Key) -> Result<Option<Block>, StoreError> {
        loop {
            let retired = self.index.retired();
            let place = match self.index.get(key) {
                None => return Ok(None),
                Some(Held::Queued(block)) => return recoded(*block, cid).map(Some),
                Some(Held::At(place)) => place,
                Some(Held::Sealed(segments)) => match self.read_sealed(cid, key, &segments) {
                    Ok(None) | Err(_) if self.index.retired() != retired => continue,
                    read => return read,
                },
            };
            match self.read_place(cid, place) {
                Ok(block) => return Ok(Some(block)),
                Err(error) if matches!(self.index.get(key), Some(Held::At(at)) if at == place) => {
                    return Err(error);
                }
                // It was taken away meanwhile, by a failed flush, or left to the index of its segment.
                Err(_) => {}
            }
        }
    }

    fn read_place(&self, cid: &Cid, place: Place) -> Result<Block, StoreError> {
        let data = self.segments.read(place).map_err(unavailable)?;
        Ok(Block::verify(*cid, data)?)
    }

    fn read_sealed(&self, cid: &Cid, key: &Key, segments: &[u32]) -> Result<Option<Block>, StoreError> {
        for segment in segments {
            match self.segments.read_sealed(key, *segment, true).map_err(unavailable)? {
                Frame::Read(_, data) => return Ok(Some(Block::verify(*cid, data)?)),
                Frame::Malformed => return Err(unavailable(io::ErrorKind::InvalidData.into())),
                Frame::Absent | Frame::Waits => {}
            }
        }
        Ok(None)
    }

    /// Reads a small block if the page cache has it: to check it here takes less time than to move to another
    /// thread. Whatever is wrong, the other way finds out.
    fn read_cached(&self, cid: &Cid, key: &Key, held: &Held) -> Option<Block> {
        let data = match held {
            Held::At(place) if place.len as usize <= INLINE_LIMIT => self.segments.read_cached(*place)?,
            Held::Sealed(segments) => match self.segments.read_sealed(key, *segments.first()?, false).ok()? {
                Frame::Read(_, data) => data,
                Frame::Malformed | Frame::Absent | Frame::Waits => return None,
            },
            Held::At(_) | Held::Queued(_) => return None,
        };
        Block::verify(*cid, data).ok()
    }
}

/// The block under the codec that was asked for.
fn recoded(block: Block, cid: &Cid) -> Result<Block, StoreError> {
    if block.cid() == cid { Ok(block) } else { Ok(Block::verify(*cid, block.data().clone())?) }
}

#[async_trait]
impl ReadBlocks for LocalStore {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let Some(key) = Key::of(cid) else { return Ok(None) };
        match self.shared.index.get(&key) {
            None => return Ok(None),
            Some(Held::Queued(block)) => return recoded(*block, cid).map(Some),
            Some(held) => {
                if let Some(block) = self.shared.read_cached(cid, &key, &held) {
                    return Ok(Some(block));
                }
            }
        }
        let (shared, cid) = (Arc::clone(&self.shared), *cid);
        let read = tokio::task::spawn_blocking(move || shared.read(&cid, &key)).await;
        read.map_err(|e| unavailable(io::Error::other(e)))?
    }

    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        let Some(key) = Key::of(cid) else { return Ok(None) };
        let Some(held) = self.shared.index.get(&key) else { return Ok(None) };
        if let Some(part) = self.shared.part_cached(&held, &key, &range, &check) {
            return Ok(Some(part));
        }
        let (shared, cid) = (Arc::clone(&self.shared), *cid);
        let read = tokio::task::spawn_blocking(move || shared.part(&cid, &key, &range, &check)).await;
        read.map_err(|e| unavailable(io::Error::other(e)))?
    }
}

/// A failed read of a segment.
pub(crate) fn unavailable(source: io::Error) -> StoreError {
    StoreError::Unavailable { context: "reading a segment", source: source.into() }
}
