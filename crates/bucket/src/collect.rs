//! Garbage collection: what no head, no reader and no retention needs goes.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use carob_block::{Cid, Session, Sweep, SweepOptions, Swept};
use carob_commit::{BucketId, Kept};

use crate::mark::Marker;
use crate::retention::{Candidate, Judged};
use crate::{BucketError, Space};

/// How many heads move at once.
const SWAPS: usize = 256;

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
        let uploads = match options.upload_age {
            Some(age) => self.expire_uploads(age, options.dry_run).await?,
            None => BTreeMap::new(),
        };
        let collection = store.collect().await?;
        let readers = self.inner.pins.remember();
        // Holds the lists, which a dry run does not make durable.
        let session = self.inner.store.session();
        let (roots, mut buckets) = self.judge(&*session, options.dry_run).await?;
        for bucket in &mut buckets {
            bucket.uploads = uploads.get(&bucket.id).copied().unwrap_or_default();
        }
        let marker = Marker { store: &*self.inner.store, collection: &*collection };
        marker.mark(roots).await?;
        // A root that is held from here on is the newest of its bucket or in a list of kept ones, and so marked, or newer
        // than the heads that were read.
        loop {
            let held = readers.take();
            if held.is_empty() {
                break;
            }
            marker.mark_present(held).await?;
        }
        let swept = match options.dry_run {
            true => collection.survey(&options.sweep).await?,
            false => collection.sweep(&options.sweep).await?,
        };
        Ok(Collected { buckets, swept })
    }

    /// Reads all heads and brings the lists of kept commits up to date. What is returned are the roots of all that
    /// shall stay.
    async fn judge(
        &self,
        session: &dyn Session,
        dry_run: bool,
    ) -> Result<(Vec<Cid>, Vec<CollectedBucket>), BucketError> {
        let inner = &*self.inner;
        let heads: BTreeMap<String, Cid> = inner.store.heads("").await?.into_iter().collect();
        let now = inner.clock.now().timestamp();
        let (mut swaps, mut buckets) = (Vec::new(), Vec::new());
        let mut replaced: HashSet<String> = HashSet::new();
        let mut roots = Vec::new();
        for candidate in candidates(&heads) {
            let Candidate { id, deleted, .. } = candidate;
            let Judged { name, list, swaps: moved, kept, dropped } =
                candidate.judge(&inner.store, session, now).await?;
            roots.extend(list);
            replaced.insert(Kept::head(id));
            replaced.extend(moved.iter().map(|swap| swap.name.clone()));
            swaps.extend(moved);
            buckets.push(CollectedBucket { name, id, deleted, kept, dropped, uploads: 0 });
        }
        roots.extend(heads.iter().filter(|(name, _)| !replaced.contains(*name)).map(|(_, cid)| *cid));
        buckets.sort_by(|a, b| (&a.name, a.deleted).cmp(&(&b.name, b.deleted)));
        if !dry_run {
            for some in swaps.chunks(SWAPS) {
                inner.store.commit(&[session], some).await?;
            }
        }
        Ok((roots, buckets))
    }
}

/// The buckets that there are or were, by their heads.
fn candidates(heads: &BTreeMap<String, Cid>) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (prefix, deleted) in [("bucket/", false), ("deleted/", true)] {
        for (name, head) in heads.range(prefix.to_owned()..) {
            let Some(id) = name.strip_prefix(prefix) else { break };
            let Ok(id) = id.parse() else { continue };
            found.push(Candidate { id, head: *head, deleted, kept: heads.get(&Kept::head(id)).copied() });
        }
    }
    found
}
