//! The index beside other ordered maps, in memory all of them: `cargo xtask bench index`.
//!
//! Each map of each size runs in a process of its own, one after the other, so that its memory can be told.

mod data;
mod peer;
mod report;
mod run;

use std::process::Command;

use report::Figures;

/// Numbers of keys at which all are measured.
const SIZES: [u64; 3] = [10_000, 100_000, 1_000_000];

/// The number of keys at which ours is measured alone.
const LARGE: u64 = 10_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.as_slice() {
        [] => all(&SIZES, true),
        [only] if only == "--small" => all(&SIZES[..2], false),
        [peer, keys] => {
            let figures = run::run(peer, keys.parse().expect("a number of keys"));
            print!("{}", figures.to_lines());
        }
        _ => panic!("usage: carob-index-bench [--small | PEER KEYS]"),
    }
}

fn all(sizes: &[u64], large: bool) {
    println!("keys of 40 bytes, values of 200, one core; times a call, the mean unless said otherwise\n");
    for keys in sizes {
        let peers: Vec<_> = peer::NAMES.map(|name| (name, in_process(name, *keys))).into();
        println!("{}", report::table(*keys, &peers));
    }
    if large {
        let peers = [(peer::NAMES[0], in_process(peer::NAMES[0], LARGE))];
        println!("{}", report::table(LARGE, &peers));
    }
}

fn in_process(peer: &str, keys: u64) -> Figures {
    let own = std::env::current_exe().expect("a path to this program");
    let output = Command::new(own).args([peer, &keys.to_string()]).output().expect("a process of its own");
    assert!(output.status.success(), "{peer} at {keys}: {}", String::from_utf8_lossy(&output.stderr));
    Figures::from_lines(&String::from_utf8_lossy(&output.stdout))
}
