//! The admin API's deleted buckets, which come back as long as anything of them is kept.

use carob_bucket::{BucketId, DeletedBucket, Undeleted};
use carob_identity::{Action, Resource};
use http::{Response, StatusCode};

use super::State;
use super::answer::{Refusal, json};
use super::keep::shown_retention;
use super::query::Query;
use super::read_body;
use crate::api::rfc3339;
use crate::{Body, api};

/// What the front end of S3 calls a bucket's policy among its documents.
const POLICY: &str = "policy";

impl State {
    pub(super) async fn deleted_buckets(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::LIST_ALL_MY_BUCKETS, Resource::Space).await?;
        let deleted = self.options.space.deleted_buckets().await?;
        Ok(json(StatusCode::OK, &deleted.iter().map(|gone| self.shown_deleted(gone)).collect::<Vec<_>>()))
    }

    pub(super) async fn undelete(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        let api::Undelete { id, name } = read_body(body).await?;
        if let Some(about) = name.as_ref().or(id.as_ref()) {
            self.told.about(about);
        }
        self.allow(Action::UNDELETE, Resource::Bucket(bucket)).await?;
        let id = match &id {
            None => None,
            Some(text) => {
                let parsed = text.parse::<BucketId>();
                Some(parsed.map_err(|_| Refusal::bad_request(format!("{text:?} is no bucket's id")))?)
            }
        };
        let undeleted = self.options.space.undelete_bucket(bucket, id, name.as_deref()).await?;
        let Undeleted { info, before, others } = undeleted;
        let id = info.id.to_string();
        self.told.about(&id);
        tracing::info!(bucket, id, name = info.name, "a deleted bucket is back");
        let shut = info.name != before.info.name && self.has_policy(&info.name).await?;
        let answer = api::Undeleted {
            name: info.name,
            before: self.shown_deleted(&before),
            others: others.iter().map(|gone| self.shown_deleted(gone)).collect(),
            shut,
        };
        Ok(json(StatusCode::OK, &answer))
    }

    async fn has_policy(&self, bucket: &str) -> Result<bool, Refusal> {
        let bucket = self.options.space.bucket(bucket).await?;
        Ok(bucket.snapshot().await?.config().documents.contains_key(POLICY))
    }

    fn shown_deleted(&self, gone: &DeletedBucket) -> api::DeletedBucket {
        let DeletedBucket { info, deleted, history, kept } = gone;
        api::DeletedBucket {
            name: info.name.clone(),
            id: info.id.to_string(),
            owner: self.owner_name(&info.owner),
            created: rfc3339(info.created.millis()),
            deleted: deleted.map(|deleted| rfc3339(deleted.millis())),
            retention: shown_retention(*history),
            states: *kept,
        }
    }
}
