//! Past states of a bucket, found in its history.

use std::sync::Arc;

use carob_block::{Cid, Store};
use carob_commit::{Commit, Kept, KeptCommit};
use carob_identity::{Hlc, Timestamp};
use carob_index::Tree;

use crate::pins::Pin;
use crate::snapshot::block;
use crate::space::Inner;
use crate::tombstones::Tombstones;
use crate::{Bucket, BucketError, Moment, Snapshot};

/// How many of the newest commits are looked through for one whose CID starts as asked.
const SEARCHED: usize = 4096;

impl Bucket {
    /// The bucket as it was then: whatever reads a bucket reads that state, and every change is
    /// [`BucketError::ReadOnly`].
    ///
    /// # Errors
    /// As [`Bucket::at`].
    pub async fn as_of(&self, moment: &Moment) -> Result<Self, BucketError> {
        Ok(self.pinned(self.at(moment).await?))
    }

    /// The state that it had then.
    ///
    /// A commit by its time or whole CID is found in O(log n) steps, the beginning of a CID among the newest 4,096.
    ///
    /// # Errors
    /// [`BucketError::NoSuchState`]; as [`Bucket::snapshot`].
    pub async fn at(&self, moment: &Moment) -> Result<Snapshot, BucketError> {
        let none = |reason| BucketError::NoSuchState { bucket: self.name().to_owned(), reason };
        if let Moment::Snapshot(name) = moment {
            return self.named_snapshot(name).await.map_err(|error| match error {
                BucketError::NoSuchSnapshot(_) => none(
                    "there is no snapshot of that name; a time is 2026-11-21T09:30:00Z or 20261121t0930z",
                ),
                other => other,
            });
        }
        let (space, head) = (self.space(), Kept::head(self.info().id));
        loop {
            let kept = space.store.head(&head).await?;
            let found = self.find_commit(moment, kept).await;
            // Only what is kept after it is held is sure to be whole; what a collection took meanwhile is no damage.
            if space.store.head(&head).await? == kept {
                let (commit, pin) = found?.map_err(none)?;
                let state = space.state(commit).await?.held(pin);
                // Read after it is held: what is purged later is left to whoever holds it.
                return Ok(state.purged_by(Tombstones::of(&space.store, self.info().id).await?));
            }
        }
    }

    async fn find_commit(
        &self,
        moment: &Moment,
        kept: Option<Cid>,
    ) -> Result<Result<(Cid, Pin), &'static str>, BucketError> {
        let tip = self.snapshot().await?;
        let history = History::load(self.space(), tip.commit(), kept).await?;
        let found = match moment {
            Moment::At(time) => history.at(*time).await?,
            Moment::Snapshot(_) => Err("a snapshot has a head of its own"),
            Moment::Commit(prefix) => match prefix.parse::<Cid>() {
                Ok(cid) if cid.to_string() == *prefix => history.contains(cid).await?,
                _ => history.search(prefix).await?,
            },
        };
        Ok(found.map(|commit| (commit, self.space().pins.pin(commit))))
    }
}

/// A commit, or why there is none.
type Found = Result<Cid, &'static str>;

const NOT_KEPT: &str = "retention no longer keeps it";

/// A bucket's commits from one on back, as far as retention keeps them: those from the time when it was last judged what
/// to keep are all there, of those before it those in a list.
struct History<'a> {
    store: &'a dyn Store,
    tip: &'a Commit,
    judged: Option<(Hlc, Option<Tree>)>,
}

impl<'a> History<'a> {
    /// `kept` is where the head of the list is.
    async fn load(space: &'a Inner, tip: &'a Commit, kept: Option<Cid>) -> Result<Self, BucketError> {
        let store = &*space.store;
        let judged = match kept {
            Some(head) => {
                let kept = Kept::from_block(&block(store, &head).await?)?;
                let tree = match kept.commits {
                    Some(root) => {
                        Some(Tree::open(Arc::clone(&space.store) as _, Arc::clone(&space.nodes), root).await?)
                    }
                    None => None,
                };
                Some((kept.upto, tree))
            }
            None => None,
        };
        Ok(Self { store, tip, judged })
    }

