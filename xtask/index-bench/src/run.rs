//! The measurements of one map of one size.

use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::data::{key, sorted, value};
use crate::peer::{self, Batch, Peer};
use crate::report::Figures;

/// From here on only loading, reads and pages are measured.
const READS_ALONE: u64 = 10_000_000;

/// Repeats `call` at least `least` and at most `most` times, until the time is up. The mean, in seconds.
fn repeat(least: u32, most: u32, time: Duration, mut call: impl FnMut(u32) -> Duration) -> f64 {
    let started = Instant::now();
    let (mut calls, mut took) = (0, Duration::ZERO);
    while calls < least || (calls < most && started.elapsed() < time) {
        took += call(calls);
        calls += 1;
    }
    took.as_secs_f64() / f64::from(calls)
}

fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = call();
    (result, started.elapsed())
}

pub fn run(name: &str, keys: u64) -> Figures {
    let mut figures = Figures::default();
    let mut peer = peer::named(name);
    let mut rng = Rng::with_seed(keys);
    let order = sorted(keys);
    let before = resident();
    let (_, took) = timed(|| peer.load(&mut order.iter().map(|n| (key(*n), value(*n)))));
    figures.set("bulk load", took.as_secs_f64());
    if let Some(stored) = peer.stored() {
        figures.set("bytes/key", stored as f64 / keys as f64);
    }

    let any = |rng: &mut Rng| key(rng.u64(..keys));
    let cold = repeat(100, 20_000, Duration::from_secs(1), |_| {
        let key = any(&mut rng);
        timed(|| peer.get_cold(&key)).1
    });
    if peer.get_cold(&key(0)).is_some() {
        figures.set("get cold", cold);
    }
    if keys < READS_ALONE {
        // The first passes over all of it fill what caches there are.
        let (found, took) = timed(|| peer.page(&[], usize::MAX));
        assert_eq!(found as u64, keys);
        figures.set("scan first", took.as_secs_f64() / keys as f64);
        let (found, took) = timed(|| peer.page(&[], usize::MAX));
        assert_eq!(found as u64, keys);
        figures.set("scan warm", took.as_secs_f64() / keys as f64);
    }
    figures.set("memory/key", resident().saturating_sub(before) as f64 / keys as f64);
    let starts: Vec<_> = (0..500).map(|_| any(&mut rng)).collect();
    for round in ["page of 1000 first", "page of 1000 warm"] {
        let took = repeat(20, 500, Duration::from_secs(2), |n| {
            timed(|| assert!(peer.page(&starts[n as usize], 1000) > 0)).1
        });
        figures.set(round, took);
    }
    let probes: Vec<_> = (0..20_000).map(|_| any(&mut rng)).collect();
    for round in ["", "get warm"] {
        let took = repeat(20, 20_000, Duration::from_secs(2), |n| {
            timed(|| assert!(peer.get(&probes[n as usize]))).1
        });
        if !round.is_empty() {
            figures.set(round, took);
        }
    }
    if keys < READS_ALONE {
        writes(&mut *peer, keys, &mut rng, &mut figures);
    }
    figures
}

fn writes(peer: &mut dyn Peer, keys: u64, rng: &mut Rng, figures: &mut Figures) {
    let mut next = keys;
    let changed: Batch = (0..100).map(|_| rng.u64(..keys)).map(|n| (key(n), value(n + 1))).collect();
    let distinct: std::collections::BTreeSet<_> = changed.iter().map(|(key, _)| key.clone()).collect();
    if let Some(diff) = peer.diff(changed) {
        let mut complete = true;
        let took = repeat(3, 100, Duration::from_secs(2), |_| {
            let (found, took) = timed(&diff);
            complete &= found == distinct.len();
            took
        });
        // The time of another answer would compare with nothing.
        figures.set("diff of 100", if complete { took } else { f64::NAN });
    }
    for (name, size, least, most) in
        [("edit", 1, 20, 2000), ("batch of 16", 16, 5, 200), ("batch of 256", 256, 3, 40)]
    {
        let took = repeat(least, most, Duration::from_secs(3), |_| {
            // Half new keys, half overwrites.
            let numbers = (0..size).map(|n| {
                next += 1;
                if n % 2 == next % 2 { next } else { rng.u64(..keys) }
            });
            let batch: Batch = numbers.map(|n| (key(n), value(n + 2))).collect();
            timed(|| peer.put(batch)).1
        });
        figures.set(name, took);
    }
}

/// Resident memory, bytes; 0 where `/proc` does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}
