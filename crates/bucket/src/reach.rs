//! Single blocks of a bucket's states, for whoever can show the way to them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use carob_block::{Block, Cid};
use futures::{Stream, StreamExt, stream};

use crate::snapshot::block;
use crate::{Bucket, BucketError, Moment, Snapshot};

/// How many blocks are read ahead of a slow reader.
const AHEAD: usize = 4;

/// Blocks, and how each is reached from a commit. That a store holds a block proves nobody's right to it; that a state
/// which may be read links it does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The ways, each step behind the one that links it, which stands before it. Those without one are commits.
    pub steps: Vec<(Cid, Option<usize>)>,
    /// The blocks, each with the number of the step that links it.
    pub blocks: Vec<(Cid, usize)>,
}

impl Bucket {
    /// The blocks, in the order in which they are wanted. Those of the steps are read and not given.
    ///
    /// # Errors
    /// [`BucketError::NoSuchState`] for a commit that is not, or no longer, one of the bucket's;
    /// [`BucketError::Unreachable`] for a way that does not lead on; as [`Bucket::at`].
    pub async fn reach(
        &self,
        wanted: &Wanted,
    ) -> Result<impl Stream<Item = Result<Block, BucketError>> + Send + use<>, BucketError> {
        let store = Arc::clone(&self.space().store);
        // Held for as long as anything of them is sent.
        let mut states: Vec<Snapshot> = Vec::new();
        let mut next: HashMap<usize, Vec<Cid>> = HashMap::new();
        for (number, (cid, before)) in wanted.steps.iter().enumerate() {
            match before {
                None => states.push(self.one_of_its(*cid).await?),
                Some(before) if *before < number => next.entry(*before).or_default().push(*cid),
                Some(_) => return Err(BucketError::Unreachable(*cid)),
            }
        }
        for (cid, before) in &wanted.blocks {
            if *before >= wanted.steps.len() {
                return Err(BucketError::Unreachable(*cid));
            }
            next.entry(*before).or_default().push(*cid);
        }
        // A step is read only after the one before it was found to link it.
        for (number, (cid, _)) in wanted.steps.iter().enumerate() {
            let Some(next) = next.get(&number) else { continue };
            let links = block(&*store, cid).await?.links().map_err(BucketError::damaged)?;
            let links: HashSet<Cid> = links.into_iter().collect();
            if let Some(foreign) = next.iter().find(|cid| !links.contains(*cid)) {
                return Err(BucketError::Unreachable(*foreign));
            }
        }
        let cids: Vec<Cid> = wanted.blocks.iter().map(|(cid, _)| *cid).collect();
        let held = Arc::new(states);
        let read = stream::iter(cids).map(move |cid| {
            let (store, held) = (Arc::clone(&store), Arc::clone(&held));
            async move {
                let read = block(&*store, &cid).await;
                drop(held);
                read
            }
        });
        Ok(read.buffered(AHEAD))
    }

    /// The newest state, or one of those before it that are kept.
    async fn one_of_its(&self, commit: Cid) -> Result<Snapshot, BucketError> {
        let newest = self.snapshot().await?;
        if newest.cid() == commit {
            return Ok(newest);
        }
        self.at(&Moment::from(commit)).await
    }
}
