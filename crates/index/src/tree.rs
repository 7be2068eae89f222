//! A tree, opened and asked.

use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, ReadBlocks};

use crate::cache::Source;
use crate::descriptor::Descriptor;
use crate::node::{Digest, Node, cid_of, digest_of};
use crate::{Cursor, Entry, IndexError, NodeCache, Params, Salt, Totals, Walk};

/// One immutable state of an index. Cloning is cheap.
///
/// All reads go down from the tree root, so they see this state and no other, however many newer ones are
/// made meanwhile. A block that the store does not hold is [`IndexError::MissingNode`], never a shorter
/// answer.
#[derive(Debug, Clone)]
pub struct Tree {
    pub(crate) source: Source,
    pub(crate) root: Digest,
    pub(crate) descriptor: Descriptor,
    /// None if the tree is empty.
    pub(crate) top: Option<Arc<Node>>,
}

impl Tree {
    /// A tree without entries, and the block to put for it.
    pub fn empty(
        store: Arc<dyn ReadBlocks>,
        cache: Arc<NodeCache>,
        salt: Salt,
        params: Params,
    ) -> (Self, Vec<Block>) {
        let (tree, block) = Self::made(Source { store, cache }, salt, params, None);
        (tree, vec![block])
    }

    /// The tree with this root.
    ///
    /// # Errors
    /// [`IndexError::MissingNode`], [`IndexError::Malformed`], [`IndexError::UnsupportedVersion`],
    /// [`IndexError::Store`]; as all methods that read.
    pub async fn open(
        store: Arc<dyn ReadBlocks>,
        cache: Arc<NodeCache>,
        root: Cid,
    ) -> Result<Self, IndexError> {
        let source = Source { store, cache };
        let malformed = |reason| IndexError::Malformed { cid: root, reason };
        let root_digest = digest_of(&root).ok_or_else(|| malformed("not a dag-cbor block"))?;
        let descriptor = source.descriptor(&root_digest).await?;
        let top = match &descriptor.top {
            None => None,
            Some(digest) => Some(source.node(digest).await?),
        };
        if let Some(top) = &top {
            descriptor.check_top(top).map_err(malformed)?;
        }
        Ok(Self { source, root: root_digest, descriptor, top })
    }

    /// A tree whose nodes are made already, and its descriptor.
    pub(crate) fn made(
        source: Source,
        salt: Salt,
        params: Params,
        top: Option<(Digest, Arc<Node>)>,
    ) -> (Self, Block) {
        let totals = top.as_ref().map(|(_, node)| node.totals()).unwrap_or_default();
        let (digest, top) = top.unzip();
        let descriptor = Descriptor { salt, params, top: digest, totals };
        let block = descriptor.encode();
        let root = digest_of(block.cid()).expect("a descriptor is a dag-cbor block");
        source.cache.insert_descriptor(root, descriptor);
        (Self { source, root, descriptor, top }, block)
    }

    /// The CID of the tree root, which is the descriptor block. Two trees of one salt and the same parameters
    /// have the same root exactly if they have the same entries.
    pub fn root(&self) -> Cid {
        cid_of(&self.root)
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.descriptor.totals.count
    }

    /// True if there are no entries.
    pub fn is_empty(&self) -> bool {
        self.top.is_none()
    }

    /// The weight of all entries.
    pub fn bytes(&self) -> u64 {
        self.descriptor.totals.bytes
    }

    /// Number and weight of all entries.
    pub fn totals(&self) -> Totals {
        self.descriptor.totals
    }

    /// The salt, for another tree that shall share nodes with this one.
    pub fn salt(&self) -> Salt {
        self.descriptor.salt
    }

    /// How the tree is cut into nodes.
    pub fn params(&self) -> Params {
        self.descriptor.params
    }

    /// The number of levels of nodes: 0 for an empty tree.
    pub fn height(&self) -> usize {
        self.top.as_ref().map_or(0, |top| usize::from(top.level()) + 1)
    }

