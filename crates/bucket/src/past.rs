//! Past states of a bucket, found in its history.

use carob_block::{Cid, Store};
use carob_commit::Commit;

use crate::snapshot::block;
use crate::{Bucket, BucketError, BucketInfo, Moment, Snapshot};

/// How many of the newest commits are looked through for one whose CID starts as asked.
const SEARCHED: usize = 4096;

/// The head under which a bucket keeps a named snapshot.
pub(crate) fn snapshot_head(bucket: &BucketInfo, name: &str) -> String {
    format!("snap/{}/{name}", bucket.id)
}

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
        let tip = self.snapshot().await?;
        let none = |reason| BucketError::NoSuchState { bucket: self.name().to_owned(), reason };
        let store = &*self.space().store;
        let found = match moment {
            Moment::At(time) => {
                let found = back(store, tip.commit(), |commit| commit.time.timestamp() <= *time).await?;
                found.ok_or_else(|| none("its history begins later"))?
            }
            Moment::Snapshot(name) => {
                let head = store.head(&snapshot_head(self.info(), name)).await?;
                head.ok_or_else(|| none("there is no snapshot of that name"))?
            }
            Moment::Commit(prefix) => match prefix.parse::<Cid>() {
                Ok(cid) if cid.to_string() == *prefix => {
                    let known = self.has_in_history(tip.commit(), cid).await?;
                    known.then_some(cid).ok_or_else(|| none("the commit is not in its history"))?
                }
                _ => search(store, tip.commit(), prefix).await?.map_err(none)?,
            },
        };
        let pin = self.space().pins.pin(found);
        Ok(self.space().state(found).await?.held(pin))
    }

    /// Whether `cid` is `tip` or a commit before it. What else the store holds is nobody's to read by its CID.
    async fn has_in_history(&self, tip: &Commit, cid: Cid) -> Result<bool, BucketError> {
        let store = &*self.space().store;
        let Some(block) = store.get(&cid).await? else { return Ok(false) };
        let Ok(commit) = Commit::from_block(&block) else { return Ok(false) };
        if commit.bucket != self.info().id || commit.seq > tip.seq {
            return Ok(false);
        }
        Ok(back(store, tip, |at| at.seq <= commit.seq).await? == Some(cid))
    }
}

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

/// The one among the newest commits whose CID starts with `prefix`, or why there is none.
async fn search(
    store: &dyn Store,
    tip: &Commit,
    prefix: &str,
) -> Result<Result<Cid, &'static str>, BucketError> {
    let mut found = None;
    let mut next = Some(tip.cid());
    for _ in 0..SEARCHED {
        let Some(cid) = next else { break };
        if cid.to_string().starts_with(prefix) && found.replace(cid).is_some() {
            return Ok(Err("several commits start so"));
        }
        let commit = match cid == tip.cid() {
            true => Commit::from_block(&block(store, &cid).await?)?,
            false => match earlier(store, cid).await? {
                Some(commit) => commit,
                None => break,
            },
        };
        next = commit.parents.first().copied();
    }
    Ok(found.ok_or("none of its newest commits starts so"))
}
