//! Hybrid logical clocks.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::{Clock, Timestamp};

/// A reading of a hybrid logical clock (Kulkarni et al., "Logical Physical Clocks", 2014): a wall-clock time
/// and a counter for readings within one millisecond. Ordered by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Hlc {
    /// Milliseconds since the Unix epoch; ahead of the wall clock while that has gone back.
    pub millis: u64,
    /// How many readings of the same millisecond came before.
    pub counter: u16,
}

impl Hlc {
    /// The wall-clock part.
    pub const fn timestamp(self) -> Timestamp {
        Timestamp(self.millis)
    }

    /// The smallest reading after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        match self.counter.checked_add(1) {
            Some(counter) => Self { millis: self.millis, counter },
            None => match self.millis.checked_add(1) {
                Some(millis) => Self { millis, counter: 0 },
                // The end of time, 584 million years on: stay rather than go back.
                None => self,
            },
        }
    }
}

/// Gives strictly increasing readings close to a wall clock that may go back.
#[derive(Debug)]
pub struct HybridClock {
    wall: Arc<dyn Clock>,
    last: Mutex<Hlc>,
}

impl HybridClock {
    /// Follows `wall`. Call [`HybridClock::observe`] with whatever was stored by an earlier run.
    pub fn new(wall: Arc<dyn Clock>) -> Self {
        Self { wall, last: Mutex::new(Hlc::default()) }
    }

    /// The wall clock, for what needs no order.
    pub fn wall(&self) -> Timestamp {
        self.wall.now()
    }

    /// A reading greater than every earlier reading and every observed one, and not before the wall clock.
    pub fn now(&self) -> Hlc {
        let wall = Hlc { millis: self.wall.now().0, counter: 0 };
        let mut last = self.last.lock();
        *last = wall.max(last.next());
        *last
    }

    /// Makes later readings greater than `seen`.
    pub fn observe(&self, seen: Hlc) {
        let mut last = self.last.lock();
        *last = seen.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use proptest::prelude::*;

    fn at(millis: u64) -> (Arc<ManualClock>, HybridClock) {
        let wall = Arc::new(ManualClock::new(Timestamp(millis)));
        (Arc::clone(&wall), HybridClock::new(wall))
    }

    #[test]
    fn readings_follow_the_wall_clock_when_it_moves_on() {
        let (wall, clock) = at(1000);
        assert_eq!(clock.now(), Hlc { millis: 1000, counter: 0 });
        assert_eq!(clock.now(), Hlc { millis: 1000, counter: 1 });
        wall.advance(5);
        assert_eq!(clock.now(), Hlc { millis: 1005, counter: 0 });
    }

    #[test]
    fn a_stored_reading_from_the_future_is_never_undercut() {
        let (_, clock) = at(1000);
        let stored = Hlc { millis: 9000, counter: u16::MAX };
        clock.observe(stored);
        assert_eq!(clock.now(), Hlc { millis: 9001, counter: 0 });
        clock.observe(Hlc { millis: 3, counter: 3 });
        assert_eq!(clock.now(), Hlc { millis: 9001, counter: 1 });
    }

    #[test]
    fn the_end_of_time_does_not_wrap() {
        let (_, clock) = at(0);
        let end = Hlc { millis: u64::MAX, counter: u16::MAX };
        clock.observe(end);
        assert_eq!(clock.now(), end);
    }

    proptest! {
        #[test]
        fn readings_increase_strictly_whatever_the_wall_clock_does(
            walls in proptest::collection::vec((0..20_000_u64, any::<bool>()), 1..200)
        ) {
            let (wall, clock) = at(0);
            let mut last = Hlc::default();
            for (millis, observed) in walls {
                wall.set(Timestamp(millis));
                if observed {
                    let seen = Hlc { millis: millis / 2, counter: u16::MAX - 1 };
                    clock.observe(seen);
                    last = last.max(seen);
                }
                let now = clock.now();
                prop_assert!(now > last && now.millis >= millis, "{now:?} after {last:?} at {millis}");
                last = now;
            }
        }
    }
}
