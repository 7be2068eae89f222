//! How much may be read to check what comes from elsewhere.
//!
//! A few blocks are enough to claim a body of any size: nodes that link one leaf again and again. Its hash goes by where
//! each leaf stands, so it takes as long to check as it is long. So what is read is counted, and has to be in proportion
//! to the different blocks among it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use carob_block::{Block, Check, Cid, ReadBlocks, StoreError};
use parking_lot::Mutex;

use crate::BucketError;

/// How often each block may be read, on average: far oftener than in bodies that are not made for it.
const OFTEN: u64 = 64;

/// What may be read in any case, in bytes.
const FREE: u64 = 1 << 30;

/// What a block counts besides its bytes.
const EACH: u64 = 4 << 10;

/// Blocks that count what is read of them, and give no more once it is too much.
#[derive(Debug)]
pub(crate) struct Effort {
    blocks: Arc<dyn ReadBlocks>,
    /// What may be read in any case.
    free: u64,
    spent: Mutex<Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    read: u64,
    /// Of it, what was read for the first time.
    new: u64,
    /// The blocks that were read, by what they begin with: where two are the same, a little less may be read.
    seen: HashSet<u64>,
}

/// Too much was read.
#[derive(Debug, thiserror::Error)]
#[error("the same blocks are read too often")]
struct TooOften;

impl Effort {
    /// So many bytes may be read, if they are more than otherwise.
    pub(crate) fn of(blocks: Arc<dyn ReadBlocks>, max_bytes: Option<u64>) -> Self {
        Self { blocks, free: FREE.max(max_bytes.unwrap_or_default()), spent: Mutex::default() }
    }

    fn most(&self, spent: &Spent) -> u64 {
        spent.new.saturating_mul(OFTEN).saturating_add(self.free)
    }

    /// What is wrong, if that is that too much was read.
    pub(crate) fn exceeded(&self) -> Option<BucketError> {
        let spent = self.spent.lock();
        let most = self.most(&spent);
        (spent.read > most).then_some(BucketError::Repetitive { most, different: spent.new })
    }

    fn count(&self, cid: &Cid, len: usize) -> Result<(), StoreError> {
        let mut spent = self.spent.lock();
        let cost = EACH.saturating_add(len as u64);
        let start = cid.hash().digest().iter().rev().take(8);
        let start = start.fold(0, |start, byte| start << 8 | u64::from(*byte));
        spent.read = spent.read.saturating_add(cost);
        if spent.seen.insert(start) {
            spent.new = spent.new.saturating_add(cost);
        }
        if spent.read > self.most(&spent) {
            let (context, source) = ("checking what came", Box::new(TooOften));
            return Err(StoreError::Unavailable { context, source });
        }
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ReadBlocks for Effort {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        let block = self.blocks.get(cid).await?;
        if let Some(block) = &block {
            self.count(cid, block.data().len())?;
        }
        Ok(block)
    }

    async fn get_part(
        &self,
        cid: &Cid,
        range: Range<usize>,
        check: Check,
    ) -> Result<Option<Bytes>, StoreError> {
        let part = self.blocks.get_part(cid, range, check).await?;
        if let Some(part) = &part {
            self.count(cid, part.len())?;
        }
        Ok(part)
    }
}
