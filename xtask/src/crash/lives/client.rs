//! A gateway's clients as a target: S3 for buckets and objects, the operator's socket for what S3 does not have.

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::HistoryRetention;
use carob_http::api;
use carob_http::client::ClientError;
use http::StatusCode;

use super::super::client::Client;
use super::super::{Failure, Name};
use super::target::{Alive, Dead, LivesTarget, Past};

/// What the admin API refuses has a status and words, but no code.
fn failure(error: ClientError, missing: &str) -> Failure {
    let ClientError::Refused { status, message } = error else { return Failure::Interrupted(error.into()) };
    let code = match status {
        404 => missing,
        409 => "BucketExists",
        503 => "SlowDown",
        _ => return Failure::Nonsense(format!("{status}: {message}")),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Failure::Refused { status, code: code.into(), message }
}

fn no_bucket(error: ClientError) -> Failure {
    failure(error, "NoSuchBucket")
}

#[async_trait]
impl LivesTarget for Client {
    async fn bring_to_life(&self, bucket: &str) -> Result<Option<String>, Failure> {
        self.s3.create_bucket(bucket).await.map(|()| None)
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.s3.delete_bucket(bucket).await
    }

    async fn undelete(&self, bucket: &str, id: Option<&str>, to: Option<&str>) -> Result<String, Failure> {
        let asked = api::Undelete { id: id.map(str::to_owned), name: to.map(str::to_owned) };
        let undeleted = self.admin.undelete(bucket, &asked).await;
        undeleted.map(|undeleted| undeleted.before.id).map_err(|error| failure(error, "NotDeleted"))
    }

    async fn keep(&self, bucket: &str, seconds: u64) -> Result<(), Failure> {
        let hourly_seconds = if seconds == 0 { 0 } else { HistoryRetention::default().hourly };
        let retention = api::Retention { all_seconds: seconds, hourly_seconds };
        self.admin.set_retention(bucket, &retention).await.map(drop).map_err(no_bucket)
    }

    async fn alive(&self) -> Result<Vec<Alive>, Failure> {
        let one = |bucket: api::Bucket| {
            let unread = || Failure::Nonsense(format!("the retention of {} cannot be read", bucket.name));
            let kept = bucket.retention.ok_or_else(unread)?.all_seconds;
            Ok(Alive { name: bucket.name, id: bucket.id, kept })
        };
        self.admin.buckets().await.map_err(no_bucket)?.into_iter().map(one).collect()
    }

    async fn dead(&self) -> Result<Vec<Dead>, Failure> {
        let dead = self.admin.deleted_buckets().await.map_err(no_bucket)?;
        let one = |dead: api::DeletedBucket| Dead {
            name: dead.name,
            id: dead.id,
            kept: dead.retention.all_seconds,
        };
        Ok(dead.into_iter().map(one).collect())
    }

    async fn past(&self, bucket: &str, limit: usize) -> Result<Vec<Past>, Failure> {
        let mut past = Vec::new();
        for entry in self.admin.log(bucket, Some(limit)).await.map_err(no_bucket)? {
            let keys = self.s3.keys_at(bucket, &entry.cid).await?.into_iter().collect();
            past.push(Past { commit: entry.cid, keys });
        }
        Ok(past)
    }

    async fn get_at(&self, name: &Name, commit: &str) -> Result<Bytes, Failure> {
        self.s3.get_at(&name.bucket, &name.key, commit).await
    }
}
