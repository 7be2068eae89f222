//! Steps that make, delete and bring back buckets.

use std::collections::BTreeSet;

use anyhow::{Context, Result};

use super::super::model::Condition;
use super::super::worker::{self, Outcome, Performer, READS};
use super::super::{Failure, Name, Target};
use super::plan::{Action, What};
use super::state::{Answer, Ask, Request};

/// What a store may refuse with; whether it may do so here, the model says.
const CODES: [&str; 5] =
    ["BucketAlreadyOwnedByYou", "BucketExists", "BucketNotEmpty", "NoSuchBucket", "NotDeleted"];

/// A listing of a bucket is one page.
const ONE_PAGE: u32 = 1000;

impl<T: Target> Performer<'_, T> {
    /// A step that finds nothing to do it to does nothing.
    pub(in crate::crash) async fn live(mut self, op: u64, action: Action) -> Result<Outcome> {
        let Action { name, what } = action;
        let Some(ask) = self.ask(&name, what) else { return Ok(Outcome::Done) };
        let request = Request { name, ask };
        let kind = kind_of(&request.ask);
        self.shared.lives().begin(op, request.clone());
        let answer = self.act(op, &request).await;
        let answer = match self.hear(kind, &CODES, answer)? {
            worker::Answer::Good(answer) => answer,
            worker::Answer::Refused(code) => Answer::Refused(code),
            worker::Answer::Busy => {
                if matches!(request.ask, Ask::List) {
                    self.shared.lives().forget(op);
                }
                return Ok(Outcome::Done);
            }
            worker::Answer::Cut => return Ok(Outcome::Cut),
        };
        self.shared.lives().answered(op, &answer)?;
        Ok(Outcome::Done)
    }

    fn ask(&self, name: &str, what: What) -> Option<Ask> {
        let lives = self.shared.lives();
        Some(match what {
            What::Create => Ask::Create,
            What::Put => Ask::Put,
            What::Remove { nth } => Ask::Remove(lives.pick_object(name, nth)?),
            What::Delete => Ask::Delete,
            What::Undelete { nth, to } => {
                let id = match nth {
                    Some(nth) => Some(lives.pick_dead(name, nth)?),
                    None => None,
                };
                Ask::Undelete { id, to }
            }
            What::Keep { seconds } => Ask::Keep(seconds),
            What::List => Ask::List,
        })
    }

    async fn act(
        &mut self,
        op: u64,
        Request { name, ask }: &Request,
    ) -> Result<Answer<Option<String>>, Failure> {
        let object = |op: u64| Name { bucket: name.clone(), key: key_of(op) };
        match ask {
            Ask::Create => self.target.bring_to_life(name).await.map(Answer::There),
            Ask::Put => {
                let body = self.shared.bodies.bytes(&self.shared.bodies.fresh(op, size_of(op)));
                self.tally.bytes += body.len() as u64;
                self.target.put(&object(op), op, body, &Condition::None).await?;
                Ok(Answer::Done)
            }
            Ask::Remove(of) => self.target.delete(&object(*of), None).await.map(|()| Answer::Done),
            Ask::Delete => self.target.delete_bucket(name).await.map(|()| Answer::Done),
            Ask::Undelete { id, to } => {
                let back = self.target.undelete(name, id.as_deref(), to.as_deref()).await?;
                Ok(Answer::There(Some(back)))
            }
            Ask::Keep(seconds) => self.target.keep(name, *seconds).await.map(|()| Answer::Done),
            Ask::List => objects(self.target, name).await.map(Answer::Holds),
        }
    }
}

/// The objects of a bucket, by the operations that wrote them.
pub(super) async fn objects<T: Target>(target: &T, bucket: &str) -> Result<BTreeSet<u64>, Failure> {
    let listed = target.list(bucket, ONE_PAGE).await?;
    let op = |key: &str| op_of(key).map_err(|error| Failure::Nonsense(format!("{error:#}")));
    listed.iter().map(|listed| op(&listed.key)).collect()
}

fn key_of(op: u64) -> String {
    format!("{op:x}")
}

/// The operation that wrote the object of this key.
pub(super) fn op_of(key: &str) -> Result<u64> {
    u64::from_str_radix(key, 16).with_context(|| format!("{key:?} is no key of ours"))
}

/// How large the object is that an operation writes.
pub(super) fn size_of(op: u64) -> u64 {
    16 + op % 6000
}

fn kind_of(ask: &Ask) -> &'static str {
    match ask {
        Ask::Create => "buckets created",
        Ask::Put => "puts to them",
        Ask::Remove(_) => "deletes in them",
        Ask::Delete => "buckets deleted",
        Ask::Undelete { .. } => "buckets undeleted",
        Ask::Keep(_) => "retentions of history",
        Ask::List => READS,
    }
}
