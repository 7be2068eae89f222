//! Verifying parts of a body by its BLAKE3 tree instead of hashing whole leaves.

use std::ops::Range;
use std::sync::Arc;

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use bytes::Bytes;
use carob_block::{Check, Cid, Codec, ReadBlocks};

use crate::error::Flaw;
use crate::outboard::GROUP_SIZE;
use crate::unixfs::decode_node;
use crate::walk::Place;
use crate::{LEAF_SIZE, ObjectError, Run};

const GROUP: u64 = GROUP_SIZE as u64;

/// Two chaining values.
const PAIR: usize = 64;

/// Goes down the BLAKE3 trees of a body from their roots, along with whoever reads it from front to back.
///
/// It has one answer to whatever is wrong: `None`. Whoever asked then hashes the whole leaf, which finds out what.
#[derive(Debug)]
pub(crate) struct Descent {
    store: Arc<dyn ReadBlocks>,
    /// The runs that are not begun, the next one last, each with where in the body it begins.
    runs: Vec<(u64, Run)>,
    current: Option<Tree>,
}

/// The tree of a run, as far as it was not gone through.
#[derive(Debug)]
struct Tree {
    /// Where in the body it begins, and ends.
    body: Range<u64>,
    outboard: Outboard,
    /// Verified subtrees, the next one last.
    pending: Vec<Subtree>,
}

/// A verified subtree. What it spans counts from the start of its run.
#[derive(Debug, Clone)]
struct Subtree {
    span: Range<u64>,
    hash: Expected,
    /// How many pairs of the outboard come before its own.
    pairs: u64,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Root([u8; 32]),
    Inner(ChainingValue),
}

impl Descent {
    /// Over a body made of `runs`, of which `range` is to be read.
    pub(crate) fn new(store: Arc<dyn ReadBlocks>, runs: Vec<Run>, range: &Range<u64>) -> Self {
        let mut start = 0_u64;
        let mut touched = Vec::new();
        for run in runs {
            let end = start.saturating_add(run.size);
            if end > range.start && start < range.end {
                touched.push((start, run));
            }
            start = end;
        }
        touched.reverse();
        Self { store, runs: touched, current: None }
    }

    /// The part of a leaf that lies in `range`, which it touches. Leaves come in order.
    pub(crate) async fn part(&mut self, leaf: &Place, range: &Range<u64>) -> Option<Part> {
        while self.current.as_ref().is_none_or(|tree| tree.body.end <= leaf.span.start) {
            let (start, run) = self.runs.pop()?;
            self.current = Some(Tree::new(&*self.store, start, run).await?);
        }
        let tree = self.current.as_mut()?;
        if leaf.span.start < tree.body.start || leaf.span.end > tree.body.end {
            return None;
        }
        let within = |at: u64| at - tree.body.start;
        let span = within(leaf.span.start)..within(leaf.span.end);
        let wanted = within(range.start.max(leaf.span.start))..within(range.end.min(leaf.span.end));
        let pieces = tree.pieces(&*self.store, &span, &wanted).await?;
        let read = pieces.first()?.span.start..pieces.last()?.span.end;
        let inside = |of: &Range<u64>, base: u64| {
            Some(
                usize::try_from(of.start.checked_sub(base)?).ok()?
                    ..usize::try_from(of.end.checked_sub(base)?).ok()?,
            )
        };
        let (place, cut) = (inside(&read, span.start)?, inside(&wanted, read.start)?);
        let check: Check = Arc::new(move |bytes| {
            let holds = |piece: &Subtree| {
                let bytes = inside(&piece.span, read.start).and_then(|place| bytes.get(place));
                bytes.is_some_and(|bytes| piece.is_of(bytes))
            };
            pieces.iter().all(holds)
        });
        Some(Part { place, check, cut })
    }
}

/// A part of a leaf that can be verified without the rest.
pub(crate) struct Part {
    /// The groups that hold it, in the leaf.
    place: Range<usize>,
    check: Check,
    /// Where in those it lies.
    cut: Range<usize>,
}

impl Part {
    /// Its bytes, if the leaf `cid` has them.
    pub(crate) async fn read(self, store: &dyn ReadBlocks, cid: &Cid) -> Option<Bytes> {
        let bytes = store.get_part(cid, self.place, self.check).await.ok()??;
        (self.cut.end <= bytes.len()).then(|| bytes.slice(self.cut))
    }
}

impl Tree {
    async fn new(store: &dyn ReadBlocks, start: u64, run: Run) -> Option<Self> {
        let root = Subtree { span: 0..run.size, hash: Expected::Root(run.root), pairs: 0 };
        let outboard = Outboard::open(store, run.outboard).await?;
        Some(Self { body: start..start.checked_add(run.size)?, outboard, pending: vec![root] })
    }

