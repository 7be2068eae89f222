//! Sweeping: what is dead is given back where it lies, as far as it lies together; then live blocks are copied out of the
//! segments that have most dead bytes left, and the segments removed.
//!
//! For each batch of segments: their live blocks are written anew, bodies first, then the rest, and flushed; each
//! segment is retired, which means that nobody looks into it any more; a record says that they are gone, and where all
//! heads are; then their files are removed. A crash before the record leaves the segments, and maybe copies; one after
//! it leaves files that the next opening removes.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use carob_block::{Block, Codec, StoreError, SweepOptions, Swept};
use tokio::time::Instant;

use crate::brake::Braking;
use crate::collect::{Live, LocalCollection, blocking};
use crate::index::Key;
use crate::segments::Frame;
use crate::session::Hold;
use crate::sidecar::Entry;
use crate::store::Shared;
use crate::{frames, hollowing};

/// How many bytes are copied at once.
const CHUNK: usize = 4 * 1024 * 1024;

/// A segment filled to one part in so many, or less, is small: there is no use in many of them.
const SMALL: u32 = 8;

/// A segment with so many dead bytes in a thousand goes, however few there are in the whole store: that takes little.
const MUCH: u64 = 500;

/// How often it is looked how much others write.
const LOOK: Duration = Duration::from_millis(100);

/// How many small segments are made into one.
const MANY: usize = 8;

/// What a sweep will do.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Live and dead bytes.
    pub(crate) found: Swept,
    /// The segments to remove, those first that take least to copy.
    pub(crate) victims: Vec<Victim>,
}

/// A segment to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Victim {
    segment: u32,
    /// What it takes.
    pub(crate) held: u32,
    pub(crate) live_bytes: u64,
}

/// What is live and dead in a segment.
#[derive(Debug, Clone, Copy, Default)]
struct Census {
    live: u64,
    dead: u64,
    live_bytes: u64,
    dead_bytes: u64,
}

impl Census {
    fn dead_per_mille(&self) -> u64 {
        1000 * self.dead_bytes / (self.live_bytes + self.dead_bytes).max(1)
    }
}

/// Segments go that have most dead bytes, until few enough are left in the whole store. Where everything is overwritten at
/// random, that copies half of what a bound for each segment does, which all of them reach at once.
///
/// `gains` tells for some how much less they will take by then.
pub(crate) async fn plan(
    collection: &LocalCollection,
    options: &SweepOptions,
    gains: BTreeMap<u32, u64>,
) -> Result<Plan, StoreError> {
    let (shared, live, options) = (Arc::clone(&collection.shared), Arc::clone(&collection.live), *options);
    blocking(move || {
        let segments: Vec<(u32, u32)> = {
            let mut live = live.lock();
            let Live { pinned, segments, .. } = &mut *live;
            pinned.extend(shared.pins.news());
            segments.iter().map(|(segment, marks)| (*segment, marks.end)).collect()
        };
        let mut found = Swept::default();
        let mut counted = Vec::new();
        for (segment, end) in segments {
            let gain = gains.get(&segment).map_or(0, |gain| *gain as u32);
            let held = shared.segments.extents.held(segment).saturating_sub(gain);
            let mut census = census(&shared.segments.entries(segment)?, segment, end, &live.lock());
            census.dead_bytes = census.dead_bytes.saturating_sub((end - held).into());
            found.live_bytes += census.live_bytes;
            found.dead_bytes += census.dead_bytes;
            counted.push((Victim { segment, held, live_bytes: census.live_bytes }, census));
        }
        counted.sort_by_key(|(_, census)| std::cmp::Reverse(census.dead_per_mille()));
        let most = (found.live_bytes + found.dead_bytes) * u64::from(options.dead_percent) / 100;
        let (mut victims, mut small, mut left) = (Vec::new(), Vec::new(), found.dead_bytes);
        for (victim, census) in counted {
            let worthwhile = census.dead > 0 && (left > most || census.dead_per_mille() >= MUCH);
            if census.live == 0 || worthwhile || live.lock().has_erased(victim.segment) {
                left -= census.dead_bytes;
                victims.push(victim);
            } else if victim.held <= shared.segment_size / SMALL {
                small.push(victim);
            }
        }
        if small.len() >= MANY {
            victims.append(&mut small);
        }
        victims.sort_by_key(|victim| victim.live_bytes);
        Ok(Plan { found, victims })
    })
    .await
}

/// Counts the blocks of a segment that ends at `end`.
fn census(entries: &[Entry], segment: u32, end: u32, live: &Live) -> Census {
    let mut census = Census::default();
    for frame in frames::list(entries, segment, end, live) {
        // A head record counts for the block before it.
        let bytes = u64::from(frame.len());
        if frame.live {
            (census.live, census.live_bytes) = (census.live + 1, census.live_bytes + bytes);
        } else {
            (census.dead, census.dead_bytes) = (census.dead + 1, census.dead_bytes + bytes);
        }
    }
    census
}

