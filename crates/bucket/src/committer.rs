//! The one writer of a bucket: takes what waits, commits it as a group, answers.

use std::sync::Arc;

use carob_block::{Cid, HeadSwap, Session, StoreError};
use carob_commit::{
    Commit, Genesis, Kept, NamedCommit, PartState, Record, UploadId, UploadState, VersionName, uploads_head,
};
use carob_index::Tree;
use tokio::sync::{mpsc, oneshot};

use crate::amend::Amendment;
use crate::configure::ConfigChange;
use crate::expiry::Expired;
use crate::flushing::{Flushing, Lost};
use crate::graft::{Graft, Grafted};
use crate::group::Group;
use crate::history::SkipChain;
use crate::named::{NamedSnapshot, Naming};
use crate::pins::Pin;
use crate::space::Inner;
use crate::{
    BucketError, BucketInfo, DeleteOptions, Deleted, Precondition, RenameOptions, Snapshot, Written, bases,
    retention,
};

/// The most operations in one group, and the most that wait for the next.
const GROUP_LIMIT: usize = 1024;

/// How often a group is prepared anew because another process moved the head.
const ATTEMPTS: usize = 8;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, BucketError>>;
pub(crate) type DeletedKeys = Vec<Result<Deleted, BucketError>>;

/// A change that waits to be committed.
#[derive(Debug)]
pub(crate) enum Op {
    /// Puts a stored body under a key.
    Put {
        key: String,
        record: Box<Record>,
        session: Arc<dyn Session>,
        /// Holds the root that a copy was taken from: the session holds the body's topmost block alone.
        #[expect(dead_code, reason = "it is there to be dropped")]
        source: Option<Pin>,
        precondition: Precondition,
        reply: Reply<Written>,
    },
    /// Deletes keys.
    Delete { keys: Vec<(String, DeleteOptions)>, reply: Reply<DeletedKeys> },
    /// Changes what goes with a version.
    Amend { key: String, version: Option<VersionName>, amendment: Amendment, reply: Reply<Written> },
    /// Puts what is under one key under another.
    Rename { from: String, to: String, options: RenameOptions, reply: Reply<Written> },
    /// Changes the configuration.
    Configure { change: ConfigChange, reply: Reply<Cid> },
    /// Begins a multipart upload.
    Begin { key: String, id: UploadId, state: Box<UploadState>, reply: Reply<()> },
    /// Adds a stored part to an upload, or replaces it.
    Part {
        key: String,
        id: UploadId,
        number: u16,
        state: Box<PartState>,
        session: Arc<dyn Session>,
        reply: Reply<()>,
    },
    /// Ends an upload without an object.
    Abort { key: String, id: UploadId, reply: Reply<()> },
    /// Makes an upload an object. Answers `None` if its parts are no longer those that the plan was made of.
    Complete {
        plan: Box<Plan>,
        session: Arc<dyn Session>,
        precondition: Precondition,
        reply: Reply<Option<Written>>,
    },
    /// Ends uploads, and forgets results of others, whose time is over.
    Expire { expired: Vec<Expired>, reply: Reply<()> },
    /// Gives the newest commit a name, or takes one away.
    Name { name: String, naming: Naming, reply: Reply<NamedSnapshot> },
    /// Brings in objects of another state.
    Graft { graft: Box<Graft>, reply: Reply<Grafted> },
    /// Deletes the bucket itself.
    DeleteBucket { reply: Reply<()> },
}

impl Op {
    /// What holds the blocks that the change needs.
    pub(crate) fn session(&self) -> Option<&dyn Session> {
        match self {
            Self::Put { session, .. } | Self::Part { session, .. } | Self::Complete { session, .. } => {
                Some(&**session)
            }
            Self::Delete { .. }
            | Self::Amend { .. }
            | Self::Rename { .. }
            | Self::Configure { .. }
            | Self::Begin { .. }
            | Self::Abort { .. }
            | Self::Expire { .. }
            | Self::Name { .. }
            | Self::Graft { .. }
            | Self::DeleteBucket { .. } => None,
        }
    }

    /// Whether it belongs to no group: it moves other heads than the bucket's own two.
    fn is_alone(&self) -> bool {
        matches!(self, Self::Name { .. } | Self::DeleteBucket { .. })
    }

    pub(crate) fn fail(self, error: BucketError) {
        // A caller that has gone away needs no answer.
        match self {
            Self::Put { reply, .. } | Self::Amend { reply, .. } | Self::Rename { reply, .. } => {
                _ = reply.send(Err(error));
            }
            Self::Configure { reply, .. } => _ = reply.send(Err(error)),
            Self::Graft { reply, .. } => _ = reply.send(Err(error)),
            Self::Delete { reply, .. } => _ = reply.send(Err(error)),
            Self::Begin { reply, .. }
            | Self::Part { reply, .. }
            | Self::Abort { reply, .. }
            | Self::Expire { reply, .. } => _ = reply.send(Err(error)),
            Self::Name { reply, .. } => _ = reply.send(Err(error)),
            Self::Complete { reply, .. } => _ = reply.send(Err(error)),
            Self::DeleteBucket { reply } => _ = reply.send(Err(error)),
        }
    }
}

