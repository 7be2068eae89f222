//! Comparing what the store holds with what the model allows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;
use md5::{Digest, Md5};

use super::model::{Model, Name, Tick, Value};
use super::plan::Plan;
use super::worker::Shared;
use super::{Found, Listed, Target};

/// How many GETs are under way at once.
const PARALLEL: usize = 8;

/// What a GET gave, its bytes checked against the operation that it names.
#[derive(Debug)]
pub(super) struct Observed {
    pub(super) value: Value,
    etag: String,
}

impl Observed {
    /// Checks that body and ETag are those that the operation wrote, whole.
    pub(super) fn of(plan: &Plan, found: Option<Found>) -> Result<Self> {
        let Some(Found { op, etag, body }) = found else {
            return Ok(Self { value: Value::Absent, etag: String::new() });
        };
        let size = body.len() as u64;
        ensure!(body == plan.body(op, size), "a body of {size} bytes is not what operation {op:#x} wrote");
        let md5 = hex::encode(Md5::digest(&body));
        ensure!(etag == md5, "ETag {etag} of a body with MD5 {md5} by operation {op:#x}");
        Ok(Self { value: Value::Body { op, size }, etag })
    }
}

/// Whether the model allows a read that began at `begun` to give `observed`.
pub(super) fn explain(model: &Model, name: &Name, begun: Tick, observed: &Observed) -> Result<()> {
    let allowed = model.allowed(name, begun);
    if !allowed.contains(&observed.value) {
        bail!("{name:?} gives {:x?}, but only {allowed:x?} may be there", observed.value);
    }
    Ok(())
}

/// Reads everything back after a cut and settles the model on it; gives the number of objects.
pub(super) async fn check<T: Target>(target: &T, shared: &Shared, page: u32) -> Result<usize> {
    let names = shared.model().names();
    let mut reads = futures::stream::iter(names)
        .map(|name| async move {
            let begun = shared.model().tick();
            let found = target.get(&name.0, &name.1).await.with_context(|| format!("GET {name:?}"))?;
            let observed = Observed::of(&shared.plan, found).with_context(|| format!("{name:?}"))?;
            explain(&shared.model(), &name, begun, &observed)?;
            anyhow::Ok((name, observed))
        })
        .buffer_unordered(PARALLEL);

    let mut present: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    while let Some(read) = reads.next().await {
        let ((bucket, key), observed) = read?;
        shared.model().settle(&(bucket.clone(), key.clone()), observed.value);
        if let Value::Body { size, .. } = observed.value {
            present.entry(bucket).or_default().push(Listed { key, etag: observed.etag, size });
        }
    }
    drop(reads);

    for bucket in shared.plan.buckets() {
        let mut expected = present.remove(&bucket).unwrap_or_default();
        expected.sort_unstable_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        let listed = target.list(&bucket, page).await.with_context(|| format!("listing {bucket}"))?;
        compare_listing(&expected, &listed)
            .with_context(|| format!("listing of {bucket} in pages of {page}"))?;
        present.insert(bucket, expected);
    }
    Ok(present.values().map(Vec::len).sum())
}

fn compare_listing(expected: &[Listed], listed: &[Listed]) -> Result<()> {
    for n in 0..expected.len().max(listed.len()) {
        match (expected.get(n), listed.get(n)) {
            (Some(expected), Some(listed)) if expected == listed => {}
            (expected, listed) => bail!("entry {n}: GETs say {expected:?}, the listing says {listed:?}"),
        }
    }
    Ok(())
}
