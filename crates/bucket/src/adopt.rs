//! States from elsewhere: checked as by somebody who trusts nobody, and made those of a bucket.

use std::sync::Arc;

use carob_block::{Block, Cid, ReadBlocks, Session, Store};
use carob_commit::{
    BucketId, CheckedBodies, Commit, Config, KeptCommit, Record, Unsigned, VerifyError, Version,
    verify_history, verify_since,
};
use carob_identity::{Did, Hlc, HybridClock, Timestamp};
use carob_index::{NodeCache, Tree};

use crate::effort::Effort;
use crate::group::Builder;
use crate::history::SkipChain;
use crate::origin::Origin;
use crate::snapshot::{Trees, block, read};
use crate::space::Inner;
use crate::{BucketError, Found, Snapshot, lock, retention, rules, versions};

/// How far the clock of who signed a state may be ahead of ours, in milliseconds.
const AHEAD: u64 = 60 * 60 * 1000;

/// How many commits are signed at a time.
const BATCH: usize = 1024;

/// Memory for decoded nodes while states are checked, in bytes.
const NODES: u64 = 16 << 20;

/// States of a bucket from elsewhere, in which nothing was found wrong.
#[derive(Debug, Clone)]
pub(crate) struct States {
    pub(crate) newest: Snapshot,
    /// Those before it, newest first, and when another took the place of each.
    pub(crate) past: Vec<(Commit, u64)>,
    /// The latest time that stands in the newest one, and in any.
    latest: (Timestamp, Timestamp),
}

impl States {
    /// Verifies signatures, trees and every body by `blocks` alone, and what a bucket of ours never breaks. What `known`
    /// reaches was verified before. That reads no more of bodies which repeat themselves than is due, or than `max_bytes`.
    pub(crate) async fn verify(
        store: &Arc<dyn Store>,
        blocks: Arc<dyn ReadBlocks>,
        root: Cid,
        kept: &[KeptCommit],
        known: Option<&Snapshot>,
        max_bytes: Option<u64>,
    ) -> Result<Self, BucketError> {
        let before = known.map(Snapshot::commit);
        let (effort, checked) = (Arc::new(Effort::of(blocks, max_bytes)), CheckedBodies::default());
        let blocks = Arc::clone(&effort) as Arc<dyn ReadBlocks>;
        let wrong = |error| effort.exceeded().unwrap_or_else(|| untrustworthy(error));
        let report = verify_since(root, Arc::clone(&blocks), None, before, &checked).await.map_err(wrong)?;
        let past = verify_history(&report.commit, kept, &blocks, &checked).await.map_err(wrong)?;
        // Everything that they link is there now, so they can be read like any others.
        let nodes = Arc::new(NodeCache::new(NODES));
        let newest = Snapshot::load(store, &nodes, root).await?;
        let present = rules::check(store, &newest, known).await?;
        let (mut later, mut latest) = (newest.clone(), present.max(newest.commit().time.timestamp()));
        for (commit, _) in &past {
            let state = Snapshot::load(store, &nodes, commit.cid()).await?;
            latest = latest.max(rules::check(store, &state, Some(&later)).await?);
            later = state;
        }
        Ok(Self { newest, past, latest: (present, latest) })
    }

    /// Makes `clock` go on later than all that they hold, and refuses times that would not come for long. Of two versions the
    /// newer one counts, whoever wrote it: a delete marker of an earlier time would not hide what it is to delete.
    pub(crate) fn check_times(&self, dated: bool, clock: &HybridClock) -> Result<(), BucketError> {
        let (present, latest) = self.latest;
        if latest.0 > clock.wall().0.saturating_add(AHEAD) {
            return Err(broken("a state of the future"));
        }
        // The next start knows the time of the newest commit and of nothing else.
        if dated && present > self.newest.commit().time.timestamp() {
            return Err(broken("a version that is later than the state that has it"));
        }
        clock.observe(Hlc { millis: latest.0, counter: u16::MAX });
        Ok(())
    }
}

/// Refuses a state that lacks a version, or protects it for less long, which another still protects.
pub(crate) async fn check_locks(
    store: &Arc<dyn Store>,
    old: &Snapshot,
    new: &Snapshot,
    now: Timestamp,
) -> Result<(), BucketError> {
    if old.config().object_lock.is_none() {
        return Ok(());
    }
    let mut objects = old.tree().diff(new.tree());
    while let Some(change) = objects.next().await? {
        let Some(entry) = change.old else { continue };
        let record: Record = read(store, old.tree(), &entry.value).await?;
        check_lock(&String::from_utf8_lossy(&change.key), &record, new, now).await?;
    }
    let Some(tree) = old.versions() else { return Ok(()) };
    let gone = Tree::empty(Arc::clone(store) as _, Arc::new(NodeCache::new(0)), tree.salt(), tree.params()).0;
    let mut entries = tree.diff(new.versions().unwrap_or(&gone));
    while let Some(change) = entries.next().await? {
        let Some(entry) = change.old else { continue };
        let key = versions::key_of(&change.key).ok_or_else(BucketError::foreign_version)?;
        if let Version::Object(record) = read(store, tree, &entry.value).await? {
            check_lock(&key, &record, new, now).await?;
        }
    }
    Ok(())
}

async fn check_lock(key: &str, record: &Record, new: &Snapshot, now: Timestamp) -> Result<(), BucketError> {
    if lock::may_remove(record, now, false).is_ok() {
        return Ok(());
    }
    match new.find(key, Some(record.version_name())).await? {
        Found::Object(there) if there.record().content == record.content => {
            let (present, next) = (record.lock.retention, there.record().lock.retention);
            if present == next { Ok(()) } else { lock::may_retain(present, next, now, false) }
        }
        _ => Err(BucketError::Locked),
    }
}

