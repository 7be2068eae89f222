//! The buckets of a space as a target of versions.

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::{
    Amendment, BucketError, Config, DeleteOptions, Found as Seen, Object, ObjectLock, PutOptions, Space,
    VersionName, Versioning, VersionsEntry, VersionsQuery,
};
use carob_identity::Timestamp;
use futures::TryStreamExt;

use super::super::space::{etag, failure, metadata, op_of, rolled_up, store};
use super::super::{Failure, Name};
use super::state::{Lock, Mode, Retention, Tags};
use super::target::{Deleted, Found, ListedVersion, VersionedTarget};

fn version_name(version: Option<&str>) -> Result<Option<VersionName>, Failure> {
    let parsed = version.map(str::parse).transpose();
    parsed.map_err(|_| Failure::Nonsense(format!("{version:?} is no version")))
}

fn to_retention(retention: Retention) -> carob_bucket::Retention {
    let mode = match retention.mode {
        Mode::Governance => carob_bucket::RetentionMode::Governance,
        Mode::Compliance => carob_bucket::RetentionMode::Compliance,
    };
    carob_bucket::Retention { mode, until: Timestamp(retention.until) }
}

fn from_lock(lock: carob_bucket::Lock) -> Lock {
    let retention = lock.retention.map(|carob_bucket::Retention { mode, until }| {
        let mode = match mode {
            carob_bucket::RetentionMode::Governance => Mode::Governance,
            carob_bucket::RetentionMode::Compliance => Mode::Compliance,
        };
        Retention { mode, until: until.millis() }
    });
    Lock { retention, hold: lock.legal_hold == Some(true) }
}

async fn find(space: &Space, name: &Name, version: Option<&str>) -> Result<Object, Failure> {
    let bucket = space.bucket(&name.bucket).await.map_err(failure)?;
    let asked = version_name(version)?;
    let snapshot = bucket.snapshot().await.map_err(failure)?;
    let error = match snapshot.find(&name.key, asked).await.map_err(failure)? {
        Seen::Object(object) => return Ok(object),
        Seen::DeleteMarker(marker) => BucketError::IsDeleteMarker(marker),
        Seen::Nothing => match asked {
            Some(version) => BucketError::NoSuchVersion { key: name.key.clone(), version },
            None => BucketError::NoSuchKey(name.key.clone()),
        },
    };
    Err(failure(error))
}

async fn amend(
    space: &Space,
    name: &Name,
    version: Option<&str>,
    amendment: Amendment,
) -> Result<(), Failure> {
    let bucket = space.bucket(&name.bucket).await.map_err(failure)?;
    let amended = bucket.amend(&name.key, version_name(version)?, amendment).await;
    amended.map(drop).map_err(failure)
}

#[async_trait]
impl VersionedTarget for Space {
    async fn create_locked(&self, bucket: &str) -> Result<(), Failure> {
        let object_lock = Some(ObjectLock::default());
        let config = Config { versioning: Versioning::Enabled, object_lock, ..Config::default() };
        self.create_bucket_with(bucket, *self.did(), &config).await.map(drop).map_err(failure)
    }

    async fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let change = move |config: &mut Config| {
            config.versioning = versioning;
            Ok(())
        };
        bucket.configure(change).await.map(drop).map_err(failure)
    }

    async fn versioning(&self, bucket: &str) -> Result<Versioning, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        Ok(bucket.snapshot().await.map_err(failure)?.config().versioning)
    }

    async fn put_version(
        &self,
        name: &Name,
        op: u64,
        body: Bytes,
        tags: &Tags,
        lock: Lock,
    ) -> Result<String, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let body = store(&bucket, &body).await.map_err(failure)?;
        let options = PutOptions {
            metadata: metadata(op),
            checksum: body.checksums().first().cloned(),
            tags: tags.clone(),
            lock: carob_bucket::Lock {
                retention: lock.retention.map(to_retention),
                legal_hold: lock.hold.then_some(true),
            },
            ..PutOptions::default()
        };
        let written = bucket.put(&name.key, body, options).await.map_err(failure)?;
        Ok(written.record.version_name().to_string())
    }

    async fn delete_version(
        &self,
        name: &Name,
        version: Option<&str>,
        bypass: bool,
    ) -> Result<Deleted, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let version = version_name(version)?;
        let options = DeleteOptions { version, bypass_governance: bypass, ..DeleteOptions::default() };
        let deleted = bucket.delete(&name.key, options).await.map_err(failure)?;
        let version = deleted.version.map(|version| version.to_string());
        Ok(Deleted { version, marker: deleted.delete_marker })
    }

    async fn read_version(&self, name: &Name, version: Option<&str>, head: bool) -> Result<Found, Failure> {
        let object = match find(self, name, version).await {
            // One that is current, and was not asked for by its name, hides that there is anything.
            Err(Failure::Refused { code, .. }) if version.is_none() && code == "MethodNotAllowed" => {
                Err(failure(BucketError::NoSuchKey(name.key.clone())))
            }
            found => found,
        };
        let object = match object {
            Err(Failure::Refused { status, message, .. }) if head && status.as_u16() == 404 => {
                return Err(Failure::Refused { status, code: "NotFound".into(), message });
            }
            found => found?,
        };
        let record = object.record();
        let size = if head { 0 } else { record.size };
        let pieces: Vec<Bytes> = object.read(0..size).try_collect().await.map_err(failure)?;
        Ok(Found {
            version: record.version_name().to_string(),
            op: op_of(name, record)?,
            etag: etag(record),
            lock: from_lock(record.lock),
            body: pieces.concat().into(),
        })
    }

    async fn list_versions(
        &self,
        bucket: &str,
        prefix: &str,
        page: u32,
    ) -> Result<Vec<Vec<ListedVersion>>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let mut query =
            VersionsQuery { prefix: prefix.to_owned(), max_keys: page as usize, ..VersionsQuery::default() };
        let listed = |entry| match entry {
            VersionsEntry::Object { key, record, latest } => {
                let object = Some((etag(&record), record.size));
                Ok(ListedVersion { key, version: record.version_name().to_string(), latest, object })
            }
            VersionsEntry::DeleteMarker { key, marker, latest } => {
                Ok(ListedVersion { key, version: marker.name().to_string(), latest, object: None })
            }
            VersionsEntry::Prefix(prefix) => Err(rolled_up(&prefix)),
        };
        let mut pages = Vec::new();
        loop {
            let snapshot = bucket.snapshot().await.map_err(failure)?;
            let answer = snapshot.list_versions(&query).await.map_err(failure)?;
            pages.push(answer.entries.into_iter().map(listed).collect::<Result<_, _>>()?);
            match answer.next {
                Some(next) => query.start = next,
                None => return Ok(pages),
            }
        }
    }

    async fn tags(&self, name: &Name, version: Option<&str>) -> Result<Tags, Failure> {
        Ok(find(self, name, version).await?.record().tags.clone())
    }

    async fn put_tags(&self, name: &Name, version: Option<&str>, tags: &Tags) -> Result<(), Failure> {
        amend(self, name, version, Amendment::Tags(tags.clone())).await
    }

    async fn retain(
        &self,
        name: &Name,
        version: Option<&str>,
        retention: Option<Retention>,
        bypass: bool,
    ) -> Result<(), Failure> {
        let retention = retention.map(to_retention);
        amend(self, name, version, Amendment::Retention { retention, bypass }).await
    }

    async fn hold(&self, name: &Name, version: Option<&str>, on: bool) -> Result<(), Failure> {
        amend(self, name, version, Amendment::LegalHold(on)).await
    }
}
