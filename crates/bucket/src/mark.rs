//! Marks what roots reach.

use std::collections::{HashMap, HashSet};

use carob_block::{Cid, Codec, Collection, Marked, ReadBlocks};
use futures::{StreamExt, TryStreamExt, stream};

use crate::BucketError;

/// How many blocks are marked at once. What waits is a few times this, times the links of a node.
const BATCH: usize = 1024;

/// How many nodes are read at one time.
const READS: usize = 8;

/// Marks whatever strong links lead to. Leaves are never read, and nodes past the cache, which belongs to requests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marker<'a> {
    pub(crate) store: &'a dyn ReadBlocks,
    pub(crate) collection: &'a dyn Collection,
}

/// Where a walk leaves the links, because of what was purged.
#[derive(Debug, Default)]
pub(crate) struct Detours {
    /// Blocks that may be missing.
    pub(crate) may_miss: HashSet<Cid>,
    /// Blocks to pass over, there or not.
    pub(crate) skip: HashSet<Cid>,
    /// Links of these blocks that are not followed: each so often as it is listed.
    pub(crate) cut: HashMap<Cid, Vec<Cid>>,
    /// Blocks to tell of if they are met.
    pub(crate) watch: HashSet<Cid>,
}

impl Marker<'_> {
    /// Marks all that `roots` reach, every bit of which must be there unless a detour says otherwise. Gives what was met
    /// of the blocks to watch for.
    pub(crate) async fn mark(self, roots: Vec<Cid>, detours: &Detours) -> Result<HashSet<Cid>, BucketError> {
        let (missing, met) = self.walk(roots, detours).await?;
        missing.first().map_or(Ok(met), |cid| Err(BucketError::missing(cid)))
    }

    /// Marks what is there of what `roots` reach.
    pub(crate) async fn mark_present(self, roots: Vec<Cid>) -> Result<(), BucketError> {
        self.walk(roots, &Detours::default()).await.map(drop)
    }

    /// What is missing first, and what was met.
    async fn walk(
        self,
        mut todo: Vec<Cid>,
        detours: &Detours,
    ) -> Result<(Vec<Cid>, HashSet<Cid>), BucketError> {
        let (mut first_missing, mut met) = (Vec::new(), HashSet::new());
        while !todo.is_empty() {
            let mut batch = todo.split_off(todo.len().saturating_sub(BATCH));
            if !detours.watch.is_empty() {
                met.extend(batch.iter().copied().filter(|cid| detours.watch.contains(cid)));
            }
            batch.retain(|cid| !detours.skip.contains(cid));
            let Marked { new, missing } = self.collection.mark(&batch).await?;
            if first_missing.is_empty() {
                first_missing.extend(missing.into_iter().find(|cid| !detours.may_miss.contains(cid)));
            }
            let nodes = new.into_iter().filter(|cid| cid.codec() != Codec::Raw.code());
            let mut links = stream::iter(nodes).map(|cid| self.links(cid, detours)).buffer_unordered(READS);
            while let Some(links) = links.try_next().await? {
                todo.extend(links);
            }
        }
        Ok((first_missing, met))
    }

    async fn links(self, cid: Cid, detours: &Detours) -> Result<Vec<Cid>, BucketError> {
        let block = self.store.get(&cid).await?.ok_or_else(|| BucketError::missing(&cid))?;
        let mut links = block.links().map_err(BucketError::damaged)?;
        for left_out in detours.cut.get(&cid).into_iter().flatten() {
            if let Some(at) = links.iter().position(|link| link == left_out) {
                links.swap_remove(at);
            }
        }
        Ok(links)
    }
}
