//! Past states of buckets, which are named in a signed header.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use super::client::{Client, Failure, Payload, parse};
use super::xml;

impl Client {
    /// The keys that a bucket had in the state that a commit is: a first page of them.
    pub(crate) async fn keys_at(&self, bucket: &str, commit: &str) -> Result<Vec<String>, Failure> {
        let (query, payload) = ([("list-type", "2")], Payload::empty());
        let (_, page) = self.call(Method::GET, bucket, "", &query, at(commit)?, payload).await?;
        let page: xml::ListBucketResult = parse(&page)?;
        Ok(page.contents.into_iter().map(|listed| listed.key).collect())
    }

    /// What a key held then.
    pub(crate) async fn get_at(&self, bucket: &str, key: &str, commit: &str) -> Result<Bytes, Failure> {
        let payload = Payload::empty();
        Ok(self.call(Method::GET, bucket, key, &[], at(commit)?, payload).await?.1)
    }
}

fn at(commit: &str) -> Result<HeaderMap, Failure> {
    let value = HeaderValue::from_str(commit).map_err(|error| Failure::Nonsense(error.to_string()))?;
    Ok(HeaderMap::from_iter([(http::HeaderName::from_static("x-carob-at"), value)]))
}
