//! What a process has used, as Linux tells it.

use std::time::Duration;

use anyhow::{Context, Result};

/// Linux counts in hundredths of a second wherever it shows them to programs (`USER_HZ`, time(7)).
const TICKS: u64 = 100;

/// Processor time of all threads so far, in user mode and in the kernel (proc(5), `stat`).
pub(super) fn cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    parse(&stat).with_context(|| format!("{path} makes no sense"))
}

/// Resident memory now, in bytes.
pub(super) fn resident(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("VmRSS is no number")?;
    Ok(kib * 1024)
}

fn parse(stat: &str) -> Option<Duration> {
    // The second field is the program's name in parentheses, which may hold anything. utime is the 14th.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 1000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_read_behind_a_name_with_parentheses() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 150 25 3 4 20 0 1 0 99 1000 50";
        assert_eq!(parse(stat), Some(Duration::from_millis(1750)));
        assert_eq!(parse("7 (a"), None);
    }
}
