//! Garbage collection: what no head, no reader and no retention needs goes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use carob_block::{Cid, HeadSwap, Session, Sweep, SweepOptions, Swept};
use carob_commit::{BucketId, Commit, Kept, Purged};

use crate::mark::{Detours, Marker};
use crate::purge::Remains;
use crate::retention::{Candidate, Judged};
use crate::snapshot::block;
use crate::tombstones::Graveyard;
use crate::{Bucket, BucketError, Purge, Space};

/// Of how many buckets heads move at once.
const SWAPS: usize = 256;

/// How often it is judged anew what to keep, because a list changed meanwhile.
const ATTEMPTS: usize = 8;

/// How to collect.
#[derive(Debug, Clone, Copy)]
pub struct CollectOptions {
    /// Only says what would go.
    pub dry_run: bool,
    /// How thorough and how fast.
    pub sweep: SweepOptions,
    /// How long an upload may take before it is swept; `None` for ever.
    pub upload_age: Option<Duration>,
}

/// What a collection did, or would do.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    /// What became of each bucket's history, by name; deleted ones too, as long as something is kept of them.
    pub buckets: Vec<CollectedBucket>,
    /// What became of the store's blocks.
    pub swept: Swept,
}

/// What a collection did, or would do, to a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CollectedBucket {
    /// What it is, or was, called.
    pub name: String,
    /// Which one.
    pub id: BucketId,
    /// Whether it was deleted.
    pub deleted: bool,
    /// How many past commits retention keeps.
    pub kept: u64,
    /// How many it no longer keeps.
    pub dropped: u64,
    /// How many incomplete uploads were too old.
    pub uploads: u64,
}

/// Heads of what was: `kept/` stands for itself, in lists that were brought up to date.
const PAST: [&str; 3] = ["snap/", Kept::DELETED, "base/"];

/// What there is, and what shall stay of it.
struct Roots {
    /// All heads as they were.
    heads: BTreeMap<String, Cid>,
    present: Vec<Cid>,
    /// By name.
    past: Vec<(String, Cid)>,
    /// The lists of what is kept of each bucket.
    lists: HashMap<BucketId, Cid>,
    buckets: Vec<CollectedBucket>,
}

impl Space {
    /// Drops what retention no longer keeps and uploads that were never completed, then gives back the space of every
    /// block that nothing needs. `store` is the one below this space.
    ///
    /// The order of events matters; `docs/architecture.md` says why nothing goes that is needed.
    ///
    /// # Errors
    /// [`BucketError::Damaged`] if something reachable is missing: then nothing is swept. What the store says, for one
    /// that another collection is under way.
    pub async fn collect(
        &self,
        store: &dyn Sweep,
        options: CollectOptions,
    ) -> Result<Collected, BucketError> {
        self.collect_and(store, options, None).await
    }

    /// The same, and erases a key from the past on the way.
    pub(crate) async fn collect_and(
        &self,
        store: &dyn Sweep,
        options: CollectOptions,
        purge: Option<(&Bucket, &str, &mut Purge)>,
    ) -> Result<Collected, BucketError> {
        let uploads = match options.upload_age {
            Some(age) => self.expire_uploads(age, options.dry_run).await?,
            None => BTreeMap::new(),
        };
        let collection = store.collect().await?;
        let readers = self.inner.pins.remember();
        // Holds the lists, which a dry run does not make durable.
        let session = self.inner.store.session();
        let mut attempts = 1..ATTEMPTS;
        let judged = loop {
            match self.judge(&*session, options.dry_run).await {
                // A bucket was deleted meanwhile, and its list ended.
                Err(BucketError::Contention) if attempts.next().is_some() => {}
                judged => break judged?,
            }
        };
        // A root that is held from here on is the newest of its bucket or in a list of kept ones, and so marked, or newer
        // than the heads that were read.
        let mut held = readers.take();
        let Roots { heads, present, past, lists, mut buckets } = judged;
        for bucket in &mut buckets {
            bucket.uploads = uploads.get(&bucket.id).copied().unwrap_or_default();
        }
        let marker = Marker { store: &*self.inner.store, collection: &*collection };
        let mut graves = Graveyard::load(&self.inner.store, &heads).await?;
        let mut remains = None;
        if let Some((bucket, key, _)) = &purge {
            let id = bucket.info().id;
            let of = remains.insert(Remains::new(bucket, key, &graves));
            let newest = heads.get(&Commit::head(id)).or_else(|| heads.get(&Kept::deleted_head(id))).copied();
            if let Some(newest) = newest {
                of.newest = Commit::from_block(&block(&*self.inner.store, &newest).await?)?.time;
            }
            // What was not deleted from the present, as nothing is in a dry run, would be.
            of.find(&self.inner, lists.get(&id).copied(), newest.filter(|_| options.dry_run)).await?;
        }
        let shared = self.mark(marker, &mut graves, remains.as_ref(), present, past, options.dry_run).await?;
        if let (Some(remains), Some((_, _, purge))) = (&remains, purge) {
            remains.tell(&shared, purge);
            if purge.states > 0 {
                let erased = remains.blocks.difference(&shared).copied().collect();
                let of = (remains.bucket.id, remains.key.as_str());
                graves.bury(of, remains.upto, remains.newest, &erased)?;
            }
        }
        if !options.dry_run {
            graves.save(&self.inner, &*session).await?;
        }
        if remains.is_some() {
            // Whoever held a root before the graves were durable may be reading what is in them. Who comes later is told.
            held.extend(readers.take());
        }
        drop(readers);
        for root in &held {
            marker.mark_present(graves.read_from(&self.inner, *root).await?).await?;
        }
        marker.mark_present(held).await?;
        let erased: Vec<Cid> = graves.blocks().into_iter().collect();
        collection.erase(&erased).await?;
        let swept = match options.dry_run {
            true => collection.survey(&options.sweep).await?,
            false => collection.sweep(&options.sweep).await?,
        };
        Ok(Collected { buckets, swept })
    }

