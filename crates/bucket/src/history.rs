//! The commits of a bucket, back in time.

use carob_block::{Cid, Store};
use carob_commit::Commit;
use carob_index::{NodeCache, Tree};
use std::sync::Arc;

use crate::snapshot::block;
use crate::{BucketError, Snapshot};

/// A commit in a bucket's history.
#[derive(Debug, Clone)]
pub struct LogEntry {
    /// The commit.
    pub commit: Commit,
    /// How many objects there were.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

impl Snapshot {
    /// This commit and those before it along the first parents, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn log(&self, limit: usize) -> Result<Vec<LogEntry>, BucketError> {
        // Descriptors of old trees are read once: they need no place among the nodes of live ones.
        let nodes = Arc::new(NodeCache::new(0));
        let mut entries = Vec::new();
        let mut next = Some(self.cid());
        while let Some(cid) = next.filter(|_| entries.len() < limit) {
            let commit = Commit::from_block(&block(&**self.store(), &cid).await?)?;
            let tree = Tree::open(Arc::clone(self.store()) as _, Arc::clone(&nodes), commit.objects).await?;
            next = commit.parents.first().copied();
            entries.push(LogEntry { commit, objects: tree.len(), bytes: tree.bytes() });
        }
        Ok(entries)
    }
}

/// The ancestors that skip pointers lead to from a commit, so that the next commit's own pointer is known
/// without reading anything.
///
/// Jumps follow the skew-binary scheme of Myers ("An applicative random-access stack", 1983): from the commit
/// numbered n, any older one is reached in O(log n) steps of `skip` or first parent.
#[derive(Debug, Clone, Default)]
pub(crate) struct SkipChain {
    /// Sequence number and CID of: the tip, its skip, that one's skip, and so on to the first commit.
    jumps: Vec<(u64, Cid)>,
}

impl SkipChain {
    /// Follows the pointers down from `tip`.
    pub(crate) async fn load(store: &dyn Store, tip: &Commit) -> Result<Self, BucketError> {
        let mut jumps = vec![(tip.seq, tip.cid())];
        let mut next = tip.skip;
        while let Some(cid) = next {
            // Retention may have dropped an old commit: jumps then simply end there.
            let Some(block) = store.get(&cid).await? else { break };
            let commit = Commit::from_block(&block)?;
            jumps.push((commit.seq, cid));
            next = commit.skip;
        }
        Ok(Self { jumps })
    }

    /// Where the skip pointer of the commit after the tip leads.
    pub(crate) fn skip(&self) -> Option<Cid> {
        self.jumps.get(self.keep()).map(|(_, cid)| *cid)
    }

    /// Adds the commit after the tip.
    pub(crate) fn push(&mut self, seq: u64, cid: Cid) {
        let keep = self.keep();
        self.jumps.splice(..keep, [(seq, cid)]);
    }

    /// How many of the newest jumps the next commit's pointer passes over: 2 if the two newest spans are
    /// equally long, else 0.
    fn keep(&self) -> usize {
        match self.jumps.as_slice() {
            [(tip, _), (one, _), (two, _), ..] if tip - one == one - two => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_block::{Block, Codec};
    use std::collections::HashMap;

    #[test]
    fn any_ancestor_is_a_few_jumps_away() {
        let cid_of = |seq: u64| *Block::new(Codec::Raw, seq.to_be_bytes().to_vec().into()).unwrap().cid();
        let seq_of: HashMap<Cid, u64> = (0..5000).map(|seq| (cid_of(seq), seq)).collect();
        let mut chain = SkipChain::default();
        let mut skips: Vec<Option<u64>> = Vec::new();
        for seq in 0..5000 {
            skips.push(chain.skip().map(|cid| seq_of[&cid]));
            chain.push(seq, cid_of(seq));
        }
        assert_eq!(skips[0], None);
        for target in [0, 1, 17, 2500, 4998] {
            let (mut at, mut steps) = (4999_u64, 0);
            while at > target {
                at = match skips[at as usize] {
                    Some(skip) if skip >= target => skip,
                    _ => at - 1,
                };
                steps += 1;
            }
            assert!(steps <= 3 * 13, "{steps} steps to {target}, more than 3 log2 n");
        }
    }
}
