//! One client: sends its steps until the cut, and tells the model what was acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};

use super::check::{self, Observed};
use super::model::{Model, Name, Tick, Value};
use super::plan::{Action, Plan, Step};
use super::{Failure, Target};

/// What all workers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) plan: Plan,
    model: Mutex<Model>,
    /// Set just before the cut: from then on an interrupted operation is no surprise.
    pub(super) cutting: AtomicBool,
}

impl Shared {
    pub(super) fn new(plan: Plan) -> Arc<Self> {
        Arc::new(Self { plan, model: Mutex::default(), cutting: AtomicBool::new(false) })
    }

    /// Held for moments only, never over an operation.
    pub(super) fn model(&self) -> MutexGuard<'_, Model> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a worker did.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) acknowledged: u64,
    pub(super) in_flight: u64,
    pub(super) busy: u64,
    pub(super) reads: u64,
    pub(super) bytes: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.in_flight += other.in_flight;
        self.busy += other.busy;
        self.reads += other.reads;
        self.bytes += other.bytes;
    }
}

/// Runs the steps of one worker until an operation is cut.
pub(super) async fn work<T: Target>(
    target: T,
    shared: Arc<Shared>,
    cycle: u32,
    worker: u32,
) -> Result<Tally> {
    let mut tally = Tally::default();
    for step in shared.plan.steps(cycle, worker) {
        let op = step.op;
        let done = perform(&target, &shared, step, &mut tally);
        match done.await.with_context(|| format!("operation {op:#x} of worker {worker}"))? {
            Outcome::Done => {}
            Outcome::Busy => tally.busy += 1,
            Outcome::Cut => return Ok(tally),
        }
    }
    bail!("a plan has no end")
}

enum Outcome {
    Done,
    Busy,
    Cut,
}

async fn perform<T: Target>(target: &T, shared: &Shared, step: Step, tally: &mut Tally) -> Result<Outcome> {
    let Step { op, bucket, action } = step;
    let name = |key: &str| (bucket.clone(), key.to_owned());
    match action {
        Action::Put { key, size } => {
            let body = shared.plan.body(op, size);
            let name = name(&key);
            let begun = shared.model().begin(&name, Value::Body { op, size });
            let answer = target.put(&bucket, &key, op, body, false).await.map(drop);
            tally.bytes += if answer.is_ok() { size } else { 0 };
            settle(shared, answer, &[(name, begun)], tally)
        }
        Action::Create { key, size } => {
            let body = shared.plan.body(op, size);
            let name = name(&key);
            let begun = shared.model().begin(&name, Value::Body { op, size });
            let answer = target.put(&bucket, &key, op, body, true).await;
            if let Ok(created) = answer {
                justify(&shared.model(), &name, begun, created, op)?;
                if !created {
                    shared.model().withdraw(&name, begun);
                    return Ok(Outcome::Done);
                }
                tally.bytes += size;
            }
            settle(shared, answer.map(drop), &[(name, begun)], tally)
        }
        Action::Delete { key } => {
            let name = name(&key);
            let begun = shared.model().begin(&name, Value::Absent);
            let answer = target.delete(&bucket, &key).await;
            settle(shared, answer, &[(name, begun)], tally)
        }
        Action::DeleteMany { keys } => {
            let begin = |key: &String| (name(key), shared.model().begin(&name(key), Value::Absent));
            let writes: Vec<_> = keys.iter().map(begin).collect();
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let answer = target.delete_many(&bucket, &keys).await;
            settle(shared, answer, &writes, tally)
        }
        Action::Get { key } => {
            let begun = shared.model().tick();
            let found = match target.get(&bucket, &key).await {
                Ok(found) => found,
                Err(failure) => return unanswered(shared, failure, 0, tally),
            };
            let observed = Observed::of(&shared.plan, found)?;
            check::explain(&shared.model(), &name(&key), begun, &observed)?;
            tally.reads += 1;
            Ok(Outcome::Done)
        }
    }
}

/// Records the answer to `writes`.
fn settle(
    shared: &Shared,
    answer: Result<(), Failure>,
    writes: &[(Name, Tick)],
    tally: &mut Tally,
) -> Result<Outcome> {
    match answer {
        Ok(()) => {
            for (name, begun) in writes {
                shared.model().acknowledge(name, *begun);
            }
            tally.acknowledged += 1;
            Ok(Outcome::Done)
        }
        Err(failure) => unanswered(shared, failure, 1, tally),
    }
}

/// An operation without a good answer: a cut, or a busy server; anything else is a fault.
fn unanswered(shared: &Shared, failure: Failure, writes: u64, tally: &mut Tally) -> Result<Outcome> {
    match failure {
        Failure::Interrupted(_) if shared.cutting.load(Ordering::SeqCst) => {
            tally.in_flight += writes;
            Ok(Outcome::Cut)
        }
        // A 503 says nothing about what happened: the write may be there or not.
        Failure::Refused { status, .. } if status.as_u16() == 503 => Ok(Outcome::Busy),
        failure => Err(failure.into()),
    }
}

/// Whether the answer to a conditional create agrees with what the key may have held meanwhile.
fn justify(model: &Model, name: &Name, begun: Tick, created: bool, own: u64) -> Result<()> {
    let allowed = model.allowed(name, begun);
    let absent = allowed.contains(&Value::Absent);
    let present = allowed.iter().any(|value| matches!(value, Value::Body { op, .. } if *op != own));
    match created {
        true if !absent => bail!("If-None-Match: * succeeded on {name:?}, which held one of {allowed:x?}"),
        false if !present => bail!("If-None-Match: * failed on {name:?}, which held nothing"),
        _ => Ok(()),
    }
}
