//! What one flush makes durable.

use std::collections::HashSet;

use carob_block::{Cid, HeadSwap, StoreError};

use crate::gone::Gone;
use crate::index::{Held, Key};
use crate::queue::Commit;
use crate::read::unavailable;
use crate::record::{Position, Swap};
use crate::store::Shared;

/// Names and targets that one head record may hold, in bytes, so that it stays a block within bounds.
pub(crate) const RECORD_LIMIT: usize = 1024 * 1024;

/// What a swap takes beside its name, at most.
const SWAP_SIZE: usize = 64;

/// The commits that share the next flush.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) commits: Vec<Commit>,
    /// The swaps of all of them. They go to one record: were there several, the log might go on to another
    /// segment between them, and an error there would come when the first are already durable.
    pub(crate) swaps: Vec<Swap>,
    /// Commits that the record has no room for, and those on a head that one of the group moves: they are
    /// judged when it is known where that head durably is.
    pub(crate) deferred: Vec<Commit>,
}

impl Group {
    /// Sorts `commits` out, answering those that cannot succeed and those that have nothing left to do,
    /// where the log is durable up to `durable`.
    pub(crate) fn admit(commits: Vec<Commit>, shared: &Shared, durable: Position) -> Self {
        let mut group = Self::default();
        let mut moved = HashSet::new();
        let mut room = RECORD_LIMIT;
        for commit in commits {
            if commit.swaps.iter().any(|swap| moved.contains(&swap.name)) {
                group.deferred.push(commit);
                continue;
            }
            if let Err(error) = check(&commit, shared) {
                let _ = commit.reply.send(Err(error));
                continue;
            }
            if commit.swaps.is_empty() {
                if commit.holds.iter().any(|hold| hold.reaches_past(durable)) {
                    group.commits.push(commit);
                } else {
                    let _ = commit.reply.send(Ok(()));
                }
                continue;
            }
            let size = record_size(&commit.swaps);
            if size > room {
                group.deferred.push(commit);
                continue;
            }
            room -= size;
            group.swaps.extend(commit.swaps.iter().map(Swap::from));
            moved.extend(commit.swaps.iter().map(|swap| swap.name.clone()));
            group.commits.push(commit);
        }
        group
    }
}

/// The heads in parts that each fit a record; the last one, maybe empty, leaves room to say what is gone.
pub(crate) fn records(heads: impl Iterator<Item = Swap>, gone: &Gone) -> Vec<Vec<Swap>> {
    let most = RECORD_LIMIT.saturating_sub(gone.size());
    let (mut records, mut last, mut room) = (Vec::new(), Vec::new(), most);
    for swap in heads {
        let size = swap.name.len() + SWAP_SIZE;
        if size > room {
            records.push(std::mem::take(&mut last));
            room = most;
        }
        room = room.saturating_sub(size);
        last.push(swap);
    }
    records.push(last);
    records
}

/// Whether the swaps of one commit fit a record.
pub(crate) fn fits_a_record(swaps: &[HeadSwap]) -> bool {
    record_size(swaps) <= RECORD_LIMIT
}

fn record_size(swaps: &[HeadSwap]) -> usize {
    swaps.iter().map(|swap| swap.name.len() + SWAP_SIZE).sum()
}

fn check(commit: &Commit, shared: &Shared) -> Result<(), StoreError> {
    commit.holds.iter().try_for_each(|hold| hold.check())?;
    for (at, swap) in commit.swaps.iter().enumerate() {
        let actual = shared.head(&swap.name);
        let repeated = commit.swaps[..at].iter().any(|earlier| earlier.name == swap.name);
        if actual != swap.expected || repeated {
            return Err(StoreError::Conflict { name: swap.name.clone(), actual });
        }
    }
    for swap in &commit.swaps {
        let Some(next) = swap.next else { continue };
        // All that the commit may rely on was written before it was looked at.
        if !is_written(&next, shared)? {
            return Err(StoreError::Dangling { name: swap.name.clone(), missing: next });
        }
    }
    Ok(())
}

fn is_written(cid: &Cid, shared: &Shared) -> Result<bool, StoreError> {
    let Some(key) = Key::of(cid) else { return Ok(false) };
    let held = shared.find(&key, || shared.index.get(&key)).map_err(unavailable)?;
    Ok(matches!(held, Some(Held::At(_) | Held::Sealed(_))))
}
