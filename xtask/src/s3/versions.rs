//! Versions, object lock and tags.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use md5::{Digest, Md5};

use super::client::{Client, Failure, Object, Payload, base64, parse, to_xml, unquoted};
use super::xml;

/// A version in a listing.
#[derive(Debug)]
pub(crate) struct VersionListed {
    pub(crate) key: String,
    pub(crate) version: String,
    pub(crate) latest: bool,
    /// Entity tag without quotes and size; a delete marker has none.
    pub(crate) object: Option<(String, u64)>,
}

/// One page of ListObjectVersions: objects, then delete markers.
#[derive(Debug)]
pub(crate) struct VersionsPage {
    pub(crate) versions: Vec<VersionListed>,
    /// Key and version to go on behind.
    pub(crate) next: Option<(String, Option<String>)>,
}

/// An object, or with a version id that version of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versioned<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) id: Option<&'a str>,
}

impl Client {
    /// CreateBucket with object lock.
    pub(crate) async fn create_locked_bucket(&self, bucket: &str) -> Result<(), Failure> {
        let headers = one("x-amz-bucket-object-lock-enabled", "true");
        self.call(Method::PUT, bucket, "", &[], headers, Payload::empty()).await.map(drop)
    }

    /// PutBucketVersioning.
    pub(crate) async fn put_versioning(&self, bucket: &str, status: &str) -> Result<(), Failure> {
        let body = to_xml(&xml::VersioningConfiguration { status: Some(status.to_owned()) })?;
        self.put_document(bucket, "", &[("versioning", "")], HeaderMap::new(), body).await
    }

    /// GetBucketVersioning; `None` if it never was anything.
    pub(crate) async fn versioning_status(&self, bucket: &str) -> Result<Option<String>, Failure> {
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        let (_, body) = self.call(Method::GET, bucket, "", &[("versioning", "")], headers, payload).await?;
        Ok(parse::<xml::VersioningConfiguration>(&body)?.status)
    }

    /// PutObject with extra `headers`; gives the headers of the answer.
    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<HeaderMap, Failure> {
        let payload = Payload::Signed(body);
        self.call(Method::PUT, bucket, key, &[], headers, payload).await.map(|(headers, _)| headers)
    }

    /// DeleteObject; gives the headers of the answer.
    pub(crate) async fn delete_version(&self, of: Versioned<'_>, bypass: bool) -> Result<HeaderMap, Failure> {
        let (query, payload) = (of.query(&[]), Payload::empty());
        let answer = self.call(Method::DELETE, of.bucket, of.key, &query, bypassing(bypass), payload).await;
        answer.map(|(headers, _)| headers)
    }

    /// GetObject, or HeadObject.
    pub(crate) async fn read_version(&self, of: Versioned<'_>, head: bool) -> Result<Object, Failure> {
        let method = if head { Method::HEAD } else { Method::GET };
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        let (headers, body) = self.call(method, of.bucket, of.key, &of.query(&[]), headers, payload).await?;
        Ok(Object { headers, body })
    }

    /// One page of ListObjectVersions.
    pub(crate) async fn versions_page(
        &self,
        bucket: &str,
        prefix: &str,
        max_keys: u32,
        after: Option<(&str, Option<&str>)>,
    ) -> Result<VersionsPage, Failure> {
        let max_keys = max_keys.to_string();
        let mut query = vec![("versions", ""), ("max-keys", &*max_keys), ("prefix", prefix)];
        if let Some((key, id)) = after {
            query.push(("key-marker", key));
            query.extend(id.map(|id| ("version-id-marker", id)));
        }
        let (headers, payload) = (HeaderMap::new(), Payload::empty());
        let (_, body) = self.call(Method::GET, bucket, "", &query, headers, payload).await?;
        let answer: xml::ListVersionsResult = parse(&body)?;
        if answer.is_truncated != answer.next_key_marker.is_some() {
            return Err(Failure::Nonsense(format!("IsTruncated and markers disagree: {answer:?}")));
        }
        let listed = |entry: xml::VersionsEntry| match entry {
            xml::VersionsEntry::Version(version) => VersionListed {
                key: version.key,
                version: version.version_id,
                latest: version.is_latest,
                object: Some((unquoted(&version.etag), version.size)),
            },
            xml::VersionsEntry::DeleteMarker(marker) => VersionListed {
                key: marker.key,
                version: marker.version_id,
                latest: marker.is_latest,
                object: None,
            },
        };
        let versions = answer.entries.into_iter().map(listed).collect();
        let next = answer.next_key_marker.map(|key| (key, answer.next_version_id_marker));
        Ok(VersionsPage { versions, next })
    }

