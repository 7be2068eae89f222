//! The targets in `fuzz/`, and the reference implementation.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::cargo;

/// Coverage counters as libFuzzer reads them. These flags are what `cargo fuzz run --sanitizer none` passes, and work on
/// a stable compiler; there is no unsafe code of ours for a sanitizer to find fault with.
const INSTRUMENT: [&str; 7] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
];

const TARGETS: [&str; 3] = ["index-node", "index-descriptor", "index-value"];

/// Runs each target for `time`, from its seeds and what earlier runs found.
pub(super) fn run(time: Duration) -> Result<()> {
    let fuzz = cargo::root().join("fuzz");
    let target = cargo::scratch()?.join("fuzz");
    let host = host()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // With a target named, build scripts are not instrumented: they could not be linked.
    let mut build = Command::new(cargo);
    build.current_dir(&fuzz).env("RUSTFLAGS", INSTRUMENT.join(" "));
    build
        .args(["build", "--release", "--ignore-rust-version", "--target", &host, "--target-dir"])
        .arg(&target);
    ensure!(build.status().context("cannot run cargo")?.success(), "fuzz/ does not build");
    for name in TARGETS {
        println!("{name}: {} s", time.as_secs());
        let corpus = target.join("corpus").join(name);
        std::fs::create_dir_all(&corpus)?;
        let mut run = Command::new(target.join(&host).join("release").join(name));
        run.arg(format!("-max_total_time={}", time.as_secs()));
        run.args(["-max_len=8192", "-print_final_stats=1", "-verbosity=0"]);
        run.arg(format!("-artifact_prefix={}/{name}-", target.display()));
        run.arg(&corpus).arg(fuzz.join("seeds").join(name));
        ensure!(run.status()?.success(), "{name} found something: see {}", target.display());
    }
    Ok(())
}

fn host() -> Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot run rustc")?;
    let text = String::from_utf8(output.stdout)?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// Compares the golden roots in the tests of `carob-index` with what the reference implementation makes of the same
/// entries.
pub(super) fn reference() -> Result<()> {
    let tests = cargo::root().join("crates/index/tests");
    let output = Command::new("python3").arg("-B").arg(tests.join("reference.py")).output();
    let output = output.context("cannot run python3")?;
    ensure!(output.status.success(), "reference.py failed: {}", String::from_utf8_lossy(&output.stderr));
    let golden = read(&tests.join("format.rs"))?;
    let roots = String::from_utf8(output.stdout)?;
    ensure!(!roots.trim().is_empty(), "reference.py printed nothing");
    for line in roots.lines() {
        let root = line.split_whitespace().last().unwrap_or_default();
        ensure!(golden.contains(&format!("\"{root}\"")), "not a golden root: {line}");
        println!("{line}  agrees");
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
