//! Wiring, serving, draining.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::DirBuilder;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use carob_audit::AuditLog;
use carob_block::Heads;
use carob_bucket::{Budget, Collector, Space, SpaceOptions, System, SystemOptions};
use carob_http::{
    Admin, AdminOptions, Certificate, Connections, Limits, MeteredStore, Metrics, Monitor, Public, Readiness,
    TlsListener, serve,
};
use carob_identity::{Clock, Entropy, RateLimits, SystemClock, SystemEntropy};
use carob_local::{LocalError, LocalOptions, LocalStore};
use carob_s3::{Lifecycle, S3Frontend};
use http::Request;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::banner::Banner;
use crate::config::Settings;
use crate::history::History;
use crate::keys::{self, Keys};
use crate::monitoring::{self, Requests};

/// The longest that the last scrape may take.
const SCRAPE_LIMIT: Duration = Duration::from_secs(1);

/// How often it is looked whether the certificate was replaced.
const CERTIFICATE_PERIOD: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, then finishes what is under way and closes the store. A second signal ends the
/// process at once.
#[expect(clippy::too_many_lines, reason = "the wiring, in the order in which one thing needs another")]
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let signals = Signals::new()?;
    let Settings { data, limits, .. } = &settings;
    let entropy = Arc::new(SystemEntropy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (metrics, readiness) = (Metrics::new(env!("CARGO_PKG_VERSION")), Readiness::default());
    monitoring::show_process(&metrics, &readiness);
    // Before the store, which may take its time to open: until then it answers that nothing is ready.
    let monitor = Monitoring::start(settings.metrics, &metrics, &readiness).await?;

    // The store first: its lock keeps a second gateway from the keys and the socket as well.
    create_private(data)?;
    let local = Arc::new(open_store(data, &*entropy)?);
    monitoring::show_store(&metrics, &local);
    let certificate = settings.tls.clone().map(|(chain, key)| Certificate::load(chain, key)).transpose()?;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let in_use = !local.heads("").await?.is_empty();
    let keys = Keys::open(data, in_use, settings.root.clone(), &*entropy)?;
    let sealed = System::exists(&*local).await?;
    let master = keys::master(data, settings.master_key_file.as_deref(), sealed, &*entropy)?;
    let admin_listener = carob_http::bind(&settings.admin_socket)?;
    let monitored = monitor.as_ref().map(|monitor| monitor.address);
    let tls = certificate.is_some();
    let scheme = if tls { "https" } else { "http" };
    let banner = Banner { address, scheme, metrics: monitored, region: &settings.region, keys: &keys };
    let text = banner.to_string();

    let store = MeteredStore::new(Arc::clone(&local) as _, metrics.clone(), readiness.clone());
    let space = Space::open(SpaceOptions {
        store: Arc::new(store),
        signer: Arc::new(keys.space),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy) as _,
        cache_bytes: settings.cache_bytes,
    });
    let space = space.await?;
    monitoring::show_space(&metrics, &space);
    let rates = RateLimits::new(settings.rates, keys.root.id.clone(), &clock);
    let system = SystemOptions { root: keys.root, master, clock: Arc::clone(&clock) };
    let system = open_system(&space, system, &settings).await?;
    let rights = system.table();
    let (bodies, connections) = (Budget::new(settings.bodies), Connections::default());
    monitoring::show_load(&metrics, &connections, &bodies);
    let s3 = carob_s3::service(carob_s3::S3Options {
        space: space.clone(),
        keys: Arc::clone(rights) as _,
        authorizer: Arc::clone(rights) as _,
        encryption_keys: Arc::new(system.clone()),
        directory: Arc::clone(rights) as _,
        limits: Arc::new(rates),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy) as _,
        region: settings.region.clone(),
        domains: settings.domains.clone(),
        bodies,
        signature_v2: settings.signature_v2,
        tls,
    })?;
    let audit = settings.audit_bytes.map(|bytes| open_audit(&data.join("audit"), bytes)).transpose()?;
    let s3 = s3.observed_by(Arc::new(Requests { metrics: metrics.clone(), audit: audit.clone() }));
    let collector = Collector::new(space.clone(), Arc::clone(&local) as _, settings.collect);
    monitoring::show_collector(&metrics, &collector);
    let admin = Admin::new(AdminOptions {
        space: space.clone(),
        authorizer: Arc::clone(rights) as _,
        system: system.clone(),
        clock,
        version: env!("CARGO_PKG_VERSION"),
        store: figures(&local, &collector),
        collector: collector.clone(),
    });
    let admin = monitoring::write_down_operator(admin, audit.as_ref());

    let s3 = s3.serving(Arc::new(History(admin.remote())));
    let lifecycle = Lifecycle::new(space.clone(), Arc::new(SystemClock)).with_day(settings.lifecycle_day);
    let lifecycle = monitoring::write_down(lifecycle, audit.as_ref());
    let (logged, mut background) = (s3.clone(), background(&s3, settings.access_log_period, lifecycle));
    let stop = CancellationToken::new();
    let s3 = service_fn(move |request: Request<carob_http::Body>| {
        let s3 = s3.clone();
        async move { Ok::<_, Infallible>(s3.handle(request.map(carob_s3::Body::http_body_unsync)).await) }
    });
    let domains = settings.domains.clone();
    let names_bucket = move |host: &str| domains.names_bucket(host);
    let public = Public::new(s3, entropy, names_bucket, readiness.clone(), metrics);
    let mut servers = JoinSet::new();
    match certificate {
        None => servers.spawn(serve(listener, public, *limits, connections, stop.clone())),
        Some(certificate) => {
            let followed = certificate.clone();
            background.spawn(async move { followed.follow(CERTIFICATE_PERIOD).await });
            let listener = TlsListener::new(listener, certificate);
            servers.spawn(serve(listener, public, *limits, connections, stop.clone()))
        }
    };
    servers.spawn(serve(admin_listener, admin, *limits, Connections::default(), stop.clone()));
    servers.spawn(collect(collector, settings.collect_every, stop.clone()));
    readiness.set_serving(true);
    // A closed standard output is no reason not to serve.
    _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    tracing::info!(%address, "serving");

    let (ended, impatient) = until_told(signals, servers, &readiness, &stop, &settings.admin_socket).await;
    // What the lifecycle worker has handed to a bucket is finished there.
    background.shutdown().await;
    logged.flush_access_logs().await;
    Opened { system, space, local, audit, monitor }.close().await?;
    impatient.abort();
    tracing::info!("stopped");
    Ok(ended?)
}

