//! The incremental editor: the tree that a batch of edits makes of another tree.
//!
//! It goes up level by level. On each, it finds the node that the next edit falls into, and divides the
//! node's entries anew, with the edits merged in, from the node's start on: a node starts after a boundary, and
//! what follows a boundary does not depend on what is before it. It goes on through the following nodes until
//! a new boundary falls on an old one; from there on the old nodes stand. The nodes replaced and made are the
//! edits of the level above. The level where one node is left is the top.

use std::collections::BTreeMap;
use std::collections::btree_map::IntoIter;
use std::iter::Peekable;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::Block;

use crate::encode::{Encoded, NodeWriter};
use crate::node::{Child, Digest, Node, Payload, digest_of};
use crate::path::Path;
use crate::splitter::Splitter;
use crate::{Entry, IndexError, MAX_KEY, Tree};

/// What [`Tree::edit`] made.
#[derive(Debug)]
pub struct Edited {
    /// The tree with the edits.
    pub tree: Tree,
    /// The blocks that it has and the tree before had not, children before parents. They must be in the store
    /// before `tree` is read. Empty if nothing changed.
    pub blocks: Vec<Block>,
}

/// An edit on any level.
#[derive(Debug)]
enum Edit {
    Delete,
    Entry(Entry),
    Child(Child),
}

impl Edit {
    fn payload(&self) -> Option<Payload<'_>> {
        match self {
            Self::Delete => None,
            Self::Entry(Entry { weight, value }) => {
                Some(Payload::Entry { weight: *weight, value: value.bytes() })
            }
            Self::Child(child) => Some(Payload::Child(*child)),
        }
    }

    /// True if this puts something in the place of what a node has under the key.
    fn replaces(&self, key: &[u8], node: &Node) -> bool {
        !matches!(self, Self::Delete) && node.key(node.lower_bound(key)) == key
    }
}

type Edits = BTreeMap<Bytes, Edit>;

/// The nodes of one level that edits replaced, by their last keys, and those made instead.
#[derive(Debug, Default)]
struct Change {
    removed: BTreeMap<Bytes, Digest>,
    made: Vec<Encoded>,
}

impl Tree {
    /// The tree with `edits` made: an entry put or replaced, or with `None`, deleted if there. All at once: a
    /// node that many edits touch is written once.
    ///
    /// # Errors
    /// [`IndexError::KeyLength`], [`IndexError::WeightOverflow`], and those of [`Tree::open`].
    pub async fn edit(&self, edits: BTreeMap<Bytes, Option<Entry>>) -> Result<Edited, IndexError> {
        if let Some(key) = edits.keys().find(|key| key.is_empty() || key.len() > MAX_KEY) {
            return Err(IndexError::KeyLength(key.len()));
        }
        let unchanged = || Edited { tree: self.clone(), blocks: Vec::new() };
        let mut edits: Edits =
            edits.into_iter().map(|(key, entry)| (key, entry.map_or(Edit::Delete, Edit::Entry))).collect();
        let mut blocks = Vec::new();
        let mut level = 0;
        loop {
            let Change { mut removed, made } = self.edit_level(level, edits).await?;
            // From the old top's level on, `made` is the whole level.
            let whole = self.top.as_ref().is_none_or(|top| top.level() <= level);
            let only = if let [only] = made.as_slice() { Some(only.child.digest) } else { None };
            let count = made.len();
            edits = Edits::new();
            for Encoded { block, last_key, child } in made {
                if removed.get(&last_key) == Some(&child.digest) {
                    removed.remove(&last_key);
                    if !whole {
                        continue;
                    }
                } else {
                    blocks.push(block);
                }
                edits.insert(last_key, Edit::Child(child));
            }
            if blocks.is_empty() && removed.is_empty() {
                return Ok(unchanged());
            }
            for key in removed.into_keys() {
                edits.entry(key).or_insert(Edit::Delete);
            }
            if whole && count <= 1 {
                return self.topped(only, blocks).await;
            }
            level += 1;
        }
    }

    /// The tree whose top is `top`, or the only node of some level below it.
    async fn topped(&self, top: Option<Digest>, mut blocks: Vec<Block>) -> Result<Edited, IndexError> {
        let mut made: BTreeMap<Digest, Arc<Node>> = BTreeMap::new();
        for block in &blocks {
            let node = Node::decode(block.data()).expect("what the writer wrote is readable");
            let digest = digest_of(block.cid()).expect("a node is a dag-cbor block");
            made.insert(digest, Arc::new(node));
        }
        let mut dropped = Vec::new();
        let mut top = match top {
            None => None,
            Some(digest) => Some((digest, self.node_of(&made, &digest).await?)),
        };
        while let Some((digest, node)) = &top
            && node.len() == 1
            && let Some(child) = node.child(0)
        {
            let below = self.node_of(&made, &child.digest).await?;
            self.check_child(node, 0, None, &below)?;
            dropped.push(*digest);
            top = Some((child.digest, below));
        }
        for digest in dropped {
            made.remove(&digest);
            blocks.retain(|block| block.cid().hash().digest() != digest);
        }
        for (digest, node) in made {
            self.source.cache.insert_node(digest, node);
        }
        let Self { source, descriptor, .. } = self;
        let (tree, block) = Tree::made(source.clone(), descriptor.salt, descriptor.params, top);
        blocks.push(block);
        Ok(Edited { tree, blocks })
    }

