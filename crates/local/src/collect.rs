//! A collection: what is live.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use carob_block::{Cid, Collection, Marked, StoreError, Sweep, SweepOptions, Swept};
use parking_lot::Mutex;

use crate::brake::Braking;
use crate::hollowing::Relisted;
use crate::index::{Held, Key};
use crate::read::unavailable;
use crate::sidecar::Found;
use crate::store::{LocalStore, Shared};
use crate::sweep;

/// A collection of the segments that were sealed and had their indexes when it began: blocks elsewhere are live.
#[derive(Debug)]
pub(crate) struct LocalCollection {
    pub(crate) shared: Arc<Shared>,
    pub(crate) live: Arc<Mutex<Live>>,
    /// How much had been written when it began.
    pub(crate) written: u64,
    /// Slows the others down if it falls behind.
    pub(crate) braking: Braking,
    pub(crate) turn: Arc<Turn>,
}

impl LocalCollection {
    /// Brakes as hard as it takes, as long as it is not known what is dead.
    pub(crate) fn brake(&self) {
        self.braking.guess(self.shared.counts.written());
    }
}

/// Which blocks are live.
#[derive(Debug)]
pub(crate) struct Live {
    /// The segments of this collection.
    pub(crate) segments: BTreeMap<u32, Marks>,
    /// Marked blocks that are in none of them.
    elsewhere: HashSet<Key>,
    /// Blocks that sessions rely on, or did since it began.
    pub(crate) pinned: HashSet<Key>,
    /// Where there are blocks to be gone for good, by segment: their place in its index.
    pub(crate) erased: BTreeMap<u32, Vec<(u32, Key)>>,
}

/// The marked blocks of a segment: a bit for each entry of its index.
#[derive(Debug)]
pub(crate) struct Marks {
    /// Where the segment ends.
    pub(crate) end: u32,
    bits: Vec<u64>,
}

impl Marks {
    fn new(end: u32, count: u32) -> Self {
        Self { end, bits: vec![0; count.div_ceil(u64::BITS) as usize] }
    }

    /// Whether an entry was marked before.
    fn mark(&mut self, nth: u32) -> bool {
        let bit = 1 << (nth % u64::BITS);
        let Some(word) = self.bits.get_mut((nth / u64::BITS) as usize) else { return false };
        let was = *word & bit != 0;
        *word |= bit;
        was
    }

    pub(crate) fn has(&self, nth: usize) -> bool {
        self.bits
            .get(nth / u64::BITS as usize)
            .is_some_and(|word| word >> (nth % u64::BITS as usize) & 1 == 1)
    }
}

impl Live {
    /// The index of a segment lists something else from now on.
    pub(crate) fn relist(&mut self, segment: u32, relisted: &Relisted) {
        let Relisted { old, new } = relisted;
        if let Some(marks) = self.segments.get_mut(&segment) {
            let mut moved = Marks::new(marks.end, new.len() as u32);
            for (nth, entry) in (0..).zip(new) {
                if Relisted::place_of(old, entry).is_some_and(|nth| marks.has(nth)) {
                    moved.mark(nth);
                }
            }
            *marks = moved;
        }
        if let Some(erased) = self.erased.get_mut(&segment) {
            erased.retain_mut(|(nth, _)| {
                let moved = old.get(*nth as usize).and_then(|entry| Relisted::place_of(new, entry));
                *nth = moved.unwrap_or_default() as u32;
                moved.is_some()
            });
        }
    }

    /// Whether a segment holds a block that is to be gone for good, and is not live.
    pub(crate) fn has_erased(&self, segment: u32) -> bool {
        let Some(marks) = self.segments.get(&segment) else { return false };
        let erased = self.erased.get(&segment).into_iter().flatten();
        erased.into_iter().any(|(nth, key)| !marks.has(*nth as usize) && !self.pinned.contains(key))
    }
}

/// While it lives, no other collection begins, and what sessions pin is told. Whatever changes segments holds it, too:
/// whoever began a collection may drop it at any time.
#[derive(Debug)]
pub(crate) struct Turn(Arc<Shared>);

