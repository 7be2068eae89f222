//! An S3 client as a target of versions.

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::Versioning;
use http::{HeaderMap, HeaderValue};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::client::Client;
use super::super::{Failure, Name};
use super::moments::NULL;
use super::state::{Lock, Mode, Retention, Tags};
use super::target::{Deleted, Found, ListedVersion, VersionedTarget};
use crate::s3::{Versioned, canonical_query};

fn of<'a>(name: &'a Name, version: Option<&'a str>) -> Versioned<'a> {
    Versioned { bucket: &name.bucket, key: &name.key, id: version }
}

fn nonsense(error: impl std::fmt::Display) -> Failure {
    Failure::Nonsense(error.to_string())
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Failure> {
    headers.insert(name, HeaderValue::from_str(value).map_err(nonsense)?);
    Ok(())
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Mode and date as S3 writes them.
fn written(retention: Retention) -> Result<(&'static str, String), Failure> {
    let mode = match retention.mode {
        Mode::Governance => "GOVERNANCE",
        Mode::Compliance => "COMPLIANCE",
    };
    let until = i64::try_from(retention.until / 1000).map_err(nonsense)?;
    let until = OffsetDateTime::from_unix_timestamp(until).map_err(nonsense)?;
    Ok((mode, until.format(&Rfc3339).map_err(nonsense)?))
}

/// The lock that the headers of an answer tell.
fn lock(headers: &HeaderMap) -> Result<Lock, Failure> {
    let mode = match text(headers, "x-amz-object-lock-mode") {
        None => None,
        Some("GOVERNANCE") => Some(Mode::Governance),
        Some("COMPLIANCE") => Some(Mode::Compliance),
        Some(other) => return Err(Failure::Nonsense(format!("{other} is no mode"))),
    };
    let until = text(headers, "x-amz-object-lock-retain-until-date");
    let retention = match (mode, until) {
        (None, None) => None,
        (Some(mode), Some(until)) => {
            let until = OffsetDateTime::parse(until, &Rfc3339).map_err(nonsense)?;
            let until = u64::try_from(until.unix_timestamp_nanos() / 1_000_000).map_err(nonsense)?;
            Some(Retention { mode, until })
        }
        other => return Err(Failure::Nonsense(format!("half a retention: {other:?}"))),
    };
    let hold = match text(headers, "x-amz-object-lock-legal-hold") {
        None | Some("OFF") => false,
        Some("ON") => true,
        Some(other) => return Err(Failure::Nonsense(format!("a legal hold that is {other}"))),
    };
    Ok(Lock { retention, hold })
}

#[async_trait]
impl VersionedTarget for Client {
    async fn create_locked(&self, bucket: &str) -> Result<(), Failure> {
        self.s3.create_locked_bucket(bucket).await
    }

    async fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<(), Failure> {
        let status = if versioning == Versioning::Enabled { "Enabled" } else { "Suspended" };
        self.s3.put_versioning(bucket, status).await
    }

    async fn versioning(&self, bucket: &str) -> Result<Versioning, Failure> {
        match self.s3.versioning_status(bucket).await?.as_deref() {
            None => Ok(Versioning::Unversioned),
            Some("Enabled") => Ok(Versioning::Enabled),
            Some("Suspended") => Ok(Versioning::Suspended),
            Some(other) => Err(Failure::Nonsense(format!("versioning is {other}"))),
        }
    }

    async fn put_version(
        &self,
        name: &Name,
        op: u64,
        body: Bytes,
        tags: &Tags,
        lock: Lock,
    ) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-meta-op", op.into());
        if !tags.is_empty() {
            let tags: Vec<_> = tags.iter().map(|(key, value)| (&**key, &**value)).collect();
            insert(&mut headers, "x-amz-tagging", &canonical_query(&tags))?;
        }
        if let Some(retention) = lock.retention {
            let (mode, until) = written(retention)?;
            insert(&mut headers, "x-amz-object-lock-mode", mode)?;
            insert(&mut headers, "x-amz-object-lock-retain-until-date", &until)?;
        }
        if lock.hold {
            insert(&mut headers, "x-amz-object-lock-legal-hold", "ON")?;
        }
        let answer = self.s3.put_object(&name.bucket, &name.key, headers, body).await?;
        Ok(text(&answer, "x-amz-version-id").unwrap_or(NULL).to_owned())
    }

    async fn delete_version(
        &self,
        name: &Name,
        version: Option<&str>,
        bypass: bool,
    ) -> Result<Deleted, Failure> {
        let answer = self.s3.delete_version(of(name, version), bypass).await?;
        let version = text(&answer, "x-amz-version-id").map(str::to_owned);
        Ok(Deleted { version, marker: text(&answer, "x-amz-delete-marker") == Some("true") })
    }

    async fn read_version(&self, name: &Name, version: Option<&str>, head: bool) -> Result<Found, Failure> {
        let object = self.s3.read_version(of(name, version), head).await?;
        let op = text(&object.headers, "x-amz-meta-op").and_then(|op| op.parse().ok());
        Ok(Found {
            version: text(&object.headers, "x-amz-version-id").unwrap_or(NULL).to_owned(),
            op: op.ok_or_else(|| Failure::Nonsense(format!("{name} without x-amz-meta-op")))?,
            etag: text(&object.headers, "etag").unwrap_or_default().trim_matches('"').to_owned(),
            lock: lock(&object.headers)?,
            body: object.body,
        })
    }

    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        page: u32,
    ) -> Result<Vec<Vec<ListedVersion>>, Failure> {
        let mut pages = Vec::new();
        let mut next: Option<(String, Option<String>)> = None;
        loop {
            let after = next.as_ref().map(|(key, id)| (&**key, id.as_deref()));
            let answer = self.s3.versions_page(bucket, prefix, page, after).await?;
            if answer.versions.is_empty() && answer.next.is_some() {
                return Err(Failure::Nonsense("an empty page of versions, and more".into()));
            }
            let listed = answer.versions.into_iter().map(|v| ListedVersion {
                key: v.key,
                version: v.version,
                latest: v.latest,
                object: v.object,
            });
            pages.push(listed.collect());
            next = answer.next;
            if next.is_none() {
                return Ok(pages);
            }
        }
    }

    async fn tags(&self, name: &Name, version: Option<&str>) -> Result<Tags, Failure> {
        Ok(self.s3.tagging(of(name, version)).await?.into_iter().collect())
    }

    async fn put_tags(&self, name: &Name, version: Option<&str>, tags: &Tags) -> Result<(), Failure> {
        if tags.is_empty() {
            return self.s3.delete_tagging(of(name, version)).await;
        }
        self.s3.put_tagging(of(name, version), tags.clone()).await
    }

    async fn retain(
        &self,
        name: &Name,
        version: Option<&str>,
        retention: Option<Retention>,
        bypass: bool,
    ) -> Result<(), Failure> {
        let retention = retention.map(written).transpose()?;
        let retention = retention.as_ref().map(|(mode, until)| (*mode, &**until));
        self.s3.put_retention(of(name, version), retention, bypass).await
    }

    async fn hold(&self, name: &Name, version: Option<&str>, on: bool) -> Result<(), Failure> {
        self.s3.put_legal_hold(of(name, version), on).await
    }
}
