//! Wiring, serving, draining.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::DirBuilder;
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use carob_block::Heads;
use carob_bucket::{Budget, BudgetOptions, Space, SpaceOptions, System, SystemOptions};
use carob_http::{Admin, AdminOptions, Public, serve};
use carob_identity::{Clock, Entropy, RateLimits, SystemClock, SystemEntropy};
use carob_local::{LocalOptions, LocalStore};
use http::Request;
use hyper::service::service_fn;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::banner::Banner;
use crate::config::Settings;
use crate::keys::{self, Keys};

/// Serves until SIGTERM or SIGINT, then finishes what is under way and closes the store.
pub(crate) async fn run(settings: Settings) -> anyhow::Result<()> {
    let stopped = signals()?;
    let Settings { data, limits, .. } = &settings;
    let entropy = Arc::new(SystemEntropy);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);

    // The store first: its lock keeps a second gateway from the keys and the socket as well.
    create_private(data)?;
    let mut log_id = [0; 16];
    entropy.fill(&mut log_id);
    let store = Arc::new(LocalStore::open(LocalOptions::new(data.join("store"), log_id))?);
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;
    let in_use = !store.heads("").await?.is_empty();
    let keys = Keys::open(data, in_use, settings.root.clone(), &*entropy)?;
    let sealed = System::exists(&*store).await?;
    let master = keys::master(data, settings.master_key_file.as_deref(), sealed, &*entropy)?;
    let admin_listener = carob_http::bind(&settings.admin_socket)?;
    let text = Banner { address, region: &settings.region, keys: &keys }.to_string();

    let space = Space::open(SpaceOptions {
        store: Arc::clone(&store) as _,
        signer: Arc::new(keys.space),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy) as _,
        cache_bytes: settings.cache_bytes,
    });
    let space = space.await?;
    let rates = RateLimits::new(settings.rates, keys.root.id.clone(), &clock);
    let system = SystemOptions { root: keys.root, master, clock: Arc::clone(&clock) };
    let system = System::open(&space, system).await?;
    let rights = system.table();
    let s3 = carob_s3::service(carob_s3::S3Options {
        space: space.clone(),
        keys: Arc::clone(rights) as _,
        authorizer: Arc::clone(rights) as _,
        directory: Arc::clone(rights) as _,
        limits: Arc::new(rates),
        clock: Arc::clone(&clock),
        entropy: Arc::clone(&entropy) as _,
        region: settings.region.clone(),
        domains: settings.domains.clone(),
        bodies: Budget::new(BudgetOptions::default()),
    })?;
    let statistics = Arc::clone(&store);
    let admin = Admin::new(AdminOptions {
        space: space.clone(),
        authorizer: Arc::clone(rights) as _,
        system: system.clone(),
        clock,
        version: env!("CARGO_PKG_VERSION"),
        store: Box::new(move || figures(&statistics)),
    });

    let stop = CancellationToken::new();
    let s3 = service_fn(move |request: Request<carob_http::Body>| {
        let s3 = s3.clone();
        async move { Ok::<_, Infallible>(s3.handle(request.map(carob_s3::Body::http_body_unsync)).await) }
    });
    let domains = settings.domains.clone();
    let public = Public::new(s3, entropy, move |host| domains.names_bucket(host));
    let mut servers = JoinSet::new();
    servers.spawn(serve(listener, public, *limits, stop.clone()));
    servers.spawn(serve(admin_listener, admin, *limits, stop.clone()));
    // A closed standard output is no reason not to serve.
    _ = io::stdout().write_all(text.as_bytes()).and_then(|()| io::stdout().flush());
    tracing::info!(%address, "serving");

    // Neither ends by itself; should one fail, the other does not go on alone.
    let failed = tokio::select! {
        () = stopped => None,
        ended = servers.join_next() => ended,
    };
    tracing::info!("stopping");
    stop.cancel();
    let mut ended = failed.unwrap_or(Ok(()));
    while let Some(server) = servers.join_next().await {
        ended = ended.and(server);
    }
    _ = std::fs::remove_file(&settings.admin_socket);
    system.close().await;
    space.close().await;
    store.close().await?;
    Ok(ended?)
}

/// Installed before anything is opened, so that no signal falls between.
fn signals() -> io::Result<impl Future<Output = ()>> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
    })
}

fn create_private(dir: &Path) -> anyhow::Result<()> {
    let created = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    created.with_context(|| format!("cannot create the data directory {}", dir.display()))
}

fn figures(store: &LocalStore) -> BTreeMap<String, u64> {
    let stats = store.stats();
    let figures = [
        ("segments", stats.segments.into()),
        ("bytes", stats.bytes),
        ("blocks", stats.blocks),
        ("heads", stats.heads),
        ("flushes", stats.flushes),
    ];
    figures.map(|(name, value)| (name.to_owned(), value)).into()
}