    /// GetObjectTagging.
    pub(crate) async fn tagging(&self, of: Versioned<'_>) -> Result<Vec<(String, String)>, Failure> {
        let (query, headers, payload) = (of.query(&[("tagging", "")]), HeaderMap::new(), Payload::empty());
        let (_, body) = self.call(Method::GET, of.bucket, of.key, &query, headers, payload).await?;
        let answer: xml::Tagging = parse(&body)?;
        Ok(answer.tag_set.tag.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// PutObjectTagging.
    pub(crate) async fn put_tagging(
        &self,
        of: Versioned<'_>,
        tags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Failure> {
        let tag = tags.into_iter().map(|(key, value)| xml::Tag { key, value }).collect();
        let body = to_xml(&xml::Tagging { tag_set: xml::TagSet { tag } })?;
        self.put_document(of.bucket, of.key, &of.query(&[("tagging", "")]), HeaderMap::new(), body).await
    }

    /// DeleteObjectTagging.
    pub(crate) async fn delete_tagging(&self, of: Versioned<'_>) -> Result<(), Failure> {
        let (query, headers, payload) = (of.query(&[("tagging", "")]), HeaderMap::new(), Payload::empty());
        self.call(Method::DELETE, of.bucket, of.key, &query, headers, payload).await.map(drop)
    }

    /// PutObjectRetention of a mode and a date; none lifts it.
    pub(crate) async fn put_retention(
        &self,
        of: Versioned<'_>,
        retention: Option<(&str, &str)>,
        bypass: bool,
    ) -> Result<(), Failure> {
        let (mode, until) = retention.unzip();
        let body = to_xml(&xml::Retention { mode, retain_until_date: until })?;
        let query = of.query(&[("retention", "")]);
        self.put_document(of.bucket, of.key, &query, bypassing(bypass), body).await
    }

    /// PutObjectLegalHold.
    pub(crate) async fn put_legal_hold(&self, of: Versioned<'_>, on: bool) -> Result<(), Failure> {
        let body = to_xml(&xml::LegalHold { status: if on { "ON" } else { "OFF" } })?;
        let query = of.query(&[("legal-hold", "")]);
        self.put_document(of.bucket, of.key, &query, HeaderMap::new(), body).await
    }

    async fn put_document(
        &self,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        mut headers: HeaderMap,
        body: String,
    ) -> Result<(), Failure> {
        headers.extend(one("content-md5", &base64(&Md5::digest(&body))));
        let payload = Payload::Signed(body.into());
        self.call(Method::PUT, bucket, key, query, headers, payload).await.map(drop)
    }
}

impl<'a> Versioned<'a> {
    fn query(&self, query: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        query.iter().copied().chain(self.id.map(|id| ("versionId", id))).collect()
    }
}

fn bypassing(bypass: bool) -> HeaderMap {
    if bypass { one("x-amz-bypass-governance-retention", "true") } else { HeaderMap::new() }
}

/// A header whose value is known to be none that HTTP forbids.
fn one(name: &'static str, value: &str) -> HeaderMap {
    let value = HeaderValue::from_str(value).ok();
    value.map(|value| (http::HeaderName::from_static(name), value)).into_iter().collect()
}
