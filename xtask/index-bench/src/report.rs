//! Figures as lines between processes, and as a table for people.

use std::fmt::Write;

/// Named measurements, in seconds or bytes.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, f64)>);

impl Figures {
    pub fn set(&mut self, name: &str, figure: f64) {
        self.0.push((name.to_owned(), figure));
    }

    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, figure)| *figure)
    }

    pub fn to_lines(&self) -> String {
        self.0.iter().map(|(name, figure)| format!("{name}={figure:e}\n")).collect()
    }

    pub fn from_lines(lines: &str) -> Self {
        let pair = |line: &str| {
            let (name, figure) = line.split_once('=')?;
            Some((name.to_owned(), figure.parse().ok()?))
        };
        Self(lines.lines().filter_map(pair).collect())
    }
}

/// All measurements, in the order of the table.
const ROWS: [&str; 13] = [
    "bulk load",
    "edit",
    "batch of 16",
    "batch of 256",
    "get cold",
    "get warm",
    "scan first",
    "scan warm",
    "page of 1000 first",
    "page of 1000 warm",
    "diff of 100",
    "memory/key",
    "bytes/key",
];

/// A table of what each of `peers` needs, and how many times as long each other one needs as the first.
pub fn table(keys: u64, peers: &[(&str, Figures)]) -> String {
    let mut out = format!("{keys} keys\n{:<20}", "");
    for (name, _) in peers {
        let _ = write!(out, "{name:>13}");
    }
    for (name, _) in &peers[1..] {
        let _ = write!(out, "{:>15}", format!("{name}/ours"));
    }
    out.push('\n');
    for row in ROWS {
        let figures: Vec<_> = peers.iter().map(|(_, figures)| figures.get(row)).collect();
        if figures.iter().all(Option::is_none) {
            continue;
        }
        let _ = write!(out, "{row:<20}");
        for figure in &figures {
            let _ = write!(out, "{:>13}", figure.map_or("-".to_owned(), |figure| shown(row, figure)));
        }
        for figure in &figures[1..] {
            let ratio = figure.zip(figures[0]).map_or("-".to_owned(), |(theirs, ours)| ratio(theirs / ours));
            let _ = write!(out, "{ratio:>15}");
        }
        out.push('\n');
    }
    out
}

fn shown(row: &str, figure: f64) -> String {
    match row {
        _ if figure.is_nan() => "incomplete".to_owned(),
        "memory/key" | "bytes/key" => format!("{figure:.0} B"),
        "scan first" | "scan warm" => format!("{:.2} M/s", 1e-6 / figure),
        _ if figure < 1e-6 => format!("{:.0} ns", figure * 1e9),
        _ if figure < 1e-3 => format!("{:.1} us", figure * 1e6),
        _ if figure < 1.0 => format!("{:.2} ms", figure * 1e3),
        _ => format!("{figure:.2} s"),
    }
}

fn ratio(ratio: f64) -> String {
    if ratio.is_nan() {
        return "-".to_owned();
    }
    if ratio < 10.0 { format!("{ratio:.2}") } else { format!("{ratio:.0}") }
}
