//! What differs between two trees.

use std::cmp::Ordering;

use bytes::Bytes;

use crate::lane::{Item, Lane};
use crate::{Entry, IndexError, Tree};

/// What differs between two trees at one key; `old` and `new` are never equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key.
    pub key: Bytes,
    /// What the old tree has there.
    pub old: Option<Entry>,
    /// What the new tree has there.
    pub new: Option<Entry>,
}

/// The changes from one tree to another, in ascending order of keys. See [`Tree::diff`].
///
/// After an error, or when a future is dropped, the diff stands where it stood.
#[derive(Debug, Clone)]
pub struct Diff {
    old: Lane,
    new: Lane,
}

impl Tree {
    /// The changes that make `new` of this tree.
    ///
    /// Subtrees that both share are passed over unread. Between trees of one salt and the same parameters these are
    /// all but the nodes over the changes, so a diff reads at most about two nodes a level of each tree for each
    /// change; trees of different salts share nearly nothing, and are read in full.
    pub fn diff(&self, new: &Self) -> Diff {
        Diff { old: Lane::new(self.clone()), new: Lane::new(new.clone()) }
    }
}

impl Diff {
    /// The next change; `None` when there are no more.
    ///
    /// # Errors
    /// As [`Tree::open`]: a block missing from either tree is an error that names it, unless both trees share it.
    pub async fn next(&mut self) -> Result<Option<Change>, IndexError> {
        loop {
            if self.pass_shared() {
                continue;
            }
            // Nodes first, the higher one if there are two, so that entries are met with entries.
            let depth = |item: Option<Item<'_>>| match item {
                Some(Item::Node { level, .. }) => Some(level),
                _ => None,
            };
            let (old, new) = (depth(self.old.item()), depth(self.new.item()));
            if old.is_none() && new.is_none() {
                match self.entries() {
                    Step::Changed(change) => return Ok(Some(change)),
                    Step::Equal => continue,
                    Step::End => return Ok(None),
                }
            }
            if old >= new {
                self.old.enter().await?;
            }
            if new >= old {
                self.new.enter().await?;
            }
        }
    }

    /// Passes over a subtree that both trees have next. False if there is none.
    fn pass_shared(&mut self) -> bool {
        let shared = match (self.old.item(), self.new.item()) {
            (Some(Item::Node { digest: old, .. }), Some(Item::Node { digest: new, .. })) if old == new => {
                true
            }
            // One side may have gone into a node before the other came to it.
            (Some(Item::Node { level, digest }), Some(new)) if new.below(level) => {
                self.new.leave(level, &digest)
            }
            (Some(old), Some(Item::Node { level, digest })) if old.below(level) => {
                self.old.leave(level, &digest)
            }
            _ => false,
        };
        if shared {
            self.old.pass();
            self.new.pass();
        }
        shared
    }

    /// Passes over the next key, where no side has a node next.
    fn entries(&mut self) -> Step {
        let order = match (self.old.key(), self.new.key()) {
            (None, None) => return Step::End,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.cmp(new),
        };
        let old = if order.is_le() { self.old.take() } else { None };
        let new = if order.is_ge() { self.new.take() } else { None };
        match (old, new) {
            (Some((key, old)), new) => {
                let new = new.map(|(_, entry)| entry);
                if new.as_ref() == Some(&old) {
                    return Step::Equal;
                }
                Step::Changed(Change { key, old: Some(old), new })
            }
            (None, Some((key, new))) => Step::Changed(Change { key, old: None, new: Some(new) }),
            (None, None) => Step::End,
        }
    }
}

enum Step {
    Changed(Change),
    Equal,
    End,
}