impl Turn {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let taken = shared.collecting.swap(true, Ordering::SeqCst);
        (!taken).then(|| Self(Arc::clone(shared)))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.pins.stop_listening();
        self.0.collecting.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Sweep for LocalStore {
    async fn collect(&self) -> Result<Box<dyn Collection>, StoreError> {
        let shared = Arc::clone(&self.shared);
        let turn = Turn::take(&shared).ok_or_else(|| {
            let source = "another collection is under way".into();
            StoreError::Unavailable { context: "beginning a collection", source }
        })?;
        shared.queue.rotate().await?;
        let of = Arc::clone(&shared);
        let segments = blocking(move || {
            let indexed = of.segments.extents.indexed().into_iter();
            indexed.map(|(number, end)| Ok((number, Marks::new(end, of.segments.count(number)?)))).collect()
        });
        let segments = segments.await?;
        // What comes from now on goes to other segments.
        shared.pins.listen(&shared.sessions);
        let live =
            Live { segments, elsewhere: HashSet::new(), pinned: HashSet::new(), erased: BTreeMap::new() };
        let (live, written) = (Arc::new(Mutex::new(live)), shared.counts.written());
        let (braking, turn) = (shared.brake.begin(), Arc::new(turn));
        Ok(Box::new(LocalCollection { shared, live, written, braking, turn }))
    }

    fn size(&self) -> u64 {
        self.stats().bytes
    }
}

#[async_trait]
impl Collection for LocalCollection {
    async fn mark(&self, cids: &[Cid]) -> Result<Marked, StoreError> {
        self.brake();
        let (shared, live, cids) = (Arc::clone(&self.shared), Arc::clone(&self.live), cids.to_vec());
        blocking(move || {
            let mut marked = Marked::default();
            for cid in cids {
                let key = Key::of(&cid);
                match key.map_or(Ok(None), |key| mark(&shared, &mut live.lock(), &key))? {
                    Some(true) => marked.new.push(cid),
                    Some(false) => {}
                    None => marked.missing.push(cid),
                }
            }
            Ok(marked)
        })
        .await
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        let (shared, live, cids) = (Arc::clone(&self.shared), Arc::clone(&self.live), cids.to_vec());
        blocking(move || {
            for key in cids.iter().filter_map(Key::of) {
                for segment in shared.index.sealed(&key) {
                    if let Found::Frame { nth, .. } = shared.segments.find(&key, segment, true)? {
                        live.lock().erased.entry(segment).or_default().push((nth, key));
                    }
                }
            }
            Ok(())
        })
        .await
    }

    async fn survey(&self, options: &SweepOptions) -> Result<Swept, StoreError> {
        let gains = sweep::gains(self).await?;
        let given_back: u64 = gains.values().sum();
        let plan = sweep::plan(self, options, gains).await?;
        let mut swept = plan.found;
        swept.dead_bytes += given_back;
        swept.freed_bytes = given_back;
        for victim in plan.victims {
            swept.segments += 1;
            swept.copied_bytes += victim.live_bytes;
            swept.freed_bytes += u64::from(victim.held).saturating_sub(victim.live_bytes);
        }
        Ok(swept)
    }

    async fn sweep(self: Box<Self>, options: &SweepOptions) -> Result<Swept, StoreError> {
        sweep::sweep(&self, options).await
    }
}

/// Marks a block; whether for the first time, or `None` if it is not held. Blocking.
fn mark(shared: &Shared, live: &mut Live, key: &Key) -> io::Result<Option<bool>> {
    let segments = match shared.index.get(key) {
        None => return Ok(None),
        Some(Held::Sealed(segments)) => segments,
        // A copy in a sealed segment, should there be one, counts too until this one is durable.
        Some(Held::Queued(_) | Held::At(_)) => {
            let new = live.elsewhere.insert(*key);
            mark_sealed(shared, live, key, &shared.index.sealed(key))?;
            return Ok(Some(new));
        }
    };
    mark_sealed(shared, live, key, &segments)
}

/// Of several copies the newest is marked: they are what an unfinished sweep left.
fn mark_sealed(shared: &Shared, live: &mut Live, key: &Key, segments: &[u32]) -> io::Result<Option<bool>> {
    let mut segments = segments.to_vec();
    segments.sort_unstable_by(|a, b| b.cmp(a));
    for segment in segments {
        if let Found::Frame { nth, .. } = shared.segments.find(key, segment, true)? {
            let was = match live.segments.get_mut(&segment) {
                Some(marks) => marks.mark(nth),
                None => !live.elsewhere.insert(*key),
            };
            return Ok(Some(!was));
        }
    }
    Ok(None)
}

/// Does what waits for the disk where that holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other).flatten().map_err(unavailable)
}
