//! Which commits of a bucket retention keeps, and the list of them.
//!
//! A commit was current from its own time until that of the commit after it. It is kept if that lasted into the span
//! within which every state is kept, or if it was current at a full hour (of Unix time) within the span of hourly
//! ones. What has once fallen out of both never comes back, so the list need only be brought up to date: the
//! writers of a bucket do nothing for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, HeadSwap, Session, Store};
use carob_commit::{BucketId, Commit, Config, HistoryRetention, Kept, KeptCommit};
use carob_identity::{Hlc, Timestamp};
use carob_index::{Entry, NodeCache, Params, Tree};

use crate::BucketError;
use crate::snapshot::block;

const HOUR: u64 = 60 * 60 * 1000;

/// How many entries of the list are edited at once.
const BATCH: usize = 4096;

/// What holds at one moment, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Rules {
    now: u64,
    all: u64,
    hourly: u64,
}

impl Rules {
    fn new(HistoryRetention { all, hourly }: HistoryRetention, now: u64) -> Self {
        Self { now, all: all.saturating_mul(1000), hourly: hourly.saturating_mul(1000) }
    }

    /// Whether a state is kept that was current from `from` until before `until`.
    fn keep(self, from: u64, until: u64) -> bool {
        let recent = until.saturating_add(self.all) > self.now;
        // The last full hour at which it was current, if there is one.
        let hour = until.saturating_sub(1) / HOUR * HOUR;
        recent || (hour >= from && hour < until && hour.saturating_add(self.hourly) > self.now)
    }

    /// Whether nothing is kept that was current before `until` only.
    fn nothing_before(self, until: u64) -> bool {
        until.saturating_add(self.all.max(self.hourly)) <= self.now
    }
}

/// A bucket to be judged: where its heads are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: BucketId,
    /// Its newest commit.
    pub(crate) head: Cid,
    pub(crate) deleted: bool,
    /// What was kept when it was last judged.
    pub(crate) kept: Option<Cid>,
}

/// What is to become of a bucket's history.
#[derive(Debug)]
pub(crate) struct Judged {
    /// What the bucket was called last.
    pub(crate) name: String,
    /// The list of what is kept; `None` for a deleted bucket of which nothing is.
    pub(crate) list: Option<Cid>,
    /// What makes it so.
    pub(crate) swaps: Vec<HeadSwap>,
    /// How many commits are kept besides the newest.
    pub(crate) kept: u64,
    /// How many no longer are.
    pub(crate) dropped: u64,
}

impl Candidate {
    /// Judges each commit that was replaced since the last time, and again each that was kept then. The new list goes
    /// to `session`.
    pub(crate) async fn judge(
        self,
        store: &Arc<dyn Store>,
        session: &dyn Session,
        now: Timestamp,
    ) -> Result<Judged, BucketError> {
        let head = Commit::from_block(&block(&**store, &self.head).await?)?;
        let config = match &head.config {
            Some(cid) => Config::from_block(&block(&**store, cid).await?)?,
            None => Config::default(),
        };
        let before = match &self.kept {
            Some(cid) => Some(Kept::from_block(&block(&**store, cid).await?)?),
            None => None,
        };
        // One that was deleted before this was noted counts from the first collection that finds it so.
        let ended = self.deleted.then(|| before.as_ref().and_then(|before| before.ended).unwrap_or(now));
        let rules = Rules::new(config.history, now.0);
        let mut list = List::open(store, session, &head, before.as_ref()).await?;
        let expired = list.drop_expired(rules).await?;
        let added = list.add_replaced(store, rules, self.id, &head, ended, before.as_ref()).await?;
        let tree = list.close().await?;
        let replaced = head.seq.saturating_sub(before.as_ref().map_or(0, |before| before.seq));
        let dropped = expired + replaced.saturating_sub(added);
        let mut judged =
            Judged { name: head.name.clone(), list: None, swaps: Vec::new(), kept: tree.len(), dropped };
        let swap = |name, expected, next| HeadSwap { name, expected, next };
        if tree.is_empty() && self.deleted {
            judged.swaps.push(swap(Kept::deleted_head(self.id), Some(self.head), None));
            judged.swaps.extend(self.kept.map(|kept| swap(Kept::head(self.id), Some(kept), None)));
            return Ok(judged);
        }
        let commits = (!tree.is_empty()).then(|| tree.root());
        let genesis = before.as_ref().and_then(|before| before.genesis);
        let block = Kept { upto: head.time, seq: head.seq, ended, genesis, commits }.to_block()?;
        let next = *block.cid();
        if self.kept != Some(next) {
            session.put(vec![block]).await?;
            judged.swaps.push(swap(Kept::head(self.id), self.kept, Some(next)));
        }
        judged.list = Some(next);
        Ok(judged)
    }
}

