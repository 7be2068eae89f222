//! How many requests a second: token buckets, one for each access key and one for each address.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;

use crate::{AccessKeyId, Clock, IdentityError, Source};

/// A steady rate, and how much may come at once: `100/s` is 100 at once and 100 more each second, `100/s:500` allows
/// 500 at once. `/m` and `/h` are by the minute and the hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: NonZeroU32,
    per: Duration,
    burst: NonZeroU32,
}

impl Rate {
    /// So many in each period, and as many at once.
    pub const fn new(count: NonZeroU32, per: Duration) -> Self {
        Self { count, per, burst: count }
    }

    fn quota(self) -> Option<Quota> {
        let each = self.per.checked_div(self.count.get())?;
        Some(Quota::with_period(each)?.allow_burst(self.burst))
    }
}

impl FromStr for Rate {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let parsed = || {
            let (rate, burst) =
                text.split_once(':').map_or((text, None), |(rate, burst)| (rate, Some(burst)));
            let (count, unit) = rate.split_once('/')?;
            let seconds = match unit {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => return None,
            };
            let count = count.parse().ok()?;
            let burst = burst.map_or(Some(count), |burst| burst.parse().ok())?;
            let rate = Self { count, per: Duration::from_secs(seconds), burst };
            rate.quota().map(|_| rate)
        };
        parsed().ok_or(IdentityError::InvalidRate)
    }
}

/// What is counted as one address: an IPv4 address, or the /64 that a single IPv6 host commonly has to itself.
fn counted(source: Source) -> IpAddr {
    match source.0.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Which limits there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LimitOptions {
    /// For each access key but the root's.
    pub key: Option<Rate>,
    /// For the root access key.
    pub root: Option<Rate>,
    /// For each address, over all requests from it but the root key's: also those that nobody signed, or not rightly.
    pub source: Option<Rate>,
}

/// Counts requests and says which are too many.
///
/// Ask once for each request, when it is known who sent it: a key is charged only for requests that its holder
/// signed, so that nobody else can use up its share. What has been idle long enough to have its whole burst again is
/// forgotten, so memory follows the number of callers of the last few moments.
#[derive(Debug)]
pub struct RateLimits {
    root_key: AccessKeyId,
    keys: Option<Buckets<AccessKeyId>>,
    root: Option<Buckets<()>>,
    sources: Option<Buckets<IpAddr>>,
}

impl RateLimits {
    /// These limits; `root` is the root access key.
    pub fn new(options: LimitOptions, root: AccessKeyId, clock: &Arc<dyn Clock>) -> Self {
        Self {
            root_key: root,
            keys: Buckets::of(options.key, clock),
            root: Buckets::of(options.root, clock),
            sources: Buckets::of(options.source, clock),
        }
    }

    /// Charges a request and says whether it may go on. `key` is the access key that verifiably signed it, if any did.
    #[must_use]
    pub fn admit(&self, key: Option<&AccessKeyId>, source: Option<Source>) -> bool {
        match key {
            Some(key) if *key == self.root_key => admits(self.root.as_ref(), Some(())),
            // The key first: what it has too many of is not held against its address.
            _ => {
                admits(self.keys.as_ref(), key.cloned()) && admits(self.sources.as_ref(), source.map(counted))
            }
        }
    }
}

fn admits<K: Hash + Eq + Clone>(buckets: Option<&Buckets<K>>, key: Option<K>) -> bool {
    match (buckets, key) {
        (Some(buckets), Some(key)) => buckets.admit(&key),
        _ => true,
    }
}

/// How many buckets there are, at the least, before idle ones are forgotten.
const SWEEP: usize = 1024;

/// How many requests go by from one look at their number to the next.
const LOOK_EVERY: usize = 256;

/// Token buckets by key.
struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, DashMapStateStore<K>, Ticks, NoOpMiddleware<Duration>>,
    /// Counts requests, since counting buckets takes a look at every shard.
    asked: AtomicUsize,
    /// How many there may be before the idle ones are forgotten: always twice what was left the last time, so that
    /// forgetting costs a constant for each request.
    sweep_at: AtomicUsize,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    fn of(rate: Option<Rate>, clock: &Arc<dyn Clock>) -> Option<Self> {
        let limiter = RateLimiter::dashmap_with_clock(rate?.quota()?, Ticks::new(Arc::clone(clock)));
        Some(Self { limiter, asked: AtomicUsize::new(0), sweep_at: AtomicUsize::new(SWEEP) })
    }

    fn admit(&self, key: &K) -> bool {
        let admitted = self.limiter.check_key(key).is_ok();
        if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK_EVERY) {
            self.forget_idle();
        }
        admitted
    }

    fn forget_idle(&self) {
        if self.limiter.len() <= self.sweep_at.load(Ordering::Relaxed) {
            return;
        }
        // Whoever else looks meanwhile finds nothing to do.
        self.sweep_at.store(usize::MAX, Ordering::Relaxed);
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
        self.sweep_at.store(self.limiter.len().saturating_mul(2).max(SWEEP), Ordering::Relaxed);
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for Buckets<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buckets").field("len", &self.limiter.len()).finish_non_exhaustive()
    }
}

/// Time that never goes back, as token buckets need it, over a clock that may be set: what the clock jumps back is
/// not counted.
#[derive(Debug, Clone)]
struct Ticks {
    clock: Arc<dyn Clock>,
    /// What the clock showed last, and how much has passed, in milliseconds.
    seen: Arc<Mutex<(u64, u64)>>,
}