/// Serves until told to stop, and then until all is answered. Gives what waits for a second signal.
async fn until_told(
    mut signals: Signals,
    mut servers: JoinSet<()>,
    readiness: &Readiness,
    stop: &CancellationToken,
    socket: &Path,
) -> (Result<(), JoinError>, JoinHandle<()>) {
    // None ends by itself; should one fail, the others do not go on alone.
    let failed = tokio::select! {
        () = signals.next() => None,
        ended = servers.join_next() => ended,
    };
    tracing::info!("stopping");
    readiness.set_serving(false);
    let impatient = tokio::spawn(end_at_once(signals, socket.to_owned()));
    stop.cancel();
    let mut ended = failed.unwrap_or(Ok(()));
    while let Some(server) = servers.join_next().await {
        ended = ended.and(server);
    }
    _ = std::fs::remove_file(socket);
    (ended, impatient)
}

/// What is closed at the end, in this order.
struct Opened {
    system: System,
    space: Space,
    local: Arc<LocalStore>,
    audit: Option<Arc<AuditLog>>,
    monitor: Option<Monitoring>,
}

impl Opened {
    async fn close(self) -> anyhow::Result<()> {
        self.system.close().await;
        self.space.close().await;
        self.local.close().await?;
        if let Some(audit) = self.audit {
            tokio::task::spawn_blocking(move || audit.close()).await?;
        }
        match self.monitor {
            Some(monitor) => monitor.stop().await,
            None => Ok(()),
        }
    }
}

