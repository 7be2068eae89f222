//! What the layers have to tell, brought to the metrics.

use std::sync::Arc;

use carob_audit::{AuditLog, Deed, Touched};
use carob_bucket::{Budget, CacheFigures, Collector, CollectorFigures, Space};
use carob_http::{Admin, Connections, Figure, FigureKind, Metrics, OperatorDeed, Readiness, Served};
use carob_local::{LocalStats, LocalStore};
use carob_s3::{Exchange, Lifecycle, Observer, Removal};

/// Counts what S3 serves, and writes down what changes something or is not let in.
pub(crate) struct Requests {
    pub(crate) metrics: Metrics,
    pub(crate) audit: Option<Arc<AuditLog>>,
}

impl Observer for Requests {
    fn started(&self) {
        self.metrics.started();
    }

    fn finished(&self, exchange: &Exchange<'_>) {
        if let Some(audit) = &self.audit
            && is_to_be_written_down(exchange)
        {
            audit.record(deed(exchange));
        }
        let Exchange { operation, status, code, rejection, received, sent, first_byte, time, .. } = *exchange;
        if let Some(rejection) = rejection {
            self.metrics.rejected(rejection.as_str());
        }
        let code = code.unwrap_or_default();
        self.metrics.finished(&Served { operation, status, code, received, sent, first_byte, time });
    }
}

fn is_to_be_written_down(exchange: &Exchange<'_>) -> bool {
    !exchange.method.is_safe() || [401, 403].contains(&exchange.status)
}

fn deed(exchange: &Exchange<'_>) -> Deed {
    Deed {
        request: exchange.request.to_owned(),
        remote: exchange.remote.map(|remote| remote.to_string()),
        key: exchange.access_key.map(str::to_owned),
        operation: exchange.operation.to_owned(),
        method: exchange.method.to_string(),
        path: exchange.path.to_owned(),
        bucket: exchange.bucket.map(str::to_owned),
        decision: exchange.decision.map(str::to_owned),
        status: Some(exchange.status),
        code: exchange.code.map(str::to_owned),
        received: exchange.received,
        keys: exchange.keys.iter().map(touched).collect(),
        ..Deed::default()
    }
}

fn touched(key: &carob_s3::Touched) -> Touched {
    let carob_s3::Touched { key, version, code } = key.clone();
    Touched { key, version, code }
}

/// Has what lifecycle rules delete written down, too.
pub(crate) fn write_down(lifecycle: Lifecycle, audit: Option<&Arc<AuditLog>>) -> Lifecycle {
    let Some(audit) = audit.cloned() else { return lifecycle };
    lifecycle.telling(move |removal: &Removal<'_>| {
        audit.record(Deed {
            operation: removal.operation.to_owned(),
            bucket: Some(removal.bucket.to_owned()),
            keys: vec![Touched { key: removal.key.to_owned(), version: removal.version.clone(), code: None }],
            ..Deed::default()
        });
    })
}

/// Has what the operator does written down, too.
pub(crate) fn write_down_operator(admin: Admin, audit: Option<&Arc<AuditLog>>) -> Admin {
    let Some(audit) = audit.cloned() else { return admin };
    admin.telling(move |deed: &OperatorDeed<'_>| {
        audit.record(Deed {
            by: Some("operator".to_owned()),
            operation: deed.operation.to_owned(),
            method: deed.method.to_string(),
            path: deed.path.to_owned(),
            bucket: deed.bucket.map(str::to_owned),
            subject: deed.subject.map(str::to_owned),
            status: deed.status,
            ..Deed::default()
        });
    })
}

/// What is there to show before anything is open.
pub(crate) fn show_process(metrics: &Metrics, readiness: &Readiness) {
    metrics.show(Figure::resident_memory());
    let readiness = readiness.clone();
    let ready = move || u64::from(readiness.is_ready());
    metrics.show(gauge("carob_ready", "Whether new requests should come: 1 or 0.", ready));
}

