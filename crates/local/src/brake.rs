//! Slows down who writes bodies while a collection falls behind: otherwise the store would grow as long as they write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use carob_block::{Block, Codec, Swept};
use parking_lot::Mutex;

/// The longest that a put waits.
const LONGEST: Duration = Duration::from_secs(1);

/// Less than one part in so many of what lives is not worth waiting for, however much comes in.
const WORTH: u64 = 8;

/// So many of a thousand bytes that are written are taken to be dead soon, though fewer were before: whoever has only added
/// may begin to overwrite at any time.
const LEAST_DEAD: u64 = 500;

/// So much garbage is usual in a store of any size.
const USUAL: u64 = 192 << 20;

/// Makes puts wait, as long as a collection falls behind.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    /// How long each waits, in microseconds.
    micros: AtomicU64,
    last: Mutex<Option<Last>>,
}

/// What the last sweep found and left: all that is known until the next has found out.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// How much had been written when its collection began.
    written: u64,
    live_bytes: u64,
    /// The dead bytes that it left.
    left: u64,
    /// How many of a thousand bytes that were written before turned out to be dead.
    dead_per_mille: u64,
}

impl Last {
    /// How much of the store may be dead once so much has been written.
    fn garbage(&self, written: u64) -> u64 {
        self.left + written.saturating_sub(self.written) / 1000 * self.dead_per_mille
    }
}

/// Lets go when it is dropped.
#[derive(Debug)]
pub(crate) struct Braking(Arc<Brake>);

impl Brake {
    /// Waits if any of the blocks is of a body. Nodes are small, and everybody waits for them.
    pub(crate) async fn wait(&self, blocks: &[Block]) {
        let micros = self.micros.load(Ordering::Relaxed);
        if micros > 0 && blocks.iter().any(|block| block.codec() == Codec::Raw) {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    pub(crate) fn begin(self: &Arc<Self>) -> Braking {
        Braking(Arc::clone(self))
    }

    /// Remembers what a sweep came to, before whose collection so much had been `written`.
    pub(crate) fn remember(&self, swept: &Swept, written: u64) {
        let mut last = self.last.lock();
        let (before, left) = last.map_or((0, 0), |last| (last.written, last.left));
        let turned = 1000 * swept.dead_bytes.saturating_sub(left);
        *last = Some(Last {
            written,
            live_bytes: swept.live_bytes,
            left: swept.dead_bytes.saturating_sub(swept.freed_bytes),
            dead_per_mille: (turned / written.saturating_sub(before).max(1)).clamp(LEAST_DEAD, 1000),
        });
    }
}

impl Braking {
    /// Brakes as hard as it takes, and tells whether at all: `found` is what a sweep has found, `garbage` how much of the
    /// store may be dead now.
    pub(crate) fn set(&self, found: &Swept, garbage: u64) -> bool {
        let wait = wait(found, garbage);
        self.0.micros.store(wait.as_micros() as u64, Ordering::Relaxed);
        !wait.is_zero()
    }

    /// The same while it is not known what a sweep will find, going by the last one and how much is `written` since.
    pub(crate) fn guess(&self, written: u64) {
        let Some(last) = *self.0.last.lock() else { return };
        let garbage = last.garbage(written);
        self.set(&Swept { live_bytes: last.live_bytes, dead_bytes: garbage, ..Swept::default() }, garbage);
    }
}

impl Drop for Braking {
    fn drop(&mut self) {
        self.0.micros.store(0, Ordering::Relaxed);
    }
}

/// Nothing up to a quarter of what lives, and then ever longer.
fn wait(found: &Swept, garbage: u64) -> Duration {
    let live = found.live_bytes;
    if found.dead_bytes < live / WORTH {
        return Duration::ZERO;
    }
    let (soft, span) = (live / 4 + USUAL, live / 16 + USUAL / 3);
    let excess = garbage.saturating_sub(soft).min(span);
    LONGEST.mul_f64(excess as f64 / span as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn a_put_waits_the_longer_the_more_garbage_there_is() {
        let found = Swept { live_bytes: 4 * GIB, dead_bytes: GIB, ..Swept::default() };
        assert_eq!(wait(&found, GIB), Duration::ZERO, "not before it is too much");
        let waits = [GIB + GIB / 4, GIB + GIB / 3, GIB + GIB / 2].map(|garbage| wait(&found, garbage));
        assert!(waits.is_sorted() && waits[0] < waits[1], "{waits:?}");
        assert_eq!(wait(&found, 2 * GIB), LONGEST);
    }

    #[test]
    fn where_little_is_dead_nobody_waits() {
        let found = Swept { live_bytes: 4 * GIB, dead_bytes: GIB / 4, ..Swept::default() };
        assert_eq!(wait(&found, 4 * GIB), Duration::ZERO);
    }

    #[tokio::test]
    async fn only_bodies_wait_and_nobody_after_the_sweep() {
        let [body, node] =
            [Codec::Raw, Codec::DagCbor].map(|codec| vec![Block::new(codec, vec![0xa0].into()).unwrap()]);
        let brake = Arc::new(Brake::default());
        let waits = async |blocks: &[Block]| {
            tokio::select! {
                biased;
                () = brake.wait(blocks) => false,
                () = std::future::ready(()) => true,
            }
        };
        let braking = brake.begin();
        let found = Swept { live_bytes: 8, dead_bytes: 8, ..Swept::default() };
        assert!(!braking.set(&found, 8) && braking.set(&found, GIB));
        assert!(waits(&body).await && !waits(&node).await);
        drop(braking);
        assert!(!waits(&body).await);
    }

    #[tokio::test]
    async fn before_a_sweep_has_found_anything_the_last_one_tells_what_to_expect() {
        let brake = Arc::new(Brake::default());
        let waits = || brake.micros.load(Ordering::Relaxed) > 0;
        let braking = brake.begin();
        braking.guess(100 * GIB);
        assert!(!waits(), "nothing is known yet");
        // Half of what was written was dead, and an eighth of that was left.
        let swept =
            Swept { live_bytes: 4 * GIB, dead_bytes: 4 * GIB, freed_bytes: 7 * GIB / 2, ..Swept::default() };
        brake.remember(&swept, 8 * GIB);
        braking.guess(9 * GIB);
        assert!(!waits());
        braking.guess(12 * GIB);
        assert!(waits());
        drop(braking);
        assert!(!waits());
    }
}
