//! The commits of a bucket, back in time.

use carob_block::{Cid, Store};
use carob_commit::{Commit, Kept, KeptCommit};
use carob_identity::Hlc;
use carob_index::{Cursor, NodeCache, Tree};
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
    /// This commit and those before it along the first parents, newest first, at most `limit`; those that retention
    /// has dropped are passed over.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn log(&self, limit: usize) -> Result<Vec<LogEntry>, BucketError> {
        let kept = self.store().head(&Kept::head(self.commit().bucket)).await?;
        match self.log_by(kept, limit).await {
            // A collection may have dropped what it was about to read. The list that it made first says what is left.
            Err(BucketError::Damaged(_)) => {
                let now = self.store().head(&Kept::head(self.commit().bucket)).await?;
                self.log_by(now, limit).await
            }
            result => result,
        }
    }

    async fn log_by(&self, kept: Option<Cid>, limit: usize) -> Result<Vec<LogEntry>, BucketError> {
        // Descriptors of old trees are read once: they need no place among the nodes of live ones.
        let nodes = Arc::new(NodeCache::new(0));
        let mut ancestors = Ancestors::load(self.store(), self.commit(), kept).await?;
        let mut entries = Vec::new();
        while let Some(commit) = ancestors.next().await?.filter(|_| entries.len() < limit) {
            let tree = Tree::open(Arc::clone(self.store()) as _, Arc::clone(&nodes), commit.objects).await?;
            entries.push(LogEntry { commit, objects: tree.len(), bytes: tree.bytes() });
        }
        Ok(entries)
    }
}

/// A commit and those before it that are still whole, newest first: along the first parents as far as no collection
/// has judged them, then as the list of kept ones has them.
pub(crate) struct Ancestors {
    store: Arc<dyn Store>,
    next: Option<Commit>,
    /// When another took the place of the one that was met last; `None` for the newest.
    pub(crate) until: Option<u64>,
    next_until: Option<u64>,
    /// The time of the newest commit when the list was made.
    upto: Option<Hlc>,
    /// Stands behind what is kept before.
    kept: Option<Cursor>,
}

impl Ancestors {
    /// `kept` is where the head of the list is.
    pub(crate) async fn load(
        store: &Arc<dyn Store>,
        newest: &Commit,
        kept: Option<Cid>,
    ) -> Result<Self, BucketError> {
        let (store, next) = (Arc::clone(store), Some(newest.clone()));
        let mut ancestors = Self { store, next, until: None, next_until: None, upto: None, kept: None };
        let Some(kept) = kept else { return Ok(ancestors) };
        let kept = Kept::from_block(&block(&*ancestors.store, &kept).await?)?;
        ancestors.upto = Some(kept.upto);
        if let Some(root) = kept.commits {
            let nodes = Arc::new(NodeCache::new(64 << 10));
            let tree = Tree::open(Arc::clone(&ancestors.store) as _, nodes, root).await?;
            let mut cursor = tree.cursor();
            cursor.seek(&KeptCommit::key(newest.time.min(kept.upto))).await?;
            ancestors.kept = Some(cursor);
        }
        Ok(ancestors)
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Commit>, BucketError> {
        let Some(commit) = self.next.take() else { return Ok(None) };
        self.until = self.next_until.replace(commit.time.millis);
        let judged = |time: Hlc| self.upto.is_some_and(|upto| time <= upto);
        self.next = match commit.parents.first() {
            None => None,
            Some(_) if judged(commit.time) => self.kept_before(commit.time).await?,
            Some(parent) => Some(Commit::from_block(&block(&*self.store, parent).await?)?),
        };
        Ok(Some(commit))
    }

    async fn kept_before(&mut self, time: Hlc) -> Result<Option<Commit>, BucketError> {
        let Some(cursor) = &mut self.kept else { return Ok(None) };
        while let Some((key, entry)) = cursor.prev().await? {
            if key[..] < KeptCommit::key(time)[..] {
                let kept = KeptCommit::from_value(&entry.value)?;
                self.next_until = Some(kept.until);
                return Ok(Some(Commit::from_block(&block(&*self.store, &kept.commit).await?)?));
            }
        }
        Ok(None)
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
