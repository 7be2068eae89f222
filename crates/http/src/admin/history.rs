//! The admin API's work with past states: differences, restores, branches, merges.

use bytes::Bytes;
use carob_bucket::{Bucket, Grafted, KeyChange, MergeRule, Moment, Portion, Record, Snapshot};
use carob_identity::{Action, Did, Directory, Resource};
use futures::{StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::StreamBody;

use super::State;
use super::answer::{Refusal, json};
use super::query::Query;
use super::read_body;
use crate::api::rfc3339;
use crate::body::{BoxError, boxed};
use crate::{Body, api};

const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");

impl State {
    /// The state of a bucket now, or at a moment, which takes a right of its own.
    pub(super) async fn state_at(&self, bucket: &str, at: Option<&str>) -> Result<Snapshot, Refusal> {
        let Some(at) = at else { return self.snapshot(bucket).await };
        let moment: Moment = at.parse()?;
        self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
        Ok(self.bucket(bucket).await?.at(&moment).await?)
    }

    /// A JSON line for each key that differs, as they are found. An error ends the body unfinished.
    pub(super) async fn diff(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let names = ["from", "to", "to-bucket", "prefix", "key"];
        let [from, to, other, prefix, key] = Query::parse(query, names)?.into_values();
        let portion = portion(prefix, key)?;
        let other = other.as_deref().unwrap_or(bucket);
        for bucket in [bucket, other] {
            self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
        }
        let new = self.state_at(other, to.as_deref()).await?;
        let old = match (from, to, other == bucket) {
            // What the newest commit changed.
            (None, None, true) => self.parent(bucket, &new).await?,
            (from, ..) => self.state_at(bucket, from.as_deref()).await?,
        };
        let lines = stream::try_unfold(old.changes(&new, portion), |mut changes| async move {
            let Some(change) = changes.next().await? else { return Ok(None) };
            let mut line = serde_json::to_vec(&shown(change))?;
            line.push(b'\n');
            Ok::<_, BoxError>(Some((http_body::Frame::data(Bytes::from(line)), changes)))
        });
        let mut response = Response::new(boxed(StreamBody::new(lines.boxed())));
        response.headers_mut().insert(CONTENT_TYPE, LINES);
        Ok(response)
    }

    async fn parent(&self, bucket: &str, state: &Snapshot) -> Result<Snapshot, Refusal> {
        let parent = state.commit().parents.first().copied();
        let parent = parent.ok_or_else(|| Refusal::bad_request("nothing was written to the bucket yet"))?;
        Ok(self.bucket(bucket).await?.at(&Moment::from(parent)).await?)
    }

    pub(super) async fn restore(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        let api::Restore { at, prefix, key } = read_body(body).await?;
        self.told.about(&at);
        let portion = portion(prefix, key)?;
        let moment: Moment = at.parse()?;
        self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
        self.allow_rewriting(bucket, &portion).await?;
        if self.caller.differs_by_key(bucket).await? {
            let then = self.state_at(bucket, Some(&at)).await?;
            self.allow_each(bucket, &then, portion.clone()).await?;
        }
        let grafted = self.bucket(bucket).await?.restore(&moment, portion).await?;
        tracing::info!(bucket, %moment, commit = %grafted.commit, "restored");
        Ok(json(StatusCode::OK, &shown_graft(grafted)))
    }

    pub(super) async fn branch(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        let api::Branch { name, at, owner } = read_body(body).await?;
        self.told.about(&name);
        // It shows everything that there was to whoever owns it.
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        self.allow(Action::CREATE_BUCKET, Resource::Bucket(&name)).await?;
        let denied = || Refusal::new(StatusCode::FORBIDDEN, "access denied");
        let owner = match (self.caller.is_operator(), owner) {
            (true, Some(owner)) => self.options.system.table().account(&owner)?.id,
            (true, None) => *self.options.space.did(),
            (false, None) => self.caller.account().ok_or_else(denied)?,
            // Nobody makes buckets for others.
            (false, Some(_)) => return Err(denied()),
        };
        let source: Bucket = self.bucket(bucket).await?;
        let state = self.state_at(bucket, at.as_deref()).await?;
        let info = self.options.space.branch(&source, &state, &name, owner).await?;
        tracing::info!(bucket, branch = name, commit = %state.cid(), "branched");
        let usage = state.unpurged_usage().await?;
        let branched = api::Branched {
            owner: self.owner_name(&info.owner),
            name: info.name,
            id: info.id.to_string(),
            from: state.cid().to_string(),
            objects: usage.objects,
            bytes: usage.bytes,
            past: 0,
        };
        Ok(json(StatusCode::OK, &branched))
    }

    pub(super) async fn merge(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        let api::Merge { from, rule } = read_body(body).await?;
        self.told.about(&from);
        let rule = match rule {
            api::MergeRule::Ours => MergeRule::Ours,
            api::MergeRule::Theirs => MergeRule::Theirs,
            api::MergeRule::Fail => MergeRule::Fail,
        };
        self.allow(Action::EXPORT, Resource::Bucket(&from)).await?;
        self.allow_rewriting(bucket, &Portion::Whole).await?;
        if self.caller.differs_by_key(bucket).await? {
            let reason = "the bucket has a policy, and what a merge changes is not known before";
            return Err(Refusal::new(StatusCode::FORBIDDEN, reason));
        }
        let source = self.bucket(&from).await?;
        let grafted = self.bucket(bucket).await?.merge(&source, rule).await?;
        tracing::info!(bucket, from, commit = %grafted.commit, "merged");
        Ok(json(StatusCode::OK, &shown_graft(grafted)))
    }

    /// The right to put back, or to delete, each key that is not now what it was then.
    async fn allow_each(&self, bucket: &str, then: &Snapshot, portion: Portion) -> Result<(), Refusal> {
        let now = self.snapshot(bucket).await?;
        let mut changes = now.changes(then, portion);
        while let Some(KeyChange { key, new, .. }) = changes.next().await? {
            let action = if new.is_some() { Action::PUT_OBJECT } else { Action::DELETE_OBJECT };
            self.allow(action, Resource::Object { bucket, key: &key }).await?;
        }
        Ok(())
    }

    /// What people call an account.
    pub(super) fn owner_name(&self, id: &Did) -> String {
        let name = self.options.system.table().name_of(id);
        name.map_or_else(|| id.to_string(), |name| name.to_string())
    }

    /// The rights to put and to delete whatever may change: a key, or every key that starts so.
    async fn allow_rewriting(&self, bucket: &str, portion: &Portion) -> Result<(), Refusal> {
        let key = match portion {
            Portion::Whole => "*".to_owned(),
            Portion::Prefix(prefix) => format!("{prefix}*"),
            Portion::Key(key) => key.clone(),
        };
        for action in [Action::PUT_OBJECT, Action::DELETE_OBJECT] {
            self.allow(action, Resource::Object { bucket, key: &key }).await?;
        }
        Ok(())
    }
}

fn portion(prefix: Option<String>, key: Option<String>) -> Result<Portion, Refusal> {
    match (prefix, key) {
        (None, None) => Ok(Portion::Whole),
        (Some(prefix), None) => Ok(Portion::Prefix(prefix)),
        (None, Some(key)) => Ok(Portion::Key(key)),
        (Some(_), Some(_)) => Err(Refusal::bad_request("either a prefix or a key")),
    }
}

fn shown(KeyChange { key, old, new }: KeyChange) -> api::Change {
    let side = |record: &Record| api::ChangedObject {
        size: record.size,
        modified: rfc3339(record.modified.millis()),
        etag: record.etag.to_string(),
        cid: record.content.to_string(),
    };
    api::Change { key, old: old.as_deref().map(side), new: new.as_deref().map(side) }
}

fn shown_graft(grafted: Grafted) -> api::Grafted {
    api::Grafted {
        commit: grafted.commit.to_string(),
        from: grafted.from.to_string(),
        objects_before: grafted.objects_before,
        objects: grafted.objects,
        conflicts: grafted.conflicts,
    }
}
