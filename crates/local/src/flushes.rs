//! How often the log was flushed, and who hears how long it took.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Hears how long a flush took.
type OnFlush = Box<dyn Fn(Duration) + Send + Sync>;

/// The flushes of file contents since the store was opened, failed ones included.
#[derive(Default)]
pub(crate) struct Flushes {
    count: AtomicU64,
    hear: OnceLock<OnFlush>,
}

impl fmt::Debug for Flushes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushes").field("count", &self.count).finish_non_exhaustive()
    }
}

impl Flushes {
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The first to ask is told.
    pub(crate) fn hear(&self, hear: OnFlush) {
        _ = self.hear.set(hear);
    }

    /// A flush ended after `time`.
    pub(crate) fn ended(&self, time: Duration) {
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(hear) = self.hear.get() {
            hear(time);
        }
    }
}
