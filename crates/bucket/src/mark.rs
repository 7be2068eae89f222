//! Marks what roots reach.

use carob_block::{Cid, Codec, Collection, Marked, ReadBlocks};
use futures::{StreamExt, TryStreamExt, stream};

use crate::BucketError;

/// How many blocks are marked at once. What waits is a few times this, times the links of a node.
const BATCH: usize = 128;

/// How many nodes are read at one time.
const READS: usize = 8;

/// Marks whatever strong links lead to. Leaves are never read, and nodes past the cache, which belongs to requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marker<'a> {
    pub(crate) store: &'a dyn ReadBlocks,
    pub(crate) collection: &'a dyn Collection,
}

impl Marker<'_> {
    /// Marks all that `roots` reach, every bit of which must be there.
    pub(crate) async fn mark(self, roots: Vec<Cid>) -> Result<(), BucketError> {
        let missing = self.walk(roots).await?;
        missing.first().map_or(Ok(()), |cid| Err(BucketError::missing(cid)))
    }

    /// Marks what is there of what `roots` reach.
    pub(crate) async fn mark_present(self, roots: Vec<Cid>) -> Result<(), BucketError> {
        self.walk(roots).await.map(drop)
    }

    /// What is missing first.
    async fn walk(self, mut todo: Vec<Cid>) -> Result<Vec<Cid>, BucketError> {
        let mut first_missing = Vec::new();
        while !todo.is_empty() {
            let batch = todo.split_off(todo.len().saturating_sub(BATCH));
            let Marked { new, missing } = self.collection.mark(&batch).await?;
            if first_missing.is_empty() {
                first_missing.extend(missing.first());
            }
            let nodes = new.into_iter().filter(|cid| cid.codec() != Codec::Raw.code());
            let mut links = stream::iter(nodes).map(|cid| self.links(cid)).buffer_unordered(READS);
            while let Some(links) = links.try_next().await? {
                todo.extend(links);
            }
        }
        Ok(first_missing)
    }

    async fn links(self, cid: Cid) -> Result<Vec<Cid>, BucketError> {
        let block = self.store.get(&cid).await?.ok_or_else(|| BucketError::missing(&cid))?;
        block.links().map_err(BucketError::damaged)
    }
}