/// An object to be made of an upload's parts.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) key: String,
    pub(crate) id: UploadId,
    /// The parts, in order of their numbers.
    pub(crate) parts: Vec<(u16, PartState)>,
    pub(crate) record: Record,
}

/// Where the bucket durably is.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    pub(crate) snapshot: Snapshot,
    pub(crate) skips: SkipChain,
    /// Multipart uploads, if there ever were any.
    pub(crate) uploads: Option<Tree>,
}

impl Tip {
    /// Where the heads are: the commit's, and that of the uploads.
    fn heads(&self) -> (Cid, Option<Cid>) {
        (self.snapshot.cid(), self.uploads.as_ref().map(Tree::root))
    }
}

/// The one writer of a bucket, under one name. While a group becomes durable, the next one is applied to what that will
/// make of the bucket; it is committed, and its callers hear of it, only when that has happened.
pub(crate) struct Committer {
    space: Arc<Inner>,
    bucket: BucketInfo,
    ops: mpsc::Receiver<Op>,
    /// Where the bucket will be once the group under way is durable. Unknown at first, and after any failure.
    tip: Option<Tip>,
    /// The group under way.
    flushing: Option<Flushing>,
}

impl Committer {
    pub(crate) fn new(space: Arc<Inner>, bucket: BucketInfo) -> (mpsc::Sender<Op>, Self) {
        let (sender, ops) = mpsc::channel(GROUP_LIMIT);
        (sender, Self { space, bucket, ops, tip: None, flushing: None })
    }

    /// Runs until the space is closed or the bucket deleted.
    pub(crate) async fn run(mut self) {
        while let Some(mut group) = self.next_ops().await {
            // What belongs to no group ends the one before it, so that it and what follows find the bucket durable.
            while !group.is_empty() {
                let alone = group.iter().position(Op::is_alone);
                let later = group.split_off(alone.unwrap_or(group.len()));
                if !group.is_empty() {
                    self.commit(group).await;
                }
                let mut later = later.into_iter();
                if let Some(op) = later.next() {
                    self.settle().await;
                    self.alone(op).await;
                }
                group = later.collect();
            }
        }
        self.settle().await;
    }

    async fn alone(&mut self, op: Op) {
        match op {
            Op::Name { name, naming, reply } => _ = reply.send(self.name(&name, naming).await),
            Op::DeleteBucket { reply } => {
                let result = self.delete_bucket().await;
                let deleted = result.is_ok();
                _ = reply.send(result);
                if deleted {
                    self.tip = None;
                    self.space.retire(self.bucket.id);
                    self.ops.close();
                }
            }
            op => op.fail(BucketError::closed()),
        }
    }

    pub(crate) fn space(&self) -> &Arc<Inner> {
        &self.space
    }

    /// What waits. While a group is under way, half as many operations as it has are worth waiting for: those who were
    /// answered by the one before are on their way back, and every group costs a flush.
    async fn next_ops(&mut self) -> Option<Vec<Op>> {
        let mut ops = Vec::new();
        if let Some(flushing) = &mut self.flushing {
            let enough = flushing.ops.div_ceil(2);
            let mut open = true;
            while open && ops.len() < enough {
                let room = GROUP_LIMIT - ops.len();
                tokio::select! {
                    () = flushing.done() => break,
                    received = self.ops.recv_many(&mut ops, room) => open = received > 0,
                }
            }
            if ops.len() < enough {
                self.settle().await;
            }
        }
        if ops.is_empty() {
            self.ops.recv_many(&mut ops, GROUP_LIMIT).await;
        }
        (!ops.is_empty()).then_some(ops)
    }

    async fn commit(&mut self, ops: Vec<Op>) {
        for _ in 0..ATTEMPTS {
            let applied = self.apply(&ops).await;
            if !self.settle().await {
                // It was applied to what has not come to be.
                continue;
            }
            return match applied {
                Ok((group, swaps)) if swaps.is_empty() => group.answer(ops),
                Ok((group, swaps)) => {
                    self.tip = Some(group.tip.clone());
                    self.flushing = Some(Flushing::start(&self.space, group, swaps, ops));
                }
                Err(error) => self.fail(ops, &error),
            };
        }
        self.fail(ops, &BucketError::Contention);
    }

