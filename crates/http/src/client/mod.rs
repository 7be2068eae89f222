//! The typed client of the admin API, for whoever may open its socket, and of what it answers to access keys over the network.

use std::io::{ErrorKind, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::{PREFIX, api};

mod endpoint;
mod sigv4;
mod stream;

pub use endpoint::Endpoint;
pub use sigv4::Access;

/// Far above a page of a thousand of the longest keys.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// RFC 3986's unreserved characters stand for themselves.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("the gateway is not running (no answer at {})", .0.display())]
    NotRunning(PathBuf),
    /// The socket is there but cannot be used.
    #[error("cannot connect to {}", .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// There is no such gateway on the network, or none that can be trusted.
    #[error("cannot reach the gateway at {endpoint}")]
    Unreachable {
        /// Its host and port.
        endpoint: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A URL that no gateway can be asked at.
    #[error("{url} is no gateway's endpoint: {reason}")]
    Endpoint {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only the operator can ask for this.
    #[error("a gateway on the network does not do this: ask through its admin socket")]
    OnlyBySocket,
    /// The gateway refused; its own words.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// One line for people.
        message: String,
    },
    /// The answer broke off or made no sense.
    #[error("{context}")]
    Broken {
        /// What was being received.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was received could not be written.
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
}

/// What to list; empty is no restriction.
#[derive(Debug, Clone, Default)]
pub struct ListOptions {
    /// Only keys that start with this.
    pub prefix: String,
    /// Rolls keys up to their common prefixes.
    pub delimiter: Option<String>,
    /// The `next` of the page before.
    pub token: Option<String>,
    /// The moment to list, if not now.
    pub at: Option<String>,
}

/// What to prove.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// What is under this key.
    Key {
        /// The key.
        key: &'a str,
        /// Whether the body shall be part of the proof.
        body: bool,
    },
    /// Which objects have keys that start so.
    Prefix(&'a str),
}

/// What to compare; empty is the state now, and no restriction.
#[derive(Debug, Clone, Default)]
pub struct DiffOptions {
    /// The earlier moment.
    pub from: Option<String>,
    /// The later moment.
    pub to: Option<String>,
    /// The bucket that the later moment is of, if another.
    pub to_bucket: Option<String>,
    /// Only keys that start with this.
    pub prefix: Option<String>,
    /// Only this key.
    pub key: Option<String>,
}

/// Asks a gateway. Each call makes a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    gateway: Gateway,
}

#[derive(Debug, Clone)]
enum Gateway {
    Socket(PathBuf),
    Network(Endpoint),
}

impl Client {
    /// Asks the gateway that listens on this socket.
    pub fn new(socket: impl AsRef<Path>) -> Self {
        Self { gateway: Gateway::Socket(socket.as_ref().into()) }
    }

    /// Asks a gateway on the network, which answers what its access key may know.
    pub fn over(endpoint: Endpoint) -> Self {
        Self { gateway: Gateway::Network(endpoint) }
    }

    /// Whether it asks on the network, and not as the operator.
    pub fn is_remote(&self) -> bool {
        matches!(self.gateway, Gateway::Network(_))
    }

    /// The gateway's state.
    ///
    /// # Errors
    /// [`ClientError`], as every call.
    pub async fn status(&self) -> Result<api::Status, ClientError> {
        self.json("/status".into()).await
    }

    /// All buckets by name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn buckets(&self) -> Result<Vec<api::Bucket>, ClientError> {
        self.json("/buckets".into()).await
    }

    /// A page of keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(&self, bucket: &str, options: &ListOptions) -> Result<api::Listing, ClientError> {
        let mut route = format!("{}?prefix={}", route(bucket, "objects"), encode(&options.prefix));
        let ListOptions { delimiter, token, at, .. } = options;
        let given = [("delimiter", delimiter), ("token", token), ("at", at)];
        route.push_str(&parameters(given.map(|(name, value)| (name, value.as_deref()))));
        self.json(route).await
    }

    /// What the objects under a prefix take up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn usage(
        &self,
        bucket: &str,
        prefix: &str,
        at: Option<&str>,
    ) -> Result<api::Usage, ClientError> {
        let at = parameters([("at", at)]);
        self.json(format!("{}?prefix={}{at}", route(bucket, "usage"), encode(prefix))).await
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stat(&self, bucket: &str, key: &str, at: Option<&str>) -> Result<api::Object, ClientError> {
        let at = parameters([("at", at)]);
        self.json(format!("{}?key={}{at}", route(bucket, "stat"), encode(key))).await
    }

    /// The newest commits of a bucket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn log(&self, bucket: &str, limit: Option<usize>) -> Result<Vec<api::LogEntry>, ClientError> {
        let limit = limit.map(|limit| format!("?limit={limit}")).unwrap_or_default();
        self.json(format!("{}{limit}", route(bucket, "log"))).await
    }

    /// Writes a bucket as a CAR and returns its length. After an error, what was written is not whole.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(
        &self,
        bucket: &str,
        at: Option<&str>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let at = parameters([("at", at)]);
        self.download(format!("{}?{at}", route(bucket, "export")), "the export broke off", to).await
    }

    /// The same with all past states that are kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export_history(
        &self,
        bucket: &str,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let at = "history=true";
        self.download(format!("{}?{at}", route(bucket, "export")), "the export broke off", to).await
    }

    /// Writes the proof of what is under a key, or of which keys start with it, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn prove(
        &self,
        bucket: &str,
        question: &Question<'_>,
        at: Option<&str>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let question = match question {
            Question::Key { key, body: false } => parameters([("key", Some(*key))]),
            Question::Key { key, body: true } => parameters([("key", Some(*key)), ("body", Some(""))]),
            Question::Prefix(prefix) => parameters([("prefix", Some(*prefix))]),
        };
        let at = parameters([("at", at)]);
        self.download(format!("{}?{question}{at}", route(bucket, "proof")), "the proof broke off", to).await
    }

    /// The Bao slices of bytes `range` of an object, as a stream that ends with an error where the connection does.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn slices(
        &self,
        bucket: &str,
        key: &str,
        at: &str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = match &self.gateway {
            Gateway::Socket(_) => {
                let (start, end) = (range.start.to_string(), range.end.to_string());
                let given = [("key", key), ("at", at), ("start", &start), ("end", &end)];
                let given = parameters(given.map(|(name, value)| (name, Some(value))));
                self.get(format!("{}?{given}", route(bucket, "slices"))).await?
            }
            // S3's own read, which keeps to the memory that all bodies have together.
            Gateway::Network(_) => {
                let mut headers = vec![("x-carob-at", at.to_owned()), ("x-carob-verified", "bao".to_owned())];
                if let Some(last) = range.end.checked_sub(1) {
                    headers.push(("range", format!("bytes={}-{last}", range.start)));
                }
                let path = format!("/{}/{}", encode(bucket), encode_path(key));
                self.ask(Method::GET, &path, headers, Full::new(Bytes::new()), &sigv4::payload(b"")).await?
            }
        };
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the object broke off")(error)))
    }

    async fn download(
        &self,
        route: String,
        broke_off: &'static str,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let response = self.get(route).await?;
        let mut body = response.into_body();
        let mut written = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken(broke_off))?;
            let Ok(data) = frame.into_data() else { continue };
            to.write_all(&data).await.map_err(ClientError::Output)?;
            written += data.len() as u64;
        }
        to.flush().await.map_err(ClientError::Output)?;
        Ok(written)
    }

    /// What differs between two states, a key at a time.
    ///
    /// # Errors
    /// [`ClientError`], also that of `each`. What was told until then is right but not all.
    pub async fn diff(
        &self,
        bucket: &str,
        options: &DiffOptions,
        mut each: impl FnMut(api::Change) -> std::io::Result<()>,
    ) -> Result<(), ClientError> {
        let DiffOptions { from, to, to_bucket, prefix, key } = options;
        let given = [("from", from), ("to", to), ("to-bucket", to_bucket), ("prefix", prefix), ("key", key)];
        let given = parameters(given.map(|(name, value)| (name, value.as_deref())));
        let response = self.get(format!("{}?{given}", route(bucket, "diff"))).await?;
        lines(response, "the comparison broke off", |change| each(change).map_err(ClientError::Output)).await
    }

    /// The newest commit of a bucket, and with `past` those before it that are kept, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn commits(
        &self,
        bucket: &str,
        past: bool,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = self.get(format!("{}?past={past}", route(bucket, "commits"))).await?;
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the commits broke off")(error)))
    }

    /// Blocks of a bucket's states, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blocks(
        &self,
        bucket: &str,
        wanted: &api::Wanted,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = self.post_for(&route(bucket, "blocks"), wanted).await?;
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the blocks broke off")(error)))
    }

    /// Has the gateway bring a bucket from another one, and tells `each` how far it is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn pull(
        &self,
        bucket: &str,
        pull: &api::Pull,
        mut each: impl FnMut(api::PullProgress),
    ) -> Result<api::Pulled, ClientError> {
        let response = self.post_for(&route(bucket, "pull"), pull).await?;
        let status = response.status().as_u16();
        let mut pulled = None;
        lines(response, "the pull broke off", |line| {
            match line {
                api::PullLine::Progress(progress) => each(progress),
                api::PullLine::Done(done) => pulled = Some(done),
                api::PullLine::Failed(message) => return Err(ClientError::Refused { status, message }),
            }
            Ok(())
        })
        .await?;
        pulled.ok_or_else(|| broken("the pull broke off")(std::io::Error::from(ErrorKind::UnexpectedEof)))
    }

    /// Makes a bucket, or a part of it, what it was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn restore(&self, bucket: &str, restore: &api::Restore) -> Result<api::Grafted, ClientError> {
        self.post(&route(bucket, "restore"), restore).await
    }

    /// Makes a bucket that begins as this one is or was.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn branch(&self, bucket: &str, branch: &api::Branch) -> Result<api::Branched, ClientError> {
        self.post(&route(bucket, "branch"), branch).await
    }

    /// Makes a bucket of an export.
    ///
    /// # Errors
    /// [`ClientError`]; a file that cannot be read ends the request.
    pub async fn import(
        &self,
        bucket: &str,
        owner: Option<&str>,
        file: std::fs::File,
    ) -> Result<api::Branched, ClientError> {
        let route = format!("{}?{}", route(bucket, "import"), parameters([("owner", owner)]));
        understood(self.send(Method::POST, route, FileBody(file), sigv4::UNSIGNED).await?).await
    }

    /// Takes over what another bucket changed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn merge(&self, bucket: &str, merge: &api::Merge) -> Result<api::Grafted, ClientError> {
        self.post(&route(bucket, "merge"), merge).await
    }

    /// How long past states of a bucket stay.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn retention(&self, bucket: &str) -> Result<api::Retention, ClientError> {
        self.json(route(bucket, "retention")).await
    }

    /// Sets how long past states of a bucket stay.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn set_retention(
        &self,
        bucket: &str,
        retention: &api::Retention,
    ) -> Result<api::Retention, ClientError> {
        self.post(&route(bucket, "retention"), retention).await
    }

    /// The named snapshots of a bucket.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn snapshots(&self, bucket: &str) -> Result<Vec<api::NamedSnapshot>, ClientError> {
        self.json(route(bucket, "snapshots")).await
    }

    /// Keeps a bucket as it is, under a name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_snapshot(
        &self,
        bucket: &str,
        snapshot: &api::CreateSnapshot,
    ) -> Result<api::NamedSnapshot, ClientError> {
        self.post(&route(bucket, "snapshots"), snapshot).await
    }

    /// Gives a named snapshot up.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_snapshot(&self, bucket: &str, name: &str) -> Result<api::NamedSnapshot, ClientError> {
        self.delete(format!("{}?name={}", route(bucket, "snapshots"), encode(name))).await
    }

    /// Erases a key from all states of a bucket, or says what that would do.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn purge(&self, bucket: &str, purge: &api::Purge) -> Result<api::Purged, ClientError> {
        self.post(&route(bucket, "purge"), purge).await
    }

    /// Collects garbage, or says what that would do.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn collect(&self, dry_run: bool, full: bool) -> Result<api::Collected, ClientError> {
        self.post(&format!("/gc?dry-run={dry_run}&full={full}"), &()).await
    }

    /// All accounts, the root's first.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn accounts(&self) -> Result<Vec<api::Account>, ClientError> {
        self.json("/accounts".into()).await
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_account(&self, account: &api::CreateAccount) -> Result<api::NewAccount, ClientError> {
        self.post("/accounts", account).await
    }

    /// Removes an account that owns no bucket, and its keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn remove_account(&self, name: &str) -> Result<api::Account, ClientError> {
        self.delete(format!("/accounts?name={}", encode(name))).await
    }

    /// The encryption keys.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn encryption_keys(&self) -> Result<Vec<api::EncryptionKey>, ClientError> {
        self.json("/encryption-keys".into()).await
    }

    /// Makes an encryption key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_encryption_key(&self, name: &str) -> Result<api::EncryptionKey, ClientError> {
        self.post("/encryption-keys", &api::NamesEncryptionKey { name: name.to_owned() }).await
    }

    /// Disables an encryption key, or enables it again.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn disable_encryption_key(
        &self,
        name: &str,
        disabled: bool,
    ) -> Result<api::EncryptionKey, ClientError> {
        let route = if disabled { "/encryption-keys/disable" } else { "/encryption-keys/enable" };
        self.post(route, &api::NamesEncryptionKey { name: name.to_owned() }).await
    }

    /// The access keys of an account or of all.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn keys(&self, account: Option<&str>) -> Result<Vec<api::Key>, ClientError> {
        let account = account.map(|name| format!("?account={}", encode(name))).unwrap_or_default();
        self.json(format!("/keys{account}")).await
    }

    /// Makes an access key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn create_key(&self, key: &api::CreateKey) -> Result<api::NewKey, ClientError> {
        self.post("/keys", key).await
    }

    /// Makes an access key void for good.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn revoke_key(&self, id: &str) -> Result<api::Key, ClientError> {
        self.delete(format!("/keys?id={}", encode(id))).await
    }

    async fn json<T: DeserializeOwned>(&self, route: String) -> Result<T, ClientError> {
        understood(self.get(route).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, route: &str, body: &impl Serialize) -> Result<T, ClientError> {
        understood(self.post_for(route, body).await?).await
    }

    async fn post_for(&self, route: &str, body: &impl Serialize) -> Result<Response<Incoming>, ClientError> {
        let body = serde_json::to_vec(body).map_err(broken("not a request that can be sent"))?;
        let payload = sigv4::payload(&body);
        self.send(Method::POST, route.to_owned(), Full::new(Bytes::from(body)), &payload).await
    }

    async fn delete<T: DeserializeOwned>(&self, route: String) -> Result<T, ClientError> {
        let payload = sigv4::payload(b"");
        understood(self.send(Method::DELETE, route, Full::new(Bytes::new()), &payload).await?).await
    }

    async fn get(&self, route: String) -> Result<Response<Incoming>, ClientError> {
        self.send(Method::GET, route, Full::new(Bytes::new()), &sigv4::payload(b"")).await
    }

    async fn send<B>(
        &self,
        method: Method,
        route: String,
        body: B,
        payload: &str,
    ) -> Result<Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if self.is_remote() && !route.starts_with("/buckets/") {
            return Err(ClientError::OnlyBySocket);
        }
        self.ask(method, &format!("{PREFIX}{route}"), Vec::new(), body, payload).await
    }

    /// Sends one request for `target` on a connection of its own; `payload` is what is signed of the body.
    async fn ask<B>(
        &self,
        method: Method,
        target: &str,
        mut headers: Vec<(&'static str, String)>,
        body: B,
        payload: &str,
    ) -> Result<Response<Incoming>, ClientError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (stream, headers) = match &self.gateway {
            Gateway::Socket(socket) => {
                headers.push(("host", "carob".to_owned()));
                (connect(socket).await?, headers)
            }
            Gateway::Network(endpoint) => {
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                headers.push(("host", endpoint.authority.clone()));
                let request = sigv4::ToSign { method: method.as_str(), path, query, headers, payload };
                (endpoint.connect().await?, endpoint.access.sign(request))
            }
        };
        let lost = "the connection to the gateway was lost";
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken(lost))?;
        // Ends by itself: with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(target);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(body).map_err(broken("not a request that can be sent"))?;
        let response = sender.send_request(request).await.map_err(broken(lost))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let text = collect(response).await?;
        let message = match serde_json::from_slice::<api::Failure>(&text) {
            Ok(failure) => failure.error,
            Err(_) => in_xml(&text).unwrap_or_else(|| format!("the gateway answered {status}")),
        };
        Err(ClientError::Refused { status: status.as_u16(), message })
    }
}

