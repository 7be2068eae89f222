//! A store that no gateway has open, checked from its own files.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use carob_block::{Cid, Codec, Heads, ReadBlocks, Store};
use carob_commit::{Commit, find_broken, verify_past};
use carob_local::{Finding, Harm, LocalOptions, LocalStore, Losses, RealDisk, Report};
use serde::Serialize;

use crate::commands::Out;
use crate::output::bytes;

/// How many blocks are looked up at once.
const BATCH: usize = 1024;

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
struct Wrong {
    /// A file, an object, or a head.
    place: String,
    offset: u64,
    what: String,
    /// Whether anything is lost by it: if not, `carob repair` puts it right.
    lost: bool,
}

#[derive(Debug, Serialize)]
struct Checked {
    wrong: u64,
    segments: u32,
    blocks: u64,
    bytes: u64,
    heads: u64,
    /// Blocks that heads reach.
    reached: u64,
    /// Buckets whose signature, index and bodies were verified.
    buckets: u64,
    /// Past states whose signature was verified.
    states: u64,
    /// Blocks that past states reach and that were purged.
    purged: u64,
    /// Files that were made anew.
    repaired: u64,
}

/// Checks every frame, index and record of the store in the data directory, then what its heads reach: that each block is
/// there unless it was purged, of each bucket the signature, the index and every body, and of each past state the
/// signature.
///
/// # Errors
/// If anything is wrong, after it was told; if a gateway has the store open.
pub(crate) async fn check(data: &Path, out: &mut Out) -> anyhow::Result<()> {
    let dir = data.join("store");
    let report = carob_local::check(&dir, &RealDisk).context("the store cannot be checked")?;
    let mut wrong: Vec<Wrong> = report.findings.iter().map(found).collect();
    let mut found = Reached::default();
    // It has an id already, which this one does not replace.
    match LocalStore::open(LocalOptions::new(dir, [0; 16])) {
        Ok(store) => {
            let store = Arc::new(store);
            let heads = store.heads("").await?;
            for (name, cid) in heads.iter().filter(|(name, _)| name.starts_with("bucket/")) {
                found.buckets += 1;
                bucket(&store, name, *cid, &mut wrong).await?;
            }
            let past = verify_past(&heads, Arc::clone(&store) as _).await;
            wrong.extend(past.wrong.iter().map(|(name, error)| lost(head(name), chain(error))));
            found.states = past.states;
            reach(&store, &past.purged, &mut found, &mut wrong).await?;
            store.close().await?;
        }
        Err(error) if wrong.iter().any(|wrong| wrong.lost) => {
            let what = format!("it does not open, so what its heads reach was not checked: {error}");
            wrong.push(lost("the store".to_owned(), what));
        }
        Err(error) => return Err(error.into()),
    }
    tell(report, wrong, found, out)
}

/// Checks a bucket and names each of its objects that is not whole.
async fn bucket(store: &Arc<LocalStore>, name: &str, cid: Cid, wrong: &mut Vec<Wrong>) -> anyhow::Result<()> {
    match find_broken(cid, Arc::clone(store) as _).await {
        Ok(broken) if broken.is_empty() => {}
        Ok(broken) => {
            let commit = store.get(&cid).await?.context("the newest commit is missing")?;
            let commit = Commit::from_block(&commit)?;
            let bucket = &commit.name;
            wrong.extend(broken.into_iter().map(|(place, error)| {
                // A noncurrent version stands under its key, two zeros and the version.
                let key = place.split('\0').next().unwrap_or_default();
                lost(format!("s3://{bucket}/{key}"), chain(&error))
            }));
        }
        Err(error) => wrong.push(lost(head(name), chain(&error))),
    }
    Ok(())
}

/// Makes indexes and the checkpoint anew where they are missing or wrong, from the segments alone.
///
/// # Errors
/// If anything is still wrong, after it was told; if a gateway has the store open.
pub(crate) fn repair(data: &Path, losses: Losses, out: &mut Out) -> anyhow::Result<()> {
    let report = carob_local::repair(&data.join("store"), &RealDisk, losses);
    let report = report.context("the store cannot be repaired")?;
    for accepted in &report.accepted {
        out.line(&found(accepted), |Wrong { place, offset, what, .. }| {
            format!("accepted  {place}, byte {offset}: {what}")
        })?;
    }
    let wrong = report.findings.iter().map(found).collect();
    tell(report, wrong, Reached::default(), out)
}

