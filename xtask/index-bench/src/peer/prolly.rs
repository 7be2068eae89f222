//! prollytree.

use prollytree::config::TreeConfig;
use prollytree::storage::InMemoryNodeStorage;
use prollytree::streaming_chunker::NodeCursor;
use prollytree::tree::{ProllyTree, Tree};

use super::{Batch, Peer};

/// Another prolly tree. Its memory storage keeps decoded nodes, so it has no cold reads.
pub struct Prolly(ProllyTree<32, InMemoryNodeStorage<32>>);

impl Prolly {
    pub fn new() -> Self {
        Self(ProllyTree::new(InMemoryNodeStorage::new(), TreeConfig::default()))
    }
}

fn put(tree: &mut ProllyTree<32, InMemoryNodeStorage<32>>, batch: Batch) {
    let (keys, values): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    tree.insert_batch(&keys, &values);
}

impl Peer for Prolly {
    fn load(&mut self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        put(&mut self.0, pairs.collect());
    }

    fn put(&mut self, mut batch: Batch) {
        match (batch.len(), batch.pop()) {
            (1, Some((key, value))) => self.0.insert(key, value),
            (_, last) => {
                batch.extend(last);
                put(&mut self.0, batch);
            }
        }
    }

    fn get(&self, key: &[u8]) -> bool {
        self.0.find(key).is_some()
    }

    fn page(&self, start: &[u8], most: usize) -> usize {
        let storage = &self.0.storage;
        let mut cursor = NodeCursor::at_key(self.0.root.clone(), start, storage);
        let mut found = 0;
        while found < most && cursor.valid() {
            found += usize::from(!cursor.current_key().is_empty() && cursor.current_value().len() > 2);
            cursor.advance(storage);
        }
        found
    }

    fn diff(&self, batch: Batch) -> Option<Box<dyn Fn() -> usize + '_>> {
        let storage = self.0.storage.clone();
        let mut other = ProllyTree { root: self.0.root.clone(), storage, config: self.0.config.clone() };
        put(&mut other, batch);
        // From the tree whose storage holds the nodes of both.
        Some(Box::new(move || other.diff(&self.0).len()))
    }
}
