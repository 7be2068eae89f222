//! Figures that somebody else keeps, read when they are asked for.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// How a figure moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureKind {
    /// Up and down.
    Gauge,
    /// Up alone. Its name is shown with `_total` behind it.
    Counter,
}

/// A figure that somebody else keeps.
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How it moves.
    pub kind: FigureKind,
    /// What it is now; `None` where nobody can tell.
    pub value: Box<dyn Fn() -> Option<u64> + Send + Sync>,
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Figure").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Figure {
    /// The memory of this process that is in RAM, where `/proc` tells (proc(5), `status`).
    pub fn resident_memory() -> Self {
        Self {
            name: "process_resident_memory_bytes",
            help: "Memory of this process that is in RAM.",
            kind: FigureKind::Gauge,
            value: Box::new(|| {
                let status = std::fs::read_to_string("/proc/self/status").ok()?;
                let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
                kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
            }),
        }
    }
}

/// All figures, shared with the registry.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures(Arc<Mutex<Vec<Figure>>>);

impl Figures {
    pub(super) fn add(&self, figure: Figure) {
        self.0.lock().push(figure);
    }
}

impl Collector for Figures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for figure in &*self.0.lock() {
            let Some(value) = (figure.value)() else { continue };
            match figure.kind {
                FigureKind::Gauge => {
                    let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
                    let to = encoder.encode_descriptor(figure.name, figure.help, None, MetricType::Gauge)?;
                    gauge.encode(to)?;
                }
                FigureKind::Counter => {
                    let counter = ConstCounter::new(value);
                    let to =
                        encoder.encode_descriptor(figure.name, figure.help, None, MetricType::Counter)?;
                    counter.encode(to)?;
                }
            }
        }
        Ok(())
    }
}
