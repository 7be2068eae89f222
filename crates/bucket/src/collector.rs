//! Collects now and then, and when asked.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carob_block::Sweep;
use parking_lot::Mutex;

use crate::{BucketError, CollectOptions, Collected, Space};

/// How many times as long as a collection took passes before the next: so they never take more than a tenth of the time.
const REST: u32 = 9;

/// Collects the garbage of a space, one collection at a time. The clones are one.
#[derive(Clone)]
pub struct Collector(Arc<Inner>);

struct Inner {
    space: Space,
    store: Arc<dyn Sweep>,
    options: CollectOptions,
    turn: tokio::sync::Mutex<()>,
    figures: Mutex<CollectorFigures>,
}

/// What collections came to since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CollectorFigures {
    /// How many there were.
    pub collections: u64,
    /// Bytes of live blocks that the last one found.
    pub live_bytes: u64,
    /// Bytes of dead blocks that the last one left.
    pub dead_bytes: u64,
    /// Bytes of disk given back.
    pub freed_bytes: u64,
    /// Live bytes that were copied for that.
    pub copied_bytes: u64,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl Collector {
    /// Collects the garbage of `space`, which is kept in `store`, as `options` say.
    pub fn new(space: Space, store: Arc<dyn Sweep>, options: CollectOptions) -> Self {
        let (turn, figures) = (tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Inner { space, store, options, turn, figures }))
    }

    /// Collects, or with `dry_run` says what that would do, after a collection under way.
    ///
    /// # Errors
    /// As [`Space::collect`].
    pub async fn collect(&self, dry_run: bool) -> Result<Collected, BucketError> {
        let Inner { space, store, options, turn, figures } = &*self.0;
        let _turn = turn.lock().await;
        let options = CollectOptions { dry_run, ..*options };
        let collected = space.collect(&**store, options).await?;
        if !dry_run {
            let swept = collected.swept;
            let figures = &mut *figures.lock();
            figures.collections += 1;
            figures.live_bytes = swept.live_bytes;
            figures.dead_bytes = swept.dead_bytes.saturating_sub(swept.freed_bytes);
            figures.freed_bytes += swept.freed_bytes;
            figures.copied_bytes += swept.copied_bytes;
        }
        Ok(collected)
    }

    /// What collections came to.
    #[must_use]
    pub fn figures(&self) -> CollectorFigures {
        *self.0.figures.lock()
    }

    /// Collects every `interval`, or less often where collections take long. Never returns; dropping it ends a collection
    /// under way, of which nothing is lost.
    pub async fn run(&self, interval: Duration) {
        let mut pause = interval;
        loop {
            tokio::time::sleep(pause).await;
            let begun = Instant::now();
            match self.collect(false).await {
                Ok(Collected { swept, .. }) => tracing::info!(
                    live = swept.live_bytes,
                    dead = swept.dead_bytes,
                    freed = swept.freed_bytes,
                    copied = swept.copied_bytes,
                    millis = begun.elapsed().as_millis(),
                    "collected"
                ),
                Err(error) => tracing::error!(%error, "nothing can be collected"),
            }
            pause = interval.max(begun.elapsed().saturating_mul(REST));
        }
    }
}
