//! From a block's digest to its place.

use std::collections::HashMap;

use carob_block::{Block, Cid, Codec, sha256_cid};
use parking_lot::RwLock;

use crate::record::Position;
use crate::session::Hold;

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
}

/// Where a block's data lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) at: Position,
    pub(crate) len: u32,
}

/// A block that is held.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// It waits to be written.
    Queued(Box<Block>),
    /// It is in the log.
    At(Place),
}

/// Which blocks are held and where.
///
/// In shards, so that lookups do not wait for each other. A lookup that pins does so under the shard's lock:
/// whoever takes a block out of the index afterwards finds the pin.
#[derive(Debug)]
pub(crate) struct Index {
    shards: [RwLock<HashMap<Key, Held>>; SHARDS],
}

impl Index {
    pub(crate) fn new() -> Self {
        Self { shards: std::array::from_fn(|_| RwLock::default()) }
    }

    fn shard(&self, key: &Key) -> &RwLock<HashMap<Key, Held>> {
        &self.shards[usize::from(key.0[0]) % SHARDS]
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Held> {
        self.shard(key).read().get(key).cloned()
    }

    /// As [`Index::get`]; if the block is in the log, `hold` depends on it from now on.
    pub(crate) fn pin(&self, key: &Key, hold: &Hold) -> Option<Held> {
        let shard = self.shard(key).read();
        let held = shard.get(key);
        if let Some(Held::At(place)) = held {
            hold.depend_on(place.at);
        }
        held.cloned()
    }

    /// Makes a block readable that waits to be written.
    pub(crate) fn queue(&self, key: Key, block: &Block) {
        self.shard(&key).write().entry(key).or_insert_with(|| Held::Queued(Box::new(block.clone())));
    }

    /// Adds a block in the log; the first place of one that is already there stays.
    pub(crate) fn insert(&self, key: Key, place: Place) {
        let mut shard = self.shard(&key).write();
        let held = shard.entry(key).or_insert(Held::At(place));
        if matches!(held, Held::Queued(_)) {
            *held = Held::At(place);
        }
    }

    pub(crate) fn remove(&self, key: &Key) {
        self.shard(key).write().remove(key);
    }

    /// Takes a block back that waits to be written.
    pub(crate) fn unqueue(&self, key: &Key) {
        let mut shard = self.shard(key).write();
        if matches!(shard.get(key), Some(Held::Queued(_))) {
            shard.remove(key);
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().len() as u64).sum()
    }
}
