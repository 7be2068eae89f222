//! All blocks of a body.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use carob_block::{Block, Cid, Codec, ReadBlocks};

use crate::ObjectError;
use crate::error::Flaw;
use crate::unixfs::decode_node;

/// Levels of nodes that a body may have. Three of them hold a PiB, and joining parts adds one.
const MAX_DEPTH: usize = 8;

/// Walks the blocks of a body in order, parents first, as far as they touch a range.
///
/// Every size is checked against the one its parent gave, before anything beneath is visited. Holds at most
/// [`MAX_DEPTH`] times [`crate::MAX_LINKS`] links.
#[derive(Debug)]
pub(crate) struct Walk {
    store: Arc<dyn ReadBlocks>,
    range: Range<u64>,
    /// What to visit, the next one last.
    pending: Vec<Pending>,
}

#[derive(Debug)]
struct Pending {
    cid: Cid,
    /// Where in the body it starts.
    start: u64,
    /// Its bytes of the body, unless nothing says it yet.
    size: Option<u64>,
    depth: usize,
}

/// A leaf of a body, by the bytes of the body that it has.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) cid: Cid,
    pub(crate) span: Range<u64>,
}

impl Place {
    /// Fetches the leaf whole, and gives its bytes that lie in `range`, which it touches.
    pub(crate) async fn read(
        &self,
        store: &dyn ReadBlocks,
        range: &Range<u64>,
    ) -> Result<Bytes, ObjectError> {
        let block = store.get(&self.cid).await?.ok_or(ObjectError::MissingBlock(self.cid))?;
        let (expected, actual) = (self.span.end - self.span.start, block.data().len() as u64);
        if expected != actual {
            return Err(ObjectError::malformed(&self.cid, Flaw::Size { expected, actual }));
        }
        let within = |at: u64| at.saturating_sub(self.span.start).min(actual) as usize;
        Ok(block.data().slice(within(range.start)..within(range.end)))
    }
}

impl Walk {
    /// A walk over the parts of `content` that `range` touches. Without a `size`, the root's own is believed.
    pub(crate) fn new(
        store: Arc<dyn ReadBlocks>,
        content: Cid,
        size: Option<u64>,
        range: Range<u64>,
    ) -> Self {
        Self { store, range, pending: vec![Pending { cid: content, start: 0, size, depth: 0 }] }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Block>, ObjectError> {
        let Some(at) = self.pending.pop() else { return Ok(None) };
        let block = self.store.get(&at.cid).await?.ok_or(ObjectError::MissingBlock(at.cid))?;
        self.expand(&at, &block).map_err(|flaw| ObjectError::malformed(&at.cid, flaw))?;
        Ok(Some(block))
    }

    /// Where the next raw leaf is, which is not fetched.
    pub(crate) async fn next_place(&mut self) -> Result<Option<Place>, ObjectError> {
        loop {
            let Some(at) = self.pending.last() else { return Ok(None) };
            if let (Some(size), true) = (at.size, at.cid.codec() == Codec::Raw.code()) {
                let place = Place { cid: at.cid, span: at.start..at.start.saturating_add(size) };
                self.pending.pop();
                return Ok(Some(place));
            }
            self.next().await?;
        }
    }

    /// Checks the block, and makes its children the next to visit.
    fn expand(&mut self, at: &Pending, block: &Block) -> Result<(), Flaw> {
        let links = match block.codec() {
            Codec::Raw => return check_size(at, block.data().len() as u64),
            Codec::DagPb if at.depth < MAX_DEPTH => decode_node(block)?,
            Codec::DagPb => return Err(Flaw::TooDeep),
            Codec::DagCbor => return Err(Flaw::Codec),
        };
        // Neither sum can overflow: that of a node's links has been checked, and the node fits its parent.
        check_size(at, links.iter().map(|link| link.size).sum())?;
        let first = self.pending.len();
        let mut start = at.start;
        for link in links {
            let end = start + link.size;
            if start < self.range.end && end > self.range.start {
                let depth = at.depth + 1;
                self.pending.push(Pending { cid: link.cid, start, size: Some(link.size), depth });
            }
            start = end;
        }
        self.pending[first..].reverse();
        Ok(())
    }
}

fn check_size(at: &Pending, actual: u64) -> Result<(), Flaw> {
    match at.size {
        Some(expected) if expected != actual => Err(Flaw::Size { expected, actual }),
        _ => Ok(()),
    }
}
