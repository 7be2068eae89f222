//! Reading ranges of sealed bodies: only the segments that a range touches are opened.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Cid, ReadBlocks};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::budget::{Budget, Share};
use crate::error::Flaw;
use crate::reader::{Body, Leaves, ObjectReader, Shares};
use crate::sealed::{BodyKey, Segments, opened_offset, sealed_range, sealed_size};
use crate::{LEAF_SIZE, ObjectError};

/// What is opened at once on an async thread, in bytes: some tens of microseconds.
const FEW: usize = 64 << 10;

/// A body that was sealed for itself, of those that make up a stored one.
#[derive(Debug, Clone)]
pub struct SealedPart {
    /// Its bytes, opened.
    pub size: u64,
    /// Its key.
    pub key: BodyKey,
}

/// A [`SealedPart`] in its place.
#[derive(Debug)]
struct Placed {
    segments: Arc<Segments>,
    size: u64,
    /// Where it begins in the object.
    start: u64,
    /// Where it lies in what is stored.
    stored: Range<u64>,
}

/// Reads bytes `range` of an object that is stored as `parts`, sealed and one after the other, in `body`.
///
/// Only what the range touches is fetched, and only segments that it touches are opened. `shares` is where memory comes
/// from, two leaves for each, and the first share of it.
///
/// # Errors
/// As [`crate::read_within`]. The stream itself may end with [`ObjectError::Unopened`] too.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn read_sealed(
    store: Arc<dyn ReadBlocks>,
    body: Body,
    parts: &[SealedPart],
    range: Range<u64>,
    shares: Option<(Budget, Share)>,
) -> Result<ObjectReader, ObjectError> {
    let content = body.content;
    let (mut start, mut offset) = (0_u64, 0_u64);
    let mut placed = Vec::new();
    let too_large = || ObjectError::malformed(&content, Flaw::Sum);
    for SealedPart { size, key } in parts {
        let end = sealed_size(*size).and_then(|stored| offset.checked_add(stored)).ok_or_else(too_large)?;
        let (from, to) = (start, start.checked_add(*size).ok_or_else(too_large)?);
        // Of those that the range does not touch, nothing is needed.
        if from < range.end && to > range.start {
            let segments = Arc::new(Segments::new(key));
            placed.push(Placed { segments, size: *size, start, stored: offset..end });
        }
        (start, offset) = (to, end);
    }
    if offset != body.size {
        return Err(ObjectError::malformed(&content, Flaw::Size { expected: offset, actual: body.size }));
    }
    if range.start > range.end || range.end > start {
        return Err(ObjectError::OutOfRange { start: range.start, end: range.end, size: start });
    }
    let needed = stored_range(&placed, &range).ok_or_else(too_large)?;
    let shares = shares.map(|(budget, first)| Shares::new(budget, first, 2 * LEAF_SIZE));
    Ok(ObjectReader::fetched_by(range.end - range.start, |leaves| {
        let sealed = Leaves::new(store, body, needed.clone());
        fetch(Opening { content, sealed, needed, range, placed }, shares, leaves)
    }))
}

/// What of the stored bytes has to be read for `range`.
fn stored_range(placed: &[Placed], range: &Range<u64>) -> Option<Range<u64>> {
    let within = |part: &Placed| {
        let at = |place: u64| place.saturating_sub(part.start).min(part.size);
        let sealed = sealed_range(part.size, &(at(range.start)..at(range.end)))?;
        let offset = part.stored.start;
        Some(offset.checked_add(sealed.start)?..offset.checked_add(sealed.end)?)
    };
    match (placed.first(), placed.last()) {
        (Some(first), Some(last)) => Some(within(first)?.start..within(last)?.end),
        _ => Some(0..0),
    }
}

struct Opening {
    content: Cid,
    sealed: Leaves,
    /// Of the stored bytes, what is still to come.
    needed: Range<u64>,
    /// Of the object.
    range: Range<u64>,
    /// The parts that the range touches.
    placed: Vec<Placed>,
}

async fn fetch(
    mut opening: Opening,
    mut shares: Option<Shares>,
    leaves: mpsc::Sender<Result<Bytes, ObjectError>>,
) {
    let mut left = opening.range.end.saturating_sub(opening.range.start);
    loop {
        // A place first: nothing is held for a consumer that takes nothing.
        let Ok(place) = leaves.reserve().await else { return };
        let share = match &mut shares {
            Some(shares) => Some(shares.next().await),
            None => None,
        };
        let opened = match opening.next_leaf().await {
            Ok(None) if left == 0 => return,
            Ok(None) => Err(ObjectError::malformed(&opening.content, Flaw::Sum)),
            Ok(Some(bytes)) if bytes.is_empty() => continue,
            Ok(Some(bytes)) => Ok(bytes),
            Err(error) => Err(error),
        };
        let failed = opened.is_err();
        left = opened.as_ref().map_or(0, |bytes| left.saturating_sub(bytes.len() as u64));
        place.send(opened.map(|bytes| match share {
            Some(share) => share.of(bytes),
            None => bytes,
        }));
        if failed {
            return;
        }
    }
}

impl Opening {
    /// What the next stored leaf holds of the range.
    async fn next_leaf(&mut self) -> Result<Option<Bytes>, ObjectError> {
        let Some(sealed) = self.sealed.next().await? else { return Ok(None) };
        let at = self.needed.start;
        self.needed.start = at.saturating_add(sealed.len() as u64);
        // A leaf is of one part: each was stored for itself.
        let found = self.placed.iter().find(|part| part.stored.contains(&at));
        let part = found.ok_or_else(|| ObjectError::malformed(&self.content, Flaw::Sum))?;
        let (segments, offset, size) = (Arc::clone(&part.segments), at - part.stored.start, part.size);
        let few = sealed.len() <= FEW;
        let open = move || segments.open(&sealed, offset, size);
        let opened = if few {
            open()
        } else {
            spawn_blocking(open).await.map_err(|e| ObjectError::aborted("opening a leaf", e))?
        };
        let opened = Bytes::from(opened.map_err(|_| ObjectError::Unopened(self.content))?);
        let begin = part.start.saturating_add(opened_offset(offset));
        let within = |place: u64| place.saturating_sub(begin).min(opened.len() as u64) as usize;
        Ok(Some(opened.slice(within(self.range.start)..within(self.range.end))))
    }
}
