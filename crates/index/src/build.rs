//! Building a tree from sorted entries.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, ReadBlocks};

use crate::cache::Source;
use crate::encode::{Encoded, NodeWriter};
use crate::node::{Node, Payload, digest_of};
use crate::splitter::Splitter;
use crate::{Entry, IndexError, MAX_KEY, NodeCache, Params, Salt, Tree};

/// Makes a tree from entries that come in ascending order, holding only the last node of each level.
///
/// ```
/// # use std::sync::Arc;
/// # use carob_block::MemoryStore;
/// use carob_index::{Builder, Entry, NodeCache, Params, Salt, Value};
/// # let (store, cache) = (Arc::new(MemoryStore::new()), Arc::new(NodeCache::new(1 << 20)));
///
/// let mut builder = Builder::new(Salt([0; 16]), Params::default());
/// for n in 0..1000_u64 {
///     let entry = Entry { weight: 0, value: Value::from_serialize(&n)? };
///     builder.push(&n.to_be_bytes(), &entry)?;
///     let _to_put = builder.take_blocks();
/// }
/// let (tree, _to_put) = builder.finish(store, cache)?;
/// assert_eq!(tree.len(), 1000);
/// # Ok::<(), carob_index::IndexError>(())
/// ```
#[derive(Debug)]
pub struct Builder {
    salt: Salt,
    params: Params,
    last_key: Vec<u8>,
    levels: Vec<Level>,
    blocks: Vec<Block>,
}

#[derive(Debug)]
struct Level {
    splitter: Splitter,
    writer: NodeWriter,
    /// Nodes finished so far.
    nodes: u64,
    /// The first of them, which may turn out to be the top.
    first: Option<Block>,
}

impl Level {
    fn new(salt: Salt, params: Params, level: u8) -> Self {
        let splitter = Splitter::new(params, salt, level);
        Self { splitter, writer: NodeWriter::new(level), nodes: 0, first: None }
    }

    fn finish_node(&mut self) -> Encoded {
        let encoded = self.writer.finish();
        self.first.get_or_insert_with(|| encoded.block.clone());
        self.nodes += 1;
        encoded
    }
}

impl Builder {
    /// A builder without entries.
    pub fn new(salt: Salt, params: Params) -> Self {
        Self { salt, params, last_key: Vec::new(), levels: Vec::new(), blocks: Vec::new() }
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// [`IndexError::Unsorted`], [`IndexError::KeyLength`], [`IndexError::WeightOverflow`].
    pub fn push(&mut self, key: &[u8], entry: &Entry) -> Result<(), IndexError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(IndexError::KeyLength(key.len()));
        }
        if key <= self.last_key.as_slice() {
            return Err(IndexError::Unsorted);
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(key);
        let payload = Payload::Entry { weight: entry.weight, value: entry.value.bytes() };
        self.push_at(0, key, payload)
    }

    /// The blocks finished since the last call.
    pub fn take_blocks(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.blocks)
    }

    /// The tree, and the rest of its blocks.
    ///
    /// # Errors
    /// [`IndexError::WeightOverflow`].
    pub fn finish(
        mut self,
        store: Arc<dyn ReadBlocks>,
        cache: Arc<NodeCache>,
    ) -> Result<(Tree, Vec<Block>), IndexError> {
        let mut top = None;
        let mut at = 0;
        while let Some(level) = self.levels.get_mut(at) {
            let last = (!level.writer.is_empty()).then(|| level.finish_node());
            // The lowest level of one node is the top; what stands above it is not part of the tree.
            if level.nodes == 1 {
                top = level.first.take();
            }
            match last {
                Some(encoded) if top.is_none() => self.ascend(at, encoded)?,
                Some(encoded) => self.blocks.push(encoded.block),
                None => {}
            }
            if top.is_some() {
                break;
            }
            at += 1;
        }
        let top = top.map(|block| {
            let node = Node::decode(block.data()).expect("what the writer wrote is readable");
            (digest_of(block.cid()).expect("a node is a dag-cbor block"), Arc::new(node))
        });
        let (tree, descriptor) = Tree::made(Source { store, cache }, self.salt, self.params, top);
        self.blocks.push(descriptor);
        Ok((tree, self.blocks))
    }

    /// Appends an entry to a level. If it ends a node there, that is an entry of the level above.
    fn push_at(&mut self, at: usize, key: &[u8], payload: Payload<'_>) -> Result<(), IndexError> {
        if at == self.levels.len() {
            self.levels.push(Level::new(self.salt, self.params, at as u8));
        }
        let level = &mut self.levels[at];
        level.writer.push(key, payload)?;
        if level.splitter.push(key) {
            let encoded = level.finish_node();
            self.ascend(at, encoded)?;
        }
        Ok(())
    }

    /// Enters a node finished at a level into the level above.
    fn ascend(&mut self, at: usize, Encoded { block, last_key, child }: Encoded) -> Result<(), IndexError> {
        self.blocks.push(block);
        self.push_at(at + 1, &last_key, Payload::Child(child))
    }
}

impl Tree {
    /// A tree of `entries`, which come in strictly ascending order of keys, and all its blocks. See
    /// [`Builder`] where these are many.
    ///
    /// # Errors
    /// [`IndexError::Unsorted`], [`IndexError::KeyLength`], [`IndexError::WeightOverflow`].
    pub fn build(
        store: Arc<dyn ReadBlocks>,
        cache: Arc<NodeCache>,
        salt: Salt,
        params: Params,
        entries: impl IntoIterator<Item = (Bytes, Entry)>,
    ) -> Result<(Self, Vec<Block>), IndexError> {
        let mut builder = Builder::new(salt, params);
        for (key, entry) in entries {
            builder.push(&key, &entry)?;
        }
        builder.finish(store, cache)
    }
}
