//! Connections, accepted, limited and drained.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use carob_identity::Source;
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::task::{JoinError, JoinSet};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use crate::Body;
use crate::body::boxed;
use crate::go_ahead::GoAhead;
use crate::idle::{Answer, Idle, Place, Watched};
use crate::progress::Progress;

/// What a client may take of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections served at one time. Where there are so many, one on which nothing is asked makes room for the next, for
    /// which there are more for a moment.
    pub connections: usize,
    /// Connections beyond those that are told so, at one time; more wait in the listener's queue.
    pub surplus: usize,
    /// The longest wait for a whole request head, idle keep-alive time included.
    pub head_timeout: Duration,
    /// The most bytes of request line and headers.
    pub head_bytes: usize,
    /// The most headers of a request.
    pub headers: usize,
    /// The longest that a client may send next to nothing of a body that is waited for.
    pub body_timeout: Duration,
    /// The longest that a client may take no byte of a response that is being sent.
    pub write_timeout: Duration,
    /// The longest wait for running requests when asked to stop; then connections are cut.
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            surplus: 64,
            head_timeout: Duration::from_mins(1),
            head_bytes: 64 * 1024,
            // Metadata of single letters fills the 8 KB that Amazon S3 takes with fewer.
            headers: 512,
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_mins(1),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The longest that a connection too many may take to send the head of a request.
const SURPLUS_TIMEOUT: Duration = Duration::from_secs(5);

/// The most that is buffered of what a client sends, and of small pieces of what it gets. Without a bound of ours, each
/// of many busy connections has hundreds of KiB.
const BUFFER: usize = 128 * 1024;

/// Marks requests on a connection too many: the service is to turn them away. The connection ends with the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surplus;

/// How many connections are open. The clones are one.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<AtomicUsize>);

impl Connections {
    /// How many there are now.
    pub fn open(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Gives connections. Implemented by TCP and Unix listeners.
pub trait Listener: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Send + 'static;

    /// Waits for the next connection; dropping the future loses none.
    fn next(&self) -> impl Future<Output = io::Result<Self::Io>> + Send;

    /// Where a connection comes from, if that is an address. Every request on it carries it as an extension.
    fn source(io: &Self::Io) -> Option<Source>;
}

impl Listener for TcpListener {
    type Io = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // Answers are written whole; waiting to fill a packet would only delay small ones.
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn source(io: &TcpStream) -> Option<Source> {
        io.peer_addr().ok().map(|address| Source(address.ip()))
    }
}

impl Listener for UnixListener {
    type Io = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }

    fn source(_: &UnixStream) -> Option<Source> {
        None
    }
}

/// Serves HTTP/1 until `stop` is cancelled, then finishes what is under way and returns.
///
/// HTTP/2 without TLS is not offered: no S3 client speaks it. `connections` counts what is open meanwhile.
pub async fn serve<L, S>(
    listener: L,
    service: S,
    limits: Limits,
    connections: Connections,
    stop: CancellationToken,
) where
    L: Listener,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Send + Sync + 'static,
    S::Future: Send,
{
    let service = Arc::new(service);
    let (mut open, mut surplus) = (JoinSet::new(), JoinSet::new());
    let idle = Idle::default();
    loop {
        connections.0.store(open.len() + surplus.len(), Ordering::Relaxed);
        let full = open.len() >= limits.connections;
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = open.join_next() => report(ended),
            Some(ended) = surplus.join_next() => report(ended),
            () = idle.more(), if full => {}
            accepted = listener.next(), if !full || idle.any() || surplus.len() < limits.surplus => match accepted {
                Ok(io) => {
                    let source = L::source(&io);
                    let service = Arc::clone(&service);
                    if full && !idle.end_first() {
                        let place = Idle::default().place(&stop);
                        surplus.spawn(connection(io, source, service, limits, true, place));
                    } else {
                        open.spawn(connection(io, source, service, limits, false, idle.place(&stop)));
                    }
                }
                Err(error) => {
                    // Out of file descriptors, most likely: wait for connections to end rather than spin.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    let drained = async {
        while let Some(ended) = surplus.join_next().await {
            report(ended);
        }
        while let Some(ended) = open.join_next().await {
            report(ended);
            connections.0.store(open.len(), Ordering::Relaxed);
        }
    };
    if tokio::time::timeout(limits.drain_timeout, drained).await.is_err() {
        tracing::warn!(connections = open.len(), "requests took too long to finish and are cut off");
        surplus.shutdown().await;
        open.shutdown().await;
    }
    connections.0.store(0, Ordering::Relaxed);
}

async fn connection<I, S>(
    io: I,
    source: Option<Source>,
    service: Arc<S>,
    limits: Limits,
    surplus: bool,
    place: Arc<Place>,
) where
    I: AsyncRead + AsyncWrite + Send + 'static,
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Send + Sync + 'static,
    S::Future: Send,
{
    // Only writes: while a request is worked on, hyper waits in a read to notice that the client left.
    let mut io = TimeoutStream::new(io);
    io.set_write_timeout(Some(limits.write_timeout));
    let mut http = http1::Builder::new();
    let head_timeout = if surplus { limits.head_timeout.min(SURPLUS_TIMEOUT) } else { limits.head_timeout };
    http.timer(TokioTimer::new()).header_read_timeout(head_timeout).max_header_size(limits.head_bytes);
    http.max_headers(limits.headers);
    http.max_buf_size(BUFFER.max(limits.head_bytes)).keep_alive(!surplus);
    let io = Watched::new(io, Arc::clone(&place));
    let asked = Arc::clone(&place);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let place = Arc::clone(&asked);
        place.leave();
        if let Some(source) = source {
            request.extensions_mut().insert(source);
        }
        if surplus {
            request.extensions_mut().insert(Surplus);
        }
        let go_ahead = GoAhead::of(&request);
        let body = |body| boxed(Progress::new(body, go_ahead.clone(), limits.body_timeout));
        let answer = service.call(request.map(body));
        async move {
            let mut response = answer.await?;
            if go_ahead.is_withheld() {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, place)))
        }
    });
    let mut connection = pin!(http.serve_connection(TokioIo::new(io), service));
    let ended = tokio::select! {
        // What came before it was told is a request.
        biased;
        ended = connection.as_mut() => ended,
        () = place.told_to_end() => {
            if !place.was_asked() {
                return;
            }
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection broke off");
    }
}

fn report(ended: Result<(), JoinError>) {
    // Those that are cut off were meant to be.
    if let Err(error) = ended
        && !error.is_cancelled()
    {
        tracing::error!(%error, "a request failed unexpectedly");
    }
}
