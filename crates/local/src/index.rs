//! From a block's digest to its place.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use carob_block::{Block, Cid, Codec, sha256_cid};
use parking_lot::RwLock;

use crate::record::Position;
use crate::session::Hold;
use crate::sidecar::Entry;
use crate::table::{PREFIX, Table};

const SHARDS: usize = 64;

/// A CID in 32 bytes instead of 96: every block here is CIDv1 with sha2-256. The codec is left out, so that
/// the same bytes under two codecs are stored once, and the one byte of a frame that no hash covers does not
/// matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// `None` for a CID that no block can have.
    pub(crate) fn of(cid: &Cid) -> Option<Self> {
        let codec = Codec::from_code(cid.codec())?;
        let digest = cid.hash().digest().try_into().ok()?;
        (sha256_cid(codec, digest) == *cid).then_some(Self(digest))
    }

    /// The digest that the bytes begin with.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        bytes.first_chunk().copied().map(Self)
    }

    #[cfg(test)]
    pub(crate) fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The bytes that [`Table`] goes by.
    pub(crate) fn prefix(&self) -> [u8; PREFIX] {
        self.0.first_chunk().copied().unwrap_or_default()
    }

    /// The first bytes, as a number that compares as the digest does.
    pub(crate) fn leading(&self) -> u64 {
        self.0.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
    }
}

/// Where a block's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: Position,
    pub(crate) len: u32,
}

/// A block that is held, or may be.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// It waits to be written.
    Queued(Box<Block>),
    /// It is in the log.
    At(Place),
    /// It is in one of these sealed segments, if at all: their indexes know.
    Sealed(Vec<u32>),
}

/// Which blocks are held and where.
///
/// Those of the open segment are here one by one, in shards, so that lookups do not wait for each other. A lookup
/// that pins does so under the shard's lock: whoever takes a block out of the index afterwards finds the pin. Of
/// those in sealed segments only the segment is known here.
#[derive(Debug)]
pub(crate) struct Index {
    recent: [RwLock<HashMap<Key, Recent>>; SHARDS],
    sealed: Table,
    /// How often a segment was retired. Who does not find a block looks again if one was meanwhile: the block may have
    /// been copied, and the copy not yet there where it was looked for first.
    retired: AtomicU64,
}

/// A block of the open segment.
#[derive(Debug, Clone)]
enum Recent {
    Queued(Box<Block>),
    At(Place),
}

impl Index {
    pub(crate) fn new() -> Self {
        let recent = std::array::from_fn(|_| RwLock::default());
        Self { recent, sealed: Table::new(), retired: AtomicU64::new(0) }
    }

    fn shard(&self, key: &Key) -> &RwLock<HashMap<Key, Recent>> {
        &self.recent[usize::from(key.0[0]) % SHARDS]
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Held> {
        self.look(key, |_| {})
    }

    /// As [`Index::get`]; if the block is in the log, `hold` depends on it from now on.
    pub(crate) fn pin(&self, key: &Key, hold: &Hold) -> Option<Held> {
        self.look(key, |place| hold.depend_on(place.at))
    }

    fn look(&self, key: &Key, pin: impl Fn(Place)) -> Option<Held> {
        loop {
            let retired = self.retired();
            match self.shard(key).read().get(key) {
                Some(Recent::Queued(block)) => return Some(Held::Queued(block.clone())),
                Some(Recent::At(place)) => {
                    pin(*place);
                    return Some(Held::At(*place));
                }
                // A block leaves the one after it came to the other.
                None => {}
            }
            let segments = self.sealed.candidates(key.prefix());
            if self.retired() == retired {
                return (!segments.is_empty()).then_some(Held::Sealed(segments));
            }
        }
    }

    /// The sealed segments that may hold a block.
    pub(crate) fn sealed(&self, key: &Key) -> Vec<u32> {
        self.sealed.candidates(key.prefix())
    }

    /// How many segments have been retired.
    pub(crate) fn retired(&self) -> u64 {
        self.retired.load(Ordering::SeqCst)
    }

    /// Forgets the blocks of a sealed segment that had no index.
    pub(crate) fn forget(&self, segment: u32) {
        for shard in &self.recent {
            shard.write().retain(|_, held| !matches!(held, Recent::At(place) if place.at.segment == segment));
        }
    }

    /// Forgets the blocks of a sealed segment.
    pub(crate) fn retire(&self, prefixes: &[[u8; PREFIX]], segment: u32) {
        self.retired.fetch_add(1, Ordering::SeqCst);
        self.sealed.remove(prefixes, segment);
    }

    /// Makes a block readable that waits to be written.
    pub(crate) fn queue(&self, key: Key, block: &Block) {
        self.shard(&key).write().entry(key).or_insert_with(|| Recent::Queued(Box::new(block.clone())));
    }

    /// Adds a block in the log; the first place of one that is already there stays.
    pub(crate) fn insert(&self, key: Key, place: Place) {
        let mut shard = self.shard(&key).write();
        let held = shard.entry(key).or_insert(Recent::At(place));
        if matches!(held, Recent::Queued(_)) {
            *held = Recent::At(place);
        }
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.shard(key).write().remove(key);
    }

    /// Takes a block back that waits to be written.
    pub(crate) fn unqueue(&self, key: &Key) {
        let mut shard = self.shard(key).write();
        if matches!(shard.get(key), Some(Recent::Queued(_))) {
            shard.remove(key);
        }
    }

    /// Makes room for so many blocks in sealed segments.
    pub(crate) fn reserve_sealed(&self, blocks: u64) {
        self.sealed.reserve(blocks);
    }

    /// Adds the blocks of a sealed segment that has its index.
    pub(crate) fn insert_sealed(&self, prefixes: &[[u8; PREFIX]], segment: u32) {
        self.sealed.insert(prefixes, segment);
    }

    /// Leaves the blocks of a segment to the index that it has now.
    pub(crate) fn seal(&self, segment: u32, entries: &[Entry]) {
        let prefixes: Vec<_> = entries.iter().map(|(key, _)| key.prefix()).collect();
        self.insert_sealed(&prefixes, segment);
        for (key, _) in entries {
            let mut shard = self.shard(key).write();
            if matches!(shard.get(key), Some(Recent::At(place)) if place.at.segment == segment) {
                shard.remove(key);
            }
        }
    }

    pub(crate) fn len(&self) -> u64 {
        let recent: usize = self.recent.iter().map(|shard| shard.read().len()).sum();
        recent as u64 + self.sealed.len()
    }
}