/// What was found from the heads on.
#[derive(Debug, Default)]
struct Reached {
    blocks: u64,
    buckets: u64,
    states: u64,
    purged: u64,
}

/// Goes from the heads to every block that they reach, and counts them. Bodies are not read: their leaves were, with all
/// frames.
async fn reach(
    store: &LocalStore,
    purged: &HashSet<Cid>,
    found: &mut Reached,
    wrong: &mut Vec<Wrong>,
) -> anyhow::Result<()> {
    let (mut seen, session) = (HashSet::new(), store.session());
    for (name, cid) in store.heads("").await? {
        let (mut nodes, mut leaves) = (vec![cid], Vec::new());
        while let Some(cid) = nodes.pop() {
            if !seen.insert(digest(&cid)) {
                continue;
            }
            let links = match store.get(&cid).await {
                Ok(Some(block)) => block.links().map_err(|error| chain(&error)),
                Ok(None) if purged.contains(&cid) => {
                    found.purged += 1;
                    continue;
                }
                Ok(None) => Err("it is missing".to_owned()),
                Err(error) => Err(chain(&error)),
            };
            match links {
                Ok(links) => {
                    let raw = |cid: &Cid| cid.codec() == Codec::Raw.code();
                    leaves.extend(links.iter().copied().filter(raw).filter(|cid| seen.insert(digest(cid))));
                    nodes.extend(links.into_iter().filter(|cid| !raw(cid)));
                }
                Err(what) => wrong.push(lost(head(&name), format!("block {cid}: {what}"))),
            }
            if leaves.len() >= BATCH || nodes.is_empty() {
                for cid in session.missing(&std::mem::take(&mut leaves)).await? {
                    if purged.contains(&cid) {
                        found.purged += 1;
                        continue;
                    }
                    wrong.push(lost(head(&name), format!("block {cid}: it is missing")));
                }
            }
        }
    }
    found.blocks = seen.len() as u64 - found.purged;
    Ok(())
}

fn digest(cid: &Cid) -> [u8; 32] {
    cid.hash().digest().try_into().unwrap_or_default()
}

fn found(finding: &Finding) -> Wrong {
    Wrong {
        place: finding.path.display().to_string(),
        offset: finding.offset,
        what: finding.what.clone(),
        lost: finding.harm == Harm::Loss,
    }
}

fn lost(place: String, what: String) -> Wrong {
    Wrong { place, offset: 0, what, lost: true }
}

fn head(name: &str) -> String {
    format!("head {name}")
}

/// An error and its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut all: Vec<String> = causes.map(ToString::to_string).collect();
    all.dedup();
    all.join(": ")
}

fn tell(report: Report, wrong: Vec<Wrong>, found: Reached, out: &mut Out) -> anyhow::Result<()> {
    for one in &wrong {
        out.line(one, |Wrong { place, offset, what, lost }| {
            let harm = if *lost { "LOST" } else { "repairable" };
            format!("{harm}  {place}, byte {offset}: {what}")
        })?;
    }
    let checked = Checked {
        wrong: wrong.len() as u64,
        segments: report.segments,
        blocks: report.blocks,
        bytes: report.bytes,
        heads: report.heads,
        reached: found.blocks,
        buckets: found.buckets,
        states: found.states,
        purged: found.purged,
        repaired: report.repaired.len() as u64,
    };
    out.one(&checked, |checked| {
        vec![
            ("wrong", checked.wrong.to_string()),
            ("segments", checked.segments.to_string()),
            ("blocks", checked.blocks.to_string()),
            ("size", bytes(checked.bytes)),
            ("heads", checked.heads.to_string()),
            ("reached", checked.reached.to_string()),
            ("buckets", checked.buckets.to_string()),
            ("past states", checked.states.to_string()),
            ("purged", checked.purged.to_string()),
            ("repaired", checked.repaired.to_string()),
        ]
    })?;
    out.flush()?;
    match wrong.len() {
        0 => Ok(()),
        1 => bail!("one thing is wrong"),
        many => bail!("{many} things are wrong"),
    }
}
