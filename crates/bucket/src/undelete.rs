//! Deleted buckets, as long as retention keeps anything of them, and how they come back.

use std::fmt::Write as _;

use carob_block::{Cid, HeadSwap, Session, StoreError};
use carob_commit::{BucketId, Commit, Genesis, HistoryRetention, Kept, Unsigned};
use carob_identity::Timestamp;

use crate::error::shown;
use crate::history::SkipChain;
use crate::retention::{self, Candidate};
use crate::snapshot::block;
use crate::{BucketError, BucketInfo, Space, names};

/// How often it is tried anew because somebody else moved the same heads.
const ATTEMPTS: usize = 8;

/// How many deleted buckets an error names.
const NAMED: usize = 8;

/// A deleted bucket of which something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedBucket {
    /// What it was, under the name that it had last.
    pub info: BucketInfo,
    /// When it was deleted; `None` if that was not noted.
    pub deleted: Option<Timestamp>,
    /// How long its states stay, counted from then.
    pub history: HistoryRetention,
    /// How many of them retention keeps now.
    pub kept: u64,
}

/// What came of bringing one back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeleted {
    /// What it is now.
    pub info: BucketInfo,
    /// What it was before.
    pub before: DeletedBucket,
    /// Other deleted buckets that had the same name, if it was not said by its id which is meant.
    pub others: Vec<DeletedBucket>,
}

/// A deleted bucket and where its heads are.
struct Grave {
    bucket: DeletedBucket,
    /// Of a bucket that was deleted before this was noted there is none.
    genesis: Option<Cid>,
    last: Commit,
    kept: Option<Cid>,
}

