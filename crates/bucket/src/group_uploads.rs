//! Multipart operations applied to a group.

use std::collections::BTreeMap;
use std::sync::Arc;

use carob_commit::{CompletedState, PartState, Record, TreeValue, UploadId, UploadState};
use carob_index::Entry;

use crate::committer::Plan;
use crate::expiry::Expired;
use crate::group::{Builder, Outcomes};
use crate::snapshot::read;
use crate::uploads::{self, COMPLETED_PREFIX};
use crate::{BucketError, Precondition};

/// How long the result of a completed upload is kept, in milliseconds.
pub(crate) const RESULT_KEPT: u64 = 24 * 60 * 60 * 1000;

/// How many old results are dropped when a new one comes: more than one, so that they do not pile up.
const RESULTS_DROPPED: usize = 4;

impl Builder<'_> {
    pub(crate) fn begin(&mut self, key: &str, id: UploadId, state: &UploadState) -> Result<(), BucketError> {
        self.put_upload_value(uploads::upload_key(key, id), state)
    }

    pub(crate) async fn part(
        &mut self,
        key: &str,
        id: UploadId,
        number: u16,
        state: &PartState,
    ) -> Outcomes<()> {
        if !self.is_under_way(key, id).await? {
            return Ok(Err(BucketError::NoSuchUpload(id)));
        }
        self.put_upload_value(uploads::part_key(key, id, number), state)?;
        Ok(Ok(()))
    }

    pub(crate) async fn abort(&mut self, key: &str, id: UploadId) -> Outcomes<()> {
        if !self.is_under_way(key, id).await? {
            return Ok(Err(BucketError::NoSuchUpload(id)));
        }
        self.remove_upload(key, id).await?;
        Ok(Ok(()))
    }

    /// Removes what has expired and is still there.
    pub(crate) async fn expire(&mut self, expired: &[Expired]) -> Result<(), BucketError> {
        for gone in expired {
            match gone {
                Expired::Upload(key, id) => self.remove_upload(key, *id).await?,
                Expired::Result(id) => _ = self.upload_edits.insert(uploads::completed_key(*id), None),
            }
        }
        Ok(())
    }

    /// `None` if the upload's parts are no longer those of the plan.
    pub(crate) async fn complete(
        &mut self,
        plan: &Plan,
        precondition: &Precondition,
    ) -> Outcomes<Option<(Arc<Record>, usize)>> {
        self.seal_uploads().await?;
        if !self.is_under_way(&plan.key, plan.id).await? {
            // The same request again, after its answer got lost.
            return Ok(match self.result_of(&plan.key, plan.id).await? {
                Some(record) if record.etag == plan.record.etag => {
                    Ok(Some((Arc::new(record), self.commits.len() - 1)))
                }
                _ => Err(BucketError::NoSuchUpload(plan.id)),
            });
        }
        if !self.holds(plan).await? {
            return Ok(Ok(None));
        }
        let (record, at) = match self.put(&plan.key, &plan.record, precondition).await? {
            Ok(put) => put,
            Err(error) => return Ok(Err(error)),
        };
        self.remove_upload(&plan.key, plan.id).await?;
        self.drop_old_results().await?;
        let completed = self.time.timestamp();
        let result = CompletedState { key: plan.key.clone(), completed, record: Record::clone(&record) };
        self.put_upload_value(uploads::completed_key(plan.id), &result)?;
        Ok(Ok(Some((record, at))))
    }

    /// Brings the edits of uploads into their tree.
    pub(crate) async fn seal_uploads(&mut self) -> Result<(), BucketError> {
        if self.upload_edits.is_empty() {
            return Ok(());
        }
        let tree = match self.tip.uploads.take() {
            Some(tree) => tree,
            None => {
                let (tree, blocks) = self.new_tree();
                self.session.put(blocks).await?;
                tree
            }
        };
        let edited = tree.edit(std::mem::take(&mut self.upload_edits)).await?;
        let mut blocks = edited.blocks;
        blocks.append(&mut self.spilled);
        self.session.put(blocks).await?;
        self.tip.uploads = Some(edited.tree);
        Ok(())
    }

    fn put_upload_value<T: TreeValue>(&mut self, at: bytes::Bytes, thing: &T) -> Result<(), BucketError> {
        let (value, block) = thing.to_value()?;
        self.spilled.extend(block);
        self.upload_edits.insert(at, Some(Entry { weight: 0, value }));
        Ok(())
    }

    async fn is_under_way(&self, key: &str, id: UploadId) -> Result<bool, BucketError> {
        let at = uploads::upload_key(key, id);
        match (self.upload_edits.get(&at), &self.tip.uploads) {
            (Some(edit), _) => Ok(edit.is_some()),
            (None, Some(tree)) => Ok(tree.get(&at).await?.is_some()),
            (None, None) => Ok(false),
        }
    }

    async fn result_of(&self, key: &str, id: UploadId) -> Result<Option<Record>, BucketError> {
        let Some(tree) = &self.tip.uploads else { return Ok(None) };
        let Some(entry) = tree.get(&uploads::completed_key(id)).await? else { return Ok(None) };
        let result: CompletedState = read(&self.space.store, tree, &entry.value).await?;
        Ok((result.key == key).then_some(result.record))
    }

    /// Whether the upload still has the parts that the plan was made of. Its edits are sealed.
    async fn holds(&self, plan: &Plan) -> Result<bool, BucketError> {
        let Some(tree) = &self.tip.uploads else { return Ok(false) };
        let mut cursor = tree.cursor();
        for (number, planned) in &plan.parts {
            let at = uploads::part_key(&plan.key, plan.id, *number);
            cursor.seek(&at).await?;
            let Some((_, entry)) = cursor.next().await?.filter(|(found, _)| *found == at) else {
                return Ok(false);
            };
            if read::<PartState>(&self.space.store, tree, &entry.value).await? != *planned {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn remove_upload(&mut self, key: &str, id: UploadId) -> Result<(), BucketError> {
        self.seal_uploads().await?;
        let Some(tree) = &self.tip.uploads else { return Ok(()) };
        let prefix = uploads::upload_prefix(key, id);
        let mut cursor = tree.cursor();
        cursor.seek(&prefix).await?;
        let mut removed = BTreeMap::new();
        while let Some((at, _)) = cursor.next().await?.filter(|(at, _)| at.starts_with(&prefix)) {
            removed.insert(at, None);
        }
        self.upload_edits.extend(removed);
        Ok(())
    }

    /// Drops a few of the results that are kept longest, if their time is over.
    async fn drop_old_results(&mut self) -> Result<(), BucketError> {
        let Some(tree) = &self.tip.uploads else { return Ok(()) };
        let now = self.time.timestamp().0;
        let mut cursor = tree.cursor();
        cursor.seek(COMPLETED_PREFIX).await?;
        for _ in 0..RESULTS_DROPPED {
            let Some((at, entry)) = cursor.next().await? else { break };
            let result: CompletedState = read(&self.space.store, tree, &entry.value).await?;
            if now.saturating_sub(result.completed.0) <= RESULT_KEPT {
                break;
            }
            self.upload_edits.insert(at, None);
        }
        Ok(())
    }
}
