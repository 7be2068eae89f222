//! Restores and merges applied to a group.

use std::sync::Arc;

use carob_commit::{Config, Lock, Record, Versioning};
use carob_index::{Base, Change, Conflict, IndexError};

use crate::changes::Portion;
use crate::graft::{Graft, Grafted, MAX_CONFLICTS, MergeRule};
use crate::group::{Builder, Outcomes};
use crate::{BucketError, DeleteOptions, Precondition, Snapshot, bases};

impl Builder<'_> {
    /// The outer error fails the group, the inner one the operation.
    pub(crate) async fn graft(&mut self, graft: &Graft) -> Outcomes<Grafted> {
        // So that what waits for the next commit is this operation's alone.
        self.seal().await?;
        let objects_before = self.tip.snapshot.objects();
        let done = match graft {
            Graft::Restore { past, part } => self.restore(past, part).await.map(|()| Vec::new()),
            Graft::Merge { theirs, rule } => self.merge(theirs, *rule).await,
            Graft::Pull(adoption) => match self.prepare(adoption).await {
                Ok(prepared) => self.adopt(prepared).await.map(|()| Ok(Vec::new()))?,
                Err(error) => Err(error),
            },
        };
        let conflicts = match done {
            Ok(conflicts) => conflicts,
            Err(error) => {
                self.discard();
                return Ok(Err(error));
            }
        };
        self.seal().await?;
        let (objects, commit) = (self.tip.snapshot.objects(), self.tip.snapshot.cid());
        let from = graft.source();
        Ok(Ok(Grafted { commit, from, objects_before, objects, conflicts }))
    }

    async fn restore(&mut self, past: &Snapshot, part: &Portion) -> Result<(), BucketError> {
        let now = self.tip.snapshot.clone();
        // Object lock needs versioning, so nothing here is protected; a single key has no nodes to share.
        if is_plain(now.config()) && !matches!(part, Portion::Key(_)) {
            let tree = match part {
                Portion::Prefix(prefix) => {
                    let edited = now.tree().splice_prefix(prefix.as_bytes(), past.tree()).await?;
                    self.spilled.extend(edited.blocks);
                    edited.tree
                }
                _ => now.tree().splice(b"", None, past.tree()).await?.tree,
            };
            self.grafted = (tree.root() != now.tree().root()).then_some(tree);
            for key in past.purged_keys().await?.iter().filter(|key| part.holds(key)) {
                self.set_absent(key);
            }
            return Ok(());
        }
        let purged = past.purged_keys().await?;
        if let Portion::Key(key) = part
            && purged.contains(key)
        {
            return Err(BucketError::Purged { key: key.clone() });
        }
        let mut changes = now.changes(past, part.clone());
        while let Some(change) = changes.next().await? {
            let new = change.new.filter(|_| !purged.contains(&change.key));
            if new.is_some() || change.old.is_some() {
                self.take(&change.key, new.as_deref()).await?;
            }
        }
        Ok(())
    }

    /// The conflicts that the rule decided.
    async fn merge(&mut self, theirs: &Snapshot, rule: MergeRule) -> Result<Vec<String>, BucketError> {
        let ours = self.tip.snapshot.clone();
        let (into, from) = (ours.commit().bucket, theirs.commit().bucket);
        let store = Arc::clone(&self.space.store);
        let common = bases::of(&*store, into, from).await?;
        let unrelated = || BucketError::Unrelated {
            from: theirs.commit().name.clone(),
            into: ours.commit().name.clone(),
        };
        let common = common.ok_or_else(unrelated)?;
        // What is missing of it is an error: a guess could bring back what was deleted.
        let base = self.space.state(common).await?;
        let (mut changes, conflicts) = {
            let mut conflicts = Vec::new();
            let decide = |conflict: &Conflict| {
                if conflicts.len() < MAX_CONFLICTS {
                    conflicts.push(conflict.key.clone());
                }
                Ok::<_, IndexError>(match rule {
                    MergeRule::Theirs => conflict.theirs.clone(),
                    MergeRule::Ours | MergeRule::Fail => conflict.ours.clone(),
                })
            };
            let mut merge = ours.tree().merge_changes(theirs.tree(), Base::Common(base.tree()), decide);
            let mut changes = Vec::new();
            while let Some(change) = merge.next().await? {
                changes.push(change);
            }
            drop(merge);
            (changes, conflicts)
        };
        let conflicts: Result<Vec<_>, _> =
            conflicts.into_iter().map(|key| String::from_utf8(key.to_vec())).collect();
        let conflicts = conflicts.map_err(BucketError::damaged)?;
        if rule == MergeRule::Fail && !conflicts.is_empty() {
            return Err(BucketError::Conflicts(conflicts));
        }
        for Change { key, new, .. } in changes.drain(..) {
            let key = String::from_utf8(key.to_vec()).map_err(BucketError::damaged)?;
            let record = match new {
                Some(entry) => Some(theirs.record(&entry.value).await?),
                None => None,
            };
            self.take(&key, record.as_deref()).await?;
        }
        if self.is_dirty() {
            self.merged = Some(theirs.cid());
        }
        if common != theirs.cid() {
            self.swaps.extend(bases::swaps(into, from, Some(common), Some(theirs.cid())));
        }
        Ok(conflicts)
    }

    /// Puts what another state has under a key, as the bucket's versioning has it.
    async fn take(&mut self, key: &str, record: Option<&Record>) -> Result<(), BucketError> {
        let Some(record) = record else {
            return self.delete(key, &DeleteOptions::default()).await?.map(|_| ());
        };
        // What protected the other version is not what protects this one.
        let record = Record { version: None, null: false, lock: Lock::default(), ..record.clone() };
        if is_plain(self.tip.snapshot.config()) {
            return self.set_current(key, &record);
        }
        self.put(key, &record, &Precondition::default()).await?.map(|_| ())
    }

    /// Drops what waits for the next commit.
    fn discard(&mut self) {
        self.edits.clear();
        self.version_edits.clear();
        self.touched.clear();
        self.spilled.clear();
        self.grafted = None;
        self.merged = None;
    }
}

/// Whether a bucket so configured has nothing but current objects, and none of them protected.
fn is_plain(config: &Config) -> bool {
    config.versioning == Versioning::Unversioned && config.object_lock.is_none()
}
