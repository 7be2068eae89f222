//! Comparing the buckets that come and go with those that the model allows.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::super::check::Checked;
use super::super::worker::Shared;
use super::super::{Name, Target};
use super::plan::is_mortal;
use super::state::Life;
use super::steps::{objects, op_of, size_of};

/// So many of the newest states of a bucket are read after each cut.
const FEW: usize = 6;
/// No more are told of at once.
const ALL: usize = 1000;

/// Checks all of them after a cut and settles the model on them. Of their past, what is new is read, or everything.
pub(in crate::crash) async fn check_lives<T: Target>(
    target: &T,
    shared: &Shared,
    whole: bool,
) -> Result<Checked> {
    let mut alive = Vec::new();
    for bucket in target.alive().await.context("listing all buckets")? {
        if is_mortal(&bucket.name) {
            let held = objects(target, &bucket.name).await;
            let held = held.with_context(|| format!("listing {}", bucket.name))?;
            alive.push((bucket, held));
        }
    }
    let mut dead = target.dead().await.context("listing the deleted buckets")?;
    dead.retain(|bucket| is_mortal(&bucket.name));
    let state = shared.lives().settle(&alive, &dead)?;
    let mut checked = Checked { deleted: dead.len(), ..Checked::default() };
    // A collection may take what else those have between two requests.
    for (name, life) in state.alive.iter().filter(|(_, life)| !life.is_brief()) {
        let at = || format!("the past of {name}");
        checked.past += check_past(target, shared, name, life, whole).await.with_context(at)?;
    }
    Ok(checked)
}

/// Reads the states that a bucket had, over all its lives. Gives how many.
async fn check_past<T: Target>(
    target: &T,
    shared: &Shared,
    bucket: &str,
    life: &Life,
    whole: bool,
) -> Result<usize> {
    let past = target.past(bucket, if whole { ALL } else { FEW }).await?;
    let mut found = BTreeSet::new();
    for state in &past {
        for key in &state.keys {
            let op = op_of(key)?;
            ensure!(life.past.contains(&op), "{key} was never written to it");
            found.insert(op);
            if !whole && shared.lives().note_read(op) {
                continue;
            }
            let name = Name { bucket: bucket.to_owned(), key: key.clone() };
            let body = target.get_at(&name, &state.commit).await;
            let body = body.with_context(|| format!("{key} at {}", state.commit))?;
            let bodies = shared.bodies;
            ensure!(body == bodies.bytes(&bodies.fresh(op, size_of(op))), "{key} has other bytes");
        }
    }
    if whole && !life.lossy && past.len() < ALL {
        ensure!(found == life.past, "its states hold {found:x?} in all, but {:x?} were written", life.past);
    }
    Ok(past.len())
}