    /// What stands under `key`.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn get(&self, key: &[u8]) -> Result<Option<Entry>, IndexError> {
        let Some(mut node) = self.top.clone() else { return Ok(None) };
        let mut floor = Floor::default();
        loop {
            let at = node.lower_bound(key);
            if at == node.len() {
                return Ok(None);
            }
            if node.level() == 0 {
                return Ok(if node.key(at) == key { node.entry(at) } else { None });
            }
            node = self.child(&node, at, &mut floor).await?;
        }
    }

    /// The number of keys less than `key`.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn rank(&self, key: &[u8]) -> Result<u64, IndexError> {
        Ok(self.totals_before(key).await?.count)
    }

    /// Number and weight of the entries from `start` (inclusive) to `end` (exclusive; None for no bound).
    /// Reads one node a level and bound.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn count_range(&self, start: &[u8], end: Option<&[u8]>) -> Result<Totals, IndexError> {
        if end.is_some_and(|end| end <= start) {
            return Ok(Totals::default());
        }
        let upto = match end {
            Some(end) => self.totals_before(end).await?,
            None => self.totals(),
        };
        let before = self.totals_before(start).await?;
        Ok(Totals {
            count: upto.count.saturating_sub(before.count),
            bytes: upto.bytes.saturating_sub(before.bytes),
        })
    }

    /// Number and weight of the entries whose keys start with `prefix`.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn count_prefix(&self, prefix: &[u8]) -> Result<Totals, IndexError> {
        self.count_range(prefix, prefix_end(prefix).as_deref()).await
    }

    /// A cursor before the first entry.
    pub fn cursor(&self) -> Cursor {
        self.range(&[], None)
    }

    /// A cursor before the first key of a range, `start` (inclusive) to `end` (exclusive; None for no bound). It
    /// never leaves the range.
    pub fn range(&self, start: &[u8], end: Option<&[u8]>) -> Cursor {
        Cursor::new(self.clone(), Bytes::copy_from_slice(start), end.map(Bytes::copy_from_slice))
    }

    /// A cursor before the first key that starts with `prefix`. It never reads another.
    pub fn prefix(&self, prefix: &[u8]) -> Cursor {
        self.range(prefix, prefix_end(prefix).as_deref())
    }

    /// All blocks of the tree, for an export or a check.
    pub fn nodes(&self) -> Walk {
        Walk::new(self.clone(), None)
    }

    /// The blocks of the tree that `known` has not, and perhaps a few that it has (the last nodes of its levels), for a
    /// difference to send or to check: a tree from elsewhere is sound if `known` is and this walk reaches its end. Reads
    /// for what differs, where the trees have one salt and the same parameters.
    pub fn nodes_since(&self, known: &Self) -> Walk {
        Walk::new(self.clone(), Some(known.clone()))
    }

    /// The CIDs of all blocks of the tree. Leaves are not read: the nodes above them name them.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn cids(&self) -> Result<Vec<Cid>, IndexError> {
        let mut cids = vec![self.root()];
        let mut inner: Vec<Arc<Node>> = Vec::new();
        if let (Some(digest), Some(top)) = (&self.descriptor.top, &self.top) {
            cids.push(cid_of(digest));
            inner.extend((top.level() > 0).then(|| Arc::clone(top)));
        }
        while let Some(parent) = inner.pop() {
            for child in (0..parent.len()).filter_map(|at| parent.child(at)) {
                cids.push(cid_of(&child.digest));
                if parent.level() > 1 {
                    inner.push(Arc::new(self.source.stored_node(&child.digest).await?.1));
                }
            }
        }
        Ok(cids)
    }

    async fn totals_before(&self, key: &[u8]) -> Result<Totals, IndexError> {
        let mut totals = Totals::default();
        let Some(mut node) = self.top.clone() else { return Ok(totals) };
        let mut floor = Floor::default();
        loop {
            let at = node.lower_bound(key);
            totals += node.totals_before(at);
            if at == node.len() || node.level() == 0 {
                return Ok(totals);
            }
            node = self.child(&node, at, &mut floor).await?;
        }
    }

    /// The child at `at` of an inner node whose keys all are greater than `floor`, which becomes the child's.
    pub(crate) async fn child(
        &self,
        parent: &Arc<Node>,
        at: usize,
        floor: &mut Floor,
    ) -> Result<Arc<Node>, IndexError> {
        floor.enter(parent, at);
        let child = parent.child(at).expect("the caller chose a child of an inner node");
        let node = self.source.node(&child.digest).await?;
        self.check_child(parent, at, floor.key(), &node)?;
        Ok(node)
    }

    /// Compares a node with what its parents say of it. A digest proves that these are the bytes meant, not
    /// that whoever made both told the truth.
    pub(crate) fn check_child(
        &self,
        parent: &Node,
        at: usize,
        floor: Option<&[u8]>,
        node: &Node,
    ) -> Result<(), IndexError> {
        let child = parent.child(at).expect("the caller chose a child of an inner node");
        let reason = if node.level() + 1 != parent.level() {
            "a child of the wrong level"
        } else if node.totals() != child.totals {
            "totals differ from the parent's"
        } else if node.last_key() != parent.key(at) {
            "the last key differs from the parent's"
        } else if floor.is_some_and(|floor| node.first_key() <= floor) {
            "keys overlap the previous node's"
        } else if node.len() > usize::from(self.descriptor.params.max_entries()) {
            "more entries than the tree's parameters allow"
        } else {
            return Ok(());
        };
        Err(IndexError::Malformed { cid: cid_of(&child.digest), reason })
    }
}

/// The greatest key before a node, which the nearest parent knows that has a child before. The first child's
/// first child is bounded by a grandparent.
#[derive(Debug, Default)]
pub(crate) struct Floor(Option<(Arc<Node>, usize)>);

impl Floor {
    /// Goes down into the child at `at`.
    pub(crate) fn enter(&mut self, parent: &Arc<Node>, at: usize) {
        if let Some(before) = at.checked_sub(1) {
            self.0 = Some((Arc::clone(parent), before));
        }
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.as_ref().map(|(node, at)| node.key(*at))
    }
}

impl Descriptor {
    fn check_top(&self, top: &Node) -> Result<(), &'static str> {
        if top.totals() != self.totals {
            return Err("totals differ from the top node's");
        }
        if top.level() > 0 && top.len() == 1 {
            return Err("a top node with a single child");
        }
        if top.len() > usize::from(self.params.max_entries()) {
            return Err("more entries than the tree's parameters allow");
        }
        Ok(())
    }
}

/// The least key greater than all that start with `prefix`; none if there is no bound.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix.get(..=last)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}
