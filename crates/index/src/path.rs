//! The nodes from the top down to a place.

use std::sync::Arc;

use crate::node::{Digest, Node};
use crate::tree::Floor;
use crate::{IndexError, Tree};

/// The way from the top of a tree down to a node of one level, and an index in each node on it.
///
/// Moving loads what it needs before it changes anything: after an error, or when its future is dropped, the
/// path stands where it stood.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// Never empty. The node of each frame is the child at `at` of the frame before.
    frames: Vec<Frame>,
    level: u8,
}

#[derive(Debug, Clone)]
struct Frame {
    node: Arc<Node>,
    at: usize,
}

impl Path {
    /// A path that stands nowhere in particular, to be moved by [`Path::seek`] to nodes of `level`, which is
    /// not above `top`.
    pub(crate) fn new(top: Arc<Node>, level: u8) -> Self {
        Self { frames: vec![Frame { node: top, at: 0 }], level }
    }

    /// Moves to the first key not less than `key`, by the shortest way. False, and unmoved, if all are less.
    pub(crate) async fn seek(&mut self, tree: &Tree, key: &[u8]) -> Result<bool, IndexError> {
        // A node has the answer if `key` lies between its first and last keys. The top need only end after it.
        let within = |frame: &Frame| frame.node.first_key() <= key && key <= frame.node.last_key();
        let turn = self.frames.iter().rposition(within).unwrap_or(0);
        let node = &self.frames[turn].node;
        let at = node.lower_bound(key);
        if at == node.len() {
            return Ok(false);
        }
        let below = self.descend(tree, turn, at, |node| node.lower_bound(key)).await?;
        self.turn(turn, at, below);
        Ok(true)
    }

    /// Moves to the first entry of the next node of the level. False, and unmoved, if this is the last.
    pub(crate) async fn next_node(&mut self, tree: &Tree) -> Result<bool, IndexError> {
        let Some(turn) = self.next_turn() else { return Ok(false) };
        let at = self.frames[turn].at + 1;
        let below = self.descend(tree, turn, at, |_| 0).await?;
        self.turn(turn, at, below);
        Ok(true)
    }

    /// A path to the last node of leaves, after its last entry.
    pub(crate) async fn to_end(tree: &Tree, top: Arc<Node>) -> Result<Self, IndexError> {
        let mut path = Self::new(top, 0);
        let at = last_of(&path.frames[0].node);
        let below = path.descend(tree, 0, at, last_of).await?;
        path.turn(0, at, below);
        Ok(path)
    }

    /// Moves to after the last entry of the previous node of leaves. False, and unmoved, if this is the first.
    pub(crate) async fn prev_node(&mut self, tree: &Tree) -> Result<bool, IndexError> {
        let Some(turn) = self.prev_turn() else { return Ok(false) };
        let at = self.frames[turn].at - 1;
        let below = self.descend(tree, turn, at, last_of).await?;
        self.turn(turn, at, below);
        Ok(true)
    }

    /// The greatest key of the level before the node, which an inner node knows.
    pub(crate) fn key_before(&self) -> Option<&[u8]> {
        let Frame { node, at } = &self.frames[self.prev_turn()?];
        Some(node.key(at - 1))
    }

    /// True if no node follows on this level.
    pub(crate) fn is_last(&self) -> bool {
        self.next_turn().is_none()
    }

    /// The node that the path leads to.
    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.end().node
    }

    /// The digest of that node.
    pub(crate) fn digest(&self, tree: &Tree) -> Option<Digest> {
        match self.frames.as_slice() {
            [.., parent, _] => parent.node.child(parent.at).map(|child| child.digest),
            _ => tree.descriptor.top,
        }
    }

    /// The index in [`Path::node`]; its length after the last [`Path::step`].
    pub(crate) fn at(&self) -> usize {
        self.end().at
    }

    /// The node that the path leads to, and the index in it.
    pub(crate) fn place(&mut self) -> (&Node, &mut usize) {
        let end = self.frames.len() - 1;
        let Frame { node, at } = &mut self.frames[end];
        (node, at)
    }

    /// Moves to the next entry, which may be past the end of the node.
    pub(crate) fn step(&mut self) {
        let end = self.frames.len() - 1;
        self.frames[end].at += 1;
    }

    /// Moves to the previous entry of the node, which there is.
    pub(crate) fn step_back(&mut self) {
        let end = self.frames.len() - 1;
        self.frames[end].at -= 1;
    }

    /// Moves to the first entry of the node.
    pub(crate) fn rewind(&mut self) {
        let end = self.frames.len() - 1;
        self.frames[end].at = 0;
    }

    fn end(&self) -> &Frame {
        &self.frames[self.frames.len() - 1]
    }

    /// The deepest frame above the end that has a next child.
    fn next_turn(&self) -> Option<usize> {
        let (_, above) = self.frames.split_last()?;
        above.iter().rposition(|frame| frame.at + 1 < frame.node.len())
    }

    /// The deepest frame above the end that has a child before.
    fn prev_turn(&self) -> Option<usize> {
        let (_, above) = self.frames.split_last()?;
        above.iter().rposition(|frame| frame.at > 0)
    }

    fn turn(&mut self, turn: usize, at: usize, below: Vec<Frame>) {
        self.frames.truncate(turn + 1);
        self.frames[turn].at = at;
        self.frames.extend(below);
    }

    /// The frames below frame `turn`, if that stood at `at`.
    async fn descend(
        &self,
        tree: &Tree,
        turn: usize,
        mut at: usize,
        choose: impl Fn(&Node) -> usize,
    ) -> Result<Vec<Frame>, IndexError> {
        let mut floor = Floor::default();
        self.frames[..turn].iter().for_each(|frame| floor.enter(&frame.node, frame.at));
        let mut node = Arc::clone(&self.frames[turn].node);
        let mut frames = Vec::with_capacity(usize::from(node.level().saturating_sub(self.level)));
        while node.level() > self.level {
            node = tree.child(&node, at, &mut floor).await?;
            at = choose(&node);
            frames.push(Frame { node: Arc::clone(&node), at });
        }
        Ok(frames)
    }
}

/// The last child of an inner node, or past the last entry of a leaf.
fn last_of(node: &Node) -> usize {
    if node.level() == 0 { node.len() } else { node.len() - 1 }
}
