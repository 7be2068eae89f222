//! The admin API's retention, named snapshots and collections.

use carob_bucket::{Config, HistoryRetention, NamedSnapshot, Purge, Thoroughness};
use carob_identity::{Action, Resource, Timestamp};
use http::{Response, StatusCode};

use super::State;
use super::answer::{Refusal, json};
use super::query::{Query, flag};
use super::read_body;
use crate::api::rfc3339;
use crate::time::parse_rfc3339;
use crate::{Body, api};

impl State {
    pub(super) async fn retention(
        &self,
        bucket: &str,
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::READ_STATUS, Resource::Bucket(bucket)).await?;
        let history = self.snapshot(bucket).await?.config().history;
        Ok(json(StatusCode::OK, &shown_retention(history)))
    }

    pub(super) async fn set_retention(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_RETENTION, Resource::Bucket(bucket)).await?;
        let api::Retention { all_seconds, hourly_seconds } = read_body(body).await?;
        let history = HistoryRetention { all: all_seconds, hourly: hourly_seconds };
        let change = move |config: &mut Config| {
            config.history = history;
            Ok(())
        };
        self.bucket(bucket).await?.configure(change).await?;
        tracing::info!(bucket, all_seconds, hourly_seconds, "retention set");
        Ok(json(StatusCode::OK, &shown_retention(history)))
    }

    pub(super) async fn snapshots(
        &self,
        bucket: &str,
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
        let snapshots = self.bucket(bucket).await?.snapshots().await?;
        Ok(json(StatusCode::OK, &snapshots.into_iter().map(shown).collect::<Vec<_>>()))
    }

    pub(super) async fn create_snapshot(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::MANAGE_SNAPSHOTS, Resource::Bucket(bucket)).await?;
        let api::CreateSnapshot { name, locked_until } = read_body(body).await?;
        self.told.about(&name);
        let locked_until = match locked_until {
            None => None,
            Some(text) => {
                let until = parse_rfc3339(&text);
                let until = until.filter(|until| *until > self.options.clock.now().millis());
                Some(Timestamp(until.ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "{text:?} is not a time to come, as in 2030-01-31T00:00:00Z"
                    ))
                })?))
            }
        };
        let made = self.bucket(bucket).await?.create_snapshot(&name, locked_until).await?;
        tracing::info!(bucket, snapshot = %made.name, commit = %made.commit, "snapshot made");
        Ok(json(StatusCode::OK, &shown(made)))
    }

    pub(super) async fn remove_snapshot(
        &self,
        bucket: &str,
        query: Option<&str>,
    ) -> Result<Response<Body>, Refusal> {
        let [name] = Query::parse(query, ["name"])?.into_values();
        let name = name.ok_or_else(|| Refusal::bad_request("name is missing"))?;
        self.told.about(&name);
        self.allow(Action::MANAGE_SNAPSHOTS, Resource::Bucket(bucket)).await?;
        let removed = self.bucket(bucket).await?.remove_snapshot(&name).await?;
        tracing::info!(bucket, snapshot = %removed.name, commit = %removed.commit, "snapshot removed");
        Ok(json(StatusCode::OK, &shown(removed)))
    }

    pub(super) async fn collect(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [dry_run, full] = Query::parse(query, ["dry-run", "full"])?.into_values();
        let (dry_run, full) = (flag("dry-run", dry_run)?, flag("full", full)?);
        self.told.dry_run(dry_run);
        self.allow(Action::COLLECT, Resource::Space).await?;
        let how = if full { Thoroughness::Full } else { Thoroughness::Usual };
        let collected = self.options.collector.collect(dry_run, how).await?;
        let buckets = collected.buckets.into_iter().map(|bucket| api::CollectedBucket {
            name: bucket.name,
            id: bucket.id.to_string(),
            deleted: bucket.deleted,
            kept: bucket.kept,
            dropped: bucket.dropped,
            uploads: bucket.uploads,
        });
        let swept = collected.swept;
        let answer = api::Collected {
            dry_run,
            live_bytes: swept.live_bytes,
            dead_bytes: swept.dead_bytes,
            copied_bytes: swept.copied_bytes,
            freed_bytes: swept.freed_bytes,
            segments: swept.segments,
            buckets: buckets.collect(),
        };
        Ok(json(StatusCode::OK, &answer))
    }
}

/// Erasing a key.
impl State {
    pub(super) async fn purge(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        let api::Purge { key, dry_run } = read_body(body).await?;
        self.told.about(&key);
        self.told.dry_run(dry_run);
        self.allow(Action::PURGE, Resource::Object { bucket, key: &key }).await?;
        let purge = self.options.collector.purge(bucket, &key, dry_run).await?;
        let Purge { versions, uploads, states, erased, shared, collected } = purge;
        tracing::info!(bucket, key, dry_run, versions, states, erased, shared, "purged");
        let freed_bytes = collected.swept.freed_bytes;
        let answer = api::Purged { dry_run, versions, uploads, states, erased, shared, freed_bytes };
        Ok(json(StatusCode::OK, &answer))
    }
}

pub(super) fn shown_retention(HistoryRetention { all, hourly }: HistoryRetention) -> api::Retention {
    api::Retention { all_seconds: all, hourly_seconds: hourly }
}

fn shown(snapshot: NamedSnapshot) -> api::NamedSnapshot {
    let NamedSnapshot { name, commit, created, locked_until } = snapshot;
    api::NamedSnapshot {
        name,
        commit: commit.to_string(),
        created: rfc3339(created.millis()),
        locked_until: locked_until.map(|until| rfc3339(until.millis())),
    }
}
