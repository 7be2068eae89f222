//! Steps that read and write versions.

use anyhow::{Result, ensure};
use carob_bucket::Versioning;

use super::super::worker::{self, Outcome, Performer, READS};
use super::super::{Failure, Name, Target};
use super::moments::{Known, millis};
use super::plan::{Action, Kind, Pick, Until, What};
use super::state::{Answer, Body, Lock, Mode, Request, Retention, Row};
use super::target::ListedVersion;

/// What S3 may refuse with; whether it may do so here, the model says.
const CODES: [&str; 6] =
    ["AccessDenied", "InvalidArgument", "MethodNotAllowed", "NoSuchKey", "NoSuchVersion", "NotFound"];

/// A listing of one key is one page.
const ONE_PAGE: u32 = 1000;

impl<T: Target> Performer<'_, T> {
    /// A step that finds no version does nothing.
    pub(in crate::crash) async fn version(mut self, op: u64, action: Action) -> Result<Outcome> {
        let Action { name, what } = action;
        if let What::Switch { versioning } = what {
            return self.switch(&name.bucket, versioning).await;
        }
        let Some((request, of)) = self.request(&name, op, what) else { return Ok(Outcome::Done) };
        let kind = kind_of(&request);
        self.shared.versions().begin(&name, op, request.clone());
        let answer = self.send(&name, op, &request, of.as_deref()).await;
        let answer = match self.hear(kind, &CODES, answer)? {
            worker::Answer::Good(answer) => answer,
            worker::Answer::Refused(code) => Answer::Refused(code),
            worker::Answer::Busy => {
                if request.is_read() {
                    self.shared.versions().forget(&name, op);
                }
                return Ok(Outcome::Done);
            }
            worker::Answer::Cut => return Ok(Outcome::Cut),
        };
        self.shared.versions().answered(&name, op, answer)?;
        Ok(Outcome::Done)
    }

    /// What is sent, and the version that it is for.
    fn request(&self, name: &Name, op: u64, what: What) -> Option<(Request, Option<String>)> {
        let pick = |of: Pick| match of {
            Pick::Current => Some(None),
            Pick::Nth(nth) => self.shared.versions().pick(name, nth).map(Some),
        };
        let id = |known: &Option<Known>| known.as_ref().map(|known| known.id);
        let (request, of) = match what {
            What::Put { size, tags, retention, hold } => {
                let content = self.shared.bodies.fresh(op, size);
                let lock = Lock { retention: retention.map(until), hold };
                (Request::Put { body: Body { op, etag: content.etag, size }, tags, lock }, None)
            }
            What::Delete => (Request::Delete, None),
            What::DeleteVersion { nth, bypass } => {
                let of = pick(Pick::Nth(nth))?;
                (Request::DeleteVersion { of: id(&of)?, bypass }, of)
            }
            What::Read { of, head } => {
                let of = pick(of)?;
                (Request::Read { of: id(&of), head }, of)
            }
            What::List => (Request::List, None),
            What::Tags { of } => {
                let of = pick(of)?;
                (Request::Tags { of: id(&of) }, of)
            }
            What::PutTags { of, tags } => {
                let of = pick(of)?;
                (Request::PutTags { of: id(&of), tags }, of)
            }
            What::Retain { of, retention, bypass } => {
                let of = pick(of)?;
                (Request::Retain { of: id(&of), retention: retention.map(until), bypass }, of)
            }
            What::Hold { of, on } => {
                let of = pick(of)?;
                (Request::Hold { of: id(&of), on }, of)
            }
            What::Switch { .. } => return None,
        };
        Some((request, of.map(|known| known.name)))
    }

    async fn send(
        &mut self,
        name: &Name,
        op: u64,
        request: &Request,
        of: Option<&str>,
    ) -> Result<Answer<String>, Failure> {
        let done = |()| Answer::Done;
        match request {
            Request::Put { body, tags, lock } => {
                let bytes = self.shared.bodies.bytes(&self.shared.bodies.fresh(op, body.size));
                let id = self.target.put_version(name, op, bytes, tags, *lock).await?;
                self.tally.bytes += body.size;
                Ok(Answer::Wrote(id))
            }
            Request::Delete => {
                let deleted = self.target.delete_version(name, None, false).await?;
                Ok(Answer::Deleted { id: deleted.version, marker: deleted.marker })
            }
            Request::DeleteVersion { bypass, .. } => {
                let deleted = self.target.delete_version(name, of, *bypass).await?;
                Ok(Answer::Deleted { id: deleted.version, marker: deleted.marker })
            }
            Request::Read { head, .. } => {
                let found = self.target.read_version(name, of, *head).await?;
                Ok(Answer::Held { id: found.version, op: found.op, etag: found.etag, lock: found.lock })
            }
            Request::List => {
                let pages = self.target.list_versions(&name.bucket, &name.key, ONE_PAGE).await?;
                Ok(Answer::Listed(rows(name, pages)))
            }
            Request::Tags { .. } => self.target.tags(name, of).await.map(Answer::Tags),
            Request::PutTags { tags, .. } => self.target.put_tags(name, of, tags).await.map(done),
            Request::Retain { retention, bypass, .. } => {
                self.target.retain(name, of, *retention, *bypass).await.map(done)
            }
            Request::Hold { on, .. } => self.target.hold(name, of, *on).await.map(done),
        }
    }

    /// Object lock needs versioning, so that a bucket which has it refuses to suspend that.
    async fn switch(mut self, bucket: &str, versioning: Versioning) -> Result<Outcome> {
        let begun = self.shared.versions().begin_switch(bucket, versioning);
        let answer = self.target.set_versioning(bucket, versioning).await;
        let refuses = bucket == Kind::Locked.bucket() && versioning != Versioning::Enabled;
        let codes: &[&str] = if refuses { &["InvalidBucketState"] } else { &[] };
        match self.hear("versioning switched", codes, answer)? {
            worker::Answer::Good(()) => {
                ensure!(!refuses, "versioning of a bucket with object lock was suspended");
                self.shared.versions().switched(bucket, begun, true);
            }
            worker::Answer::Refused(_) => self.shared.versions().switched(bucket, begun, false),
            worker::Answer::Busy => {}
            worker::Answer::Cut => return Ok(Outcome::Cut),
        }
        Ok(Outcome::Done)
    }
}

fn kind_of(request: &Request) -> &'static str {
    match request {
        Request::Put { .. } => "versions put",
        Request::Delete => "delete markers",
        Request::DeleteVersion { .. } => "versions deleted",
        Request::Read { .. } | Request::List | Request::Tags { .. } => READS,
        Request::PutTags { .. } => "tags",
        Request::Retain { .. } => "retentions",
        Request::Hold { .. } => "legal holds",
    }
}

/// The versions of one key among those whose keys begin with it, as an answer of S3 has them.
fn rows(name: &Name, pages: Vec<Vec<ListedVersion>>) -> Vec<Row<String>> {
    let own = pages.into_iter().flatten().filter(|listed| listed.key == name.key);
    let row = |ListedVersion { version, latest, object, .. }| Row { id: version, object, latest };
    let mut rows: Vec<_> = own.map(row).collect();
    rows.sort_by_key(|row| row.object.is_none());
    rows
}

/// In whole seconds, which every form of a date can express.
fn until((mode, until): (Mode, Until)) -> Retention {
    let until = match until {
        Until::Soon => (millis() + 1500).next_multiple_of(1000),
        // The first days of 2090 and 2099.
        Until::Far => 3_786_912_000_000,
        Until::Further => 4_070_908_800_000,
    };
    Retention { mode, until }
}
