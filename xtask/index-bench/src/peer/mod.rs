//! What is measured.

mod btree;
mod ours;
mod prolly;
mod redb;

/// A batch of puts.
pub type Batch = Vec<(Vec<u8>, Vec<u8>)>;

/// An ordered map. What a map cannot do is `None`.
pub trait Peer {
    /// Fills an empty map from pairs in order of keys.
    fn load(&mut self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>);
    /// Puts a batch, as one commit.
    fn put(&mut self, batch: Batch);
    /// Reads a key that is there.
    fn get(&self, key: &[u8]) -> bool;
    /// Reads a key past any cache of decoded nodes.
    fn get_cold(&self, _key: &[u8]) -> Option<bool> {
        None
    }
    /// Reads up to `most` entries from `start` on, and returns how many there were.
    fn page(&self, start: &[u8], most: usize) -> usize;
    /// Puts a batch into a copy, and returns a function that tells the number of differences, to be timed.
    fn diff(&self, _batch: Batch) -> Option<Box<dyn Fn() -> usize + '_>> {
        None
    }
    /// Bytes stored, of all there is now.
    fn stored(&self) -> Option<u64> {
        None
    }
}

/// Ours first.
pub const NAMES: [&str; 4] = ["carob-index", "prollytree", "BTreeMap", "redb"];

pub fn named(name: &str) -> Box<dyn Peer> {
    match name {
        "carob-index" => Box::new(ours::Ours::new()),
        "prollytree" => Box::new(prolly::Prolly::new()),
        "BTreeMap" => Box::new(btree::Plain::default()),
        "redb" => Box::new(redb::Redb::new()),
        _ => panic!("no peer is called {name}"),
    }
}