/// Notes in the list of what is kept when a bucket was deleted, and holds on to its genesis there.
pub(crate) async fn end(
    store: &dyn Store,
    session: &dyn Session,
    id: BucketId,
    genesis: Option<Cid>,
    now: Timestamp,
) -> Result<HeadSwap, BucketError> {
    let expected = store.head(&Kept::head(id)).await?;
    let before = match &expected {
        Some(cid) => Kept::from_block(&block(store, cid).await?)?,
        // Nothing was judged yet, so that everything is whole.
        None => Kept { upto: Hlc::default(), seq: 0, ended: None, genesis: None, commits: None },
    };
    let list = Kept { ended: Some(now), genesis, ..before }.to_block()?;
    let next = Some(*list.cid());
    session.put(vec![list]).await?;
    Ok(HeadSwap { name: Kept::head(id), expected, next })
}

/// The list of a deleted bucket once it is there again: its last commit is a past one no longer.
pub(crate) async fn go_on(
    store: &Arc<dyn Store>,
    session: &dyn Session,
    last: &Commit,
    kept: Cid,
) -> Result<HeadSwap, BucketError> {
    let before = Kept::from_block(&block(&**store, &kept).await?)?;
    let mut list = List::open(store, session, last, Some(&before)).await?;
    list.edit(Bytes::copy_from_slice(&KeptCommit::key(last.time)), None).await?;
    let tree = list.close().await?;
    let commits = (!tree.is_empty()).then(|| tree.root());
    let list = Kept { ended: None, genesis: None, commits, ..before }.to_block()?;
    let next = Some(*list.cid());
    session.put(vec![list]).await?;
    Ok(HeadSwap { name: Kept::head(last.bucket), expected: Some(kept), next })
}

/// The list of the past of a bucket that begins with it: the head, if there is any past. `newest` is its newest commit,
/// which `session` holds, as it does those that are listed.
pub(crate) async fn list(
    store: &Arc<dyn Store>,
    session: &dyn Session,
    newest: &Commit,
    past: Vec<(Hlc, KeptCommit)>,
) -> Result<Option<HeadSwap>, BucketError> {
    if past.is_empty() {
        return Ok(None);
    }
    let mut list = List::open(store, session, newest, None).await?;
    for (time, kept) in past {
        list.put(time, kept).await?;
    }
    list.head(newest, None).await.map(Some)
}

/// The list of a bucket after commits came to it that have a past of their own: of `past`, which are among those up to
/// `newest`, it is known until when they were current. All that was not judged yet is kept till the next collection.
pub(crate) async fn extend(
    store: &Arc<dyn Store>,
    session: &dyn Session,
    newest: &Commit,
    past: Vec<(Hlc, KeptCommit)>,
) -> Result<HeadSwap, BucketError> {
    let expected = store.head(&Kept::head(newest.bucket)).await?;
    let before = match &expected {
        Some(cid) => Some(Kept::from_block(&block(&**store, cid).await?)?),
        None => None,
    };
    let everything = Rules { now: 0, all: u64::MAX, hourly: 0 };
    let mut list = List::open(store, session, newest, before.as_ref()).await?;
    list.add_replaced(store, everything, newest.bucket, newest, None, before.as_ref()).await?;
    for (time, kept) in past {
        list.put(time, kept).await?;
    }
    list.head(newest, expected).await
}

/// The list of kept commits while it is brought up to date.
struct List<'a> {
    tree: Tree,
    /// What a new tree needs, should anything come into it.
    unstored: Vec<Block>,
    session: &'a dyn Session,
    edits: BTreeMap<Bytes, Option<Entry>>,
}

impl<'a> List<'a> {
    async fn open(
        store: &Arc<dyn Store>,
        session: &'a dyn Session,
        head: &Commit,
        before: Option<&Kept>,
    ) -> Result<Self, BucketError> {
        // Read once now and then: it needs no place among the nodes of requests.
        let nodes = Arc::new(NodeCache::new(1 << 20));
        let (tree, unstored) = match before.and_then(|before| before.commits) {
            Some(root) => (Tree::open(Arc::clone(store) as _, nodes, root).await?, Vec::new()),
            None => {
                let objects = Tree::open(Arc::clone(store) as _, Arc::clone(&nodes), head.objects).await?;
                Tree::empty(Arc::clone(store) as _, nodes, objects.salt(), Params::default())
            }
        };
        Ok(Self { tree, unstored, session, edits: BTreeMap::new() })
    }

    async fn drop_expired(&mut self, rules: Rules) -> Result<u64, BucketError> {
        let mut dropped = 0;
        let mut cursor = self.tree.cursor();
        cursor.seek(b"").await?;
        while let Some((key, entry)) = cursor.next().await? {
            let time = KeptCommit::time(&key).ok_or_else(BucketError::foreign_kept)?;
            if !rules.keep(time.millis, KeptCommit::from_value(&entry.value)?.until) {
                dropped += 1;
                self.edit(key, None).await?;
            }
        }
        Ok(dropped)
    }