/// What hollowing each segment would give back.
pub(crate) async fn gains(collection: &LocalCollection) -> Result<BTreeMap<u32, u64>, StoreError> {
    let (shared, live) = (Arc::clone(&collection.shared), Arc::clone(&collection.live));
    blocking(move || {
        if !shared.segments.can_punch()? {
            return Ok(BTreeMap::new());
        }
        let segments: Vec<(u32, u32)> =
            live.lock().segments.iter().map(|(segment, marks)| (*segment, marks.end)).collect();
        let find = |(segment, end)| {
            Ok(hollowing::find(&shared, &live, segment, end)?.map(|runs| (segment, runs.gain())))
        };
        segments.into_iter().filter_map(|segment| find(segment).transpose()).collect()
    })
    .await
}

pub(crate) async fn sweep(collection: &LocalCollection, options: &SweepOptions) -> Result<Swept, StoreError> {
    let shared = &collection.shared;
    let written = shared.counts.written();
    let hollowed = hollowing::hollow(collection).await?;
    let Plan { mut found, victims } = plan(collection, options, BTreeMap::new()).await?;
    found.dead_bytes += hollowed;
    found.freed_bytes = hollowed;
    // No more than a segment's size is copied before something is given back, unless heads take more to write down.
    let most = u64::from(shared.segment_size).max(100 * shared.heads().len() as u64);
    let pace = Pace {
        begun: Instant::now(),
        written,
        since_marked: written.saturating_sub(collection.written),
        limit: options.bytes_per_second,
        braking: &collection.braking,
        found,
    };
    let mut batch: Vec<Victim> = Vec::new();
    for victim in victims {
        let copied: u64 = batch.iter().map(|victim| victim.live_bytes).sum();
        if copied > 0 && copied + victim.live_bytes > most {
            take(collection, std::mem::take(&mut batch), &pace, &mut found).await?;
        }
        batch.push(victim);
    }
    take(collection, batch, &pace, &mut found).await?;
    found.freed_bytes = found.freed_bytes.saturating_sub(found.copied_bytes);
    shared.brake.remember(&found, collection.written);
    Ok(found)
}

/// How fast to go: as told, but twice as fast as others write, or the store would grow as long as they do; and as fast as
/// can be once that is not enough.
struct Pace<'a> {
    begun: Instant,
    /// What was written by then.
    written: u64,
    /// How much of it since the collection began.
    since_marked: u64,
    limit: Option<u64>,
    /// Slows the others down if even so it falls behind.
    braking: &'a Braking,
    found: Swept,
}

impl Pace<'_> {
    /// Waits until so many bytes may have been copied, when so many were given back.
    async fn keep(&self, copied: u64, freed: u64, shared: &Shared) {
        loop {
            let others = shared.counts.written().saturating_sub(self.written).saturating_sub(copied);
            let garbage = self.found.dead_bytes + self.since_marked + others + copied;
            let brakes = self.braking.set(&self.found, garbage.saturating_sub(freed));
            let Some(limit) = self.limit.filter(|_| !brakes) else { return };
            let millis = copied.saturating_sub(2 * others).saturating_mul(1000) / limit.max(1);
            let due = self.begun + Duration::from_millis(millis);
            if due <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(due.min(Instant::now() + LOOK)).await;
        }
    }
}

/// Removes segments.
async fn take(
    collection: &LocalCollection,
    batch: Vec<Victim>,
    pace: &Pace<'_>,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let (shared, live) = (&collection.shared, &collection.live);
    let (bytes, freed) = (swept.copied_bytes, swept.freed_bytes);
    let mut copier = Copier { shared, hold: shared.sessions.open(), pace, bytes, freed };
    let mut ready = Vec::new();
    for victim in batch {
        let (of, marked) = (Arc::clone(shared), Arc::clone(live));
        let frames = blocking(move || live_frames(&of, &mut marked.lock(), victim.segment)).await?;
        // Bodies are copied apart from what links them, and so less often.
        if let Some(nodes) = copier.copy(victim.segment, &frames, Some(Codec::Raw)).await? {
            ready.push((victim, frames, nodes));
        }
    }
    for (Victim { segment, held, .. }, mut copied, mut todo) in ready {
        loop {
            // One that cannot be read as a whole stays as it is.
            if copier.copy(segment, &todo, None).await?.is_none() {
                break;
            }
            copied.append(&mut todo);
            copied.sort_unstable();
            copier.flush().await?;
            let (of, marked, done) = (Arc::clone(shared), Arc::clone(live), copied.clone());
            let turn = Arc::clone(&collection.turn);
            todo = blocking(move || {
                let _turn = turn;
                retire(&of, &mut marked.lock(), segment, &done)
            })
            .await?;
            if todo.is_empty() {
                swept.segments += 1;
                swept.freed_bytes += u64::from(held);
                break;
            }
        }
    }
    swept.copied_bytes = copier.bytes;
    shared.queue.remove().await
}