    /// Marks everything that shall stay. Gives what the remains of a purge share with it.
    async fn mark(
        &self,
        marker: Marker<'_>,
        graves: &mut Graveyard,
        remains: Option<&Remains>,
        present: Vec<Cid>,
        past: Vec<(String, Cid)>,
        dry_run: bool,
    ) -> Result<HashSet<Cid>, BucketError> {
        let (buried, sought) = (graves.blocks(), remains.map(|of| of.blocks.clone()).unwrap_or_default());
        let cut = remains.map(|of| of.detours.cut.clone()).unwrap_or_default();
        // First the present, where what was purged may have been put again: then it is like anything else.
        let watch = buried.union(&sought).copied().collect();
        let in_present = if dry_run { cut.clone() } else { HashMap::new() };
        let mut detours = Detours { may_miss: buried, skip: HashSet::new(), cut: in_present, watch };
        let mut met = marker.mark(present, &detours).await?;
        // The same is true of the past since the purge.
        detours.cut = cut;
        met.extend(marker.mark(graves.later(&self.inner, &past).await?, &detours).await?);
        graves.give_up(&met);
        (detours.skip, detours.watch) = (graves.blocks(), sought.clone());
        met.extend(marker.mark(past.into_iter().map(|(_, root)| root).collect(), &detours).await?);
        if let Some(remains) = remains {
            marker.collection.mark(&remains.records.iter().copied().collect::<Vec<_>>()).await?;
        }
        Ok(met.intersection(&sought).copied().collect())
    }

    /// Reads all heads and brings the lists of kept commits up to date. What is returned are the roots of all that
    /// shall stay.
    async fn judge(&self, session: &dyn Session, dry_run: bool) -> Result<Roots, BucketError> {
        let inner = &*self.inner;
        let mut heads: BTreeMap<String, Cid> = inner.store.heads("").await?.into_iter().collect();
        let now = inner.clock.now().timestamp();
        let (mut swaps, mut buckets) = (Vec::new(), Vec::new());
        let mut replaced: HashSet<String> = HashSet::new();
        let mut lists = HashMap::new();
        for candidate in candidates(&heads) {
            let Candidate { id, deleted, .. } = candidate;
            let Judged { name, list, swaps: mut moved, kept, dropped } =
                candidate.judge(&inner.store, session, now).await?;
            lists.extend(list.map(|list| (id, list)));
            replaced.insert(Kept::head(id));
            replaced.extend(moved.iter().map(|swap| swap.name.clone()));
            if deleted
                && list.is_none()
                && let Some((name, grave)) = heads.remove_entry(&Purged::head(id))
            {
                moved.push(HeadSwap { name, expected: Some(grave), next: None });
            }
            if !moved.is_empty() {
                swaps.push(moved);
            }
            buckets.push(CollectedBucket { name, id, deleted, kept, dropped, uploads: 0 });
        }
        let mut present = Vec::new();
        let mut past: Vec<(String, Cid)> = lists.iter().map(|(id, list)| (Kept::head(*id), *list)).collect();
        for (name, cid) in heads.iter().filter(|(name, _)| !replaced.contains(*name)) {
            match PAST.iter().any(|prefix| name.starts_with(prefix)) {
                true => past.push((name.clone(), *cid)),
                false => present.push(*cid),
            }
        }
        buckets.sort_by(|a, b| (&a.name, a.deleted).cmp(&(&b.name, b.deleted)));
        if !dry_run {
            // Those of one bucket together: in between it might be brought back.
            for some in swaps.chunks(SWAPS) {
                inner.store.commit(&[session], &some.concat()).await?;
            }
        }
        Ok(Roots { heads, present, past, lists, buckets })
    }
}

/// The buckets that there are or were, by their heads.
fn candidates(heads: &BTreeMap<String, Cid>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (prefix, deleted) in [("bucket/", false), (Kept::DELETED, true)] {
        for (name, head) in heads.range(prefix.to_owned()..) {
            let Some(id) = name.strip_prefix(prefix) else { break };
            let Ok(id) = id.parse() else { continue };
            found.push(Candidate { id, head: *head, deleted, kept: heads.get(&Kept::head(id)).copied() });
        }
    }
    found
}