    /// Goes back from the newest commit to where the last judgement stood. Those in between are all there: nothing was
    /// dropped that was not judged before.
    async fn add_replaced(
        &mut self,
        store: &Arc<dyn Store>,
        rules: Rules,
        id: BucketId,
        head: &Commit,
        ended: Option<Timestamp>,
        before: Option<&Kept>,
    ) -> Result<u64, BucketError> {
        let mut added = 0;
        let mut until = ended.map(|ended| ended.0);
        let mut commit = head.clone();
        loop {
            if let Some(until) = until {
                if rules.nothing_before(until) {
                    return Ok(added);
                }
                if rules.keep(commit.time.millis, until) {
                    self.put(commit.time, KeptCommit { until, commit: commit.cid() }).await?;
                    added += 1;
                }
            }
            until = Some(commit.time.millis);
            let Some(parent) = commit.parents.first() else { return Ok(added) };
            if before.is_some_and(|before| commit.time <= before.upto) {
                return Ok(added);
            }
            let parent = Commit::from_block(&block(&**store, parent).await?)?;
            // A branch goes back into another bucket's history, which is that one's affair.
            if parent.bucket != id {
                return Ok(added);
            }
            commit = parent;
        }
    }

    async fn put(&mut self, time: Hlc, kept: KeptCommit) -> Result<(), BucketError> {
        let entry = Entry { weight: 0, value: kept.to_value()? };
        self.edit(Bytes::copy_from_slice(&KeptCommit::key(time)), Some(entry)).await
    }

    /// Ends it, and says where the head of the list goes.
    async fn head(self, newest: &Commit, expected: Option<Cid>) -> Result<HeadSwap, BucketError> {
        let session = self.session;
        let commits = Some(self.close().await?.root());
        let list = Kept { upto: newest.time, seq: newest.seq, ended: None, genesis: None, commits };
        let list = list.to_block()?;
        let next = Some(*list.cid());
        session.put(vec![list]).await?;
        Ok(HeadSwap { name: Kept::head(newest.bucket), expected, next })
    }

    async fn edit(&mut self, key: Bytes, entry: Option<Entry>) -> Result<(), BucketError> {
        self.edits.insert(key, entry);
        if self.edits.len() >= BATCH { self.apply().await } else { Ok(()) }
    }

    async fn apply(&mut self) -> Result<(), BucketError> {
        if self.edits.is_empty() {
            return Ok(());
        }
        // An edit reads the tree that it edits.
        self.session.put(std::mem::take(&mut self.unstored)).await?;
        let edited = self.tree.edit(std::mem::take(&mut self.edits)).await?;
        self.session.put(edited.blocks).await?;
        self.tree = edited.tree;
        Ok(())
    }

    async fn close(mut self) -> Result<Tree, BucketError> {
        self.apply().await?;
        Ok(self.tree)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1000 * HOUR + HOUR / 2;

    fn rules(all: u64, hourly: u64) -> Rules {
        Rules::new(HistoryRetention { all, hourly }, NOW)
    }

    #[test]
    fn a_state_is_kept_while_it_was_current_within_the_span_of_all() {
        let rules = rules(60, 0);
        assert!(rules.keep(0, NOW) && rules.keep(0, NOW - 59_999));
        assert!(!rules.keep(0, NOW - 60_000));
    }

    #[test]
    fn the_state_at_each_full_hour_is_kept() {
        let rules = rules(0, 3 * 3600);
        let hour = 999 * HOUR;
        assert!(rules.keep(hour, hour + 1), "from the hour on");
        assert!(rules.keep(hour - 5, hour + 1) && !rules.keep(hour - 5, hour), "another one took its place");
        assert!(!rules.keep(hour + 1, hour + HOUR), "between two hours");
        assert!(rules.keep(998 * HOUR, 998 * HOUR + 1) && !rules.keep(997 * HOUR, 997 * HOUR + 1));
        assert!(rules.keep(0, 998 * HOUR + 1), "current for long");
    }

    #[test]
    fn without_retention_only_the_newest_is_kept() {
        let rules = rules(0, 0);
        assert!(!rules.keep(0, NOW) && !rules.keep(1000 * HOUR, NOW));
        assert!(rules.nothing_before(NOW));
    }

    proptest::proptest! {
        #[test]
        fn what_is_dropped_once_is_never_wanted_again(
            from in 0..50 * HOUR, lasted in 1..5 * HOUR, all in 0..9000_u64, hourly in 0..90_000_u64,
            now in 0..60 * HOUR, later in 0..10 * HOUR,
        ) {
            let until = from + lasted;
            let now = now.max(until);
            let at = |now| Rules::new(HistoryRetention { all, hourly }, now);
            proptest::prop_assert!(at(now).keep(from, until) || !at(now + later).keep(from, until));
            if at(now).nothing_before(until) {
                proptest::prop_assert!(!at(now).keep(from, until));
            }
        }
    }
}
