//! Three-way merge.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{Change, Diff, Edited, Entry, IndexError, Tree};

/// What two sides of a merge have in common.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// The tree that both sides come from: what one side alone changed since is taken from it, deletions included.
    Common(&'a Tree),
    /// Nothing is known, and that is meant: every entry of either side is kept, none is ever deleted, and wherever
    /// both have a key with different entries there is a conflict. Not a way round a base that cannot be read.
    TwoWay,
}

/// A key that both sides changed, each in its own way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The key.
    pub key: Bytes,
    /// What the base has there; none in a two-way merge.
    pub base: Option<Entry>,
    /// What our side has there.
    pub ours: Option<Entry>,
    /// What their side has there.
    pub theirs: Option<Entry>,
}

impl Conflict {
    /// A rule for entries of which nothing is known: an entry rather than none, and of two the greater, by the bytes
    /// of the value and then by weight. The same whichever side is ours.
    pub fn greater(&self) -> Option<Entry> {
        let rank = |entry: &Option<Entry>| entry.as_ref().map(|e| (e.value.bytes().clone(), e.weight));
        if rank(&self.theirs) > rank(&self.ours) { self.theirs.clone() } else { self.ours.clone() }
    }
}

/// The changes that merge two trees, in ascending order of keys. See [`Tree::merge_changes`].
#[derive(Debug)]
pub struct Merge<R> {
    /// From the base to our side; none in a two-way merge.
    ours: Option<Ahead>,
    /// To their side, from the base or from ours.
    theirs: Ahead,
    rule: R,
}

/// A diff that can be looked into before it is moved on.
#[derive(Debug)]
struct Ahead {
    diff: Diff,
    next: Option<Change>,
}

impl Ahead {
    fn new(diff: Diff) -> Self {
        Self { diff, next: None }
    }

    async fn peek(&mut self) -> Result<Option<&Change>, IndexError> {
        if self.next.is_none() {
            self.next = self.diff.next().await?;
        }
        Ok(self.next.as_ref())
    }
}

impl Tree {
    /// This tree (ours) with what `theirs` changed since `base` merged in. Where both changed the same key to
    /// different ends, `rule` says what stands there then, if anything: see [`Conflict::greater`] for one.
    ///
    /// The result has our salt and parameters, and needs no node of `theirs` or `base`: its blocks are all in our
    /// tree or returned. Only nodes over the changes are rewritten, each once. Trees of one salt are merged in time
    /// and memory for what differs; where the salts differ, all entries are read. Memory is for the changes made:
    /// for a huge merge, take [`Tree::merge_changes`] and edit in portions.
    ///
    /// # Errors
    /// Those of [`Tree::edit`] and of `rule`. A base that is not there in full is [`IndexError::MissingNode`].
    pub async fn merge<R>(&self, theirs: &Self, base: Base<'_>, rule: R) -> Result<Edited, IndexError>
    where
        R: FnMut(&Conflict) -> Result<Option<Entry>, IndexError>,
    {
        let mut merge = self.merge_changes(theirs, base, rule);
        let mut edits = BTreeMap::new();
        while let Some(change) = merge.next().await? {
            edits.insert(change.key, change.new);
        }
        self.edit(edits).await
    }

    /// What [`Tree::merge`] would change in this tree, as a stream.
    pub fn merge_changes<R>(&self, theirs: &Self, base: Base<'_>, rule: R) -> Merge<R>
    where
        R: FnMut(&Conflict) -> Result<Option<Entry>, IndexError>,
    {
        let (ours, theirs) = match base {
            Base::Common(base) => (Some(base.diff(self)), base.diff(theirs)),
            Base::TwoWay => (None, self.diff(theirs)),
        };
        Merge { ours: ours.map(Ahead::new), theirs: Ahead::new(theirs), rule }
    }
}

impl<R> Merge<R>
where
    R: FnMut(&Conflict) -> Result<Option<Entry>, IndexError>,
{
    /// The next change to our tree; `None` when all are made.
    ///
    /// # Errors
    /// Those of [`Diff::next`] and of the rule. The merge then stands before the key that failed.
    pub async fn next(&mut self) -> Result<Option<Change>, IndexError> {
        loop {
            let Some(theirs) = self.theirs.peek().await? else { return Ok(None) };
            let conflict = match &mut self.ours {
                None => two_way(theirs),
                Some(ahead) => {
                    let ours = ahead.peek().await?;
                    if ours.is_some_and(|ours| ours.key < theirs.key) {
                        ahead.next = None;
                        continue;
                    }
                    three_way(ours, theirs)
                }
            };
            let change = match conflict {
                Found::Change(change) => Some(change),
                Found::Nothing => None,
                Found::Conflict(conflict) => {
                    let new = (self.rule)(&conflict)?;
                    let Conflict { key, ours, .. } = conflict;
                    (new != ours).then_some(Change { key, old: ours, new })
                }
            };
            self.theirs.next = None;
            if change.is_some() {
                return Ok(change);
            }
        }
    }
}

enum Found {
    Change(Change),
    Conflict(Conflict),
    Nothing,
}

fn two_way(change: &Change) -> Found {
    match change.clone() {
        // Only ours has it.
        Change { new: None, .. } => Found::Nothing,
        change @ Change { old: None, .. } => Found::Change(change),
        Change { key, old: ours, new: theirs } => Found::Conflict(Conflict { key, base: None, ours, theirs }),
    }
}

/// What comes of their change, if `ours` is our next one, at the same key or after it.
fn three_way(ours: Option<&Change>, theirs: &Change) -> Found {
    match ours.filter(|ours| ours.key == theirs.key) {
        None => Found::Change(theirs.clone()),
        Some(ours) if ours.new == theirs.new => Found::Nothing,
        Some(ours) => {
            let Change { key, old: base, new: theirs } = theirs.clone();
            Found::Conflict(Conflict { key, base, ours: ours.new.clone(), theirs })
        }
    }
}
