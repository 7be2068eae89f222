//! Joins parts of trees into one, sharing the nodes inside them.
//!
//! Like the editor it goes up level by level. A level is a sequence of parts, each a range of the level of some tree.
//! Their entries are divided anew only from where a part starts up to the first boundary that both the new division and
//! the part's own have, for from a boundary on a division depends on nothing before. The nodes from there to the end of
//! the part stand as they are, and are a range of the next level.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use carob_block::Block;

use crate::encode::{Encoded, NodeWriter};
use crate::node::{Child, Digest, Node, Payload, digest_of};
use crate::path::Path;
use crate::splitter::Splitter;
use crate::tree::prefix_end;
use crate::{Edited, IndexError, Tree};

/// A part of a level.
enum Part<'a> {
    /// The entries of a tree from a key on, up to but without another.
    Slice { tree: &'a Tree, from: Bytes, until: Option<Bytes> },
    /// One node of the level below.
    Node { last_key: Bytes, child: Child },
}

impl Tree {
    /// This tree, with all entries from `start` (inclusive) to `end` (exclusive; None for no bound) replaced by those
    /// that `other` has there: to restore a folder from an earlier state, say.
    ///
    /// Between trees of one salt and the same parameters this writes a few nodes a level, however large the range: the
    /// nodes inside it are shared. `other` must therefore be in the same store, and only blocks that neither tree has
    /// are returned. Otherwise the entries of the range are read and written one by one.
    ///
    /// # Errors
    /// [`IndexError::WeightOverflow`], and as [`Tree::open`].
    pub async fn splice(&self, start: &[u8], end: Option<&[u8]>, other: &Self) -> Result<Edited, IndexError> {
        if end.is_some_and(|end| end <= start) {
            return Ok(Edited { tree: self.clone(), blocks: Vec::new() });
        }
        if (self.salt(), self.params()) != (other.salt(), other.params()) {
            return self.splice_entries(start, end, other).await;
        }
        let (start, end) = (Bytes::copy_from_slice(start), end.map(Bytes::copy_from_slice));
        let mut parts = vec![
            Part::Slice { tree: self, from: Bytes::new(), until: Some(start.clone()) },
            Part::Slice { tree: other, from: start, until: end.clone() },
        ];
        parts.extend(end.map(|end| Part::Slice { tree: self, from: end, until: None }));
        let mut blocks = Vec::new();
        for level in 0.. {
            parts = self.join(level, parts, &mut blocks).await?;
            match parts.as_slice() {
                [] => return self.spliced(other, None, blocks).await,
                [Part::Node { child, .. }] => return self.spliced(other, Some(child.digest), blocks).await,
                _ => {}
            }
        }
        unreachable!("every level has at most half the nodes of the one below")
    }

    /// As [`Tree::splice`], for the keys that start with `prefix`.
    ///
    /// # Errors
    /// As [`Tree::splice`].
    pub async fn splice_prefix(&self, prefix: &[u8], other: &Self) -> Result<Edited, IndexError> {
        self.splice(prefix, prefix_end(prefix).as_deref(), other).await
    }

    /// For trees that share no nodes.
    async fn splice_entries(
        &self,
        start: &[u8],
        end: Option<&[u8]>,
        other: &Self,
    ) -> Result<Edited, IndexError> {
        let mut edits = BTreeMap::new();
        let mut old = self.range(start, end);
        while let Some((key, _)) = old.next().await? {
            edits.insert(key, None);
        }
        let mut new = other.range(start, end);
        while let Some((key, entry)) = new.next().await? {
            edits.insert(key, Some(entry));
        }
        self.edit(edits).await
    }

