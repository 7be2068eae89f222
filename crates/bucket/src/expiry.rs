//! Uploads that nobody completes, and the results of those that were completed.

use std::collections::BTreeMap;
use std::time::Duration;

use carob_commit::{BucketId, CompletedState, UploadId, UploadState};
use tokio::sync::oneshot;

use crate::committer::Op;
use crate::group_uploads::RESULT_KEPT;
use crate::snapshot::read;
use crate::uploads::{self, Place};
use crate::{Bucket, BucketError, Space};

/// How many go in one operation.
const BATCH: usize = 256;

/// An entry of the uploads' tree whose time is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expired {
    /// An upload under way, with its parts.
    Upload(String, UploadId),
    /// What one came to.
    Result(UploadId),
}

impl Space {
    /// Ends the uploads that were begun longer than `age` ago, and forgets results that nobody asks for any more. How
    /// many uploads ended, or with `dry_run` would, by bucket.
    pub(crate) async fn expire_uploads(
        &self,
        age: Duration,
        dry_run: bool,
    ) -> Result<BTreeMap<BucketId, u64>, BucketError> {
        let mut ended = BTreeMap::new();
        for info in self.buckets().await? {
            let bucket = Bucket::new(std::sync::Arc::clone(&self.inner), info);
            match bucket.expire_uploads(age, dry_run).await {
                Ok(0) | Err(BucketError::NoSuchBucket(_)) => {}
                Ok(count) => _ = ended.insert(bucket.info().id, count),
                Err(error) => return Err(error),
            }
        }
        Ok(ended)
    }
}

impl Bucket {
    async fn expire_uploads(&self, age: Duration, dry_run: bool) -> Result<u64, BucketError> {
        let Some((tree, _held)) = self.space().held_uploads(self.info()).await? else { return Ok(0) };
        let now = self.space().clock.wall().0;
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let (mut ended, mut expired) = (0, Vec::new());
        let mut cursor = tree.cursor();
        cursor.seek(b"").await?;
        while let Some((at, entry)) = cursor.next().await? {
            match uploads::place(&at) {
                Some(Place::Upload { key, id, number: 0 }) => {
                    let state: UploadState = read(&self.space().store, &tree, &entry.value).await?;
                    cursor.seek(&uploads::part_key(&key, id, u16::MAX)).await?;
                    if now.saturating_sub(state.initiated.0) > age {
                        ended += 1;
                        expired.push(Expired::Upload(key, id));
                    }
                }
                Some(Place::Completed(id)) => {
                    let result: CompletedState = read(&self.space().store, &tree, &entry.value).await?;
                    if now.saturating_sub(result.completed.0) > RESULT_KEPT {
                        expired.push(Expired::Result(id));
                    }
                }
                Some(Place::Upload { .. }) | None => {}
            }
            if expired.len() == BATCH && !dry_run {
                self.expire(std::mem::take(&mut expired)).await?;
            }
        }
        if !expired.is_empty() && !dry_run {
            self.expire(expired).await?;
        }
        Ok(ended)
    }

    pub(crate) async fn expire(&self, expired: Vec<Expired>) -> Result<(), BucketError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Op::Expire { expired, reply }, answer).await
    }
}
