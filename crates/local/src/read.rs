//! Reading blocks.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use carob_block::{Block, Bytes, Cid, ReadBlocks, StoreError};
use quick_cache::sync::Cache;

use crate::disk::{Disk, DiskFile};
use crate::index::{Held, Key, Place};
use crate::segment;
use crate::store::{LocalStore, Shared};

/// How many segment files are kept open.
const OPEN_FILES: usize = 256;

/// Blocks of up to so many bytes are read and checked where they are asked for if the page cache has them: it
/// takes less time than moving to another thread.
const INLINE_LIMIT: u32 = 16 * 1024;

/// The files that blocks are read from.
#[derive(Debug)]
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    open: Cache<u32, Arc<dyn DiskFile>>,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Self { disk, dir, open: Cache::new(OPEN_FILES) }
    }

    /// The bytes at `place`, or fewer if the file ends before. Blocking.
    fn read(&self, place: Place) -> io::Result<Bytes> {
        let open = || self.disk.open(&segment::path(&self.dir, place.at.segment));
        let file = self.open.get_or_insert_with(&place.at.segment, open)?;
        let mut data = vec![0; place.len as usize];
        let mut filled = 0;
        while filled < data.len() {
            match file.read_at(u64::from(place.at.offset) + filled as u64, &mut data[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        data.truncate(filled);
        Ok(data.into())
    }

    /// The bytes at `place`, if that takes no waiting.
    fn read_cached(&self, place: Place) -> Option<Bytes> {
        let file = self.open.get(&place.at.segment)?;
        let mut data = vec![0; place.len as usize];
        let read = file.read_cached_at(place.at.offset.into(), &mut data).ok()??;
        (read == data.len()).then(|| data.into())
    }
}

impl Shared {
    /// Reads a block. Blocking.
    fn read(&self, cid: &Cid, key: &Key) -> Result<Option<Block>, StoreError> {
        loop {
            let place = match self.index.get(key) {
                None => return Ok(None),
                Some(Held::Queued(block)) => return recoded(*block, cid).map(Some),
                Some(Held::At(place)) => place,
            };
            match self.read_place(cid, place) {
                Ok(block) => return Ok(Some(block)),
                Err(error) if matches!(self.index.get(key), Some(Held::At(at)) if at == place) => {
                    return Err(error);
                }
                // It was taken away meanwhile, by a failed flush.
                Err(_) => {}
            }
        }
    }

    fn read_place(&self, cid: &Cid, place: Place) -> Result<Block, StoreError> {
        let data = self.segments.read(place).map_err(|e| unavailable(e.into()))?;
        Ok(Block::verify(*cid, data)?)
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
            Some(Held::At(place)) if place.len <= INLINE_LIMIT => {
                let data = self.shared.segments.read_cached(place);
                // Whatever is wrong with it, the other way finds out.
                if let Some(block) = data.and_then(|data| Block::verify(*cid, data).ok()) {
                    return Ok(Some(block));
                }
            }
            Some(Held::At(_)) => {}
        }
        let (shared, cid) = (Arc::clone(&self.shared), *cid);
        let read = tokio::task::spawn_blocking(move || shared.read(&cid, &key)).await;
        read.map_err(|e| unavailable(e.into()))?
    }
}

fn unavailable(source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Unavailable { context: "reading a segment", source }
}
