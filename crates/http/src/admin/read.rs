//! The admin API's reads: status, listings, usage, objects, history.

use std::collections::BTreeMap;

use carob_bucket::{
    Blake3Root, Encryption, ListEntry, ListQuery, ListStart, LogEntry, Object, ObjectHeaders, PartList,
    Scheme, Snapshot,
};
use carob_identity::{Action, Resource};
use data_encoding::{BASE64, HEXLOWER};
use http::{Response, StatusCode};

use super::State;
use super::answer::{Refusal, json};
use super::keep::shown_retention;
use super::query::{Query, number};
use crate::api::rfc3339;
use crate::{Body, api};

/// As many keys as S3 lists at once.
const MAX_PAGE: usize = 1000;
const MAX_LOG: usize = 1000;
const DEFAULT_LOG: usize = 20;

impl State {
    pub(super) async fn status(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::READ_STATUS, Resource::Space).await?;
        let options = &self.options;
        let uptime = options.clock.now().millis().saturating_sub(self.started.millis());
        let status = api::Status {
            version: options.version.to_owned(),
            space: options.space.did().to_string(),
            uptime_seconds: uptime / 1000,
            buckets: options.space.buckets().await?.len() as u64,
            store: (options.store)(),
        };
        Ok(json(StatusCode::OK, &status))
    }

    pub(super) async fn buckets(&self, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::LIST_ALL_MY_BUCKETS, Resource::Space).await?;
        let mut buckets = Vec::new();
        for info in self.options.space.buckets().await? {
            // Deleted since, or damaged: then it is listed all the same.
            let retention = self.snapshot(&info.name).await.ok();
            buckets.push(api::Bucket {
                owner: self.owner_name(&info.owner),
                retention: retention.map(|snapshot| shown_retention(snapshot.config().history)),
                name: info.name,
                id: info.id.to_string(),
                created: rfc3339(info.created.millis()),
            });
        }
        Ok(json(StatusCode::OK, &buckets))
    }

    pub(super) async fn objects(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let query = Query::parse(query, ["prefix", "delimiter", "start-after", "token", "max", "at"])?;
        let [prefix, delimiter, after, token, max, at] = query.into_values();
        self.allow(Action::LIST_BUCKET, Resource::Bucket(bucket)).await?;
        let start = match (token, after) {
            (Some(token), _) => ListStart::Token(token),
            (None, Some(key)) => ListStart::After(key),
            (None, None) => ListStart::Beginning,
        };
        let max_keys = number("max", max, MAX_PAGE, MAX_PAGE)?;
        let query = ListQuery { prefix: prefix.unwrap_or_default(), delimiter, start, max_keys };
        let snapshot = self.state_at(bucket, at.as_deref()).await?;
        let page = snapshot.list(&query).await?;
        let entries = page.entries.into_iter().map(|entry| match entry {
            ListEntry::Prefix(prefix) => api::Entry::Prefix { prefix },
            ListEntry::Object { key, summary } => api::Entry::Object {
                key,
                size: summary.size,
                modified: rfc3339(summary.modified.millis()),
                etag: summary.etag.to_string(),
                cid: summary.content.to_string(),
            },
        });
        let entries = entries.collect();
        let listing = api::Listing { commit: snapshot.cid().to_string(), entries, next: page.next_token };
        Ok(json(StatusCode::OK, &listing))
    }

    pub(super) async fn usage(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [prefix, at] = Query::parse(query, ["prefix", "at"])?.into_values();
        self.allow(Action::LIST_BUCKET, Resource::Bucket(bucket)).await?;
        let snapshot = self.state_at(bucket, at.as_deref()).await?;
        let usage = snapshot.usage(&prefix.unwrap_or_default()).await?;
        let commit = snapshot.cid().to_string();
        Ok(json(StatusCode::OK, &api::Usage { objects: usage.objects, bytes: usage.bytes, commit }))
    }

    pub(super) async fn stat(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [key, at] = Query::parse(query, ["key", "at"])?.into_values();
        let key = key.ok_or_else(|| Refusal::bad_request("key is missing"))?;
        self.allow(Action::GET_OBJECT, Resource::Object { bucket, key: &key }).await?;
        let object = self.state_at(bucket, at.as_deref()).await?.get(&key).await?;
        let object = object
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no object {key:?}")))?;
        Ok(json(StatusCode::OK, &stat(bucket, key, &object, object.parts().await?)))
    }

    pub(super) async fn log(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [limit] = Query::parse(query, ["limit"])?.into_values();
        let limit = number("limit", limit, DEFAULT_LOG, MAX_LOG)?;
        self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
        let log = self.snapshot(bucket).await?.log(limit).await?;
        Ok(json(StatusCode::OK, &log.iter().map(log_entry).collect::<Vec<_>>()))
    }

    pub(super) async fn snapshot(&self, bucket: &str) -> Result<Snapshot, Refusal> {
        Ok(self.bucket(bucket).await?.snapshot().await?)
    }
}

fn stat(bucket: &str, key: String, object: &Object, parts: Option<PartList>) -> api::Object {
    let record = object.record();
    let blake3 = |size: u64, blake3: &Blake3Root| api::Blake3 {
        root: HEXLOWER.encode(&blake3.root),
        size,
        outboard: blake3.outboard.map(|cid| cid.to_string()),
    };
    let blake3 = match parts {
        Some(PartList(parts)) => {
            parts.iter().map(|part| blake3(part.stored().unwrap_or(part.size), &part.blake3)).collect()
        }
        None => record.blake3.iter().map(|root| blake3(record.stored(), root)).collect(),
    };
    let checksum = record.checksum.as_ref().map(|checksum| api::Checksum {
        algorithm: checksum.algorithm.as_str().to_owned(),
        value: BASE64.encode(&checksum.value),
    });
    api::Object {
        bucket: bucket.to_owned(),
        key,
        cid: record.content.to_string(),
        size: record.size,
        etag: record.etag.to_string(),
        blake3,
        checksum,
        modified: rfc3339(record.modified.millis()),
        headers: headers(&record.headers),
        metadata: record.metadata.clone(),
        encryption: record.sealed.as_ref().map(|sealed| encryption(&sealed.encryption)),
        commit: object.commit().to_string(),
    }
}

/// In S3's words, with the key's name.
fn encryption(encryption: &Encryption) -> String {
    let method = match encryption.scheme {
        Scheme::Customer => "customer's key",
        Scheme::Space => "AES256",
        Scheme::Named => "aws:kms",
        Scheme::NamedDual => "aws:kms:dsse",
    };
    match &encryption.key {
        Some(key) => format!("{method} {}", key.name),
        None => method.to_owned(),
    }
}

fn headers(headers: &ObjectHeaders) -> BTreeMap<String, String> {
    headers.named().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn log_entry(entry: &LogEntry) -> api::LogEntry {
    let commit = &entry.commit;
    api::LogEntry {
        cid: commit.cid().to_string(),
        seq: commit.seq,
        time: rfc3339(commit.time.millis),
        author: commit.author.to_string(),
        tree: commit.objects.to_string(),
        objects: entry.objects,
        bytes: entry.bytes,
    }
}
