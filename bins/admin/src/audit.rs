//! The gateway's audit log, checked from its files alone.

use std::path::PathBuf;

use carob_audit::Link;
use serde::Serialize;

use crate::commands::Out;

#[derive(Serialize)]
struct Audited {
    lines: u64,
    first: u64,
    last: u64,
    /// What the first line says of the one before it, which is in none of the files.
    before: String,
    hash: String,
}

/// Checks files that follow each other.
pub(crate) fn verify(files: &[PathBuf], out: &mut Out) -> anyhow::Result<()> {
    let (mut lines, mut first, mut last) = (0, None, None);
    for file in files {
        let chain = carob_audit::verify(file, last.as_ref())?;
        lines += chain.lines;
        first.get_or_insert(chain.first);
        last = Some(chain.last);
    }
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    let hex = |link: &Link| link.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let found =
        Audited { lines, first: first.number + 1, last: last.number, before: hex(&first), hash: hex(&last) };
    out.one(&found, |found| {
        vec![
            ("verdict", "the lines hang together".into()),
            ("lines", format!("{}, from {} to {}", found.lines, found.first, found.last)),
            ("goes on from", found.before.clone()),
            ("last hash", found.hash.clone()),
        ]
    })?;
    Ok(())
}