    /// Applies to the tip, and says what heads that moves.
    async fn apply(&mut self, ops: &[Op]) -> Result<(Group, Vec<HeadSwap>), BucketError> {
        let tip = self.tip().await?;
        let before = tip.heads();
        let group = Group::apply(&self.space, tip, ops).await?;
        let mut swaps = self.swaps(before, group.tip.heads());
        swaps.extend_from_slice(&group.swaps);
        Ok((group, swaps))
    }

    /// Waits for the group under way. `false` if it did not become durable as it was.
    async fn settle(&mut self) -> bool {
        let Some(flushing) = self.flushing.take() else { return true };
        let Err(lost) = flushing.end().await else { return true };
        self.tip = None;
        match lost {
            Lost::Conflict(ops) => self.commit_anew(ops).await,
            Lost::Error(error, ops) => self.fail(ops, &error),
        }
        false
    }

    /// Commits what another process was ahead of, and waits for it.
    async fn commit_anew(&mut self, mut ops: Vec<Op>) {
        for _ in 0..ATTEMPTS {
            let lost = match self.apply(&ops).await {
                Ok((group, swaps)) if swaps.is_empty() => return group.answer(ops),
                Ok((group, swaps)) => {
                    let tip = group.tip.clone();
                    let Err(lost) = Flushing::start(&self.space, group, swaps, ops).end().await else {
                        self.tip = Some(tip);
                        return;
                    };
                    lost
                }
                Err(error) => Lost::Error(error, ops),
            };
            self.tip = None;
            match lost {
                Lost::Conflict(again) => ops = again,
                Lost::Error(error, ops) => return self.fail(ops, &error),
            }
        }
        self.fail(ops, &BucketError::Contention);
    }

    fn fail(&mut self, ops: Vec<Op>, error: &BucketError) {
        self.tip = None;
        tracing::debug!(bucket = %self.bucket.name, %error, "group failed");
        ops.into_iter().for_each(|op| op.fail(error.clone()));
    }

    /// What moves the bucket from one pair of heads to another.
    fn swaps(&self, from: (Cid, Option<Cid>), to: (Cid, Option<Cid>)) -> Vec<HeadSwap> {
        let swap = |name, expected, next| HeadSwap { name, expected, next };
        let all = [
            swap(Commit::head(self.bucket.id), Some(from.0), Some(to.0)),
            swap(uploads_head(self.bucket.id), from.1, to.1),
        ];
        all.into_iter().filter(|swap| swap.expected != swap.next).collect()
    }

    pub(crate) async fn tip(&mut self) -> Result<Tip, BucketError> {
        if let Some(tip) = &self.tip {
            return Ok(tip.clone());
        }
        let snapshot = self.space.snapshot(&self.bucket).await?;
        self.space.clock.observe(snapshot.commit().time);
        let skips = SkipChain::load(&*self.space.store, snapshot.commit()).await?;
        let uploads = self.space.uploads(&self.bucket).await?;
        let tip = Tip { snapshot, skips, uploads };
        self.tip = Some(tip.clone());
        Ok(tip)
    }

    async fn delete_bucket(&mut self) -> Result<(), BucketError> {
        let space = Arc::clone(&self.space);
        let _shared = space.roster.read().await;
        for _ in 0..ATTEMPTS {
            let tip = self.tip().await?;
            let named = self.space.store.heads(&NamedCommit::head(self.bucket.id, "")).await?;
            if tip.snapshot.objects() > 0 || tip.snapshot.noncurrent() > 0 || !named.is_empty() {
                return Err(BucketError::BucketNotEmpty(self.bucket.name.clone()));
            }
            let name = Genesis::head(&self.bucket.name);
            let genesis = self.space.store.head(&name).await?;
            let last = tip.snapshot.cid();
            let mut swaps = vec![
                HeadSwap { name, expected: genesis, next: None },
                HeadSwap { name: Commit::head(self.bucket.id), expected: Some(last), next: None },
                HeadSwap { name: Kept::deleted_head(self.bucket.id), expected: None, next: Some(last) },
            ];
            // Uploads under way do not keep a bucket.
            if let Some(uploads) = &tip.uploads {
                let name = uploads_head(self.bucket.id);
                swaps.push(HeadSwap { name, expected: Some(uploads.root()), next: None });
            }
            swaps.extend(bases::forget(&*self.space.store, self.bucket.id).await?);
            // From now on its last state is a past one.
            let session = self.space.store.session();
            swaps.push(
                retention::end(
                    &*self.space.store,
                    &*session,
                    self.bucket.id,
                    genesis,
                    self.space.time_of_death(),
                )
                .await?,
            );
            match self.space.store.commit(&[&*session], &swaps).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => self.tip = None,
                Err(other) => return Err(other.into()),
            }
        }
        Err(BucketError::Contention)
    }
}
