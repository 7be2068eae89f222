//! Comparing what the store holds with what the model allows.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use futures::StreamExt;

use super::Target;
use super::check_uploads::check_uploads;
use super::content::Bodies;
use super::model::{Object, Value};
use super::target::{Found, Listed};
use super::worker::Shared;

/// How many GETs are under way at once.
pub(super) const PARALLEL: usize = 8;

/// What was read back.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Checked {
    pub(super) objects: usize,
    /// Those of them that were uploaded in parts.
    pub(super) of_parts: usize,
    pub(super) uploads: usize,
    pub(super) parts: usize,
    /// Completions that were repeated, or made of an upload that was begun before a cut.
    pub(super) completions: usize,
    pub(super) versions: usize,
    /// Those of them that could not be deleted, as their locks say.
    pub(super) locked: usize,
    /// Deleted buckets.
    pub(super) deleted: usize,
    /// Past states of buckets that come and go.
    pub(super) past: usize,
}

impl std::ops::AddAssign for Checked {
    fn add_assign(&mut self, other: Self) {
        self.objects += other.objects;
        self.of_parts += other.of_parts;
        self.uploads += other.uploads;
        self.parts += other.parts;
        self.completions += other.completions;
        self.versions += other.versions;
        self.locked += other.locked;
        self.deleted += other.deleted;
        self.past += other.past;
    }
}

/// Which of the possible values was found, whole.
pub(super) fn explain(bodies: Bodies, possible: Vec<Value>, found: Option<Found>) -> Result<Value> {
    let Some(Found { op, etag, body }) = found else {
        ensure!(possible.contains(&None), "there is nothing, but only {possible:x?} may be there");
        return Ok(None);
    };
    let size = body.len() as u64;
    let same =
        |object: &&Object| object.op == op && object.content.etag == etag && object.content.size == size;
    let Some(object) = possible.iter().flatten().find(same) else {
        bail!("operation {op:#x} with ETag {etag} and {size} bytes is there, but only {possible:x?} may be");
    };
    ensure!(body == bodies.bytes(&object.content), "{size} bytes with ETag {etag} are not {object:x?}");
    Ok(Some(object.clone()))
}

/// Reads back what was written before a cut, or everything, and settles the model on it. All listings are compared.
pub(super) async fn check<T: Target>(
    target: &T,
    shared: &Shared,
    cycle: u32,
    whole: bool,
) -> Result<Checked> {
    let page = shared.plan.page_size(cycle);
    // How uploads ended says which objects must be there, so they come first.
    let mut checked = check_uploads(target, shared, cycle, page).await?;
    let names = shared.model().names();
    let (read, settled): (Vec<_>, Vec<_>) = names.into_iter().partition(|(_, touched)| whole || *touched);
    let mut reads = futures::stream::iter(read)
        .map(|(name, _)| async move {
            let begun = shared.model().tick();
            let found = target.get(&name).await.with_context(|| format!("GET {name}"))?;
            let possible = shared.model().possible(&name, begun);
            let value = explain(shared.bodies, possible, found).with_context(|| name.to_string())?;
            anyhow::Ok((name, value))
        })
        .buffer_unordered(PARALLEL);
    let mut values = Vec::new();
    while let Some(read) = reads.next().await {
        values.push(read?);
    }
    drop(reads);

    // Only now, since what a copy in flight has made depends on what its source had.
    for (name, value) in &values {
        shared.model().settle(name, value.clone());
        if let Some(Object { content, .. }) = value {
            checked.objects += 1;
            checked.of_parts += usize::from(content.etag.contains('-'));
        }
    }
    let known = settled.into_iter().map(|(name, _)| {
        let value = shared.model().likely(&name);
        (name, value)
    });
    let mut present: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for (name, value) in values.into_iter().chain(known) {
        if let Some(Object { content, .. }) = value {
            let listed = Listed { key: name.key, etag: content.etag, size: content.size };
            present.entry(name.bucket).or_default().push(listed);
        }
    }
    for bucket in shared.plan.buckets() {
        let mut expected = present.remove(&bucket).unwrap_or_default();
        expected.sort_unstable_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        let listed = target.list(&bucket, page).await.with_context(|| format!("listing {bucket}"))?;
        compare("GETs", &expected, &listed)
            .with_context(|| format!("listing {bucket} in pages of {page}"))?;
    }
    Ok(checked)
}

/// Whether a listing is what is expected, entry by entry.
pub(super) fn compare<E: PartialEq + std::fmt::Debug>(by: &str, expected: &[E], listed: &[E]) -> Result<()> {
    for n in 0..expected.len().max(listed.len()) {
        match (expected.get(n), listed.get(n)) {
            (Some(expected), Some(listed)) if expected == listed => {}
            (expected, listed) => bail!("entry {n}: {by} say {expected:?}, the listing says {listed:?}"),
        }
    }
    Ok(())
}
