//! The check of what a store's heads say of the past: lists of kept commits, names, tombstones.

use std::collections::HashSet;
use std::sync::Arc;

use carob_block::{Block, Cid, ReadBlocks};
use carob_index::{NodeCache, Tree};

use crate::verify::{NODE_CACHE, check_author, get, index};
use crate::{BucketId, Commit, Kept, KeptCommit, NamedCommit, Purged, Tombstone, VerifyError};

/// What the heads of a store say of the past.
#[derive(Debug, Default)]
pub struct Past {
    /// How many different commits were verified.
    pub states: u64,
    /// The blocks that may be missing, because they were purged.
    pub purged: HashSet<Cid>,
    /// The heads under which something is wrong, and what.
    pub wrong: Vec<(String, VerifyError)>,
}

/// Verifies the signature of every past commit that these heads keep, that the lists say of them what they say
/// themselves, and what was purged. The newest commits are left to [`verify_blocks`](crate::verify_blocks), and what the
/// commits reach to whoever walks links.
pub async fn verify_past(heads: &[(String, Cid)], blocks: Arc<dyn ReadBlocks>) -> Past {
    let mut check = Check { blocks, seen: HashSet::new(), past: Past::default() };
    for (name, cid) in heads {
        if let Err(error) = check.head(name, *cid).await {
            check.past.wrong.push((name.clone(), error));
        }
    }
    check.past.states = check.seen.len() as u64;
    check.past
}

struct Check {
    blocks: Arc<dyn ReadBlocks>,
    seen: HashSet<Cid>,
    past: Past,
}

impl Check {
    async fn head(&mut self, name: &str, cid: Cid) -> Result<(), VerifyError> {
        let Some((kind, rest)) = name.split_once('/') else { return Ok(()) };
        let id = rest.split('/').next().and_then(|id| id.parse::<BucketId>().ok());
        match (kind, id) {
            ("kept", Some(id)) => self.list(id, cid).await,
            ("snap", Some(id)) => {
                let named = NamedCommit::from_block(&self.block(cid).await?)?;
                self.commit(named.commit, Some(id)).await.map(drop)
            }
            ("deleted", Some(id)) => self.commit(cid, Some(id)).await.map(drop),
            // It is of one of the two buckets that the head names.
            ("base", Some(_)) => self.commit(cid, None).await.map(drop),
            ("purged", Some(id)) => self.tombstones(id, cid).await,
            _ => Ok(()),
        }
    }

    async fn list(&mut self, id: BucketId, cid: Cid) -> Result<(), VerifyError> {
        let Some(root) = Kept::from_block(&self.block(cid).await?)?.commits else { return Ok(()) };
        let tree = self.tree(root).await?;
        let mut cursor = tree.prefix(b"");
        while let Some((key, entry)) = cursor.next().await.map_err(index)? {
            let kept = KeptCommit::from_value(&entry.value).map_err(index)?;
            let commit = self.commit(kept.commit, Some(id)).await?;
            if key[..] != KeptCommit::key(commit.time) {
                return Err(VerifyError::Listed(kept.commit));
            }
        }
        Ok(())
    }

    async fn commit(&mut self, cid: Cid, bucket: Option<BucketId>) -> Result<Commit, VerifyError> {
        let commit = Commit::from_block(&self.block(cid).await?)?;
        check_author(&commit, None)?;
        if bucket.is_some_and(|bucket| bucket != commit.bucket) {
            return Err(VerifyError::Listed(cid));
        }
        self.seen.insert(cid);
        Ok(commit)
    }

    async fn tombstones(&mut self, id: BucketId, cid: Cid) -> Result<(), VerifyError> {
        let purged = Purged::from_block(&self.block(cid).await?)?;
        if purged.author != purged.space {
            return Err(VerifyError::OtherAuthor(purged.author));
        }
        if purged.bucket != id {
            return Err(VerifyError::Listed(cid));
        }
        let tree = self.tree(purged.tombstones).await?;
        let mut cursor = tree.prefix(b"");
        while let Some((place, _)) = cursor.next().await.map_err(index)? {
            match Tombstone::at(&place) {
                Some(Tombstone::Block(block)) => _ = self.past.purged.insert(block),
                Some(Tombstone::Key(_)) => {}
                None => return Err(VerifyError::Listed(cid)),
            }
        }
        Ok(())
    }

    async fn tree(&self, root: Cid) -> Result<Tree, VerifyError> {
        let nodes = Arc::new(NodeCache::new(NODE_CACHE));
        Tree::open(Arc::clone(&self.blocks), nodes, root).await.map_err(index)
    }

    async fn block(&self, cid: Cid) -> Result<Block, VerifyError> {
        get(&*self.blocks, cid).await
    }
}
