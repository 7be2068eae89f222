//! TLS on a TCP listener, with a certificate that may be replaced while it serves.

use std::future::Future;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use carob_identity::Source;
use parking_lot::RwLock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{Error, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use crate::serve::Listener;

/// A certificate that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct TlsError {
    path: PathBuf,
    reason: String,
}

impl TlsError {
    fn new(path: &Path, reason: String) -> Self {
        Self { path: path.to_owned(), reason }
    }
}

/// What is wrong with a PEM file that is to hold a `what`.
fn in_words(error: pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::NoItemsFound if what == "private key" => {
            "there is no private key in it: none between -----BEGIN PRIVATE KEY----- and its end, and none under a \
             password can be used"
                .to_owned()
        }
        pem::Error::NoItemsFound => {
            format!("there is no {what} in it: none between -----BEGIN CERTIFICATE----- and its end")
        }
        error => format!("the PEM of the {what} is broken: {}", broken(&error)),
    }
}

/// The library shows lines as numbers.
fn broken(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("its last line, -----END {}-----, is missing", String::from_utf8_lossy(end_marker))
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line that begins with -----BEGIN does not end so".to_owned()
        }
        pem::Error::Base64Decode(_) => {
            "what stands between its first and its last line is not base64".to_owned()
        }
        error => error.to_string(),
    }
}

/// A certificate with its chain and its key, from two PEM files. Cheap to clone; the clones are one.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    chain: PathBuf,
    key: PathBuf,
    /// What the files were before they were first read.
    first: Stamp,
    current: RwLock<Arc<ServerConfig>>,
}

/// What shows that a file was replaced: which one it is, and when it was last changed in any way. Its length and the time of
/// its last writing may be those of the one before, where another was put in its place.
type Stamp = [Option<(u64, i64, i64)>; 2];

impl Certificate {
    /// Reads both files: the certificate with those that lead to its root, and its private key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn load(chain: PathBuf, key: PathBuf) -> Result<Self, TlsError> {
        // First: what is put in their place while they are read differs from it.
        let first = stamp(&chain, &key);
        let current = RwLock::new(read(&chain, &key)?);
        Ok(Self(Arc::new(Inner { chain, key, first, current })))
    }

    /// Reads the files again whenever one of them has changed, looking every `period`, until it is dropped. Files that
    /// cannot be used leave everything as it is; they are looked at again when they change again.
    pub async fn follow(&self, period: Duration) {
        let mut seen = self.0.first;
        loop {
            tokio::time::sleep(period).await;
            let now = stamp(&self.0.chain, &self.0.key);
            if now == seen {
                continue;
            }
            seen = now;
            let Inner { chain, key, current, .. } = &*self.0;
            match read(chain, key) {
                Ok(config) => {
                    *current.write() = config;
                    tracing::info!(certificate = %chain.display(), "a new certificate is in use");
                }
                Err(error) => tracing::warn!(%error, "the new certificate cannot be used; the old one stays"),
            }
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.current.read()))
    }
}

fn stamp(chain: &Path, key: &Path) -> Stamp {
    [chain, key].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
    })
}

fn read(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let broken = |error| TlsError::new(chain, in_words(error, "certificate"));
    let certificates = CertificateDer::pem_file_iter(chain).map_err(broken)?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(broken)?;
    if certificates.is_empty() {
        return Err(broken(pem::Error::NoItemsFound));
    }
    let private = PrivateKeyDer::from_pem_file(key);
    let private = private.map_err(|error| TlsError::new(key, in_words(error, "private key")))?;
    let provider = ring::default_provider();
    // Once for the error alone: further on nobody knows which of the two files it is about.
    if let Err(error) = provider.key_provider.load_private_key(private.clone_key()) {
        return Err(TlsError::new(key, format!("the private key cannot be used: {error}")));
    }
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(certificates, private));
    let mut config = config.map_err(|error| match error {
        Error::InconsistentKeys(_) => {
            TlsError::new(chain, format!("the private key in {} is not this certificate's", key.display()))
        }
        error => TlsError::new(chain, format!("the certificate cannot be used: {error}")),
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Gives connections that speak TLS. Their handshake takes place when they are first read, so that a slow one keeps
/// nobody else waiting, and counts towards the time for a request's head.
#[derive(Debug)]
pub struct TlsListener {
    tcp: TcpListener,
    certificate: Certificate,
}

impl TlsListener {
    /// Over a TCP listener.
    pub fn new(tcp: TcpListener, certificate: Certificate) -> Self {
        Self { tcp, certificate }
    }
}

impl Listener for TlsListener {
    type Io = TlsIo;

    async fn next(&self) -> io::Result<TlsIo> {
        let stream = self.tcp.next().await?;
        let source = TcpListener::source(&stream);
        let accept = self.certificate.acceptor().accept(stream);
        Ok(TlsIo { state: State::Greeting(Box::new(accept)), source })
    }

    fn source(io: &TlsIo) -> Option<Source> {
        io.source
    }
}

/// A connection that speaks TLS.
#[expect(missing_debug_implementations, reason = "what it is made of has none")]
pub struct TlsIo {
    state: State,
    source: Option<Source>,
}

enum State {
    Greeting(Box<Accept<TcpStream>>),
    Open(Box<TlsStream<TcpStream>>),
    Failed,
}

impl TlsIo {
    /// The stream, once the handshake is over.
    fn open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let State::Greeting(accept) = &mut self.state {
            match ready!(Pin::new(accept).poll(cx)) {
                Ok(stream) => self.state = State::Open(Box::new(stream)),
                Err(error) => {
                    self.state = State::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match &mut self.state {
            State::Open(stream) => Ok(Pin::new(&mut **stream)),
            State::Greeting(_) | State::Failed => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.open(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.open(cx))?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.open(cx))?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing was written before the handshake.
        match &self.state {
            State::Open(_) => ready!(self.open(cx))?.poll_flush(cx),
            State::Greeting(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.state {
            State::Open(_) => ready!(self.open(cx))?.poll_shutdown(cx),
            State::Greeting(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}