    /// The commit that was the newest at this time.
    async fn at(&self, time: Timestamp) -> Result<Found, BucketError> {
        let early = "its history begins later";
        match &self.judged {
            Some((upto, tree)) if time < upto.timestamp() => {
                let Some(tree) = tree else { return Ok(Err(NOT_KEPT)) };
                let mut cursor = tree.cursor();
                cursor.seek_past(&KeptCommit::key(Hlc { millis: time.0, counter: u16::MAX })).await?;
                let Some((_, entry)) = cursor.prev().await? else { return Ok(Err(NOT_KEPT)) };
                let kept = KeptCommit::from_value(&entry.value)?;
                // It was another's turn by then, which is not kept.
                Ok(if kept.until > time.0 { Ok(kept.commit) } else { Err(NOT_KEPT) })
            }
            _ => {
                let found = back(self.store, self.tip, |commit| commit.time.timestamp() <= time).await?;
                Ok(found.ok_or(early))
            }
        }
    }

    /// A commit of the history. What else the store holds is nobody's to read by its CID.
    async fn contains(&self, cid: Cid) -> Result<Found, BucketError> {
        let foreign = Ok(Err("the commit is not in its history"));
        let Some(block) = self.store.get(&cid).await? else { return foreign };
        let Ok(commit) = Commit::from_block(&block) else { return foreign };
        if commit.bucket != self.tip.bucket || commit.seq > self.tip.seq {
            return foreign;
        }
        if let Some((_, tree)) = self.judged.as_ref().filter(|(upto, _)| commit.time < *upto) {
            let Some(tree) = tree else { return Ok(Err(NOT_KEPT)) };
            let entry = tree.get(&KeptCommit::key(commit.time)).await?;
            let kept = entry.map(|entry| KeptCommit::from_value(&entry.value)).transpose()?;
            return Ok(if kept.is_some_and(|kept| kept.commit == cid) { Ok(cid) } else { Err(NOT_KEPT) });
        }
        let there = back(self.store, self.tip, |at| at.seq <= commit.seq).await?;
        if there == Some(cid) { Ok(Ok(cid)) } else { foreign }
    }

    /// The one among the newest commits whose CID starts so.
    async fn search(&self, prefix: &str) -> Result<Found, BucketError> {
        let mut found = None;
        let mut matches = |cid: Cid| {
            let new = cid.to_string().starts_with(prefix) && found != Some(cid);
            if new && found.is_some() {
                return false;
            }
            found = if new { Some(cid) } else { found };
            true
        };
        let (mut next, mut left) = (Some(self.tip.clone()), SEARCHED);
        while let Some(commit) = next.take().filter(|_| left > 0) {
            left -= 1;
            if !matches(commit.cid()) {
                return Ok(Err(SEVERAL));
            }
            let judged = self.judged.as_ref().is_some_and(|(upto, _)| commit.time <= *upto);
            if let Some(parent) = commit.parents.first().filter(|_| !judged) {
                next = earlier(self.store, *parent).await?;
            }
        }
        if let Some((_, Some(tree))) = &self.judged {
            let mut cursor = tree.cursor();
            cursor.seek_end().await?;
            while let Some((_, entry)) = cursor.prev().await?.filter(|_| left > 0) {
                left -= 1;
                if !matches(KeptCommit::from_value(&entry.value)?.commit) {
                    return Ok(Err(SEVERAL));
                }
            }
        }
        Ok(found.ok_or("none of its newest commits starts so"))
    }
}

const SEVERAL: &str = "several commits start so";

/// The newest commit, from `tip` back along the first parents, that is far enough back; `None` if the history that is kept
/// ends before. Every older commit must be far enough back, too. Takes O(log n) steps.
async fn back(
    store: &dyn Store,
    tip: &Commit,
    far_enough: impl Fn(&Commit) -> bool,
) -> Result<Option<Cid>, BucketError> {
    let mut at = tip.clone();
    while !far_enough(&at) {
        let skipped = match at.skip {
            Some(cid) => earlier(store, cid).await?.filter(|commit| !far_enough(commit)),
            None => None,
        };
        let next = match (skipped, at.parents.first()) {
            (Some(commit), _) => Some(commit),
            (None, Some(parent)) => earlier(store, *parent).await?,
            (None, None) => None,
        };
        match next {
            Some(commit) => at = commit,
            None => return Ok(None),
        }
    }
    Ok(Some(at.cid()))
}

/// A commit that another names as earlier; `None` if it is no longer kept.
async fn earlier(store: &dyn Store, cid: Cid) -> Result<Option<Commit>, BucketError> {
    match store.get(&cid).await? {
        Some(block) => Ok(Some(Commit::from_block(&block)?)),
        None => Ok(None),
    }
}
