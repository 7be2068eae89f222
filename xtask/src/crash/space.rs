//! The buckets of a space as a target: what the S3 front end does, without HTTP.

use std::collections::BTreeMap;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use carob_bucket::{
    Bucket, BucketError, ChecksumAlgorithm, CompleteOptions, DeleteOptions, EtagCondition, ListEntry,
    ListQuery, ListStart, Object, PartClaim, Precondition, PutOptions, Record, Space, UploadId,
    UploadOptions, Uploaded, UploadsEntry, UploadsQuery,
};
use futures::TryStreamExt;
use http::StatusCode;

use super::model::Condition;
use super::target::{Failure, Found, Listed, ListedPart, Name, Source, Target, UploadName};

/// How much of a body is written at once, in bytes.
const CHUNK: usize = 64 << 10;

/// Errors of the store are what a client sees of a power cut. What a client may ask for in vain gets the code of
/// S3; all others are nonsense.
pub(super) fn failure(error: BucketError) -> Failure {
    let (status, code) = match &error {
        BucketError::Store(_) | BucketError::Damaged(_) => return Failure::Interrupted(error.into()),
        BucketError::Overloaded | BucketError::Contention => (StatusCode::SERVICE_UNAVAILABLE, "SlowDown"),
        BucketError::PreconditionFailed(_) => (StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
        BucketError::NoSuchKey(_) => (StatusCode::NOT_FOUND, "NoSuchKey"),
        BucketError::NoSuchUpload(_) => (StatusCode::NOT_FOUND, "NoSuchUpload"),
        BucketError::NoSuchBucket(_) => (StatusCode::NOT_FOUND, "NoSuchBucket"),
        BucketError::NotDeleted { .. } => (StatusCode::NOT_FOUND, "NotDeleted"),
        BucketError::BucketExists(_) => (StatusCode::CONFLICT, "BucketAlreadyOwnedByYou"),
        BucketError::BucketNotEmpty(_) => (StatusCode::CONFLICT, "BucketNotEmpty"),
        BucketError::InvalidPart(_) => (StatusCode::BAD_REQUEST, "InvalidPart"),
        BucketError::NoSuchVersion { .. } => (StatusCode::NOT_FOUND, "NoSuchVersion"),
        BucketError::IsDeleteMarker(_) => (StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        BucketError::Locked => (StatusCode::FORBIDDEN, "AccessDenied"),
        BucketError::RetentionDate => (StatusCode::BAD_REQUEST, "InvalidArgument"),
        BucketError::VersioningState(_) => (StatusCode::CONFLICT, "InvalidBucketState"),
        _ => return Failure::Nonsense(error.to_string()),
    };
    Failure::Refused { status, code: code.into(), message: error.to_string() }
}

fn precondition(condition: &Condition) -> Precondition {
    match condition {
        Condition::None => Precondition::default(),
        Condition::IfAbsent => {
            Precondition { if_none_match: Some(EtagCondition::Any), ..Precondition::default() }
        }
        Condition::IfMatch(etag) => Precondition {
            if_match: Some(EtagCondition::OneOf(vec![etag.clone()])),
            ..Precondition::default()
        },
    }
}

pub(super) fn metadata(op: u64) -> BTreeMap<String, String> {
    BTreeMap::from([("op".to_owned(), op.to_string())])
}

fn upload_id(upload: &UploadName) -> Result<UploadId, Failure> {
    upload.id.parse().map_err(|_| Failure::Nonsense(format!("{upload} is no upload")))
}

/// Stores a body, with the checksum that S3 keeps where the client chose none.
pub(super) async fn store(bucket: &Bucket, body: &Bytes) -> Result<Uploaded, BucketError> {
    let mut upload = bucket.upload(&[ChecksumAlgorithm::Crc64Nvme]);
    for start in (0..body.len()).step_by(CHUNK) {
        upload.write(body.slice(start..body.len().min(start + CHUNK))).await?;
    }
    upload.finish().await
}

async fn put_part(
    upload: &UploadName,
    bucket: &Bucket,
    number: u16,
    body: Uploaded,
) -> Result<String, Failure> {
    let checksum = body.checksums().first().cloned();
    let part = bucket.put_part(&upload.name.key, upload_id(upload)?, number, body, checksum).await;
    Ok(hex::encode(part.map_err(failure)?.md5))
}

/// The operation that an object's metadata names.
pub(super) fn op_of(name: &Name, record: &Record) -> Result<u64, Failure> {
    let op = record.metadata.get("op").and_then(|op| op.parse().ok());
    op.ok_or_else(|| Failure::Nonsense(format!("{name} without its metadata")))
}

pub(super) fn etag(record: &Record) -> String {
    record.etag.to_string()
}

async fn find(space: &Space, Source { name, if_match }: &Source) -> Result<Object, Failure> {
    let bucket = space.bucket(&name.bucket).await.map_err(failure)?;
    let object = bucket.get(&name.key).await.map_err(failure)?;
    let object = object.ok_or_else(|| failure(BucketError::NoSuchKey(name.key.clone())))?;
    match if_match {
        Some(asked) if etag(object.record()) != *asked => {
            Err(failure(BucketError::PreconditionFailed("x-amz-copy-source-if-match")))
        }
        _ => Ok(object),
    }
}

#[async_trait]
impl Target for Space {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.create_bucket(bucket).await.map(drop).map_err(failure)
    }

    async fn put(&self, name: &Name, op: u64, body: Bytes, condition: &Condition) -> Result<String, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let body = store(&bucket, &body).await.map_err(failure)?;
        let options = PutOptions {
            metadata: metadata(op),
            checksum: body.checksums().first().cloned(),
            precondition: precondition(condition),
            ..PutOptions::default()
        };
        let written = bucket.put(&name.key, body, options).await.map_err(failure)?;
        Ok(etag(&written.record))
    }

    async fn copy(
        &self,
        name: &Name,
        source: &Source,
        op: Option<u64>,
        condition: &Condition,
    ) -> Result<String, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let source = find(self, source).await?;
        let options = PutOptions {
            metadata: op.map_or_else(|| source.record().metadata.clone(), metadata),
            precondition: precondition(condition),
            ..PutOptions::default()
        };
        let written = bucket.copy(&source, &name.key, options).await.map_err(failure)?;
        Ok(etag(&written.record))
    }

    async fn get(&self, name: &Name) -> Result<Option<Found>, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let Some(object) = bucket.get(&name.key).await.map_err(failure)? else { return Ok(None) };
        let record = object.record();
        let op = op_of(name, record)?;
        let etag = etag(record);
        let pieces: Vec<Bytes> = object.read(0..record.size).try_collect().await.map_err(failure)?;
        Ok(Some(Found { op, etag, body: pieces.concat().into() }))
    }

    async fn delete(&self, name: &Name, if_match: Option<&str>) -> Result<(), Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let condition = if_match.map_or(Condition::None, |etag| Condition::IfMatch(etag.to_owned()));
        match bucket.delete(&name.key, precondition(&condition).into()).await {
            // What is not there is deleted, whatever it should have been.
            Ok(_) | Err(BucketError::NoSuchKey(_)) => Ok(()),
            Err(error) => Err(failure(error)),
        }
    }

    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let keys = keys.iter().map(|&key| (key.to_owned(), DeleteOptions::default())).collect();
        for result in bucket.delete_many(keys).await.map_err(failure)? {
            result.map_err(failure)?;
        }
        Ok(())
    }

    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let mut query = ListQuery { max_keys: page as usize, ..ListQuery::default() };
        let mut all = Vec::new();
        loop {
            let answer = bucket.list(&query).await.map_err(failure)?;
            for entry in answer.entries {
                match entry {
                    ListEntry::Object { key, summary } => {
                        all.push(Listed { key, etag: summary.etag.to_string(), size: summary.size });
                    }
                    ListEntry::Prefix(prefix) => return Err(rolled_up(&prefix)),
                }
            }
            match answer.next_token {
                Some(token) => query.start = ListStart::Token(token),
                None => return Ok(all),
            }
        }
    }

    async fn begin_upload(&self, name: &Name, op: u64) -> Result<UploadName, Failure> {
        let bucket = self.bucket(&name.bucket).await.map_err(failure)?;
        let options = UploadOptions { metadata: metadata(op), ..UploadOptions::default() };
        let id = bucket.begin_upload(&name.key, options).await.map_err(failure)?;
        Ok(UploadName { name: name.clone(), id: id.to_string() })
    }

    async fn put_part(&self, upload: &UploadName, number: u16, body: Bytes) -> Result<String, Failure> {
        let bucket = self.bucket(&upload.name.bucket).await.map_err(failure)?;
        let body = store(&bucket, &body).await.map_err(failure)?;
        put_part(upload, &bucket, number, body).await
    }

    async fn copy_part(
        &self,
        upload: &UploadName,
        number: u16,
        source: &Source,
        range: Option<Range<u64>>,
    ) -> Result<String, Failure> {
        let bucket = self.bucket(&upload.name.bucket).await.map_err(failure)?;
        let source = find(self, source).await?;
        let size = source.record().size;
        let range = range.unwrap_or(0..size);
        if range.end > size {
            return Err(Failure::Refused {
                status: StatusCode::BAD_REQUEST,
                code: "InvalidArgument".into(),
                message: format!("{range:?} of {size} bytes"),
            });
        }
        let mut body = bucket.upload(&[ChecksumAlgorithm::Crc64Nvme]);
        let mut pieces = source.read(range);
        while let Some(piece) = pieces.try_next().await.map_err(failure)? {
            body.write(piece).await.map_err(failure)?;
        }
        let body = body.finish().await.map_err(failure)?;
        put_part(upload, &bucket, number, body).await
    }

    async fn complete(
        &self,
        upload: &UploadName,
        parts: &[(u16, &str)],
        condition: &Condition,
    ) -> Result<String, Failure> {
        let bucket = self.bucket(&upload.name.bucket).await.map_err(failure)?;
        let claim =
            |&(number, etag): &(u16, &str)| PartClaim { number, etag: etag.to_owned(), checksum: None };
        let options = CompleteOptions {
            parts: parts.iter().map(claim).collect(),
            precondition: precondition(condition),
            ..CompleteOptions::default()
        };
        let written = bucket.complete_upload(&upload.name.key, upload_id(upload)?, options).await;
        Ok(etag(&written.map_err(failure)?.record))
    }

    async fn abort(&self, upload: &UploadName) -> Result<(), Failure> {
        let bucket = self.bucket(&upload.name.bucket).await.map_err(failure)?;
        bucket.abort_upload(&upload.name.key, upload_id(upload)?).await.map_err(failure)
    }

    async fn uploads(&self, bucket: &str, page: u32) -> Result<Vec<UploadName>, Failure> {
        let bucket = self.bucket(bucket).await.map_err(failure)?;
        let mut query = UploadsQuery { max_uploads: page as usize, ..UploadsQuery::default() };
        let mut all = Vec::new();
        loop {
            let answer = bucket.uploads(&query).await.map_err(failure)?;
            for entry in answer.entries {
                match entry {
                    UploadsEntry::Upload { key, id, .. } => {
                        let name = Name { bucket: bucket.name().to_owned(), key };
                        all.push(UploadName { name, id: id.to_string() });
                    }
                    UploadsEntry::Prefix(prefix) => return Err(rolled_up(&prefix)),
                }
            }
            match answer.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn parts(&self, upload: &UploadName, page: u32) -> Result<Vec<ListedPart>, Failure> {
        let bucket = self.bucket(&upload.name.bucket).await.map_err(failure)?;
        let mut all: Vec<ListedPart> = Vec::new();
        loop {
            let after = all.last().map_or(0, |part| part.number);
            let answer = bucket.parts(&upload.name.key, upload_id(upload)?, after, page as usize).await;
            let answer = answer.map_err(failure)?;
            let part = |(number, part): (u16, carob_bucket::PartState)| ListedPart {
                number,
                etag: hex::encode(part.md5),
                size: part.size,
            };
            all.extend(answer.parts.into_iter().map(part));
            if !answer.truncated {
                return Ok(all);
            }
        }
    }
}

pub(super) fn rolled_up(prefix: &str) -> Failure {
    Failure::Nonsense(format!("prefix {prefix:?} without a delimiter"))
}
