//! Making slices of what is stored.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bao_tree::io::EncodeError;
use bao_tree::io::fsm::{AsyncSliceReader, Outboard, encode_ranges_validated};
use bao_tree::{BaoTree, TreeNode};
use bytes::Bytes;
use carob_block::{Check, Cid, ReadBlocks};
use iroh_io::AsyncStreamWriter;
use tokio::sync::mpsc;

use super::{GROUPS, PAIR, Touched, slices_size, touched};
use crate::budget::{Budget, Share};
use crate::descent::outboard_leaves;
use crate::error::Flaw;
use crate::reader::{Body, ObjectReader, Run, Shares};
use crate::walk::Walk;
use crate::{LEAF_SIZE, ObjectError};

/// What is read at once of an outboard; its leaves are whole pages but for the last.
const PAGE: u64 = 16 << 10;

type Pieces = mpsc::Sender<Result<Bytes, ObjectError>>;

/// Reads the slices of `range` of a body, which must have all its runs. `shares` is where memory comes from, a leaf at a
/// time, and the first share of it.
///
/// Every pair and every group is verified against its root before it is given out.
///
/// # Errors
/// As [`crate::read`]. The stream itself ends with [`ObjectError::Malformed`] also where something does not hash to a root.
///
/// # Panics
/// Outside of a Tokio runtime.
pub fn read_slices(
    store: Arc<dyn ReadBlocks>,
    body: Body,
    range: Range<u64>,
    shares: Option<(Budget, Share)>,
) -> Result<ObjectReader, ObjectError> {
    let Body { content, size, runs } = body;
    if range.start > range.end || range.end > size {
        return Err(ObjectError::OutOfRange { start: range.start, end: range.end, size });
    }
    let covered = runs.iter().fold(0_u64, |sum, run| sum.saturating_add(run.size));
    if covered != size {
        return Err(ObjectError::malformed(&content, Flaw::Size { expected: size, actual: covered }));
    }
    let sizes = || runs.iter().map(|run| run.size);
    let (length, touched) = (slices_size(sizes(), &range), touched(sizes(), &range));
    let shares = shares.map(|(budget, first)| Shares::new(budget, first, LEAF_SIZE));
    let range = widened(&range, &touched);
    let walk = Walk::new(Arc::clone(&store), content, Some(size), range.clone());
    let leaves = Leaves { store, walk, range, shares, begin: 0, leaf: None };
    Ok(ObjectReader::fetched_by(length, |pieces| async move {
        if let Err(error) = send(leaves, content, &runs, &touched, &pieces).await {
            // There may be nobody any more who wants to know.
            _ = pieces.send(Err(error)).await;
        }
    }))
}

/// A range of a body, with the groups that it touches.
fn widened(range: &Range<u64>, touched: &[Touched]) -> Range<u64> {
    let start = touched.first().map(|run| run.begin + run.part.start / super::GROUP * super::GROUP);
    let end = touched
        .last()
        .map(|run| run.begin.saturating_add(run.part.end.next_multiple_of(super::GROUP).min(run.size)));
    start.unwrap_or(range.start)..end.unwrap_or(range.end)
}

