//! A way through a tree that skips what it is not told to enter.

use std::sync::Arc;

use bytes::Bytes;

use crate::node::{Digest, Node};
use crate::tree::Floor;
use crate::{Entry, IndexError, Tree};

/// A way through a tree from left to right that goes into subtrees only where it is told to.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    tree: Tree,
    stage: Stage,
    /// Each frame's node is the child at `at` of the one before; none is at its end.
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before the top node, with no frames.
    Top,
    Below,
}

#[derive(Debug, Clone)]
struct Frame {
    node: Arc<Node>,
    at: usize,
}

/// What comes next on a lane.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Node { level: u8, digest: Digest },
    Entry { key: &'a [u8] },
}

impl Item<'_> {
    /// True if this is below a node of `level`.
    pub(crate) fn below(self, level: u8) -> bool {
        match self {
            Item::Node { level: own, .. } => own < level,
            Item::Entry { .. } => true,
        }
    }
}

impl Lane {
    pub(crate) fn new(tree: Tree) -> Self {
        Self { tree, stage: Stage::Top, frames: Vec::new() }
    }

    /// What comes next; none at the end.
    pub(crate) fn item(&self) -> Option<Item<'_>> {
        if self.stage == Stage::Top {
            let (top, digest) = (self.tree.top.as_ref()?, self.tree.descriptor.top?);
            return Some(Item::Node { level: top.level(), digest });
        }
        let Frame { node, at } = self.frames.last()?;
        Some(match node.child(*at) {
            Some(child) => Item::Node { level: node.level() - 1, digest: child.digest },
            None => Item::Entry { key: node.key(*at) },
        })
    }

    /// The key of the entry that comes next; none at the end, or before a node.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        match self.item()? {
            Item::Entry { key } => Some(key),
            Item::Node { .. } => None,
        }
    }

    /// Passes over the entry that comes next; none at the end, or before a node.
    pub(crate) fn take(&mut self) -> Option<(Bytes, Entry)> {
        let Frame { node, at } = self.frames.last()?;
        let taken = (node.key_bytes(*at), node.entry(*at)?);
        self.pass();
        Some(taken)
    }

    /// Goes into the node that comes next, if one does.
    pub(crate) async fn enter(&mut self) -> Result<(), IndexError> {
        let node = match (self.stage, self.frames.split_last()) {
            (Stage::Top, _) => self.tree.top.clone(),
            (Stage::Below, Some((end, above))) if end.node.level() > 0 => {
                let mut floor = Floor::default();
                above.iter().for_each(|frame| floor.enter(&frame.node, frame.at));
                Some(self.tree.child(&end.node, end.at, &mut floor).await?)
            }
            _ => None,
        };
        self.stage = Stage::Below;
        self.frames.extend(node.map(|node| Frame { node, at: 0 }));
        Ok(())
    }

    /// Goes back to before the node of this level and digest, if the lane stands at its very start. False, and
    /// unmoved, if not.
    pub(crate) fn leave(&mut self, level: u8, digest: &Digest) -> bool {
        // The frame of that node, by its level.
        let found = self.frames.iter().position(|frame| frame.node.level() == level);
        let Some(found) = found.filter(|found| self.frames[*found..].iter().all(|frame| frame.at == 0))
        else {
            return false;
        };
        let own = match found.checked_sub(1).and_then(|above| self.frames.get(above)) {
            Some(parent) => parent.node.child(parent.at).map(|child| child.digest),
            None => self.tree.descriptor.top,
        };
        if own.as_ref() != Some(digest) {
            return false;
        }
        self.frames.truncate(found);
        if found == 0 {
            self.stage = Stage::Top;
        }
        true
    }

    /// Passes over what comes next.
    pub(crate) fn pass(&mut self) {
        self.stage = Stage::Below;
        while let Some(frame) = self.frames.last_mut() {
            frame.at += 1;
            if frame.at < frame.node.len() {
                return;
            }
            self.frames.pop();
        }
    }
}
