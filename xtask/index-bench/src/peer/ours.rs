//! Our own tree.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carob_block::{Block, Cid, ReadBlocks, StoreError};
use carob_index::{Builder, Entry, NodeCache, Params, Salt, Tree, Value};
use futures::executor::block_on;

use super::{Batch, Peer};

/// Blocks in a map: a store that costs as little as one can.
#[derive(Debug, Default)]
struct Blocks(Mutex<HashMap<Cid, Block>>);

impl Blocks {
    fn put(&self, blocks: Vec<Block>) {
        let mut held = self.0.lock().expect("no panic while locked");
        held.extend(blocks.into_iter().map(|block| (*block.cid(), block)));
    }
}

#[async_trait]
impl ReadBlocks for Blocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(self.0.lock().expect("no panic while locked").get(cid).cloned())
    }
}

pub struct Ours {
    store: Arc<Blocks>,
    tree: Tree,
    /// The same tree, as of the load, with a cache that keeps nothing.
    cold: Tree,
}

impl Ours {
    pub fn new() -> Self {
        let store = Arc::new(Blocks::default());
        let cache = Arc::new(NodeCache::new(8 << 30));
        let (tree, blocks) = Tree::empty(Arc::clone(&store) as _, cache, Salt([7; 16]), Params::default());
        store.put(blocks);
        Self { store, cold: tree.clone(), tree }
    }
}

fn entry(value: Vec<u8>) -> Entry {
    Entry { weight: 1, value: Value::new(value.into()).expect("a canonical value") }
}

fn edits(batch: Batch) -> std::collections::BTreeMap<bytes::Bytes, Option<Entry>> {
    batch.into_iter().map(|(key, value)| (key.into(), Some(entry(value)))).collect()
}

impl Peer for Ours {
    fn load(&mut self, pairs: &mut dyn Iterator<Item = (Vec<u8>, Vec<u8>)>) {
        let mut builder = Builder::new(self.tree.salt(), self.tree.params());
        for (key, value) in pairs {
            builder.push(&key, &entry(value)).expect("pairs in order");
            self.store.put(builder.take_blocks());
        }
        let cache = Arc::new(NodeCache::new(8 << 30));
        let (tree, blocks) = builder.finish(Arc::clone(&self.store) as _, cache).expect("small weights");
        self.store.put(blocks);
        let none = Arc::new(NodeCache::new(0));
        self.cold = block_on(Tree::open(Arc::clone(&self.store) as _, none, tree.root())).expect("just put");
        self.tree = tree;
    }

    fn put(&mut self, batch: Batch) {
        let edited = block_on(self.tree.edit(edits(batch))).expect("an edit");
        self.store.put(edited.blocks);
        self.tree = edited.tree;
    }

    fn get(&self, key: &[u8]) -> bool {
        block_on(self.tree.get(key)).expect("a read").is_some()
    }

    fn get_cold(&self, key: &[u8]) -> Option<bool> {
        Some(block_on(self.cold.get(key)).expect("a read").is_some())
    }

    fn page(&self, start: &[u8], most: usize) -> usize {
        block_on(async {
            let mut cursor = self.tree.cursor();
            cursor.seek(start).await.expect("a read");
            let mut found = 0;
            while found < most
                && let Some((key, entry)) = cursor.next().await.expect("a read")
            {
                found += usize::from(!key.is_empty() && entry.value.bytes().len() > 2);
            }
            found
        })
    }

    fn diff(&self, batch: Batch) -> Option<Box<dyn Fn() -> usize + '_>> {
        let edited = block_on(self.tree.edit(edits(batch))).expect("an edit");
        self.store.put(edited.blocks);
        Some(Box::new(move || {
            block_on(async {
                let (mut diff, mut found) = (self.tree.diff(&edited.tree), 0);
                while diff.next().await.expect("a read").is_some() {
                    found += 1;
                }
                found
            })
        }))
    }

    fn stored(&self) -> Option<u64> {
        let held = self.store.0.lock().expect("no panic while locked");
        Some(held.values().map(|block| block.data().len() as u64).sum())
    }
}