fn open_store(data: &Path, entropy: &dyn Entropy) -> anyhow::Result<LocalStore> {
    LocalStore::open(LocalOptions::new(data.join("store"), log_id(entropy))).map_err(|error| {
        let damaged = matches!(error, LocalError::Damaged { .. });
        let error = anyhow::Error::new(error);
        if damaged {
            error.context("the store is damaged: see carob fsck and carob repair --help")
        } else {
            error
        }
    })
}

/// With the encryption keys that there are to be.
async fn open_system(space: &Space, options: SystemOptions, settings: &Settings) -> anyhow::Result<System> {
    let system = System::open(space, options).await?;
    for name in &settings.kms_keys {
        system.ensure_encryption_key(name).await?;
    }
    Ok(system)
}

/// What goes on whether there are requests or not.
fn background(s3: &S3Frontend, access_log_period: Duration, lifecycle: Lifecycle) -> JoinSet<()> {
    let (mut tasks, logged) = (JoinSet::new(), s3.clone());
    tasks.spawn(async move { logged.deliver_access_logs(access_log_period).await });
    tasks.spawn(async move { lifecycle.run().await });
    tasks
}

/// Collects garbage until told to stop.
async fn collect(collector: Collector, every: Option<Duration>, stop: CancellationToken) {
    match every {
        Some(interval) => _ = stop.run_until_cancelled(collector.run(interval)).await,
        None => stop.cancelled().await,
    }
}

/// Ends the process at the next signal.
async fn end_at_once(mut signals: Signals, socket: PathBuf) {
    signals.next().await;
    tracing::warn!("told to stop twice: ending at once");
    _ = std::fs::remove_file(socket);
    // What was acknowledged is durable, and the rest was promised to nobody.
    std::process::exit(1);
}

/// The listener for metrics, from before anything is open until everything is closed.
struct Monitoring {
    address: SocketAddr,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Monitoring {
    async fn start(
        address: Option<SocketAddr>,
        metrics: &Metrics,
        readiness: &Readiness,
    ) -> anyhow::Result<Option<Self>> {
        let Some(address) = address else { return Ok(None) };
        let listener = TcpListener::bind(address).await;
        let listener = listener.with_context(|| format!("cannot show metrics on {address}"))?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let limits = Limits { connections: 16, surplus: 0, drain_timeout: SCRAPE_LIMIT, ..Limits::default() };
        let monitor = Monitor { metrics: metrics.clone(), readiness: readiness.clone() };
        let server = tokio::spawn(serve(listener, monitor, limits, Connections::default(), stop.clone()));
        Ok(Some(Self { address, stop, server }))
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        Ok(self.server.await?)
    }
}

/// SIGTERM and SIGINT. Made before anything is opened, so that none falls between.
struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

fn log_id(entropy: &dyn Entropy) -> [u8; 16] {
    let mut id = [0; 16];
    entropy.fill(&mut id);
    id
}

fn create_private(dir: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    created.with_context(|| format!("cannot create the data directory {}", dir.display()))
}

fn open_audit(dir: &Path, bytes: u64) -> anyhow::Result<Arc<AuditLog>> {
    create_private(dir)?;
    AuditLog::open(dir, bytes).map(Arc::new).context("the audit log")
}

/// Says how much the store holds and what collections came to, whenever it is asked.
fn figures(
    store: &Arc<LocalStore>,
    collector: &Collector,
) -> Box<dyn Fn() -> BTreeMap<String, u64> + Send + Sync> {
    let (store, collector) = (Arc::clone(store), collector.clone());
    Box::new(move || {
        let (stats, collected) = (store.stats(), collector.figures());
        let figures = [
            ("segments", stats.segments.into()),
            ("bytes", stats.bytes),
            ("blocks", stats.blocks),
            ("heads", stats.heads),
            ("flushes", stats.flushes),
            ("collections", collected.collections),
            ("copied", collected.copied_bytes),
        ];
        figures.map(|(name, value)| (name.to_owned(), value)).into()
    })
}
