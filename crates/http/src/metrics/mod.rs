//! What is counted, and how it reads (OpenMetrics text format, as Prometheus scrapes it).
//!
//! Labels have few values: operations, statuses, error codes. No bucket, key or caller is ever one.

mod figures;
mod store;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use figures::Figures;

pub use figures::{Figure, FigureKind};
pub use store::MeteredStore;

/// Upper bounds of latencies, in seconds.
const SECONDS: [f64; 15] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of group sizes.
const SIZES: [f64; 11] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// A request that was served, as whoever serves it tells it.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The operation's name; one of few.
    pub operation: &'static str,
    /// The answer's status.
    pub status: u16,
    /// The answer's error code, one of few; empty without.
    pub code: &'a str,
    /// Bytes of the request's body.
    pub received: u64,
    /// Bytes of the answer's body.
    pub sent: u64,
    /// Time to the first byte of the answer's body.
    pub first_byte: Duration,
    /// Time to the last one.
    pub time: Duration,
}

/// The gateway's metrics. The clones are one.
#[derive(Clone)]
pub struct Metrics(Arc<State>);

struct State {
    registry: Registry,
    figures: Figures,
    requests: Family<RequestLabels, Counter>,
    seconds: Seconds,
    first_byte: Seconds,
    in_flight: Gauge,
    rejected: Family<ReasonLabel, Counter>,
    received: Counter<u64, AtomicU64>,
    sent: Counter<u64, AtomicU64>,
    group_operations: Histogram,
    group_seconds: Histogram,
    flush_seconds: Histogram,
    store_seconds: Family<OutcomeLabel, Histogram, fn() -> Histogram>,
}

type Seconds = Family<OperationLabel, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    /// Nothing counted yet. `version` is the gateway's.
    pub fn new(version: &'static str) -> Self {
        let mut state = State {
            registry: Registry::default(),
            figures: Figures::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            first_byte: Family::new_with_constructor(seconds),
            in_flight: Gauge::default(),
            rejected: Family::default(),
            received: Counter::default(),
            sent: Counter::default(),
            group_operations: Histogram::new(SIZES),
            group_seconds: seconds(),
            flush_seconds: seconds(),
            store_seconds: Family::new_with_constructor(seconds),
        };
        state.register(version);
        Self(Arc::new(state))
    }

    /// Has a figure read at each scrape.
    pub fn show(&self, figure: Figure) {
        self.0.figures.add(figure);
    }

    /// A request has come.
    pub fn started(&self) {
        self.0.in_flight.inc();
    }

    /// A request that had come is served. Once for each that started.
    pub fn finished(&self, served: &Served<'_>) {
        let Served { operation, status, code, received, sent, first_byte, time } = *served;
        let state = &*self.0;
        state.in_flight.dec();
        let labels = RequestLabels { operation, status, code: code.to_owned() };
        state.requests.get_or_create(&labels).inc();
        state.seconds.get_or_create(&OperationLabel { operation }).observe(time.as_secs_f64());
        state.first_byte.get_or_create(&OperationLabel { operation }).observe(first_byte.as_secs_f64());
        state.received.inc_by(received);
        state.sent.inc_by(sent);
    }

    /// A request was turned away; `reason` is one of few.
    pub fn rejected(&self, reason: &'static str) {
        self.0.rejected.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A group of so many operations on one bucket was committed together.
    pub fn group_committed(&self, operations: usize, time: Duration) {
        self.0.group_operations.observe(operations as f64);
        self.0.group_seconds.observe(time.as_secs_f64());
    }

    /// The store flushed what it wrote.
    pub fn store_flushed(&self, time: Duration) {
        self.0.flush_seconds.observe(time.as_secs_f64());
    }

    /// The store answered a commit.
    fn store_committed(&self, outcome: &'static str, time: Duration) {
        self.0.store_seconds.get_or_create(&OutcomeLabel { outcome }).observe(time.as_secs_f64());
    }

    /// Everything, in the OpenMetrics text format.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match text::encode(&mut text, &self.0.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                String::new()
            }
        }
    }
}

impl State {
    fn register(&mut self, version: &'static str) {
        let Self { registry, figures, .. } = self;
        registry.register("carob_build", "What runs", Info::new([("version", version)]));
        let requests = "S3 requests, by operation, status and error code";
        registry.register("carob_requests", requests, self.requests.clone());
        let seconds = "Time from a request's head to the last byte of its answer";
        registry.register("carob_request_duration_seconds", seconds, self.seconds.clone());
        let first_byte = "Time from a request's head to the first byte of its answer's body";
        registry.register("carob_request_first_byte_seconds", first_byte, self.first_byte.clone());
        registry.register("carob_requests_in_flight", "S3 requests under way", self.in_flight.clone());
        let rejected = "Requests turned away: rate, overload, connections, signature, stalled";
        registry.register("carob_rejected", rejected, self.rejected.clone());
        registry.register("carob_received_bytes", "Bytes of requests' bodies", self.received.clone());
        registry.register("carob_sent_bytes", "Bytes of answers' bodies", self.sent.clone());
        let operations = "Operations that one commit of a bucket took together";
        registry.register("carob_group_operations", operations, self.group_operations.clone());
        let group = "Time that a bucket took for a group, its flush included";
        registry.register("carob_group_duration_seconds", group, self.group_seconds.clone());
        let store = "Time that the store took for a commit: waiting, writing, flushing";
        registry.register("carob_store_commit_duration_seconds", store, self.store_seconds.clone());
        let flush = "Time that one flush of a segment file took";
        registry.register("carob_store_flush_duration_seconds", flush, self.flush_seconds.clone());
        registry.register_collector(Box::new(figures.clone()));
    }
}
