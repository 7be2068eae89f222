//! Figures as lines.

use std::time::Duration;

use super::limits::Limits;
use super::load::{Done, Kind, Load};
use super::{KIB, MIB};

pub(super) const HEADER: &str =
    "            clients     ops     ops/s      MB/s    p50 ms    p99 ms   against the limit";

pub(super) fn line(load: &Load<'_>, done: &Done, limits: &Limits) -> String {
    let rate = done.latencies.len() as f64 / done.took.as_secs_f64();
    let throughput = rate * load.size as f64;
    let against = match (load.kind, load.size / KIB) {
        (Kind::Put, 4) => format!("{:.2} x fdatasync rate", rate / limits.fdatasync),
        (Kind::Put, _) => format!(
            "{:.2} x MD5 of one core, {:.2} x disk write",
            throughput / limits.md5,
            throughput / limits.write
        ),
        _ => String::new(),
    };
    let name = match load.kind {
        Kind::Put => format!("PUT {}", size(load.size)),
        Kind::Get => format!("GET {}", size(load.size)),
        Kind::List => "LIST 1000".to_owned(),
    };
    let megabytes = if load.kind == Kind::List { "-".to_owned() } else { format!("{:.1}", throughput / 1e6) };
    format!(
        "{name:<11} {:>7} {:>7} {rate:>9.1} {megabytes:>9} {:>9.2} {:>9.2}   {against}",
        load.concurrency,
        done.latencies.len(),
        milliseconds(percentile(&done.latencies, 50)),
        milliseconds(percentile(&done.latencies, 99)),
    )
}

fn size(bytes: u64) -> String {
    if bytes < MIB { format!("{} KiB", bytes / KIB) } else { format!("{} MiB", bytes / MIB) }
}

/// Nearest-rank percentile of sorted values.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_millis(100));
        assert_eq!(percentile(&sorted, 99), Duration::from_millis(198));
        assert_eq!(percentile(&sorted[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }
}
