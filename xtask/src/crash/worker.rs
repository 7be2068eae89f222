//! One client: sends its steps until the cut, and tells the model what was acknowledged.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use super::content::Bodies;
use super::model::Model;
use super::plan::{Action, Plan, Step};
use super::{Failure, Target, lives, versions};

/// The one kind of step that writes nothing.
pub(super) const READS: &str = "reads";

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    pub(super) bodies: Bodies,
    model: Mutex<Model>,
    versions: Mutex<versions::Model>,
    lives: Mutex<lives::Model>,
    /// Set just before the cut: from then on an interrupted operation is no surprise.
    pub(super) cutting: AtomicBool,
}

impl Shared {
    pub(super) fn new(plan: Plan) -> Arc<Self> {
        let bodies = plan.bodies();
        let model = Mutex::new(Model::new(bodies));
        let (versions, lives) = (Mutex::default(), Mutex::default());
        Arc::new(Self { plan, bodies, model, versions, lives, cutting: AtomicBool::new(false) })
    }

    /// Held for moments only, never over an operation.
    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::model`], of the buckets that make versions.
    pub(super) fn versions(&self) -> MutexGuard<'_, versions::Model> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`Self::model`], of the buckets that come and go.
    pub(super) fn lives(&self) -> MutexGuard<'_, lives::Model> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker did.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    /// Acknowledged writes, by kind.
    pub(super) acknowledged: BTreeMap<&'static str, u64>,
    /// Refusals that the model justifies, by kind and code.
    pub(super) refused: BTreeMap<(&'static str, String), u64>,
    pub(super) in_flight: BTreeMap<&'static str, u64>,
    pub(super) busy: u64,
    pub(super) reads: u64,
    pub(super) bytes: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        for (kind, count) in other.acknowledged {
            *self.acknowledged.entry(kind).or_default() += count;
        }
        for (kind, count) in other.refused {
            *self.refused.entry(kind).or_default() += count;
        }
        for (kind, count) in other.in_flight {
            *self.in_flight.entry(kind).or_default() += count;
        }
        self.busy += other.busy;
        self.reads += other.reads;
        self.bytes += other.bytes;
    }
}

impl Tally {
    /// How many writes were acknowledged.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.values().sum()
    }
}

/// How a step ended.
pub(super) enum Outcome {
    Done,
    /// A cut came before its answer.
    Cut,
}

/// An answer that is in order.
pub(super) enum Answer<A> {
    Good(A),
    /// Refused, with a code that the operation may get; whether rightly, the model says.
    Refused(String),
    /// 503 says nothing about what happened: a write may be there or not.
    Busy,
    Cut,
}

/// One step in the making.
pub(super) struct Performer<'a, T> {
    pub(super) target: &'a T,
    pub(super) shared: &'a Shared,
    pub(super) tally: &'a mut Tally,
}

/// Runs the steps of one worker until an operation is cut.
pub(super) async fn work<T: Target>(
    target: T,
    shared: Arc<Shared>,
    cycle: u32,
    worker: u32,
) -> Result<Tally> {
    let mut tally = Tally::default();
    for Step { op, action } in shared.plan.steps(cycle, worker) {
        let performer = Performer { target: &target, shared: &shared, tally: &mut tally };
        let what = format!("operation {op:#x} of worker {worker}: {action:?}");
        match performer.perform(op, action).await.context(what)? {
            Outcome::Done => {}
            Outcome::Cut => return Ok(tally),
        }
        // Steps that find nothing to do must not keep the cut from coming.
        tokio::task::consume_budget().await;
    }
    bail!("a plan has no end")
}

impl<T: Target> Performer<'_, T> {
    async fn perform(self, op: u64, action: Action) -> Result<Outcome> {
        match action {
            Action::Put { name, size, asks } => self.put(&name, op, size, asks).await,
            Action::Copy { name, source, replace, pinned, asks } => {
                self.copy(&name, source, replace.then_some(op), pinned, asks).await
            }
            Action::Delete { name, conditional } => self.delete(&name, conditional).await,
            Action::DeleteMany { bucket, keys } => self.delete_many(&bucket, &keys).await,
            Action::Get { name } => self.get(&name).await,
            Action::Begin { name } => self.begin(&name, op).await,
            Action::Part { name, number, size } => self.part(&name, number, op, size).await,
            Action::CopyPart { name, number, source, portion } => {
                self.copy_part(&name, number, source, portion).await
            }
            Action::Complete { name, asks } => self.complete(&name, asks).await,
            Action::Repeat { name } => self.repeat(&name).await,
            Action::Abort { name } => self.abort(&name).await,
            Action::Version(action) => self.version(op, action).await,
            Action::Live(action) => self.live(op, action).await,
        }
    }

    /// Sorts an answer; one that is neither good, nor a cut, nor refused with one of `codes`, is a fault.
    pub(super) fn hear<A>(
        &mut self,
        kind: &'static str,
        codes: &[&str],
        answer: Result<A, Failure>,
    ) -> Result<Answer<A>> {
        match answer {
            Ok(answer) => {
                if kind == READS {
                    self.tally.reads += 1;
                } else {
                    *self.tally.acknowledged.entry(kind).or_default() += 1;
                }
                Ok(Answer::Good(answer))
            }
            Err(Failure::Interrupted(_)) if self.shared.cutting.load(Ordering::SeqCst) => {
                *self.tally.in_flight.entry(kind).or_default() += 1;
                Ok(Answer::Cut)
            }
            Err(Failure::Refused { status, .. }) if status.as_u16() == 503 => {
                self.tally.busy += 1;
                Ok(Answer::Busy)
            }
            Err(Failure::Refused { code, .. }) if codes.contains(&&*code) => {
                *self.tally.refused.entry((kind, code.clone())).or_default() += 1;
                Ok(Answer::Refused(code))
            }
            Err(failure) => Err(failure.into()),
        }
    }
}
