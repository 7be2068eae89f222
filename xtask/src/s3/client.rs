//! The operations that load and crash runs need, one request each, never retried.

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use md5::{Digest, Md5};
use sha2::Sha256;
use time::OffsetDateTime;

use super::sigv4::{self, Credentials, Signable};
use super::{Stamped, xml};

const REGION: &str = "us-east-1";

/// Why an operation has no good answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No whole answer came: the connection was refused, cut, or ended early. The operation may have happened.
    Interrupted(anyhow::Error),
    /// The server answered an S3 error.
    Refused { status: StatusCode, code: String, message: String },
    /// The answer makes no sense, whatever happened to the server.
    Nonsense(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted(error) => write!(f, "interrupted: {error:#}"),
            Self::Refused { status, code, message } => write!(f, "{} {code}: {message}", status.as_u16()),
            Self::Nonsense(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    fn interrupted(error: impl Into<anyhow::Error>) -> Self {
        Self::Interrupted(error.into())
    }
}

/// Body of a request.
pub(crate) enum Payload {
    /// Held in memory, its SHA-256 signed.
    Signed(Bytes),
    /// Made as it is sent, as `UNSIGNED-PAYLOAD`.
    Unsigned(Stamped),
}

/// An object as GetObject gave it.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An object as a listing gave it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    /// Without the quotes.
    pub(crate) etag: String,
    pub(crate) size: u64,
}

/// One page of a listing.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<Listed>,
    /// Token of the next page.
    pub(crate) next: Option<String>,
}

/// An S3 client, cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: HttpClient<HttpConnector, BoxBody<Bytes, std::convert::Infallible>>,
    authority: String,
    credentials: Credentials,
}

impl Client {
    /// A client for `endpoint`, which must be `http://HOST:PORT`.
    pub(crate) fn new(endpoint: &str, credentials: Credentials) -> anyhow::Result<Self> {
        let uri: Uri = endpoint.parse()?;
        anyhow::ensure!(uri.scheme_str() == Some("http"), "endpoint {endpoint} is not http://");
        let authority = uri.authority().ok_or_else(|| anyhow::anyhow!("endpoint {endpoint} has no host"))?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let http = HttpClient::builder(TokioExecutor::new()).retry_canceled_requests(false).build(connector);
        Ok(Self { http, authority: authority.to_string(), credentials })
    }

    /// Whether `/_carob/health` answers 200.
    pub(crate) async fn health(&self) -> anyhow::Result<()> {
        let uri = format!("http://{}/_carob/health", self.authority);
        let request = Request::get(uri).body(Full::default().boxed())?;
        let response = self.http.request(request).await?;
        anyhow::ensure!(response.status() == StatusCode::OK, "health answers {}", response.status());
        response.into_body().collect().await?;
        Ok(())
    }

