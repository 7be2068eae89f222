//! What two buckets that came of each other last had in common.
//!
//! A pair of heads, one for each side, points at the commit: a strong link that keeps it whole as long as both live.

use carob_block::{Cid, HeadSwap, Store};
use carob_commit::BucketId;

use crate::BucketError;

fn head(of: BucketId, with: BucketId) -> String {
    format!("base/{of}/{with}")
}

/// The commit that holds what the two had in common last.
pub(crate) async fn of(
    store: &dyn Store,
    bucket: BucketId,
    with: BucketId,
) -> Result<Option<Cid>, BucketError> {
    Ok(store.head(&head(bucket, with)).await?)
}

/// What makes `next` the commit that two buckets have in common.
pub(crate) fn swaps(a: BucketId, b: BucketId, expected: Option<Cid>, next: Option<Cid>) -> [HeadSwap; 2] {
    [head(a, b), head(b, a)].map(|name| HeadSwap { name, expected, next })
}

/// What has a bucket forgotten by all that it has something in common with.
pub(crate) async fn forget(store: &dyn Store, bucket: BucketId) -> Result<Vec<HeadSwap>, BucketError> {
    let prefix = format!("base/{bucket}/");
    let mut gone = Vec::new();
    for (name, common) in store.heads(&prefix).await? {
        let other = name.strip_prefix(&prefix).and_then(|other| other.parse().ok());
        if let Some(other) = other {
            gone.extend(swaps(bucket, other, Some(common), None));
        }
    }
    Ok(gone)
}
