//! Slows down who writes bodies while a sweep falls behind: otherwise the store would grow as long as they write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use carob_block::{Block, Codec, Swept};

/// The longest that a put waits.
const LONGEST: Duration = Duration::from_secs(1);

/// Less than one part in so many of what lives is not worth waiting for, however much comes in.
const WORTH: u64 = 8;

/// So much garbage is usual in a store of any size.
const USUAL: u64 = 192 << 20;

/// How long a put waits, in microseconds; nothing as long as no sweep falls behind.
#[derive(Debug, Default)]
pub(crate) struct Brake(AtomicU64);

/// Lets go when it is dropped.
#[derive(Debug)]
pub(crate) struct Braking<'a>(&'a Brake);

impl Brake {
    /// Waits if any of the blocks is of a body. Nodes are small, and everybody waits for them.
    pub(crate) async fn wait(&self, blocks: &[Block]) {
        let micros = self.0.load(Ordering::Relaxed);
        if micros > 0 && blocks.iter().any(|block| block.codec() == Codec::Raw) {
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }

    pub(crate) fn begin(&self) -> Braking<'_> {
        Braking(self)
    }
}

impl Braking<'_> {
    /// Brakes as hard as it takes, and tells whether at all: `found` is what a sweep has found, `garbage` how much of the
    /// store may be dead now.
    pub(crate) fn set(&self, found: &Swept, garbage: u64) -> bool {
        let wait = wait(found, garbage);
        self.0.0.store(wait.as_micros() as u64, Ordering::Relaxed);
        !wait.is_zero()
    }
}

impl Drop for Braking<'_> {
    fn drop(&mut self) {
        self.0.0.store(0, Ordering::Relaxed);
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
        let brake = Brake::default();
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
}
