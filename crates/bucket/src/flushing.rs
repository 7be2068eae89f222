//! A group on its way to being durable.

use std::sync::Arc;
use std::time::Instant;

use carob_block::{HeadSwap, Session, StoreError};
use tokio::task::{JoinError, JoinHandle};

use crate::BucketError;
use crate::committer::Op;
use crate::group::Group;
use crate::space::Inner;

/// Why a group did not become durable, with its operations, none of which has been answered.
pub(crate) enum Lost {
    /// Another process moved a head.
    Conflict(Vec<Op>),
    Error(BucketError, Vec<Op>),
}

/// A group that is being committed by a task of its own, which answers the callers.
pub(crate) struct Flushing {
    /// How many operations it has.
    pub(crate) ops: usize,
    task: JoinHandle<Result<(), Lost>>,
    ended: Option<Result<Result<(), Lost>, JoinError>>,
}

impl Flushing {
    pub(crate) fn start(space: &Arc<Inner>, group: Group, swaps: Vec<HeadSwap>, ops: Vec<Op>) -> Self {
        let count = ops.len();
        let task = tokio::spawn(flush(Arc::clone(space), group, swaps, ops));
        Self { ops: count, task, ended: None }
    }

    /// Waits for the end; may be given up and asked again.
    pub(crate) async fn done(&mut self) {
        if self.ended.is_none() {
            self.ended = Some((&mut self.task).await);
        }
    }

    pub(crate) async fn end(mut self) -> Result<(), Lost> {
        self.done().await;
        match self.ended {
            Some(Ok(ended)) => ended,
            // A panic, or the runtime's end: whoever waits for an answer has lost the other end.
            Some(Err(_)) | None => Err(Lost::Error(BucketError::closed(), Vec::new())),
        }
    }
}

async fn flush(space: Arc<Inner>, group: Group, swaps: Vec<HeadSwap>, ops: Vec<Op>) -> Result<(), Lost> {
    let begun = Instant::now();
    let committed = {
        let mut sessions: Vec<&dyn Session> = vec![&*group.session];
        sessions.extend(ops.iter().filter_map(Op::session));
        space.store.commit(&sessions, &swaps).await
    };
    match committed {
        Ok(()) => {
            space.remember(&group.tip.snapshot);
            space.group_committed(ops.len(), begun.elapsed());
            group.answer(ops);
            Ok(())
        }
        Err(StoreError::Conflict { .. }) => Err(Lost::Conflict(ops)),
        Err(error) => Err(Lost::Error(error.into(), ops)),
    }
}