async fn send(
    mut leaves: Leaves,
    content: Cid,
    runs: &[Run],
    touched: &[Touched],
    pieces: &Pieces,
) -> Result<(), ObjectError> {
    for at in touched {
        let Some(run) = runs.get(at.number) else { continue };
        let prefix = Bytes::copy_from_slice(&run.size.to_le_bytes());
        if pieces.send(Ok(prefix)).await.is_err() {
            return Ok(());
        }
        leaves.begin = at.begin;
        let pairs = Pairs::open(Arc::clone(&leaves.store), run).await?;
        let encoded = encode_ranges_validated(&mut leaves, pairs, &at.chunks(), Out(pieces)).await;
        match encoded {
            Ok(()) => {}
            Err(EncodeError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(EncodeError::Io(error)) => {
                return Err(error
                    .downcast::<ObjectError>()
                    .unwrap_or_else(|error| ObjectError::aborted("making a slice", error)));
            }
            Err(error) => return Err(ObjectError::Malformed { cid: content, source: Box::new(error) }),
        }
    }
    Ok(())
}

/// The bytes of a body, read from front to back. What comes out is not verified: the encoder does that.
struct Leaves {
    store: Arc<dyn ReadBlocks>,
    walk: Walk,
    /// What is read of the body: whole groups.
    range: Range<u64>,
    shares: Option<Shares>,
    /// Where the run begins that is being read.
    begin: u64,
    /// Where in the body the leaf lies that is being read, as far as it is needed.
    leaf: Option<(u64, Bytes)>,
}

impl Leaves {
    async fn read(&mut self, at: u64, len: usize) -> Result<Bytes, ObjectError> {
        loop {
            if let Some((start, bytes)) = &self.leaf
                && let Some(from) = at.checked_sub(*start).and_then(|from| usize::try_from(from).ok())
                && from.checked_add(len).is_some_and(|to| to <= bytes.len())
            {
                return Ok(bytes.slice(from..from + len));
            }
            // Nothing is held while waiting for more.
            self.leaf = None;
            let Some(next) = self.next().await? else { return Ok(Bytes::new()) };
            self.leaf = Some(next);
        }
    }

    async fn next(&mut self) -> Result<Option<(u64, Bytes)>, ObjectError> {
        let Some(place) = self.walk.next_place().await? else { return Ok(None) };
        let needed = self.range.start.max(place.span.start)..self.range.end.min(place.span.end);
        let share = match &mut self.shares {
            Some(shares) => Some(shares.next().await),
            None => None,
        };
        let within = |at: u64| at.saturating_sub(place.span.start) as usize;
        let part = within(needed.start)..within(needed.end);
        let bytes = self.store.get_part(&place.cid, part, left_to_the_encoder()).await?;
        let bytes = bytes.ok_or(ObjectError::MissingBlock(place.cid))?;
        Ok(Some((needed.start, share.map_or(bytes.clone(), |share| share.of(bytes)))))
    }
}

impl AsyncSliceReader for Leaves {
    async fn read_at(&mut self, offset: u64, len: usize) -> io::Result<Bytes> {
        self.read(self.begin.saturating_add(offset), len).await.map_err(io::Error::other)
    }

    async fn size(&mut self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Accepts everything: the encoder checks each pair and each group against the root before it writes them.
fn left_to_the_encoder() -> Check {
    Arc::new(|_| true)
}

/// The stored outboard of a run, page by page.
struct Pairs {
    store: Arc<dyn ReadBlocks>,
    root: blake3::Hash,
    tree: BaoTree,
    leaves: Vec<Cid>,
    page: Option<(u64, Bytes)>,
}

impl Pairs {
    async fn open(store: Arc<dyn ReadBlocks>, run: &Run) -> Result<Self, ObjectError> {
        let leaves = outboard_leaves(&*store, run.outboard).await?;
        let (root, tree) = (blake3::Hash::from_bytes(run.root), BaoTree::new(run.size, GROUPS));
        Ok(Self { store, root, tree, leaves, page: None })
    }

    async fn pair(&mut self, number: u64) -> Result<Bytes, ObjectError> {
        let at = number.saturating_mul(PAIR as u64);
        let number = at / PAGE;
        if self.page.as_ref().is_none_or(|(page, _)| *page != number) {
            let start = number * PAGE;
            let size = self.tree.outboard_size().saturating_sub(start).min(PAGE) as usize;
            let leaf = usize::try_from(start / LEAF_SIZE as u64).ok().and_then(|leaf| self.leaves.get(leaf));
            let leaf =
                leaf.ok_or_else(|| ObjectError::aborted("making a slice", "the outboard is too short"))?;
            let within = (start % LEAF_SIZE as u64) as usize;
            let page = self.store.get_part(leaf, within..within + size, left_to_the_encoder()).await?;
            self.page = Some((number, page.ok_or(ObjectError::MissingBlock(*leaf))?));
        }
        let within = (at % PAGE) as usize;
        let page = self.page.as_ref().map(|(_, page)| page).filter(|page| page.len() >= within + PAIR);
        let page = page.ok_or_else(|| ObjectError::aborted("making a slice", "the outboard is too short"))?;
        Ok(page.slice(within..within + PAIR))
    }
}

impl Outboard for Pairs {
    fn root(&self) -> blake3::Hash {
        self.root
    }

    fn tree(&self) -> BaoTree {
        self.tree
    }

    async fn load(&mut self, node: TreeNode) -> io::Result<Option<(blake3::Hash, blake3::Hash)>> {
        let Some(offset) = self.tree.post_order_offset(node) else { return Ok(None) };
        let pair = self.pair(offset.value()).await.map_err(io::Error::other)?;
        let (left, right) = pair.split_at(PAIR / 2);
        let hash = |bytes| blake3::Hash::from_slice(bytes).map_err(io::Error::other);
        Ok(Some((hash(left)?, hash(right)?)))
    }
}

struct Out<'a>(&'a Pieces);

impl AsyncStreamWriter for Out<'_> {
    async fn write(&mut self, data: &[u8]) -> io::Result<()> {
        self.write_bytes(Bytes::copy_from_slice(data)).await
    }

    async fn write_bytes(&mut self, data: Bytes) -> io::Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        self.0.send(Ok(data)).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    async fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
