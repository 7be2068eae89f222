//! A gateway's clients as a target.

use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::model::Condition;
use super::target::{Failure, Found, Listed, ListedPart, Name, Source, Target, UploadName};
use crate::s3::{self, Payload};

/// A client of S3, and one of the operator's socket.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) s3: s3::Client,
    pub(super) admin: carob_http::client::Client,
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &str) -> Result<(), Failure> {
    let value = HeaderValue::from_str(value).map_err(|error| Failure::Nonsense(error.to_string()))?;
    headers.insert(name, value);
    Ok(())
}

fn metadata(op: Option<u64>) -> HeaderMap {
    op.into_iter().map(|op| (http::HeaderName::from_static("x-amz-meta-op"), op.into())).collect()
}

fn ask(headers: &mut HeaderMap, condition: &Condition) -> Result<(), Failure> {
    match condition {
        Condition::None => Ok(()),
        Condition::IfAbsent => insert(headers, "if-none-match", "*"),
        Condition::IfMatch(etag) => insert(headers, "if-match", &format!("\"{etag}\"")),
    }
}

/// The headers that name the source of a copy.
fn from(headers: &mut HeaderMap, Source { name, if_match }: &Source) -> Result<(), Failure> {
    insert(headers, "x-amz-copy-source", &crate::s3::encode_path(&name.to_string()))?;
    match if_match {
        Some(etag) => insert(headers, "x-amz-copy-source-if-match", &format!("\"{etag}\"")),
        None => Ok(()),
    }
}

#[async_trait]
impl Target for Client {
    async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.s3.create_bucket(bucket).await
    }

    async fn put(&self, name: &Name, op: u64, body: Bytes, condition: &Condition) -> Result<String, Failure> {
        let mut headers = metadata(Some(op));
        ask(&mut headers, condition)?;
        self.s3.put(&name.bucket, &name.key, headers, Payload::Signed(body)).await
    }

    async fn copy(
        &self,
        name: &Name,
        source: &Source,
        op: Option<u64>,
        condition: &Condition,
    ) -> Result<String, Failure> {
        let mut headers = metadata(op);
        from(&mut headers, source)?;
        ask(&mut headers, condition)?;
        insert(&mut headers, "x-amz-metadata-directive", if op.is_some() { "REPLACE" } else { "COPY" })?;
        self.s3.copy(&name.bucket, &name.key, &[], headers).await
    }

    async fn get(&self, name: &Name) -> Result<Option<Found>, Failure> {
        let Some(object) = self.s3.get(&name.bucket, &name.key).await? else { return Ok(None) };
        let text = |name: &str| object.headers.get(name).and_then(|value| value.to_str().ok());
        let op = text("x-amz-meta-op").and_then(|op| op.parse().ok());
        let op = op.ok_or_else(|| Failure::Nonsense(format!("{name} without x-amz-meta-op")))?;
        let etag = text("etag").unwrap_or_default().trim_matches('"').to_owned();
        Ok(Some(Found { op, etag, body: object.body }))
    }

    async fn delete(&self, name: &Name, if_match: Option<&str>) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        if let Some(etag) = if_match {
            ask(&mut headers, &Condition::IfMatch(etag.to_owned()))?;
        }
        self.s3.delete(&name.bucket, &name.key, headers).await
    }

    async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        self.s3.delete_many(bucket, keys).await
    }

    async fn list(&self, bucket: &str, page: u32) -> Result<Vec<Listed>, Failure> {
        let mut all = Vec::new();
        let mut token = None;
        loop {
            let answer = self.s3.list_page(bucket, page, token.as_deref()).await?;
            all.extend(answer.objects.into_iter().map(|o| Listed { key: o.key, etag: o.etag, size: o.size }));
            match answer.next {
                Some(next) => token = Some(next),
                None => return Ok(all),
            }
        }
    }

    async fn begin_upload(&self, name: &Name, op: u64) -> Result<UploadName, Failure> {
        let id = self.s3.begin_upload(&name.bucket, &name.key, metadata(Some(op))).await?;
        Ok(UploadName { name: name.clone(), id })
    }

    async fn put_part(&self, upload: &UploadName, number: u16, body: Bytes) -> Result<String, Failure> {
        let UploadName { name, id } = upload;
        self.s3.put_part(&name.bucket, &name.key, id, number, Payload::Signed(body)).await
    }

    async fn copy_part(
        &self,
        upload: &UploadName,
        number: u16,
        source: &Source,
        range: Option<Range<u64>>,
    ) -> Result<String, Failure> {
        let mut headers = HeaderMap::new();
        from(&mut headers, source)?;
        if let Some(Range { start, end }) = range {
            let range = format!("bytes={start}-{}", end.saturating_sub(1));
            insert(&mut headers, "x-amz-copy-source-range", &range)?;
        }
        let UploadName { name, id } = upload;
        let query = [("partNumber", &*number.to_string()), ("uploadId", id)];
        self.s3.copy(&name.bucket, &name.key, &query, headers).await
    }

    async fn complete(
        &self,
        upload: &UploadName,
        parts: &[(u16, &str)],
        condition: &Condition,
    ) -> Result<String, Failure> {
        let UploadName { name, id } = upload;
        let mut headers = HeaderMap::new();
        ask(&mut headers, condition)?;
        self.s3.complete_upload(&name.bucket, &name.key, id, parts, headers).await
    }

    async fn abort(&self, upload: &UploadName) -> Result<(), Failure> {
        self.s3.abort_upload(&upload.name.bucket, &upload.name.key, &upload.id).await
    }

    async fn uploads(&self, bucket: &str, page: u32) -> Result<Vec<UploadName>, Failure> {
        let mut all: Vec<UploadName> = Vec::new();
        loop {
            let after = all.last().map(|last| (&*last.name.key, &*last.id));
            let answer = self.s3.uploads_page(bucket, page, after).await?;
            let none = answer.uploads.is_empty();
            all.extend(answer.uploads.into_iter().map(|(key, id)| {
                let name = Name { bucket: bucket.to_owned(), key };
                UploadName { name, id }
            }));
            match answer.truncated {
                true if none => return Err(Failure::Nonsense("an empty page of uploads, and more".into())),
                true => {}
                false => return Ok(all),
            }
        }
    }

    async fn parts(&self, upload: &UploadName, page: u32) -> Result<Vec<ListedPart>, Failure> {
        let UploadName { name, id } = upload;
        let mut all: Vec<ListedPart> = Vec::new();
        loop {
            let after = all.last().map_or(0, |part| part.number);
            let answer = self.s3.parts_page(&name.bucket, &name.key, id, page, after).await?;
            let none = answer.parts.is_empty();
            let part = |(number, etag, size)| ListedPart { number, etag, size };
            all.extend(answer.parts.into_iter().map(part));
            match answer.truncated {
                true if none => return Err(Failure::Nonsense("an empty page of parts, and more".into())),
                true => {}
                false => return Ok(all),
            }
        }
    }
}