impl Space {
    /// The deleted buckets of which something is kept, by name, those of one name in the order of their deletion.
    ///
    /// # Errors
    /// [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn deleted_buckets(&self) -> Result<Vec<DeletedBucket>, BucketError> {
        Ok(self.graves().await?.into_iter().map(|grave| grave.bucket).collect())
    }

    /// Brings a deleted bucket back: the one with this id, or the one that was deleted last of those called `name`.
    /// Durable when it returns.
    ///
    /// It is what it was when it was deleted, which is empty, with its id, owner, configuration and history, under the
    /// name that it had or `new_name`, which is one commit more.
    /// What it had in common with its branches is forgotten.
    ///
    /// # Errors
    /// [`BucketError::NotDeleted`], [`BucketError::BucketExists`], [`BucketError::InvalidBucketName`].
    pub async fn undelete_bucket(
        &self,
        name: &str,
        id: Option<BucketId>,
        new_name: Option<&str>,
    ) -> Result<Undeleted, BucketError> {
        let (space, name, new_name) = (self.clone(), name.to_owned(), new_name.map(str::to_owned));
        // Goes on though the caller does not, as a fork does.
        let done = self.inner.tasks.spawn(async move {
            let called = new_name.as_deref().unwrap_or(&name);
            names::check(called)?;
            let _alone = space.inner.roster.write().await;
            for _ in 0..ATTEMPTS {
                let (grave, others) = space.grave_of(&name, id).await?;
                if space.inner.store.head(&Genesis::head(called)).await?.is_some() {
                    return Err(BucketError::BucketExists(called.to_owned()));
                }
                match space.bring_back(&grave, called).await {
                    Ok(info) => return Ok(Undeleted { info, before: grave.bucket, others }),
                    Err(BucketError::Contention) => {}
                    // What a collection took meanwhile is no damage.
                    Err(BucketError::Damaged(_)) if !space.is_there(&grave).await? => {}
                    Err(error) => return Err(error),
                }
            }
            Err(BucketError::Contention)
        });
        done.await.unwrap_or_else(|_| Err(BucketError::closed()))
    }

    /// The one that is meant and, where none was named, the others that were called so. One that is named is had whatever
    /// has become of others.
    async fn grave_of(
        &self,
        name: &str,
        id: Option<BucketId>,
    ) -> Result<(Grave, Vec<DeletedBucket>), BucketError> {
        if let Some(id) = id
            && let Some(grave) = self.grave(id).await?.filter(|grave| grave.bucket.info.name == name)
        {
            return Ok((grave, Vec::new()));
        }
        let (mut called, others): (Vec<_>, Vec<_>) =
            self.graves().await?.into_iter().partition(|grave| grave.bucket.info.name == name);
        let newest = if id.is_none() { called.pop() } else { None };
        match newest {
            Some(newest) => Ok((newest, called.into_iter().map(|grave| grave.bucket).collect())),
            None => {
                let there = those(if called.is_empty() { &others } else { &called });
                Err(BucketError::NotDeleted { bucket: name.to_owned(), there })
            }
        }
    }

    async fn bring_back(&self, grave: &Grave, name: &str) -> Result<BucketInfo, BucketError> {
        let (inner, Grave { bucket, genesis, last, kept }) = (&self.inner, grave);
        let info = BucketInfo { name: name.to_owned(), ..bucket.info.clone() };
        let session = inner.store.session();
        let genesis = match genesis {
            Some(genesis) => *genesis,
            None => self.new_genesis(&*session, grave).await?,
        };
        let newest = if last.name == name { last.cid() } else { self.rename(&*session, last, name).await? };
        let swap = |name, expected, next| HeadSwap { name, expected, next };
        let mut swaps = vec![
            swap(Genesis::head(name), None, Some(genesis)),
            swap(Commit::head(info.id), None, Some(newest)),
            swap(Kept::deleted_head(info.id), Some(last.cid()), None),
        ];
        if let Some(kept) = kept {
            swaps.push(retention::go_on(&inner.store, &*session, last, *kept).await?);
        }
        match inner.store.commit(&[&*session], &swaps).await {
            Ok(()) => Ok(info),
            Err(StoreError::Conflict { .. }) => Err(BucketError::Contention),
            Err(other) => Err(other.into()),
        }
    }

    /// What never changes of a bucket, for one that was deleted when nothing held on to that: then it is the space's.
    async fn new_genesis(&self, session: &dyn Session, grave: &Grave) -> Result<Cid, BucketError> {
        let BucketInfo { id, owner, created, .. } = grave.bucket.info;
        let salt = self.inner.state(grave.last.cid()).await?.tree().salt().0;
        let genesis = Genesis { id, space: *self.did(), owner, salt, created }.to_block()?;
        let cid = *genesis.cid();
        session.put(vec![genesis]).await?;
        Ok(cid)
    }

    /// The commit that gives a bucket another name and changes nothing else: every commit says what its bucket is called.
    async fn rename(&self, session: &dyn Session, last: &Commit, name: &str) -> Result<Cid, BucketError> {
        let inner = &self.inner;
        inner.clock.observe(last.time);
        let next = Unsigned {
            space: last.space,
            bucket: last.bucket,
            name: name.to_owned(),
            objects: last.objects,
            versions: last.versions,
            config: last.config,
            parents: vec![last.cid()],
            skip: SkipChain::load(&*inner.store, last).await?.skip(),
            seq: last.seq + 1,
            time: inner.clock.now(),
            author: last.author,
        };
        let (commit, block) = next.sign(&*inner.signer)?;
        session.put(vec![block]).await?;
        Ok(commit.cid())
    }

    /// All deleted buckets, by name and the time of their deletion.
    async fn graves(&self) -> Result<Vec<Grave>, BucketError> {
        let mut graves = Vec::new();
        for (head, _) in self.inner.store.heads(Kept::DELETED).await? {
            let id = head.strip_prefix(Kept::DELETED).and_then(|id| id.parse().ok());
            if let Some(id) = id {
                graves.extend(self.grave(id).await?);
            }
        }
        graves.sort_by(|a, b| {
            let order = |grave: &'_ Grave| (grave.bucket.deleted, grave.last.time, grave.bucket.info.id);
            a.bucket.info.name.cmp(&b.bucket.info.name).then_with(|| order(a).cmp(&order(b)))
        });
        Ok(graves)
    }

    /// The deleted bucket of this id; `None` if there is none any more.
    async fn grave(&self, id: BucketId) -> Result<Option<Grave>, BucketError> {
        let (store, names) = (&self.inner.store, [Kept::deleted_head(id), Kept::head(id)]);
        for _ in 0..ATTEMPTS {
            let Some(last) = store.head(&names[0]).await? else { return Ok(None) };
            let kept = store.head(&names[1]).await?;
            let found = self.read_grave(id, last, kept).await;
            // What a collection took meanwhile is no damage.
            if (store.head(&names[0]).await?, store.head(&names[1]).await?) == (Some(last), kept) {
                return found.map(Some);
            }
        }
        Err(BucketError::Contention)
    }

    async fn read_grave(&self, id: BucketId, head: Cid, kept: Option<Cid>) -> Result<Grave, BucketError> {
        let inner = &self.inner;
        let last = inner.state(head).await?;
        let list = match kept {
            Some(kept) => Some(Kept::from_block(&block(&*inner.store, &kept).await?)?),
            None => None,
        };
        let (genesis, deleted) = list.map_or((None, None), |list| (list.genesis, list.ended));
        let (owner, created) = match genesis {
            Some(genesis) => {
                let genesis = inner.genesis(genesis).await?;
                (genesis.owner, genesis.created)
            }
            None => (*self.did(), last.commit().time.timestamp()),
        };
        // What a collection would find now; its list goes nowhere.
        let (candidate, session) = (Candidate { id, head, deleted: true, kept }, inner.store.session());
        let judged = candidate.judge(&inner.store, &*session, inner.clock.wall()).await?;
        let info = BucketInfo { name: judged.name, id, owner, created };
        let bucket = DeletedBucket { info, deleted, history: last.config().history, kept: judged.kept };
        Ok(Grave { bucket, genesis, last: last.commit().clone(), kept })
    }

    async fn is_there(&self, grave: &Grave) -> Result<bool, BucketError> {
        let (store, id) = (&self.inner.store, grave.bucket.info.id);
        let heads = (store.head(&Kept::deleted_head(id)).await?, store.head(&Kept::head(id)).await?);
        Ok(heads == (Some(grave.last.cid()), grave.kept))
    }
}

/// Deleted buckets, as an error names them.
fn those(graves: &[Grave]) -> String {
    if graves.is_empty() {
        return "no deleted bucket is kept".to_owned();
    }
    let mut text = "these are kept:".to_owned();
    for (n, Grave { bucket: DeletedBucket { info, deleted, .. }, .. }) in
        graves.iter().rev().take(NAMED).enumerate()
    {
        let comma = if n > 0 { "," } else { "" };
        _ = write!(text, "{comma} {} {}", info.name, info.id);
        if let Some(deleted) = deleted {
            _ = write!(text, " (deleted {})", shown(*deleted));
        }
    }
    if graves.len() > NAMED {
        _ = write!(text, " and {} more", graves.len() - NAMED);
    }
    text
}
