//! All nodes of a tree, or those that another has not.

use std::sync::Arc;

use carob_block::Block;

use crate::descriptor::Descriptor;
use crate::node::Node;
use crate::path::Path;
use crate::splitter::Splitter;
use crate::{IndexError, Tree};

/// Reads every block of a tree once, parents before children, holding one way from top to leaf in memory.
///
/// The blocks come from the store, not the cache, and each is checked in full, where the boundaries fall
/// included: a walk that reaches its end shows that the store holds the whole tree, and that it is the one tree
/// of its entries. See [`Tree::nodes`] and [`Tree::nodes_since`].
#[derive(Debug)]
pub struct Walk {
    tree: Tree,
    /// A tree whose nodes are passed over.
    known: Option<Tree>,
    stage: Stage,
    /// The inner nodes on the way to the next block.
    frames: Vec<Frame>,
}

#[derive(Debug)]
enum Stage {
    Descriptor,
    Top,
    Below,
}

#[derive(Debug)]
struct Frame {
    node: Node,
    next: usize,
    /// The node is the last of its level.
    last: bool,
    /// The known tree's entries of the same level.
    known: Option<Path>,
}

/// What a block of a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// The tree root. Links the top node, if there is one.
    Descriptor,
    /// An inner node. Links nodes.
    Inner,
    /// A leaf. Its links are those in its values.
    Leaf,
}

/// A block met on a [`Walk`].
#[derive(Debug, Clone)]
pub struct Visited {
    /// The block.
    pub block: Block,
    /// What it is.
    pub kind: NodeKind,
}

impl Walk {
    pub(crate) fn new(tree: Tree, known: Option<Tree>) -> Self {
        let stage = match &known {
            Some(known) if known.root == tree.root => Stage::Below,
            _ => Stage::Descriptor,
        };
        Self { tree, known, stage, frames: Vec::new() }
    }

    /// The next block, or `None` when all were met.
    ///
    /// # Errors
    /// As [`Tree::open`]. The walk then stands before the block that failed.
    pub async fn next(&mut self) -> Result<Option<Visited>, IndexError> {
        match self.stage {
            Stage::Descriptor => {
                let block = self.tree.source.block(&self.tree.root).await?;
                self.stage = Stage::Top;
                Ok(Some(Visited { block, kind: NodeKind::Descriptor }))
            }
            Stage::Top => {
                let Some(digest) = self.tree.descriptor.top else { return Ok(None) };
                // Opening the tree compared the top with the descriptor.
                let (block, node) = self.tree.source.stored_node(&digest).await?;
                let visited = self.visit(block, node, true)?;
                self.stage = Stage::Below;
                Ok(Some(visited))
            }
            Stage::Below => self.below().await,
        }
    }

    async fn below(&mut self) -> Result<Option<Visited>, IndexError> {
        loop {
            if let (Some(frame), Some(known)) = (self.frames.last_mut(), &self.known)
                && frame.is_known(known).await?
            {
                frame.next += 1;
                continue;
            }
            let Some(frame) = self.frames.last() else { return Ok(None) };
            let Some(child) = frame.node.child(frame.next) else {
                self.frames.pop();
                continue;
            };
            let (block, node) = self.tree.source.stored_node(&child.digest).await?;
            self.tree.check_child(&frame.node, frame.next, self.floor(), &node)?;
            let last = frame.last && frame.next + 1 == frame.node.len();
            return self.visit(block, node, last).map(Some);
        }
    }

    /// The greatest key before the next block.
    fn floor(&self) -> Option<&[u8]> {
        // Above the end, `next` is past the child that was entered.
        let (end, above) = self.frames.split_last()?;
        let above = above.iter().map(|frame| (frame, frame.next - 1));
        let (frame, at) = above.chain([(end, end.next)]).rfind(|(_, at)| *at > 0)?;
        Some(frame.node.key(at - 1))
    }

    fn visit(&mut self, block: Block, node: Node, last: bool) -> Result<Visited, IndexError> {
        if !self.ends_rightly(&node, last) {
            return Err(IndexError::Malformed { cid: *block.cid(), reason: "a misplaced boundary" });
        }
        if let Some(parent) = self.frames.last_mut() {
            parent.next += 1;
        }
        if node.level() == 0 {
            return Ok(Visited { block, kind: NodeKind::Leaf });
        }
        let known = self.known.as_ref().and_then(|tree| tree.top.as_ref());
        let known = known.filter(|top| top.level() >= node.level());
        let known = known.map(|top| Path::new(Arc::clone(top), node.level()));
        self.frames.push(Frame { node, next: 0, last, known });
        Ok(Visited { block, kind: NodeKind::Inner })
    }

    /// True if there is no boundary inside the node, and one at its end unless it is the last of its level.
    fn ends_rightly(&self, node: &Node, last: bool) -> bool {
        let Descriptor { params, salt, .. } = self.tree.descriptor;
        let mut splitter = Splitter::new(params, salt, node.level());
        let end = node.len() - 1;
        (0..end).all(|at| !splitter.push(node.key(at))) && (splitter.push(node.key(end)) || last)
    }
}

impl Frame {
    /// Whether the next child is a node of the known tree, too, and at the end of its level in both trees or in none: a
    /// boundary at its end was checked there, unless it was the last.
    async fn is_known(&mut self, tree: &Tree) -> Result<bool, IndexError> {
        let (Some(path), Some(child)) = (&mut self.known, self.node.child(self.next)) else {
            return Ok(false);
        };
        if !path.seek(tree, self.node.key(self.next)).await? {
            return Ok(false);
        }
        let known = path.node().child(path.at()).is_some_and(|known| known.digest == child.digest);
        let last_known = path.is_last() && path.at() + 1 == path.node().len();
        let last = self.last && self.next + 1 == self.node.len();
        Ok(known && last == last_known)
    }
}
