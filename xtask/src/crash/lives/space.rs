//! The buckets of a space as a target, as a whole.

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::{Config, HistoryRetention, ListEntry, ListQuery, Moment, Space};
use futures::TryStreamExt;

use super::super::space::{failure, rolled_up};
use super::super::{Failure, Name};
use super::target::{Alive, Dead, LivesTarget, Past};

/// Longer than any bucket's.
const ONE_PAGE: usize = 1000;

/// How every past state stays for so many seconds; with none, nothing but the newest state does.
fn retention(seconds: u64) -> HistoryRetention {
    match seconds {
        0 => HistoryRetention::HEAD_ONLY,
        all => HistoryRetention { all, ..HistoryRetention::default() },
    }
}

fn moment(commit: &str) -> Result<Moment, Failure> {
    commit.parse().map_err(|_| Failure::Nonsense(format!("{commit} is no moment")))
}

#[async_trait]
impl LivesTarget for Space {
    async fn bring_to_life(&self, bucket: &str) -> Result<Option<String>, Failure> {
        let info = self.create_bucket(bucket).await.map_err(failure)?;
        Ok(Some(info.id.to_string()))
    }

    async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.delete_bucket(bucket).await.map_err(failure)
    }

    async fn undelete(&self, bucket: &str, id: Option<&str>, to: Option<&str>) -> Result<String, Failure> {
        let id = id.map(str::parse).transpose();
        let id = id.map_err(|_| Failure::Nonsense("that is no bucket's id".into()))?;
        let undeleted = self.undelete_bucket(bucket, id, to).await.map_err(|error| match error {
            // Unlike a bucket that is created where there is one.
            carob_bucket::BucketError::BucketExists(_) => Failure::Refused {
                status: http::StatusCode::CONFLICT,
                code: "BucketExists".into(),
                message: error.to_string(),
            },
            error => failure(error),
        })?;
        Ok(undeleted.info.id.to_string())
    }

    async fn keep(&self, bucket: &str, seconds: u64) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let change = move |config: &mut Config| {
            config.history = retention(seconds);
            Ok(())
        };
        bucket.configure(change).await.map(drop).map_err(failure)
    }

    async fn alive(&self) -> Result<Vec<Alive>, Failure> {
        let mut alive = Vec::new();
        for info in self.buckets().await.map_err(failure)? {
            let bucket = self.bucket(&info.name).await.map_err(failure)?;
            let kept = bucket.snapshot().await.map_err(failure)?.config().history.all;
            alive.push(Alive { name: info.name, id: info.id.to_string(), kept });
        }
        Ok(alive)
    }

    async fn dead(&self) -> Result<Vec<Dead>, Failure> {
        let dead = self.deleted_buckets().await.map_err(failure)?;
        let one = |dead: carob_bucket::DeletedBucket| Dead {
            name: dead.info.name,
            id: dead.info.id.to_string(),
            kept: dead.history.all,
        };
        Ok(dead.into_iter().map(one).collect())
    }

    async fn past(&self, bucket: &str, limit: usize) -> Result<Vec<Past>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let newest = bucket.snapshot().await.map_err(failure)?;
        let mut past = Vec::new();
        for entry in newest.log(limit).await.map_err(failure)? {
            let commit = entry.commit.cid();
            let state = bucket.at(&Moment::from(commit)).await.map_err(failure)?;
            let query = ListQuery { max_keys: ONE_PAGE, ..ListQuery::default() };
            let page = state.list(&query).await.map_err(failure)?;
            let keys = page.entries.into_iter().map(|entry| match entry {
                ListEntry::Object { key, .. } => Ok(key),
                ListEntry::Prefix(prefix) => Err(rolled_up(&prefix)),
            });
            past.push(Past { commit: commit.to_string(), keys: keys.collect::<Result<_, _>>()? });
        }
        Ok(past)
    }

    async fn get_at(&self, name: &Name, commit: &str) -> Result<Bytes, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let state = bucket.at(&moment(commit)?).await.map_err(failure)?;
        let object = state.get(&name.key).await.map_err(failure)?;
        let object = object.ok_or_else(|| Failure::Nonsense(format!("{name} is listed and not there")))?;
        let size = object.record().size;
        let pieces: Vec<Bytes> = object.read(0..size).try_collect().await.map_err(failure)?;
        Ok(pieces.concat().into())
    }
}
