//! Proofs: the nodes that a query touched, and the query run over them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use carob_block::{Block, Cid, ReadBlocks, StoreError};

use crate::{IndexError, NodeCache, Tree};

/// For the nodes of one proof.
const CACHE_BYTES: u64 = 16 << 20;

impl Tree {
    /// Runs `query` on this tree, and returns its answer with the proof of it: the blocks that the query touched, the
    /// tree root first. [`verify_proof`] runs the same query on them, and finds the same answer or an error.
    ///
    /// A proof shows the neighbours of what was asked for, too: the keys and values in the same nodes.
    ///
    /// # Errors
    /// Those of `query`, and as [`Tree::open`].
    pub async fn prove<T>(
        &self,
        query: impl AsyncFnOnce(Self) -> Result<T, IndexError>,
    ) -> Result<(T, Vec<Block>), IndexError> {
        let recorder = Arc::new(Recorder::new(Arc::clone(&self.source.store)));
        let cache = Arc::new(NodeCache::new(CACHE_BYTES));
        let tree = Self::open(Arc::clone(&recorder) as _, cache, self.root()).await?;
        let answer = query(tree).await?;
        Ok((answer, recorder.blocks()))
    }
}

/// The answer to `query` in the tree with this root, by the blocks of a proof alone. Nothing is trusted but the root,
/// and the code that answers is the one that always does.
///
/// A proof is exactly the blocks that the query reads: one too few or too many, and it is refused. The shape of the
/// tree outside of them is not looked at; it has no part in the answer.
///
/// # Errors
/// [`IndexError::MissingNode`] and [`IndexError::UnneededBlock`] if the proof is not for this query in this tree,
/// and those of `query`.
pub async fn verify_proof<T>(
    root: Cid,
    proof: Vec<Block>,
    query: impl AsyncFnOnce(Tree) -> Result<T, IndexError>,
) -> Result<T, IndexError> {
    let blocks = Arc::new(ProofBlocks::new(proof)?);
    let tree = Tree::open(Arc::clone(&blocks) as _, Arc::new(NodeCache::new(CACHE_BYTES)), root).await?;
    let answer = query(tree).await?;
    blocks.check_all_read()?;
    Ok(answer)
}

/// Hands through blocks of another store, and remembers them: [`Tree::prove`] for more than one tree, or for trees and
/// other blocks. What is read through it must not come from a cache that was filled elsewhere.
#[derive(Debug)]
pub struct Recorder {
    inner: Arc<dyn ReadBlocks>,
    read: Mutex<(HashSet<Cid>, Vec<Block>)>,
}

impl Recorder {
    /// A recorder that has seen nothing.
    pub fn new(inner: Arc<dyn ReadBlocks>) -> Self {
        Self { inner, read: Mutex::default() }
    }

    /// The blocks read so far, each once, in the order in which they were read first.
    pub fn blocks(&self) -> Vec<Block> {
        locked(&self.read).1.clone()
    }
}

#[async_trait]
impl ReadBlocks for Recorder {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let found = self.inner.get(cid).await?;
        if let Some(block) = &found {
            let (seen, blocks) = &mut *locked(&self.read);
            if seen.insert(*cid) {
                blocks.push(block.clone());
            }
        }
        Ok(found)
    }
}

/// The blocks of a proof, as a store that holds nothing else: [`verify_proof`] for more than one tree, or for trees and
/// other blocks. What is read from it must not come from a cache that was filled elsewhere.
#[derive(Debug)]
pub struct ProofBlocks {
    blocks: HashMap<Cid, Block>,
    unread: Mutex<HashSet<Cid>>,
}

impl ProofBlocks {
    /// A store of `blocks`.
    ///
    /// # Errors
    /// [`IndexError::UnneededBlock`] if one is there twice.
    pub fn new(blocks: Vec<Block>) -> Result<Self, IndexError> {
        let mut held = HashMap::with_capacity(blocks.len());
        for block in blocks {
            if let Some(twice) = held.insert(*block.cid(), block) {
                return Err(IndexError::UnneededBlock(*twice.cid()));
            }
        }
        let unread = Mutex::new(held.keys().copied().collect());
        Ok(Self { blocks: held, unread })
    }

    /// Checks that every block was needed.
    ///
    /// # Errors
    /// [`IndexError::UnneededBlock`].
    pub fn check_all_read(&self) -> Result<(), IndexError> {
        locked(&self.unread).iter().min().map_or(Ok(()), |cid| Err(IndexError::UnneededBlock(*cid)))
    }
}

#[async_trait]
impl ReadBlocks for ProofBlocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        locked(&self.unread).remove(cid);
        Ok(self.blocks.get(cid).cloned())
    }
}

/// What these locks guard is whole at every moment, a panic elsewhere or not.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