pub(crate) fn broken(what: &'static str) -> BucketError {
    let text: Box<dyn std::error::Error + Send + Sync> = what.into();
    BucketError::Untrustworthy(Arc::from(text))
}

pub(crate) fn untrustworthy(error: VerifyError) -> BucketError {
    BucketError::Untrustworthy(Arc::new(error))
}

/// The configuration of a state from elsewhere, where the bucket has `ours`.
pub(crate) fn adopted(ours: &Config, theirs: &Config) -> Config {
    let Config { versioning, object_lock, .. } = *theirs;
    Config { versioning, object_lock, ..ours.clone() }
}

/// The configuration that a commit links.
pub(crate) async fn config_of(store: &dyn Store, commit: &Commit) -> Result<Config, BucketError> {
    match &commit.config {
        Some(cid) => Ok(Config::from_block(&block(store, cid).await?)?),
        None => Ok(Config::default()),
    }
}

/// Commits of a new bucket, one after the other.
pub(crate) struct Line<'a> {
    inner: &'a Inner,
    session: &'a dyn Session,
    id: BucketId,
    name: &'a str,
    skips: SkipChain,
    last: Option<(u64, Cid)>,
    blocks: Vec<Block>,
}

impl<'a> Line<'a> {
    pub(crate) fn new(inner: &'a Inner, session: &'a dyn Session, id: BucketId, name: &'a str) -> Self {
        Self { inner, session, id, name, skips: SkipChain::default(), last: None, blocks: Vec::new() }
    }

    /// The next commit, which is signed here.
    pub(crate) async fn next(
        &mut self,
        (objects, versions): (Cid, Option<Cid>),
        config: &Config,
        time: Hlc,
    ) -> Result<Commit, BucketError> {
        let space: Did = *self.inner.signer.did();
        let config = config.to_block()?;
        let next = Unsigned {
            space,
            bucket: self.id,
            name: self.name.to_owned(),
            objects,
            versions,
            config: config.as_ref().map(|block| *block.cid()),
            parents: self.last.iter().map(|(_, cid)| *cid).collect(),
            skip: self.skips.skip(),
            seq: self.last.map_or(0, |(seq, _)| seq + 1),
            time,
            author: space,
        };
        let (commit, block) = next.sign(&*self.inner.signer)?;
        self.skips.push(commit.seq, commit.cid());
        self.last = Some((commit.seq, commit.cid()));
        self.blocks.extend(config.into_iter().chain([block]));
        if self.blocks.len() >= BATCH {
            self.put().await?;
        }
        Ok(commit)
    }

    /// Hands what was signed to the session.
    pub(crate) async fn put(&mut self) -> Result<(), BucketError> {
        Ok(self.session.put(std::mem::take(&mut self.blocks)).await?)
    }
}

/// States that a bucket is to go on with.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) states: States,
    /// Whether they keep the times that they had there.
    pub(crate) dated: bool,
    /// What the bucket was when that was decided.
    pub(crate) expected: Cid,
    /// Holds their blocks, which are durable.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(crate) session: Arc<dyn Session>,
}

/// A state that is about to become a commit.
pub(crate) struct Prepared {
    trees: Trees,
    config: Config,
    /// Its own time, if it keeps it, and when another took its place, if it is a past one.
    time: Option<Hlc>,
    until: Option<u64>,
}

impl Builder<'_> {
    /// Reads what is needed, so that nothing can be wrong with one of them once another is a commit.
    pub(crate) async fn prepare(&self, adoption: &Adoption) -> Result<Vec<Prepared>, BucketError> {
        let Adoption { states, dated, expected, .. } = adoption;
        let tip = &self.tip.snapshot;
        if tip.cid() != *expected {
            let bucket = tip.commit().name.clone();
            return Err(BucketError::NotPulled { bucket, reason: "it was changed here meanwhile" });
        }
        let mut ours = Config::clone(tip.config());
        Origin::of(states.newest.commit()).write(&mut ours);
        let time = |commit: &Commit| (*dated && commit.time > tip.commit().time).then_some(commit.time);
        let mut prepared = Vec::new();
        let nodes = Arc::new(NodeCache::new(0));
        for (commit, until) in states.past.iter().rev() {
            let state = Snapshot::load(&self.space.store, &nodes, commit.cid()).await?;
            let (trees, config) = (state.trees().clone(), adopted(&ours, state.config()));
            prepared.push(Prepared { trees, config, time: time(commit), until: Some(*until) });
        }
        let newest = &states.newest;
        let (trees, config) = (newest.trees().clone(), adopted(&ours, newest.config()));
        prepared.push(Prepared { trees, config, time: time(newest.commit()), until: None });
        let mut present: &Config = tip.config();
        for Prepared { config, .. } in &prepared {
            lock::may_configure(present, config)?;
            present = config;
        }
        Ok(prepared)
    }

    /// Makes each a commit.
    pub(crate) async fn adopt(&mut self, prepared: Vec<Prepared>) -> Result<(), BucketError> {
        let mut past = Vec::new();
        for Prepared { trees, config, time, until } in prepared {
            if let Some(time) = time {
                self.time = time;
                self.space.clock.observe(time);
            }
            (self.adopted, self.config) = (Some(trees), Some(config));
            self.seal().await?;
            if let Some(until) = until {
                let commit = self.tip.snapshot.commit();
                past.push((commit.time, KeptCommit { until, commit: commit.cid() }));
            }
        }
        if !past.is_empty() {
            let newest = self.tip.snapshot.commit();
            self.swaps.push(retention::extend(&self.space.store, &*self.session, newest, past).await?);
        }
        Ok(())
    }
}