impl Ticks {
    fn new(clock: Arc<dyn Clock>) -> Self {
        let now = clock.now().millis();
        Self { clock, seen: Arc::new(Mutex::new((now, 0))) }
    }
}

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        let now = self.clock.now().millis();
        let mut seen = self.seen.lock();
        let (last, passed) = *seen;
        let passed = passed.saturating_add(now.saturating_sub(last));
        *seen = (now, passed);
        Duration::from_millis(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ManualClock, Timestamp};

    const ROOT: &str = "root-key";

    fn limits(options: LimitOptions) -> (RateLimits, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000_000)));
        let shared: Arc<dyn Clock> = clock.clone();
        (RateLimits::new(options, ROOT.parse().unwrap(), &shared), clock)
    }

    fn key(id: &str) -> Option<AccessKeyId> {
        Some(id.parse().unwrap())
    }

    fn from(address: &str) -> Option<Source> {
        Some(Source(address.parse().unwrap()))
    }

    fn admitted(
        limits: &RateLimits,
        key: Option<&AccessKeyId>,
        source: Option<Source>,
        tries: usize,
    ) -> usize {
        (0..tries).filter(|_| limits.admit(key, source)).count()
    }

    #[test]
    fn a_key_has_its_burst_and_then_its_rate() {
        let rate = "10/s:20".parse().ok();
        let (limits, clock) = limits(LimitOptions { key: rate, ..LimitOptions::default() });
        let (one, two) = (key("one"), key("two"));
        assert_eq!(admitted(&limits, one.as_ref(), None, 100), 20);
        clock.advance(99);
        assert_eq!(admitted(&limits, one.as_ref(), None, 100), 0);
        clock.advance(1);
        assert_eq!(admitted(&limits, one.as_ref(), None, 100), 1);
        clock.advance(1000);
        assert_eq!(admitted(&limits, one.as_ref(), None, 100), 10);
        clock.advance(3_600_000);
        assert_eq!(admitted(&limits, one.as_ref(), None, 100), 20);
        assert_eq!(admitted(&limits, two.as_ref(), None, 100), 20, "another key has a bucket of its own");
    }

    #[test]
    fn the_root_key_is_not_limited_unless_asked_nor_by_its_address() {
        let rate = "1/s".parse().ok();
        let (limits, _) = limits(LimitOptions { key: rate, source: rate, root: None });
        assert_eq!(admitted(&limits, key(ROOT).as_ref(), from("127.0.0.1"), 1000), 1000);
        let asked = LimitOptions { root: "5/s".parse().ok(), ..LimitOptions::default() };
        let (limits, _) = self::limits(asked);
        assert_eq!(admitted(&limits, key(ROOT).as_ref(), from("127.0.0.1"), 1000), 5);
        assert_eq!(admitted(&limits, key("other").as_ref(), from("127.0.0.1"), 1000), 1000);
    }

    #[test]
    fn an_address_is_limited_over_all_keys_and_strangers() {
        let (limits, clock) = limits(LimitOptions { source: "9/s".parse().ok(), ..LimitOptions::default() });
        let here = from("192.0.2.1");
        assert_eq!(admitted(&limits, key("one").as_ref(), here, 3), 3);
        assert_eq!(admitted(&limits, key("two").as_ref(), here, 3), 3);
        assert_eq!(admitted(&limits, None, here, 9), 3);
        assert_eq!(admitted(&limits, None, from("192.0.2.2"), 9), 9);
        assert_eq!(admitted(&limits, None, None, 99), 99, "an unknown address is nobody's");
        clock.advance(1000);
        assert_eq!(admitted(&limits, None, from("::ffff:192.0.2.1"), 99), 9, "mapped, it is the same");
        assert_eq!(admitted(&limits, None, from("2001:db8::1"), 99), 9);
        assert_eq!(admitted(&limits, None, from("2001:db8::2"), 99), 0, "of the same /64");
        assert_eq!(admitted(&limits, None, from("2001:db8:0:1::2"), 99), 9);
    }

    #[test]
    fn idle_addresses_are_forgotten() {
        let (limits, clock) = limits(LimitOptions { source: "1/s".parse().ok(), ..LimitOptions::default() });
        for n in 0..50_000_u32 {
            clock.advance(10);
            assert!(limits.admit(None, Some(Source(IpAddr::V4(n.into())))));
        }
        let kept = limits.sources.as_ref().unwrap().limiter.len();
        assert!(kept <= SWEEP + LOOK_EVERY, "{kept}, of which 100 are from the last second");
    }

    #[test]
    fn a_clock_set_back_stops_nobody() {
        let (limits, clock) = limits(LimitOptions { key: "1/s".parse().ok(), ..LimitOptions::default() });
        let one = key("one");
        assert_eq!(admitted(&limits, one.as_ref(), None, 2), 1);
        clock.set(Timestamp(1));
        assert_eq!(admitted(&limits, one.as_ref(), None, 2), 0);
        clock.advance(1000);
        assert_eq!(admitted(&limits, one.as_ref(), None, 2), 1);
    }

    #[test]
    fn rates_are_read_as_written() {
        let rate = |text: &str| text.parse::<Rate>();
        let (count, burst) = (NonZeroU32::new(100).unwrap(), NonZeroU32::new(500).unwrap());
        let second = Duration::from_secs(1);
        assert_eq!(rate("100/s").unwrap(), Rate::new(count, second));
        assert_eq!(rate("100/s:500").unwrap(), Rate { burst, ..Rate::new(count, second) });
        assert_eq!(rate("100/m").unwrap(), Rate::new(count, Duration::from_mins(1)));
        for bad in ["", "100", "0/s", "100/d", "-1/s", "1.5/s", "100/s:0", "100/s:", "/s", "4294967295/s"] {
            assert!(matches!(rate(bad), Err(IdentityError::InvalidRate)), "{bad}");
        }
    }
}
