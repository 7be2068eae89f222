//! The one writer of a bucket: takes what waits, commits it as a group, answers.

use std::sync::Arc;

use carob_block::{Cid, HeadSwap, Session, StoreError};
use carob_commit::{Commit, Genesis, PartState, Record, UploadId, UploadState, VersionName, uploads_head};
use carob_index::Tree;
use tokio::sync::{mpsc, oneshot};

use crate::amend::Amendment;
use crate::configure::ConfigChange;
use crate::group::Group;
use crate::history::SkipChain;
use crate::space::Inner;
use crate::{BucketError, BucketInfo, DeleteOptions, Deleted, Precondition, Snapshot, Written};

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
        precondition: Precondition,
        reply: Reply<Written>,
    },
    /// Deletes keys.
    Delete { keys: Vec<(String, DeleteOptions)>, reply: Reply<DeletedKeys> },
    /// Changes what goes with a version.
    Amend { key: String, version: Option<VersionName>, amendment: Amendment, reply: Reply<Written> },
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
    /// Deletes the bucket itself.
    DeleteBucket { reply: Reply<()> },
}

impl Op {
    /// What holds the blocks that the change needs.
    fn session(&self) -> Option<&dyn Session> {
        match self {
            Self::Put { session, .. } | Self::Part { session, .. } | Self::Complete { session, .. } => {
                Some(&**session)
            }
            Self::Delete { .. }
            | Self::Amend { .. }
            | Self::Configure { .. }
            | Self::Begin { .. }
            | Self::Abort { .. }
            | Self::DeleteBucket { .. } => None,
        }
    }

    pub(crate) fn fail(self, error: BucketError) {
        // A caller that has gone away needs no answer.
        match self {
            Self::Put { reply, .. } | Self::Amend { reply, .. } => _ = reply.send(Err(error)),
            Self::Configure { reply, .. } => _ = reply.send(Err(error)),
            Self::Delete { reply, .. } => _ = reply.send(Err(error)),
            Self::Begin { reply, .. } | Self::Part { reply, .. } | Self::Abort { reply, .. } => {
                _ = reply.send(Err(error));
            }
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

pub(crate) struct Committer {
    space: Arc<Inner>,
    bucket: BucketInfo,
    ops: mpsc::Receiver<Op>,
    /// Unknown at first, and after any failure.
    tip: Option<Tip>,
}

impl Committer {
    pub(crate) fn new(space: Arc<Inner>, bucket: BucketInfo) -> (mpsc::Sender<Op>, Self) {
        let (sender, ops) = mpsc::channel(GROUP_LIMIT);
        (sender, Self { space, bucket, ops, tip: None })
    }

    /// Runs until the space is closed or the bucket deleted.
    pub(crate) async fn run(mut self) {
        let mut waiting = Vec::new();
        while self.ops.recv_many(&mut waiting, GROUP_LIMIT).await > 0 {
            let mut group = std::mem::take(&mut waiting);
            // A deletion of the bucket ends its group, so that what follows finds the bucket gone or whole.
            while !group.is_empty() {
                let deletion = group.iter().position(|op| matches!(op, Op::DeleteBucket { .. }));
                let later = group.split_off(deletion.unwrap_or(group.len()));
                if !group.is_empty() {
                    self.commit(group).await;
                }
                let mut later = later.into_iter();
                if let Some(Op::DeleteBucket { reply }) = later.next() {
                    let result = self.delete_bucket().await;
                    let deleted = result.is_ok();
                    _ = reply.send(result);
                    if deleted {
                        self.tip = None;
                        self.space.retire(self.bucket.id);
                        self.ops.close();
                    }
                }
                group = later.collect();
            }
        }
    }

    async fn commit(&mut self, ops: Vec<Op>) {
        match self.try_commit(&ops).await {
            Ok(group) => group.answer(ops),
            Err(error) => {
                self.tip = None;
                tracing::debug!(bucket = %self.bucket.name, %error, "group failed");
                ops.into_iter().for_each(|op| op.fail(error.clone()));
            }
        }
    }

    /// Applies and makes durable; nothing has changed if it fails.
    async fn try_commit(&mut self, ops: &[Op]) -> Result<Group, BucketError> {
        for _ in 0..ATTEMPTS {
            let tip = self.tip().await?;
            let durable = tip.heads();
            let group = Group::apply(&self.space, tip, ops).await?;
            let swaps = self.swaps(durable, group.tip.heads());
            if swaps.is_empty() {
                return Ok(group);
            }
            let mut sessions: Vec<&dyn Session> = vec![&*group.session];
            sessions.extend(ops.iter().filter_map(Op::session));
            match self.space.store.commit(&sessions, &swaps).await {
                Ok(()) => {
                    self.space.remember(&group.tip.snapshot);
                    self.tip = Some(group.tip.clone());
                    return Ok(group);
                }
                Err(StoreError::Conflict { .. }) => self.tip = None,
                Err(other) => return Err(other.into()),
            }
        }
        Err(BucketError::Contention)
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

    async fn tip(&mut self) -> Result<Tip, BucketError> {
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
        for _ in 0..ATTEMPTS {
            let tip = self.tip().await?;
            if tip.snapshot.objects() > 0 || tip.snapshot.noncurrent() > 0 {
                return Err(BucketError::BucketNotEmpty(self.bucket.name.clone()));
            }
            let name = Genesis::head(&self.bucket.name);
            let genesis = self.space.store.head(&name).await?;
            let last = tip.snapshot.cid();
            let mut swaps = vec![
                HeadSwap { name, expected: genesis, next: None },
                HeadSwap { name: Commit::head(self.bucket.id), expected: Some(last), next: None },
                HeadSwap { name: format!("deleted/{}", self.bucket.id), expected: None, next: Some(last) },
            ];
            // Uploads under way do not keep a bucket.
            if let Some(uploads) = &tip.uploads {
                let name = uploads_head(self.bucket.id);
                swaps.push(HeadSwap { name, expected: Some(uploads.root()), next: None });
            }
            match self.space.store.commit(&[], &swaps).await {
                Ok(()) => return Ok(()),
                Err(StoreError::Conflict { .. }) => self.tip = None,
                Err(other) => return Err(other.into()),
            }
        }
        Err(BucketError::Contention)
    }
}
