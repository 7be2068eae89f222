//! Operations applied to a tip, in order, as the commits they make; nothing durable yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, HeadSwap, Session};
use carob_commit::{Config, Record, Unsigned};
use carob_identity::Hlc;
use carob_index::{Entry, Params, Tree};

use crate::committer::{DeletedKeys, Op, Tip};
use crate::graft::Grafted;
use crate::group_writes::Removed;
use crate::snapshot::Trees;
use crate::space::Inner;
use crate::{BucketError, Deleted, Snapshot, Written};

/// What a group of operations comes to.
#[derive(Debug)]
pub(crate) struct Group {
    /// Where the bucket will be.
    pub(crate) tip: Tip,
    /// Holds the new nodes and commits.
    pub(crate) session: Box<dyn Session>,
    /// One for each operation, in order.
    outcomes: Vec<Outcome>,
    /// Heads that move besides the bucket's own.
    pub(crate) swaps: Vec<HeadSwap>,
    /// The commit that each outcome's number means.
    commits: Vec<Cid>,
}

#[derive(Debug)]
enum Outcome {
    Put(Result<(Arc<Record>, usize), BucketError>),
    Delete(Vec<Result<Removed, BucketError>>),
    Amend(Result<(Arc<Record>, usize), BucketError>),
    Configure(Result<usize, BucketError>),
    Graft(Result<Grafted, BucketError>),
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
    pub(crate) edits: BTreeMap<Bytes, Option<Entry>>,
    /// Edits of the tree of versions, for the same commit.
    pub(crate) version_edits: BTreeMap<Bytes, Option<Entry>>,
    /// The keys that the next commit changes something of.
    pub(crate) touched: BTreeSet<String>,
    /// The configuration from the next commit on, if it is another.
    pub(crate) config: Option<Config>,
    /// Edits of the uploads that are not in their tree yet.
    pub(crate) upload_edits: BTreeMap<Bytes, Option<Entry>>,
    /// What is too large to stand in a node.
    pub(crate) spilled: Vec<Block>,
    /// The tree of objects that the next commit's edits are made to, if it is another.
    pub(crate) grafted: Option<Tree>,
    /// The trees from elsewhere that the next commit has, if it has others.
    pub(crate) adopted: Option<Trees>,
    /// The commit of another bucket that the next commit follows too.
    pub(crate) merged: Option<Cid>,
    /// Heads that move besides the bucket's own.
    pub(crate) swaps: Vec<HeadSwap>,
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
            version_edits: BTreeMap::new(),
            touched: BTreeSet::new(),
            config: None,
            upload_edits: BTreeMap::new(),
            spilled: Vec::new(),
            grafted: None,
            adopted: None,
            merged: None,
            swaps: Vec::new(),
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
                    for (key, options) in keys {
                        results.push(builder.delete(key, options).await?);
                    }
                    outcomes.push(Outcome::Delete(results));
                }
                Op::Amend { key, version, amendment, .. } => {
                    outcomes.push(Outcome::Amend(builder.amend(key, *version, amendment).await?));
                }
                Op::Rename { from, to, options, .. } => {
                    outcomes.push(Outcome::Put(builder.rename(from, to, options).await?));
                }
                Op::Configure { change, .. } => {
                    outcomes.push(Outcome::Configure(builder.configure(change).await?));
                }
                Op::Graft { graft, .. } => outcomes.push(Outcome::Graft(builder.graft(graft).await?)),
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
                Op::Expire { expired, .. } => {
                    outcomes.push(Outcome::Upload(Ok(builder.expire(expired).await?)));
                }
                // The committer ends a group before them.
                Op::DeleteBucket { .. } | Op::Name { .. } => {}
            }
        }
        builder.seal().await?;
        builder.seal_uploads().await?;
        let Builder { session, tip, commits, swaps, .. } = builder;
        Ok(Self { tip, session, outcomes, swaps, commits })
    }

    /// Tells every caller, once the group is durable.
    pub(crate) fn answer(self, ops: Vec<Op>) {
        let Self { outcomes, commits, tip, .. } = self;
        let commit = |number: usize| commits.get(number).copied().unwrap_or_else(|| tip.snapshot.cid());
        for (op, outcome) in ops.into_iter().zip(outcomes) {
            match (op, outcome) {
                (Op::Put { reply, .. } | Op::Rename { reply, .. }, Outcome::Put(result))
                | (Op::Amend { reply, .. }, Outcome::Amend(result)) => {
                    _ = reply.send(result.map(|(record, at)| Written { record, commit: commit(at) }));
                }
                (Op::Delete { reply, .. }, Outcome::Delete(results)) => {
                    let deleted = |Removed { existed, version, delete_marker, at }| Deleted {
                        existed,
                        version,
                        delete_marker,
                        commit: commit(at),
                    };
                    let results: DeletedKeys =
                        results.into_iter().map(|result| result.map(deleted)).collect();
                    _ = reply.send(Ok(results));
                }
                (Op::Graft { reply, .. }, Outcome::Graft(result)) => _ = reply.send(result),
                (Op::Configure { reply, .. }, Outcome::Configure(result)) => {
                    _ = reply.send(result.map(commit));
                }
                (
                    Op::Begin { reply, .. }
                    | Op::Part { reply, .. }
                    | Op::Abort { reply, .. }
                    | Op::Expire { reply, .. },
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
    /// Whether something waits for the next commit.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.touched.is_empty() || self.config.is_some() || self.grafted.is_some()
    }

    /// Makes the edits so far a commit.
    pub(crate) async fn seal(&mut self) -> Result<(), BucketError> {
        if !self.is_dirty() {
            return Ok(());
        }
        self.touched.clear();
        let adopted = self.adopted.take();
        let Trees { objects, versions } = adopted.unwrap_or_else(|| self.tip.snapshot.trees().clone());
        let objects = self.grafted.take().unwrap_or(objects);
        let mut blocks = std::mem::take(&mut self.spilled);
        let edited = objects.edit(std::mem::take(&mut self.edits)).await?;
        blocks.extend(edited.blocks);
        let versions = self.edit_versions(versions, &mut blocks).await?;
        let trees = Trees { objects: edited.tree, versions };
        let parent = self.tip.snapshot.commit();
        let (config, config_link) = match self.config.take() {
            Some(config) => {
                let block = config.to_block()?;
                let link = block.as_ref().map(|block| *block.cid());
                blocks.extend(block);
                (Arc::new(config), link)
            }
            None => (Arc::clone(self.tip.snapshot.config()), parent.config),
        };
        let next = Unsigned {
            space: parent.space,
            bucket: parent.bucket,
            name: parent.name.clone(),
            objects: trees.objects.root(),
            versions: trees.versions.as_ref().map(Tree::root),
            config: config_link,
            parents: [Some(parent.cid()), self.merged.take()].into_iter().flatten().collect(),
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
        self.tip.snapshot = Snapshot::new(Arc::clone(&self.space.store), commit, trees, config);
        self.time = self.space.clock.now();
        Ok(())
    }

    /// The tree of versions with the edits that wait. There is none without entries, so that a bucket whose
    /// versions are all gone is the same as one that never had any.
    async fn edit_versions(
        &mut self,
        tree: Option<Tree>,
        blocks: &mut Vec<Block>,
    ) -> Result<Option<Tree>, BucketError> {
        let edits = std::mem::take(&mut self.version_edits);
        if tree.is_none() && edits.values().all(Option::is_none) {
            return Ok(None);
        }
        let tree = match tree {
            Some(tree) => tree,
            None => {
                let (tree, descriptor) = self.new_tree();
                // An edit reads the tree that it edits.
                self.session.put(descriptor).await?;
                tree
            }
        };
        let edited = tree.edit(edits).await?;
        if edited.tree.is_empty() {
            return Ok(None);
        }
        blocks.extend(edited.blocks);
        Ok(Some(edited.tree))
    }

    /// An empty tree beside that of the objects.
    pub(crate) fn new_tree(&self) -> (Tree, Vec<Block>) {
        let (salt, params) = (self.tip.snapshot.tree().salt(), Params::default());
        Tree::empty(Arc::clone(&self.space.store) as _, Arc::clone(&self.space.nodes), salt, params)
    }
}
