//! Steps that read and write objects.

use anyhow::{Result, bail, ensure};

use super::check::explain;
use super::model::{Condition, Effect, Object};
use super::plan::Asks;
use super::register::Tick;
use super::target::Source;
use super::worker::{Answer, Outcome, Performer, READS};
use super::{Name, Target};

/// An entity tag that no object has.
const NO_ETAG: &str = "00000000000000000000000000000000";

const PRECONDITION_FAILED: &str = "PreconditionFailed";
const NO_SUCH_KEY: &str = "NoSuchKey";

impl<T: Target> Performer<'_, T> {
    pub(super) async fn put(mut self, name: &Name, op: u64, size: u64, asks: Asks) -> Result<Outcome> {
        let object = Object { op, content: self.shared.bodies.fresh(op, size) };
        let body = self.shared.bodies.bytes(&object.content);
        let condition = self.condition(name, asks);
        let begun = self.shared.model().begin(name, Effect::OneOf(vec![Some(object)]));
        let answer = self.target.put(name, op, body, &condition).await;
        self.tally.bytes += if answer.is_ok() { size } else { 0 };
        match self.hear("puts", &[PRECONDITION_FAILED, NO_SUCH_KEY], answer)? {
            Answer::Good(etag) => self.wrote(name, begun, &etag, &condition),
            Answer::Refused(code) => {
                self.condition_failed(name, begun, &code, &condition)?;
                self.shared.model().withdraw(name, begun);
                Ok(Outcome::Done)
            }
            Answer::Busy => Ok(Outcome::Done),
            Answer::Cut => Ok(Outcome::Cut),
        }
    }

    pub(super) async fn copy(
        mut self,
        name: &Name,
        source: Name,
        op: Option<u64>,
        pinned: bool,
        asks: Asks,
    ) -> Result<Outcome> {
        let condition = self.condition(name, asks);
        let likely = self.shared.model().likely(&source);
        let if_match = likely.filter(|_| pinned).map(|object| object.content.etag);
        let source = Source { name: source, if_match };
        let effect = Effect::Copy { source: source.name.clone(), op };
        let begun = self.shared.model().begin(name, effect);
        let answer = self.target.copy(name, &source, op, &condition).await;
        match self.hear("copies", &[PRECONDITION_FAILED, NO_SUCH_KEY], answer)? {
            Answer::Good(etag) => {
                self.source_held(&source, &etag)?;
                self.wrote(name, begun, &etag, &condition)
            }
            Answer::Refused(code) => {
                if !self.source_may_fail(&source, begun, &code) {
                    self.condition_failed(name, begun, &code, &condition)?;
                }
                self.shared.model().withdraw(name, begun);
                Ok(Outcome::Done)
            }
            Answer::Busy => Ok(Outcome::Done),
            Answer::Cut => Ok(Outcome::Cut),
        }
    }

    pub(super) async fn delete(mut self, name: &Name, conditional: bool) -> Result<Outcome> {
        let likely = self.shared.model().likely(name).filter(|_| conditional);
        let if_match = likely.map(|object| object.content.etag);
        let begun = self.shared.model().begin(name, Effect::OneOf(vec![None]));
        let answer = self.target.delete(name, if_match.as_deref()).await;
        let codes: &[&str] = if if_match.is_some() { &[PRECONDITION_FAILED] } else { &[] };
        match self.hear("deletes", codes, answer)? {
            Answer::Good(()) => self.shared.model().acknowledge(name, begun),
            Answer::Refused(_) => {
                let mut model = self.shared.model();
                let possible = model.possible_without(name, begun, Some(begun));
                let other = |object: &Object| Some(&object.content.etag) != if_match.as_ref();
                // What is not there is deleted, whatever it should have been.
                ensure!(possible.iter().flatten().any(other), "refused, but {possible:x?} was there");
                model.withdraw(name, begun);
            }
            Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn delete_many(mut self, bucket: &str, keys: &[String]) -> Result<Outcome> {
        let begin = |key: &String| {
            let name = Name { bucket: bucket.to_owned(), key: key.clone() };
            let begun = self.shared.model().begin(&name, Effect::OneOf(vec![None]));
            (name, begun)
        };
        let writes: Vec<_> = keys.iter().map(begin).collect();
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let answer = self.target.delete_many(bucket, &keys).await;
        match self.hear("multi-deletes", &[], answer)? {
            Answer::Good(()) => {
                for (name, begun) in &writes {
                    self.shared.model().acknowledge(name, *begun);
                }
            }
            Answer::Refused(_) | Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    pub(super) async fn get(mut self, name: &Name) -> Result<Outcome> {
        let begun = self.shared.model().tick();
        let answer = self.target.get(name).await;
        match self.hear(READS, &[], answer)? {
            Answer::Good(object) => {
                let possible = self.shared.model().possible(name, begun);
                explain(self.shared.bodies, possible, object)?;
            }
            Answer::Refused(_) | Answer::Busy => {}
            Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }

    /// The condition that is asked of a key.
    pub(super) fn condition(&self, name: &Name, asks: Asks) -> Condition {
        let etag = || self.shared.model().likely(name).map(|object| object.content.etag);
        match asks {
            Asks::Nothing => Condition::None,
            Asks::Absent => Condition::IfAbsent,
            Asks::Match => Condition::IfMatch(etag().unwrap_or_else(|| NO_ETAG.to_owned())),
            Asks::Mismatch => Condition::IfMatch(NO_ETAG.to_owned()),
        }
    }

    /// A write of an object was acknowledged; its condition must have held.
    fn wrote(&self, name: &Name, begun: Tick, etag: &str, condition: &Condition) -> Result<Outcome> {
        let mut model = self.shared.model();
        let possible = model.possible_without(name, begun, Some(begun));
        ensure!(condition.may_hold(&possible), "{condition:?} held for {name}, where {possible:x?} was");
        model.acknowledge_object(name, begun, etag)?;
        Ok(Outcome::Done)
    }

    /// A write of an object was refused; its condition must have failed.
    fn condition_failed(&self, name: &Name, begun: Tick, code: &str, condition: &Condition) -> Result<()> {
        self.condition_failed_without(name, begun, begun, code, condition)
    }

    /// The request that began at `begun` was refused; its condition must have failed, also had the write that began
    /// at `write` not been sent.
    pub(super) fn condition_failed_without(
        &self,
        name: &Name,
        begun: Tick,
        write: Tick,
        code: &str,
        condition: &Condition,
    ) -> Result<()> {
        let possible = self.shared.model().possible_without(name, begun, Some(write));
        let rightly = match code {
            PRECONDITION_FAILED => {
                let there = |value: &&_| Option::<Object>::is_some(value);
                possible.iter().filter(there).any(|value| condition.may_fail(std::slice::from_ref(value)))
            }
            NO_SUCH_KEY => matches!(condition, Condition::IfMatch(_)) && possible.contains(&None),
            _ => false,
        };
        if !rightly {
            bail!("{condition:?} failed for {name} with {code}, where {possible:x?} was");
        }
        Ok(())
    }

    /// A copy was acknowledged; it must have copied what it was told to.
    pub(super) fn source_held(&self, source: &Source, etag: &str) -> Result<()> {
        if let Some(asked) = &source.if_match {
            ensure!(asked == etag, "a copy of {} with ETag {etag}, where {asked} was asked for", source.name);
        }
        Ok(())
    }

    /// Whether a copy that began at `begun` may have been refused because of its source.
    pub(super) fn source_may_fail(&self, source: &Source, begun: Tick, code: &str) -> bool {
        let possible = self.shared.model().possible_without(&source.name, begun, Some(begun));
        match (code, &source.if_match) {
            (NO_SUCH_KEY, _) => possible.contains(&None),
            (PRECONDITION_FAILED, Some(etag)) => {
                possible.iter().flatten().any(|object| object.content.etag != *etag)
            }
            _ => false,
        }
    }
}
