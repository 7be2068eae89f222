//! Collects now and then, and when asked.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use carob_block::{Sweep, SweepOptions, Swept};
use parking_lot::Mutex;

use crate::{BucketError, CollectOptions, Collected, Purge, Space};

/// How many times as long as a collection took passes before the next: so they never take more than a tenth of the time.
const REST: u32 = 9;

/// The store may grow to one part in so many of what lived after a collection before there is another, however soon:
/// that bounds what is dead where everything is overwritten all the time.
const GROWTH: u64 = 16;

/// The least that it may grow by.
const LEAST_GROWTH: u64 = 256 * 1024 * 1024;

/// As long as one part in so many of what lives, or more, is found dead, the next collection does not wait.
const MUCH: u64 = 8;

/// How often it is looked how much it has grown.
const LOOK: Duration = Duration::from_secs(1);

/// How thorough a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thoroughness {
    /// As it was configured.
    Usual,
    /// Everything that is dead goes, whatever has to be copied for it and however fast.
    Full,
}

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

impl CollectorFigures {
    fn add(&mut self, swept: Swept) {
        self.collections += 1;
        self.live_bytes = swept.live_bytes;
        self.dead_bytes = swept.dead_bytes.saturating_sub(swept.freed_bytes);
        self.freed_bytes += swept.freed_bytes;
        self.copied_bytes += swept.copied_bytes;
    }
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

    /// Collects, or with `dry_run` says what that would do, once a collection under way is over.
    ///
    /// # Errors
    /// As [`Space::collect`].
    pub async fn collect(&self, dry_run: bool, how: Thoroughness) -> Result<Collected, BucketError> {
        self.timed(dry_run, how).await.map(|(collected, _)| collected)
    }

    /// The same, and tells how long it took, once it was its turn.
    async fn timed(&self, dry_run: bool, how: Thoroughness) -> Result<(Collected, Duration), BucketError> {
        let Inner { space, store, options, turn, figures } = &*self.0;
        let _turn = turn.lock().await;
        let begun = Instant::now();
        let sweep = match how {
            Thoroughness::Usual => options.sweep,
            Thoroughness::Full => SweepOptions { dead_percent: 0, bytes_per_second: None },
        };
        let options = CollectOptions { dry_run, sweep, ..*options };
        let collected = space.collect(&**store, options).await?;
        if !dry_run {
            figures.lock().add(collected.swept);
        }
        Ok((collected, begun.elapsed()))
    }

    /// Erases a key from the past, too, once a collection under way is over; see [`Space::purge`].
    ///
    /// # Errors
    /// As [`Space::purge`].
    pub async fn purge(&self, bucket: &str, key: &str, dry_run: bool) -> Result<Purge, BucketError> {
        let Inner { space, store, options, turn, figures } = &*self.0;
        let _turn = turn.lock().await;
        let options = CollectOptions { dry_run, ..*options };
        let purge = space.purge(&**store, bucket, key, options).await?;
        if !dry_run {
            figures.lock().add(purge.collected.swept);
        }
        Ok(purge)
    }

    /// What collections came to.
    #[must_use]
    pub fn figures(&self) -> CollectorFigures {
        *self.0.figures.lock()
    }

    /// Collects every `interval`, or less often where collections take long, and whenever the store has grown much. Never
    /// returns; dropping it ends a collection under way, of which nothing is lost.
    pub async fn run(&self, interval: Duration) {
        let (mut pause, mut rest) = (interval, Duration::ZERO);
        let mut most = self.0.store.size() + LEAST_GROWTH;
        loop {
            self.wait(pause, rest, most).await;
            let collected = self.timed(false, Thoroughness::Usual).await;
            let took = collected.as_ref().map_or(Duration::ZERO, |(_, took)| *took);
            // After one that found much dead, what became so meanwhile does not wait. Others only slow the writers down.
            let much = collected.as_ref().is_ok_and(|(collected, _)| found_much(&collected.swept));
            (pause, rest) =
                (interval.max(took.saturating_mul(REST)), if much { Duration::ZERO } else { took });
            most = match collected {
                Ok((Collected { swept, .. }, _)) => {
                    tracing::info!(
                        live = swept.live_bytes,
                        dead = swept.dead_bytes,
                        freed = swept.freed_bytes,
                        copied = swept.copied_bytes,
                        millis = took.as_millis(),
                        "collected"
                    );
                    self.0.store.size() + LEAST_GROWTH.max(swept.live_bytes / GROWTH)
                }
                Err(error) => {
                    tracing::error!(%error, "nothing can be collected");
                    u64::MAX
                }
            };
        }
    }

    /// Waits that long, or at least `rest` until the store is larger than `most`.
    async fn wait(&self, pause: Duration, rest: Duration, most: u64) {
        let begun = Instant::now();
        while begun.elapsed() < pause && (begun.elapsed() < rest || self.0.store.size() <= most) {
            tokio::time::sleep(LOOK.min(pause.saturating_sub(begun.elapsed()))).await;
        }
    }
}

/// Whether so much was dead that as much may be again.
fn found_much(swept: &Swept) -> bool {
    swept.dead_bytes > 0 && swept.dead_bytes >= swept.live_bytes / MUCH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_after_much_was_found_dead_there_is_no_rest() {
        let found =
            |live_bytes, dead_bytes| found_much(&Swept { live_bytes, dead_bytes, ..Swept::default() });
        assert!(!found(0, 0) && !found(800, 99));
        assert!(found(800, 100) && found(0, 1));
    }
}