    /// CreateBucket; a bucket that we own already is fine.
    pub(crate) async fn create_bucket(&self, bucket: &str) -> Result<(), Failure> {
        match self.send(Method::PUT, bucket, "", &[], HeaderMap::new(), Payload::empty()).await {
            Ok(_) => Ok(()),
            Err(Failure::Refused { code, .. }) if code == "BucketAlreadyOwnedByYou" => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// DeleteBucket.
    pub(crate) async fn delete_bucket(&self, bucket: &str) -> Result<(), Failure> {
        self.call(Method::DELETE, bucket, "", &[], HeaderMap::new(), Payload::empty()).await.map(drop)
    }

    /// PutObject with extra `headers`; gives the ETag without quotes.
    pub(crate) async fn put(
        &self,
        bucket: &str,
        key: &str,
        headers: HeaderMap,
        payload: Payload,
    ) -> Result<String, Failure> {
        let (headers, _) = self.call(Method::PUT, bucket, key, &[], headers, payload).await?;
        etag(&headers)
    }

    /// GetObject, held in memory; `None` for a key that is not there.
    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Result<Option<Object>, Failure> {
        match self.call(Method::GET, bucket, key, &[], HeaderMap::new(), Payload::empty()).await {
            Ok((headers, body)) => Ok(Some(Object { headers, body })),
            Err(Failure::Refused { code, .. }) if code == "NoSuchKey" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// GetObject, each piece of the body given to `sink` as it comes.
    pub(crate) async fn get_streaming(
        &self,
        bucket: &str,
        key: &str,
        mut sink: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (_, mut body) =
            self.send(Method::GET, bucket, key, &[], HeaderMap::new(), Payload::empty()).await?;
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame.map_err(Failure::interrupted)?.data_ref() {
                sink(data)?;
            }
        }
        Ok(())
    }

    /// DeleteObject with extra `headers`.
    pub(crate) async fn delete(&self, bucket: &str, key: &str, headers: HeaderMap) -> Result<(), Failure> {
        self.call(Method::DELETE, bucket, key, &[], headers, Payload::empty()).await.map(drop)
    }

    /// DeleteObjects; every key must be reported deleted.
    pub(crate) async fn delete_many(&self, bucket: &str, keys: &[&str]) -> Result<(), Failure> {
        let object = keys.iter().map(|&key| xml::ObjectIdentifier { key }).collect();
        let body = to_xml(&xml::Delete { object, quiet: false })?;
        let mut headers = HeaderMap::new();
        let checksum = base64(&Md5::digest(&body));
        headers.insert("content-md5", checksum.parse().map_err(Failure::interrupted)?);
        let payload = Payload::Signed(body.into());
        let (_, answer) = self.call(Method::POST, bucket, "", &[("delete", "")], headers, payload).await?;
        let answer: xml::DeleteResult = parse(&answer)?;
        if let Some(error) = answer.error.first() {
            return Err(Failure::Nonsense(format!("DeleteObjects: {} for {:?}", error.code, error.key)));
        }
        let mut deleted: Vec<_> = answer.deleted.iter().map(|deleted| deleted.key.as_str()).collect();
        let mut asked = keys.to_vec();
        deleted.sort_unstable();
        asked.sort_unstable();
        if deleted != asked {
            return Err(Failure::Nonsense(format!("DeleteObjects of {asked:?} says {deleted:?}")));
        }
        Ok(())
    }

    /// One page of ListObjectsV2.
    pub(crate) async fn list_page(
        &self,
        bucket: &str,
        max_keys: u32,
        token: Option<&str>,
    ) -> Result<Page, Failure> {
        let answer: xml::ListBucketResult = parse(&self.page(bucket, max_keys, token).await?)?;
        if answer.is_truncated != answer.next_continuation_token.is_some() {
            return Err(Failure::Nonsense(format!("IsTruncated and token disagree: {answer:?}")));
        }
        let objects = answer
            .contents
            .into_iter()
            .map(|c| Listed { key: c.key, etag: unquoted(&c.etag), size: c.size })
            .collect();
        Ok(Page { objects, next: answer.next_continuation_token })
    }

    /// One page of ListObjectsV2 as it comes.
    pub(super) async fn page(
        &self,
        bucket: &str,
        max_keys: u32,
        token: Option<&str>,
    ) -> Result<Bytes, Failure> {
        let max_keys = max_keys.to_string();
        let mut query = vec![("list-type", "2"), ("max-keys", max_keys.as_str())];
        query.extend(token.map(|token| ("continuation-token", token)));
        let answer = self.call(Method::GET, bucket, "", &query, HeaderMap::new(), Payload::empty()).await?;
        Ok(answer.1)
    }

    /// Sends a request and reads the whole answer.
    pub(super) async fn call(
        &self,
        method: Method,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        headers: HeaderMap,
        payload: Payload,
    ) -> Result<(HeaderMap, Bytes), Failure> {
        let (headers, body) = self.send(method, bucket, key, query, headers, payload).await?;
        let body = body.collect().await.map_err(Failure::interrupted)?.to_bytes();
        Ok((headers, body))
    }

    /// Sends a request; an answer that is not 2xx is a failure.
    async fn send(
        &self,
        method: Method,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        headers: HeaderMap,
        payload: Payload,
    ) -> Result<(HeaderMap, Incoming), Failure> {
        let is_head = method == Method::HEAD;
        let request = self
            .request(method, bucket, key, query, headers, payload)
            .map_err(|error| Failure::Nonsense(format!("cannot make the request: {error:#}")))?;
        let response = self.http.request(request).await.map_err(Failure::interrupted)?;
        let (parts, body) = response.into_parts();
        if parts.status.is_success() {
            return Ok((parts.headers, body));
        }
        if is_head {
            // The answer has no body to say more.
            let code = parts.status.canonical_reason().unwrap_or_default().replace(' ', "");
            return Err(Failure::Refused { status: parts.status, code, message: String::new() });
        }
        let body = body.collect().await.map_err(Failure::interrupted)?.to_bytes();
        let answer: xml::ErrorAnswer = parse(&body)?;
        Err(Failure::Refused { status: parts.status, code: answer.code, message: answer.message })
    }

    fn request(
        &self,
        method: Method,
        bucket: &str,
        key: &str,
        query: &[(&str, &str)],
        mut headers: HeaderMap,
        payload: Payload,
    ) -> anyhow::Result<Request<BoxBody<Bytes, std::convert::Infallible>>> {
        let path = sigv4::encode_path(&match key {
            "" => format!("/{bucket}"),
            key => format!("/{bucket}/{key}"),
        });
        let query = sigv4::canonical_query(query);
        let (payload_hash, body) = match payload {
            Payload::Signed(body) => (hex::encode(Sha256::digest(&body)), Full::new(body).boxed()),
            Payload::Unsigned(body) => ("UNSIGNED-PAYLOAD".to_owned(), body.boxed()),
        };
        headers.insert("host", self.authority.parse()?);
        let signable =
            Signable { method: method.as_str(), path: &path, query: &query, payload_hash: &payload_hash };
        sigv4::sign(&self.credentials, REGION, OffsetDateTime::now_utc(), &signable, &mut headers)?;
        let authority = &self.authority;
        let uri = if query.is_empty() {
            format!("http://{authority}{path}")
        } else {
            format!("http://{authority}{path}?{query}")
        };
        // hyper leaves it out where the body is empty, and S3 insists on it.
        if let Some(length) =
            body.size_hint().exact().filter(|_| matches!(method, Method::PUT | Method::POST))
        {
            headers.insert("content-length", length.into());
        }
        let mut request = Request::builder().method(method).uri(uri).body(body)?;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Payload {
    pub(super) fn empty() -> Self {
        Self::Signed(Bytes::new())
    }
}

pub(super) fn etag(headers: &HeaderMap) -> Result<String, Failure> {
    let value = headers.get("etag").and_then(|value| value.to_str().ok());
    let value = value.ok_or_else(|| Failure::Nonsense("answer without an ETag".into()))?;
    Ok(unquoted(value))
}

pub(super) fn unquoted(etag: &str) -> String {
    etag.trim_matches('"').to_owned()
}

pub(super) fn to_xml(document: &impl serde::Serialize) -> Result<String, Failure> {
    quick_xml::se::to_string(document).map_err(|error| Failure::Nonsense(error.to_string()))
}

pub(super) fn parse<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    let text = std::str::from_utf8(body).map_err(|error| Failure::Nonsense(error.to_string()))?;
    quick_xml::de::from_str(text).map_err(|error| Failure::Nonsense(format!("{error}, in answer {text:?}")))
}

pub(super) fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}
