//! Operations applied to a tip, in order, as the commits they make; nothing durable yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, Session};
use carob_commit::{ETag, Record, TreeValue, Unsigned};
use carob_identity::Hlc;
use carob_index::Entry;

use crate::bucket::check_key;
use crate::committer::{DeletedKeys, Op, Tip};
use crate::space::Inner;
use crate::{BucketError, Deleted, Precondition, Snapshot, Written};

/// What a group of operations comes to.
#[derive(Debug)]
pub(crate) struct Group {
    /// Where the bucket will be.
    pub(crate) tip: Tip,
    /// Holds the new nodes and commits.
    pub(crate) session: Box<dyn Session>,
    /// One for each operation, in order.
    outcomes: Vec<Outcome>,
    /// The commit that each outcome's number means.
    commits: Vec<Cid>,
}

#[derive(Debug)]
enum Outcome {
    Put(Result<(Arc<Record>, usize), BucketError>),
    Delete(Vec<Result<(bool, usize), BucketError>>),
    Upload(Result<(), BucketError>),
    Complete(Result<Option<(Arc<Record>, usize)>, BucketError>),
}

/// An operation's own outcome, within whether the group can go on.
pub(crate) type Outcomes<T> = Result<Result<T, BucketError>, BucketError>;

/// A group in the making.
pub(crate) struct Builder<'a> {
    pub(crate) space: &'a Inner,
    pub(crate) session: Box<dyn Session>,
    pub(crate) tip: Tip,
    pub(crate) commits: Vec<Cid>,
    /// Edits that the next commit will hold, each key at most once: a second write of a key starts another
    /// commit, so that both are in history.
    edits: BTreeMap<Bytes, Option<Entry>>,
    /// Edits of the uploads that are not in their tree yet.
    pub(crate) upload_edits: BTreeMap<Bytes, Option<Entry>>,
    /// What is too large to stand in a node.
    pub(crate) spilled: Vec<Block>,
    pub(crate) time: Hlc,
}

impl Group {
    /// Applies `ops` one after the other to `tip`.
    pub(crate) async fn apply(space: &Inner, tip: Tip, ops: &[Op]) -> Result<Self, BucketError> {
        let mut builder = Builder {
            space,
            session: space.store.session(),
            commits: vec![tip.snapshot.cid()],
            tip,
            edits: BTreeMap::new(),
            upload_edits: BTreeMap::new(),
            spilled: Vec::new(),
            time: space.clock.now(),
        };
        let mut outcomes = Vec::with_capacity(ops.len());
        for op in ops {
            match op {
                Op::Put { key, record, precondition, .. } => {
                    outcomes.push(Outcome::Put(builder.put(key, record, precondition).await?));
                }
                Op::Delete { keys, .. } => {
                    let mut results = Vec::with_capacity(keys.len());
                    for (key, precondition) in keys {
                        results.push(builder.delete(key, precondition).await?);
                    }
                    outcomes.push(Outcome::Delete(results));
                }
                Op::Begin { key, id, state, .. } => {
                    outcomes.push(Outcome::Upload(builder.begin(key, *id, state)));
                }
                Op::Part { key, id, number, state, .. } => {
                    outcomes.push(Outcome::Upload(builder.part(key, *id, *number, state).await?));
                }
                Op::Abort { key, id, .. } => outcomes.push(Outcome::Upload(builder.abort(key, *id).await?)),
                Op::Complete { plan, precondition, .. } => {
                    outcomes.push(Outcome::Complete(builder.complete(plan, precondition).await?));
                }
                // The committer ends a group before it.
                Op::DeleteBucket { .. } => {}
            }
        }
        builder.seal().await?;
        builder.seal_uploads().await?;
        let Builder { session, tip, commits, .. } = builder;
        Ok(Self { tip, session, outcomes, commits })
    }

