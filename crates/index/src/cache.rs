//! Decoded nodes, kept within a budget.

use std::sync::Arc;

use carob_block::{Block, ReadBlocks};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::IndexError;
use crate::descriptor::Descriptor;
use crate::node::{Digest, Node, cid_of};

/// Decoded nodes, shared by any number of trees, bounded by the memory they take.
///
/// A cached node is used without asking the store. So a cache belongs to stores that hold the same blocks;
/// whoever wants to know what a given store holds, as the verifier of a proof does, uses a cache of its own.
///
/// Two readers that miss the same node at once both load it. To let one wait for the other would save a read, and stall
/// readers behind a future that is alive but not being polled.
#[derive(Debug)]
pub struct NodeCache {
    cache: Cache<Digest, Cached, ByMemory>,
}

/// What a [`NodeCache`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheFigures {
    /// Bytes of memory that the cached nodes take.
    pub memory: u64,
    /// How often a node was there, since the cache was made.
    pub hits: u64,
    /// How often it had to be read from the store.
    pub misses: u64,
}

#[derive(Debug, Clone)]
enum Cached {
    Node(Arc<Node>),
    Descriptor(Arc<Descriptor>),
}

#[derive(Debug, Clone)]
struct ByMemory;

/// What the cache itself needs for an item, roughly.
const OVERHEAD: usize = 96;

/// A usual node in memory, to size the cache's tables by.
const USUAL: u64 = 6 * 1024;

impl Weighter<Digest, Cached> for ByMemory {
    fn weight(&self, _: &Digest, cached: &Cached) -> u64 {
        let memory = match cached {
            Cached::Node(node) => node.memory(),
            Cached::Descriptor(_) => size_of::<Descriptor>(),
        };
        (memory + OVERHEAD) as u64
    }
}

impl NodeCache {
    /// A cache of at most about `max_bytes` bytes of memory. With 0 it keeps nothing.
    pub fn new(max_bytes: u64) -> Self {
        let items = usize::try_from(max_bytes / USUAL).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self { cache: Cache::with_weighter(items, max_bytes, ByMemory) }
    }

    /// What it holds, and of how much use it was so far.
    pub fn figures(&self) -> CacheFigures {
        CacheFigures { memory: self.cache.weight(), hits: self.cache.hits(), misses: self.cache.misses() }
    }

    pub(crate) fn insert_node(&self, digest: Digest, node: Arc<Node>) {
        self.cache.insert(digest, Cached::Node(node));
    }

    pub(crate) fn insert_descriptor(&self, digest: Digest, descriptor: Descriptor) {
        self.cache.insert(digest, Cached::Descriptor(Arc::new(descriptor)));
    }
}

/// Where a tree's blocks come from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) store: Arc<dyn ReadBlocks>,
    pub(crate) cache: Arc<NodeCache>,
}

impl Source {
    pub(crate) async fn node(&self, digest: &Digest) -> Result<Arc<Node>, IndexError> {
        if let Some(Cached::Node(node)) = self.cache.cache.get(digest) {
            return Ok(node);
        }
        let (_, node) = self.stored_node(digest).await?;
        let node = Arc::new(node);
        self.cache.insert_node(*digest, Arc::clone(&node));
        Ok(node)
    }

    /// A node and its block from the store, past the cache.
    pub(crate) async fn stored_node(&self, digest: &Digest) -> Result<(Block, Node), IndexError> {
        let block = self.block(digest).await?;
        let node = Node::decode(block.data());
        let node = node.map_err(|reason| IndexError::Malformed { cid: *block.cid(), reason })?;
        Ok((block, node))
    }

    pub(crate) async fn descriptor(&self, digest: &Digest) -> Result<Descriptor, IndexError> {
        if let Some(Cached::Descriptor(descriptor)) = self.cache.cache.get(digest) {
            return Ok(*descriptor);
        }
        let descriptor = Descriptor::decode(&self.block(digest).await?)?;
        self.cache.insert_descriptor(*digest, descriptor);
        Ok(descriptor)
    }

    pub(crate) async fn block(&self, digest: &Digest) -> Result<Block, IndexError> {
        let cid = cid_of(digest);
        let block = self.store.get(&cid).await?.ok_or(IndexError::MissingNode(cid))?;
        if *block.cid() != cid {
            return Err(IndexError::Malformed { cid, reason: "the store answered with another block" });
        }
        Ok(block)
    }
}
