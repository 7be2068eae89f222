//! Ranges of objects with what proves them to whoever knows the BLAKE3 roots.

use std::ops::Range;
use std::sync::Arc;

use carob_object::{Body, Budget, LEAF_SIZE, read_slices, slices_size};

use crate::{BucketError, ByteStream, Object};

/// The Bao slices of a range of an object.
#[derive(Debug)]
pub struct Slices {
    /// The slices, one after the other.
    pub stream: ByteStream,
    /// Their bytes.
    pub length: u64,
    /// The BLAKE3 roots of what the object is made of: its own, or those of its parts.
    pub roots: Vec<[u8; 32]>,
}

impl Object {
    /// The slices of `range`, which is cut to the object's size: one for each part that the range touches, or for the whole
    /// object, if it was not uploaded in parts. Memory is taken from `budget`, if there is one.
    ///
    /// # Errors
    /// [`BucketError::Encrypted`] for an encrypted object, since the roots are of what is stored;
    /// [`BucketError::Overloaded`], [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn slices(&self, range: Range<u64>, budget: Option<&Budget>) -> Result<Slices, BucketError> {
        if self.record.sealed.is_some() {
            return Err(BucketError::Encrypted);
        }
        let range = self.cut(range);
        let shares = match budget {
            Some(budget) => {
                let leaf = self.record.size.min(LEAF_SIZE as u64) as usize;
                Some((budget.clone(), budget.enter(leaf).await.ok_or(BucketError::Overloaded)?))
            }
            None => None,
        };
        let runs = self.all_runs().await?;
        let length = slices_size(runs.iter().map(|run| run.size), &range);
        let roots = runs.iter().map(|run| run.root).collect();
        let body = Body { content: self.record.content, size: self.record.size, runs };
        let reader = read_slices(Arc::clone(&self.store), body, range, shares)?;
        Ok(Slices { stream: self.stream(Ok(reader)), length, roots })
    }
}
