//! Figures as lines.

use std::time::Duration;

use super::MIB;
use super::compare::Contender;
use super::limits::Limits;
use super::row::Row;
use super::turn::Done;

/// All turns of one server under one load.
#[derive(Debug, Default)]
pub(super) struct Sum {
    latencies: Vec<Duration>,
    took: Duration,
    client: Duration,
    server: Duration,
    /// Operations per second of each turn.
    rates: Vec<f64>,
}

impl Sum {
    pub(super) fn add(&mut self, done: Done) {
        self.rates.push(done.latencies.len() as f64 / done.took.as_secs_f64());
        self.latencies.extend(done.latencies);
        self.latencies.sort_unstable();
        self.took += done.took;
        self.client += done.client;
        self.server += done.server;
    }

    fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// Prints what all servers did under `row`.
pub(super) fn row(row: Row, contenders: &[Contender], limits: &Limits) {
    println!("\n{} ({})", row.title(), against(row, limits));
    println!(
        "  {:<23}{:>10}{:>9}{:>10}{:>18}{:>9}{:>9}{:>15}{:>7}",
        "server",
        "ops/s",
        "MB/s",
        "to best",
        "slowest..fastest",
        "p50 ms",
        "p99 ms",
        "client s/1000",
        "share"
    );
    let sums = || {
        contenders
            .iter()
            .filter_map(|c| Some((c, c.sums.iter().rfind(|(this, _)| *this == row).map(|(_, s)| s)?)))
    };
    // What keeps nothing, or is no server, is beside the point.
    let rivals = sums().filter(|(c, _)| c.variant.is_rival());
    let best = rivals.filter_map(|(_, sum)| Some(sum.as_ref().ok()?.rate())).fold(0.0, f64::max);
    for (contender, sum) in sums() {
        match sum {
            Ok(sum) => println!("  {:<23}{}", contender.variant.name, line(row, contender, sum, best)),
            // An answer that makes no sense may be repeated in full.
            Err(reason) => println!("  {:<23}failed: {reason:.160}", contender.variant.name),
        }
    }
}

fn line(row: Row, contender: &Contender, sum: &Sum, best: f64) -> String {
    let rate = sum.rate();
    let megabytes = rate * row.size() as f64 / 1e6;
    let spread =
        sum.rates.iter().fold((f64::MAX, 0.0_f64), |(low, high), &rate| (low.min(rate), high.max(rate)));
    let (per_thousand, share) = if contender.variant.peer.is_server() {
        let client = sum.client.as_secs_f64();
        let all = (sum.client + sum.server).as_secs_f64().max(f64::MIN_POSITIVE);
        let per_thousand = client * 1000.0 / (sum.latencies.len() as f64).max(1.0);
        (format!("{per_thousand:.2}"), format!("{:.0} %", client / all * 100.0))
    } else {
        ("-".to_owned(), "-".to_owned())
    };
    let megabytes =
        if row.size() == 0 || row == Row::Mixed { "-".to_owned() } else { format!("{megabytes:.1}") };
    let spread = format!("{:.1}..{:.1}", spread.0, spread.1);
    let ratio = if best > 0.0 { format!("{:.2}", rate / best) } else { "-".to_owned() };
    let note = match (row, contender.listed) {
        (Row::List, Some(keys)) => format!("  of {keys} keys"),
        _ => String::new(),
    };
    format!(
        "{rate:>10.1}{megabytes:>9}{ratio:>10}{spread:>18}{:>9.2}{:>9.2}{per_thousand:>15}{share:>7}{note}",
        milliseconds(percentile(&sum.latencies, 50)),
        milliseconds(percentile(&sum.latencies, 99)),
    )
}

/// The limit of the machine that bears on a row.
fn against(row: Row, limits: &Limits) -> String {
    match row {
        Row::Put4k | Row::Put4k64 => format!("this disk: {:.0} fdatasync/s", limits.fdatasync),
        Row::Put64m => {
            format!("one core: MD5 {:.0} MB/s, SHA-256 {:.0} MB/s", limits.md5 / 1e6, limits.sha256 / 1e6)
        }
        Row::Get64m => format!("one core: SHA-256 {:.0} MB/s", limits.sha256 / 1e6),
        _ => "no limit of the disk".to_owned(),
    }
}

/// Prints what is known at the end.
pub(super) fn end(contenders: &[Contender]) {
    println!("\nresident memory afterwards, and what is durable when a PUT is answered");
    for contender in contenders {
        let resident = contender.resident.map_or("-".to_owned(), |bytes| format!("{} MiB", bytes / MIB));
        println!("  {:<23}{resident:>10}   {}", contender.variant.name, contender.variant.durable);
    }
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