    /// Divides the entries of one level into nodes, which are the parts of the next.
    async fn join<'a>(
        &self,
        level: u8,
        parts: Vec<Part<'a>>,
        blocks: &mut Vec<Block>,
    ) -> Result<Vec<Part<'a>>, IndexError> {
        let mut join = Join {
            level,
            splitter: Splitter::new(self.params(), self.salt(), level),
            writer: NodeWriter::new(level),
            replayed: HashSet::new(),
            parts: Vec::new(),
            blocks,
        };
        for part in parts {
            match part {
                Part::Node { last_key, child } => join.push(&last_key, Payload::Child(child))?,
                Part::Slice { tree, from, until } => join.slice(tree, &from, until.as_ref()).await?,
            }
        }
        if !join.writer.is_empty() {
            join.end_node();
        }
        Ok(join.parts)
    }

    async fn spliced(
        &self,
        other: &Self,
        top: Option<Digest>,
        mut blocks: Vec<Block>,
    ) -> Result<Edited, IndexError> {
        for block in &blocks {
            let node = Node::decode(block.data()).expect("what the writer wrote is readable");
            let digest = digest_of(block.cid()).expect("a node is a dag-cbor block");
            self.source.cache.insert_node(digest, Arc::new(node));
        }
        let top = match (top, blocks.last()) {
            (None, _) => None,
            // The cache may have let it go already.
            (Some(digest), Some(last)) if digest_of(last.cid()) == Some(digest) => {
                let node = Node::decode(last.data()).expect("what the writer wrote is readable");
                Some((digest, Arc::new(node)))
            }
            (Some(digest), _) => Some((digest, self.source.node(&digest).await?)),
        };
        let (tree, descriptor) = Self::made(self.source.clone(), self.salt(), self.params(), top);
        if tree.root == self.root || tree.root == other.root {
            blocks.clear();
        } else {
            blocks.push(descriptor);
        }
        Ok(Edited { tree, blocks })
    }
}

/// The division of one level.
struct Join<'a, 'b> {
    level: u8,
    splitter: Splitter,
    writer: NodeWriter,
    /// Old nodes whose entries were divided anew, and may have come out as they were.
    replayed: HashSet<Digest>,
    parts: Vec<Part<'a>>,
    blocks: &'b mut Vec<Block>,
}

impl<'a> Join<'a, '_> {
    fn push(&mut self, key: &[u8], payload: Payload<'_>) -> Result<(), IndexError> {
        self.writer.push(key, payload)?;
        if self.splitter.push(key) {
            self.end_node();
        }
        Ok(())
    }

    fn end_node(&mut self) {
        let Encoded { block, last_key, child } = self.writer.finish();
        if !self.replayed.contains(&child.digest) {
            self.blocks.push(block);
        }
        self.parts.push(Part::Node { last_key, child });
    }

    async fn slice(&mut self, tree: &'a Tree, from: &[u8], until: Option<&Bytes>) -> Result<(), IndexError> {
        let Some(top) = tree.top.as_ref().filter(|top| top.level() >= self.level) else { return Ok(()) };
        let mut path = Path::new(Arc::clone(top), self.level);
        if !path.seek(tree, from).await? {
            return Ok(());
        }
        loop {
            let node = Arc::clone(path.node());
            let within = |key: &[u8]| until.is_none_or(|until| key < until.as_ref());
            // The last node of a level need not end in a boundary.
            let whole = path.at() == 0 && within(node.last_key()) && !path.is_last();
            if whole && self.splitter.at_boundary() {
                self.share(tree, &mut path, until).await?;
                continue;
            }
            self.replayed.extend(path.digest(tree));
            for at in path.at()..node.len() {
                if !within(node.key(at)) {
                    return Ok(());
                }
                self.push(node.key(at), node.payload(at))?;
            }
            if !path.next_node(tree).await? {
                return Ok(());
            }
        }
    }

    /// Takes the nodes from the path's on as they are, and leaves the path at the start of the first that cannot be: the
    /// one where the slice ends, or the last of the level.
    async fn share(
        &mut self,
        tree: &'a Tree,
        path: &mut Path,
        until: Option<&Bytes>,
    ) -> Result<(), IndexError> {
        let first = Arc::clone(path.node());
        let digest = path.digest(tree).expect("a node has a parent or is the top");
        // There is a next one, for the first is not the last.
        path.next_node(tree).await?;
        let next = path.node().last_key().to_vec();
        let past_end = match until {
            Some(until) => path.seek(tree, until).await?,
            None => false,
        };
        if !past_end && let Some(top) = &tree.top {
            path.seek(tree, top.last_key()).await?;
        }
        path.rewind();
        let end = path.node().last_key();
        self.parts.push(if next == end {
            let child = Child { digest, totals: first.totals() };
            Part::Node { last_key: first.key_bytes(first.len() - 1), child }
        } else {
            let from = first.key_bytes(first.len() - 1);
            Part::Slice { tree, from, until: Some(Bytes::copy_from_slice(end)) }
        });
        Ok(())
    }
}