/// Where the live frames of a segment begin, in order.
fn live_frames(shared: &Shared, live: &mut Live, segment: u32) -> io::Result<Vec<u32>> {
    live.pinned.extend(shared.pins.news());
    let entries = shared.segments.entries(segment)?;
    let Some(marks) = live.segments.get(&segment) else { return Ok(Vec::new()) };
    let entries = entries.iter().enumerate();
    let alive = entries.filter(|(nth, (key, _))| marks.has(*nth) || live.pinned.contains(key));
    let mut frames: Vec<u32> = alive.map(|(_, (_, frame))| *frame).collect();
    frames.sort_unstable();
    Ok(frames)
}

/// Retires a segment all of whose live blocks are among those `copied`. If more came to life, tells where they are.
fn retire(shared: &Shared, live: &mut Live, segment: u32, copied: &[u32]) -> io::Result<Vec<u32>> {
    let is_late = |frame: &u32| copied.binary_search(frame).is_err();
    let late: Vec<u32> = live_frames(shared, live, segment)?.into_iter().filter(is_late).collect();
    if !late.is_empty() {
        return Ok(late);
    }
    let entries = shared.segments.entries(segment)?;
    let prefixes: Vec<_> = entries.iter().map(|(key, _)| key.prefix()).collect();
    Ok(shared.pins.stop_for(|news: HashSet<Key>| {
        let entry = |key: &Key| {
            let nth = entries.binary_search_by(|entry| entry.0.as_bytes().cmp(key.as_bytes())).ok()?;
            Some(entries[nth].1)
        };
        let late: Vec<u32> = news.iter().filter_map(entry).filter(is_late).collect();
        live.pinned.extend(news);
        if late.is_empty() {
            shared.segments.extents.retire(segment);
            shared.index.retire(&prefixes, segment);
        }
        late
    }))
}

/// Writes blocks anew.
struct Copier<'a> {
    shared: &'a Arc<Shared>,
    /// Tells whether they became durable.
    hold: Arc<Hold>,
    pace: &'a Pace<'a>,
    /// How many bytes were copied.
    bytes: u64,
    /// How many were given back before.
    freed: u64,
}

impl Copier<'_> {
    /// Copies the blocks of a segment whose frames begin there, those of one codec alone if asked. Tells where the
    /// others are, or `None` if not all can be read.
    async fn copy(
        &mut self,
        segment: u32,
        frames: &[u32],
        codec: Option<Codec>,
    ) -> Result<Option<Vec<u32>>, StoreError> {
        let (mut others, mut todo) = (Vec::new(), frames);
        while !todo.is_empty() {
            let (shared, next) = (Arc::clone(self.shared), todo.to_vec());
            let read = match blocking(move || read(&shared, segment, &next)).await {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(%error, segment, "a live block cannot be read: its segment is not swept");
                    return Ok(None);
                }
            };
            let mut blocks = Vec::new();
            let (now, later) = todo.split_at(read.len());
            for (frame, block) in now.iter().zip(read) {
                if codec.is_none_or(|codec| codec == block.codec()) {
                    self.bytes += block.data().len() as u64;
                    blocks.push(block);
                } else {
                    others.push(*frame);
                }
            }
            todo = later;
            self.shared.queue.copy(&self.hold, blocks).await?;
            self.pace.keep(self.bytes, self.freed, self.shared).await;
        }
        Ok(Some(others))
    }

    /// Waits until all that was copied is durable.
    async fn flush(&self) -> Result<(), StoreError> {
        self.shared.queue.commit(vec![Arc::clone(&self.hold)], Vec::new()).await
    }
}

/// The first of the blocks whose frames begin there; at least one.
fn read(shared: &Shared, segment: u32, frames: &[u32]) -> io::Result<Vec<Block>> {
    let (mut blocks, mut bytes) = (Vec::new(), 0);
    for frame in frames {
        let Frame::Read(cid, data) = shared.segments.read_frame(segment, *frame, true)? else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no block at {frame}")));
        };
        bytes += data.len();
        blocks.push(Block::verify(cid, data).map_err(io::Error::other)?);
        if bytes >= CHUNK {
            break;
        }
    }
    Ok(blocks)
}