async fn connect(socket: &Path) -> Result<stream::Stream, ClientError> {
    let connected = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(socket.to_owned()),
        _ => ClientError::Connect { path: socket.to_owned(), source },
    });
    Ok(Box::new(connected?))
}

/// What an error of S3 says to people: a bad signature or an object that is not there is answered so.
fn in_xml(text: &[u8]) -> Option<String> {
    let (_, rest) = std::str::from_utf8(text).ok()?.split_once("<Message>")?;
    Some(rest.split_once("</Message>")?.0.to_owned())
}

/// A file as the body of a request. Reading it blocks: for a program that does nothing else meanwhile.
struct FileBody(std::fs::File);

impl Body for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let mut piece = vec![0; 256 * 1024];
        Poll::Ready(match self.0.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

fn route(bucket: &str, leaf: &str) -> String {
    format!("/buckets/{}/{leaf}", encode(bucket))
}

/// Those that are given, each with an ampersand before it.
fn parameters<const N: usize>(given: [(&str, Option<&str>); N]) -> String {
    let given = given.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.map(|(name, value)| format!("&{name}={}", encode(value))).collect()
}

/// A key as a path: its slashes stay.
fn encode_path(key: &str) -> String {
    key.split('/').map(encode).collect::<Vec<_>>().join("/")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// Reads an answer of one value a line to its end.
async fn lines<T: DeserializeOwned>(
    response: Response<Incoming>,
    broke_off: &'static str,
    mut each: impl FnMut(T) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let mut body = response.into_body();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken(broke_off))?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            each(serde_json::from_slice(&line).map_err(broken("the gateway's answer is not understood"))?)?;
        }
    }
    Ok(())
}

async fn understood<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let text = collect(response).await?;
    serde_json::from_slice(&text).map_err(broken("the gateway's answer is not understood"))
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let source = |source| ClientError::Broken { context: "the gateway's answer broke off", source };
    Ok(body.map_err(source)?.to_bytes())
}

fn broken<E>(context: &'static str) -> impl FnOnce(E) -> ClientError
where
    E: std::error::Error + Send + Sync + 'static,
{
    move |source| ClientError::Broken { context, source: Box::new(source) }
}