/// Connections, and memory of bodies.
pub(crate) fn show_load(metrics: &Metrics, connections: &Connections, bodies: &Budget) {
    let connections = connections.clone();
    let open = move || connections.open() as u64;
    metrics.show(gauge("carob_connections_open", "Connections to the S3 listener.", open));
    let of_bodies = |name, help, value: fn(&Budget) -> usize| {
        let bodies = bodies.clone();
        metrics.show(gauge(name, help, move || value(&bodies) as u64));
    };
    of_bodies("carob_body_memory_bytes", "Memory taken by bodies under way.", Budget::taken);
    of_bodies("carob_body_memory_limit_bytes", "Memory that bodies may take together.", Budget::total);
    let waiting = "Requests that wait for memory to begin.";
    of_bodies("carob_body_memory_waiting", waiting, Budget::waiting);
}

/// What the store says of itself.
pub(crate) fn show_store(metrics: &Metrics, store: &Arc<LocalStore>) {
    let flushes = metrics.clone();
    store.on_flush(move |time| flushes.store_flushed(time));
    let of_store = |name, help, kind, value: fn(&LocalStats) -> u64| {
        let store = Arc::clone(store);
        let value = Box::new(move || Some(value(&store.stats())));
        metrics.show(Figure { name, help, kind, value });
    };
    use FigureKind::Gauge;
    of_store("carob_store_segments", "Segment files.", Gauge, |stats| stats.segments.into());
    of_store("carob_store_bytes", "Bytes in segment files.", Gauge, |stats| stats.bytes);
    of_store("carob_store_blocks", "Different blocks held.", Gauge, |stats| stats.blocks);
    of_store("carob_store_heads", "Heads.", Gauge, |stats| stats.heads);
}

/// What the buckets do.
pub(crate) fn show_space(metrics: &Metrics, space: &Space) {
    let groups = metrics.clone();
    space.on_group(move |operations, time| groups.group_committed(operations, time));
    let space = space.clone();
    let of_cache = |name, help, kind, value: fn(&CacheFigures) -> u64| {
        let space = space.clone();
        metrics.show(Figure { name, help, kind, value: Box::new(move || Some(value(&space.node_cache()))) });
    };
    use FigureKind::{Counter, Gauge};
    let memory = "Memory taken by decoded index nodes.";
    of_cache("carob_index_cache_bytes", memory, Gauge, |cache| cache.memory);
    let hits = "Index nodes that were at hand decoded.";
    of_cache("carob_index_cache_hits", hits, Counter, |cache| cache.hits);
    let misses = "Index nodes that had to be read from the store.";
    of_cache("carob_index_cache_misses", misses, Counter, |cache| cache.misses);
}

/// What collections came to.
pub(crate) fn show_collector(metrics: &Metrics, collector: &Collector) {
    let of_collector = |name, help, kind, value: fn(&CollectorFigures) -> u64| {
        let collector = collector.clone();
        let value = Box::new(move || Some(value(&collector.figures())));
        metrics.show(Figure { name, help, kind, value });
    };
    use FigureKind::{Counter, Gauge};
    of_collector("carob_collections", "Collections of garbage.", Counter, |figures| figures.collections);
    let live = "Bytes of live blocks, as the last collection found them.";
    of_collector("carob_store_live_bytes", live, Gauge, |figures| figures.live_bytes);
    let dead = "Bytes of dead blocks, as the last collection left them.";
    of_collector("carob_store_dead_bytes", dead, Gauge, |figures| figures.dead_bytes);
    let freed = "Bytes of disk that collections gave back.";
    of_collector("carob_collected_bytes", freed, Counter, |figures| figures.freed_bytes);
    let copied = "Live bytes that collections copied.";
    of_collector("carob_collection_copied_bytes", copied, Counter, |figures| figures.copied_bytes);
}

fn gauge(name: &'static str, help: &'static str, value: impl Fn() -> u64 + Send + Sync + 'static) -> Figure {
    Figure { name, help, kind: FigureKind::Gauge, value: Box::new(move || Some(value())) }
}