    /// Tells every caller, once the group is durable.
    pub(crate) fn answer(self, ops: Vec<Op>) {
        let Self { outcomes, commits, tip, .. } = self;
        let commit = |number: usize| commits.get(number).copied().unwrap_or_else(|| tip.snapshot.cid());
        for (op, outcome) in ops.into_iter().zip(outcomes) {
            match (op, outcome) {
                (Op::Put { reply, .. }, Outcome::Put(result)) => {
                    _ = reply.send(result.map(|(record, at)| Written { record, commit: commit(at) }));
                }
                (Op::Delete { reply, .. }, Outcome::Delete(results)) => {
                    let deleted = |(existed, at)| Deleted { existed, commit: commit(at) };
                    let results: DeletedKeys =
                        results.into_iter().map(|result| result.map(deleted)).collect();
                    _ = reply.send(Ok(results));
                }
                (
                    Op::Begin { reply, .. } | Op::Part { reply, .. } | Op::Abort { reply, .. },
                    Outcome::Upload(result),
                ) => _ = reply.send(result),
                (Op::Complete { reply, .. }, Outcome::Complete(result)) => {
                    let written = |(record, at)| Written { record, commit: commit(at) };
                    _ = reply.send(result.map(|outcome| outcome.map(written)));
                }
                (op, _) => op.fail(BucketError::closed()),
            }
        }
    }
}

impl Builder<'_> {
    /// The outer error fails the group, the inner one the operation.
    pub(crate) async fn put(
        &mut self,
        key: &str,
        record: &Record,
        precondition: &Precondition,
    ) -> Outcomes<(Arc<Record>, usize)> {
        self.seal_before(key).await?;
        if !precondition.is_none() {
            let present = self.present(key).await?;
            if let Err(error) = precondition.check(key, present) {
                return Ok(Err(error));
            }
        }
        let mut record = record.clone();
        record.modified = self.time.timestamp();
        let (value, block) = record.to_value()?;
        self.spilled.extend(block);
        self.edits.insert(key_bytes(key), Some(Entry { value, weight: record.size }));
        Ok(Ok((Arc::new(record), self.commits.len())))
    }

    async fn delete(&mut self, key: &str, precondition: &Precondition) -> Outcomes<(bool, usize)> {
        if let Err(error) = check_key(key) {
            return Ok(Err(error));
        }
        self.seal_before(key).await?;
        let present = self.present(key).await?;
        if let Err(error) = precondition.check(key, present) {
            return Ok(Err(error));
        }
        if present.is_none() {
            // Nothing changes: it is as of the newest commit that there is.
            return Ok(Ok((false, self.commits.len() - usize::from(self.edits.is_empty()))));
        }
        self.edits.insert(key_bytes(key), None);
        Ok(Ok((true, self.commits.len())))
    }

    async fn seal_before(&mut self, key: &str) -> Result<(), BucketError> {
        if self.edits.contains_key(key.as_bytes()) { self.seal().await } else { Ok(()) }
    }

    async fn present(&self, key: &str) -> Result<Option<ETag>, BucketError> {
        Ok(self.tip.snapshot.get(key).await?.map(|object| object.record().etag))
    }

    /// Makes the edits so far a commit.
    async fn seal(&mut self) -> Result<(), BucketError> {
        if self.edits.is_empty() {
            return Ok(());
        }
        let parent = self.tip.snapshot.commit();
        let edited = self.tip.snapshot.tree().edit(std::mem::take(&mut self.edits)).await?;
        let mut blocks = edited.blocks;
        blocks.append(&mut self.spilled);
        let next = Unsigned {
            space: parent.space,
            bucket: parent.bucket,
            name: parent.name.clone(),
            objects: edited.tree.root(),
            versions: parent.versions,
            config: parent.config,
            parents: vec![parent.cid()],
            skip: self.tip.skips.skip(),
            seq: parent.seq + 1,
            time: self.time,
            author: parent.author,
        };
        let (commit, block) = next.sign(&*self.space.signer)?;
        blocks.push(block);
        self.session.put(blocks).await?;
        self.tip.skips.push(commit.seq, commit.cid());
        self.commits.push(commit.cid());
        self.tip.snapshot = Snapshot::new(Arc::clone(&self.space.store), commit, edited.tree);
        self.time = self.space.clock.now();
        Ok(())
    }
}

fn key_bytes(key: &str) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}