    async fn node_of(
        &self,
        made: &BTreeMap<Digest, Arc<Node>>,
        digest: &Digest,
    ) -> Result<Arc<Node>, IndexError> {
        match made.get(digest) {
            Some(node) => Ok(Arc::clone(node)),
            None => self.source.node(digest).await,
        }
    }

    async fn edit_level(&self, level: u8, edits: Edits) -> Result<Change, IndexError> {
        let mut run = Run::new(self, level, edits);
        let Some(top) = self.top.as_ref().filter(|top| top.level() >= level) else {
            run.rest()?;
            return Ok(run.change);
        };
        let mut path = Path::new(Arc::clone(top), level);
        while let Some((key, _)) = run.edits.peek() {
            // What is past the last key belongs to the last node.
            path.seek(self, top.last_key().min(key)).await?;
            loop {
                let digest = path.digest(self).expect("a node has a parent or is the top");
                run.replace(path.node(), digest, path.is_last())?;
                if path.is_last() {
                    run.rest()?;
                    return Ok(run.change);
                }
                if run.splitter.at_boundary() {
                    break;
                }
                path.next_node(self).await?;
            }
        }
        Ok(run.change)
    }
}

/// The division of one level's entries into new nodes.
struct Run {
    edits: Peekable<IntoIter<Bytes, Edit>>,
    splitter: Splitter,
    writer: NodeWriter,
    change: Change,
}

impl Run {
    fn new(tree: &Tree, level: u8, edits: Edits) -> Self {
        let descriptor = &tree.descriptor;
        Self {
            edits: edits.into_iter().peekable(),
            splitter: Splitter::new(descriptor.params, descriptor.salt, level),
            writer: NodeWriter::new(level),
            change: Change::default(),
        }
    }

    /// Divides the entries of an old node anew, with the edits up to its last key merged in.
    fn replace(&mut self, node: &Node, digest: Digest, last: bool) -> Result<(), IndexError> {
        self.change.removed.insert(node.key_bytes(node.len() - 1), digest);
        let mut here = Vec::new();
        while let Some(edit) = self.edits.next_if(|(key, _)| key.as_ref() <= node.last_key()) {
            here.push(edit);
        }
        // What comes after the last node is appended to it, and may end it elsewhere.
        let alone = !(last && self.edits.peek().is_some());
        if alone && self.splitter.at_boundary() && here.iter().all(|(key, edit)| edit.replaces(key, node)) {
            return self.overwrite(node, here);
        }
        let mut here = here.into_iter().peekable();
        for at in 0..node.len() {
            let key = node.key(at);
            while let Some((new, edit)) = here.next_if(|(new, _)| new.as_ref() < key) {
                self.push_edit(&new, &edit)?;
            }
            match here.next_if(|(new, _)| new.as_ref() == key) {
                Some((new, edit)) => self.push_edit(&new, &edit)?,
                None => self.push(key, node.payload(at))?,
            }
        }
        Ok(())
    }

    /// Writes a node anew whose keys stay as they are. Boundaries depend on nothing else, so it ends where it ended, and
    /// no key needs hashing: this is what becomes of most inner nodes.
    fn overwrite(&mut self, node: &Node, edits: Vec<(Bytes, Edit)>) -> Result<(), IndexError> {
        let mut edits = edits.into_iter().peekable();
        for at in 0..node.len() {
            let key = node.key(at);
            let edit = edits.next_if(|(edited, _)| edited.as_ref() == key);
            let edited = edit.as_ref().and_then(|(_, edit)| edit.payload());
            self.writer.push(key, edited.unwrap_or_else(|| node.payload(at)))?;
        }
        self.change.made.push(self.writer.finish());
        Ok(())
    }

    /// Takes what edits are left, and ends the last node of the level.
    fn rest(&mut self) -> Result<(), IndexError> {
        while let Some((key, edit)) = self.edits.next() {
            self.push_edit(&key, &edit)?;
        }
        if !self.writer.is_empty() {
            self.change.made.push(self.writer.finish());
        }
        Ok(())
    }

    fn push_edit(&mut self, key: &[u8], edit: &Edit) -> Result<(), IndexError> {
        edit.payload().map_or(Ok(()), |payload| self.push(key, payload))
    }

    fn push(&mut self, key: &[u8], payload: Payload<'_>) -> Result<(), IndexError> {
        self.writer.push(key, payload)?;
        if self.splitter.push(key) {
            self.change.made.push(self.writer.finish());
        }
        Ok(())
    }
}