    /// The subtrees within the leaf `span` that cover `wanted`, in order. What comes before is passed over.
    async fn pieces(
        &mut self,
        store: &dyn ReadBlocks,
        span: &Range<u64>,
        wanted: &Range<u64>,
    ) -> Option<Vec<Subtree>> {
        let cover = wanted.start / GROUP * GROUP..wanted.end.next_multiple_of(GROUP).min(span.end);
        let mut pieces = Vec::new();
        while let Some(next) = self.pending.pop_if(|next| next.span.start < wanted.end) {
            if next.span.end <= wanted.start {
                continue;
            }
            let inside = next.span.start >= span.start && next.span.end <= span.end;
            let covered = next.span.start >= cover.start && next.span.end <= cover.end;
            if inside && covered {
                pieces.push(next);
            } else {
                let (left, right) = next.split(store, &self.outboard).await?;
                self.pending.extend([right, left]);
            }
        }
        Some(pieces)
    }
}

impl Subtree {
    fn groups(&self) -> u64 {
        (self.span.end - self.span.start).div_ceil(GROUP)
    }

    /// Its two halves; the left one is the largest complete tree that leaves something for the right (BLAKE3 §2.1).
    async fn split(&self, store: &dyn ReadBlocks, outboard: &Outboard) -> Option<(Self, Self)> {
        let groups = self.groups();
        let left = groups.checked_sub(1)?.checked_ilog2().map(|log| 1_u64 << log)?;
        let (first, second) = outboard.pair(store, self.pairs + groups - 2, self.hash).await?;
        let middle = self.span.start + left * GROUP;
        Some((
            Self { span: self.span.start..middle, hash: Expected::Inner(first), pairs: self.pairs },
            Self { span: middle..self.span.end, hash: Expected::Inner(second), pairs: self.pairs + left - 1 },
        ))
    }

    /// Whether `bytes` are the ones beneath it.
    fn is_of(&self, bytes: &[u8]) -> bool {
        match self.hash {
            Expected::Root(root) => *blake3::hash(bytes).as_bytes() == root,
            Expected::Inner(value) => {
                let mut hasher = blake3::Hasher::new();
                hasher.set_input_offset(self.span.start).update(bytes);
                bytes.len() as u64 == self.span.end - self.span.start && hasher.finalize_non_root() == value
            }
        }
    }
}

/// The leaves of an outboard file, to read pairs from.
#[derive(Debug)]
struct Outboard(Vec<Cid>);

impl Outboard {
    async fn open(store: &dyn ReadBlocks, cid: Option<Cid>) -> Option<Self> {
        outboard_leaves(store, cid).await.ok().map(Self)
    }

    /// The pair of this number, if it is the one that hashes to `parent`.
    async fn pair(
        &self,
        store: &dyn ReadBlocks,
        number: u64,
        parent: Expected,
    ) -> Option<(ChainingValue, ChainingValue)> {
        let at = usize::try_from(number).ok()?.checked_mul(PAIR)?;
        let (leaf, within) = (self.0.get(at / LEAF_SIZE)?, at % LEAF_SIZE);
        let check: Check = Arc::new(move |bytes| {
            halves(bytes).is_some_and(|(left, right)| match parent {
                Expected::Root(root) => *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes() == root,
                Expected::Inner(value) => merge_subtrees_non_root(&left, &right, Mode::Hash) == value,
            })
        });
        halves(&store.get_part(leaf, within..within + PAIR, check).await.ok()??)
    }
}

/// The leaves of an outboard file.
pub(crate) async fn outboard_leaves(
    store: &dyn ReadBlocks,
    cid: Option<Cid>,
) -> Result<Vec<Cid>, ObjectError> {
    let Some(cid) = cid else { return Ok(Vec::new()) };
    if cid.codec() == Codec::Raw.code() {
        return Ok(vec![cid]);
    }
    let block = store.get(&cid).await?.ok_or(ObjectError::MissingBlock(cid))?;
    let links = decode_node(&block).map_err(|flaw| ObjectError::malformed(&cid, flaw))?;
    // Two levels hold the pairs of 256 GiB, far more than any one run.
    if links.iter().any(|link| link.cid.codec() != Codec::Raw.code()) {
        return Err(ObjectError::malformed(&cid, Flaw::TooDeep));
    }
    Ok(links.into_iter().map(|link| link.cid).collect())
}

fn halves(pair: &[u8]) -> Option<(ChainingValue, ChainingValue)> {
    let (left, right) = pair.split_at_checked(PAIR / 2)?;
    Some((left.try_into().ok()?, right.try_into().ok()?))
}
