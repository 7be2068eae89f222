//! Bodies joined without reading them.

use std::sync::Arc;

use carob_block::{Block, Cid, Codec, ReadBlocks, Session};

use crate::error::Flaw;
use crate::unixfs::decode_node;
use crate::{DagBuilder, LEAF_SIZE, Link, ObjectError};

/// Levels of nodes that a part may have: as written, three hold a PiB.
const MAX_DEPTH: usize = 4;

/// Several bodies as one. Made by [`join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The body.
    pub content: Cid,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is laid out as if it had been written in one piece, so that its CID is the profile's.
    pub canonical: bool,
}

/// Joins stored bodies, each with its size in bytes, into one that holds their bytes one after the other.
///
/// No leaf is read or written. If every body but the last is a multiple of [`LEAF_SIZE`], their leaves are put
/// under a new tree, the same that [`crate::ObjectWriter`] would have made. Otherwise the bodies themselves are the
/// leaves of the new tree. New nodes go to `session`, which also takes hold of what they link.
///
/// # Errors
/// [`ObjectError::MissingBlock`], [`ObjectError::Malformed`] and [`ObjectError::Store`].
pub async fn join(
    store: &Arc<dyn ReadBlocks>,
    session: &dyn Session,
    bodies: &[(Cid, u64)],
) -> Result<Joined, ObjectError> {
    let cids: Vec<Cid> = bodies.iter().map(|(content, _)| *content).collect();
    if let Some(missing) = session.missing(&cids).await?.first() {
        return Err(ObjectError::MissingBlock(*missing));
    }
    let filled: Vec<(Cid, u64)> = bodies.iter().copied().filter(|(_, size)| *size > 0).collect();
    let canonical = match filled.split_last() {
        Some((_, before)) => before.iter().all(|(_, size)| size.is_multiple_of(LEAF_SIZE as u64)),
        None => true,
    };
    let mut tree = Tree { dag: DagBuilder::new(), nodes: Vec::new(), session };
    match filled.as_slice() {
        [] => {
            let empty = Block::new(Codec::Raw, bytes::Bytes::new())
                .map_err(|e| ObjectError::aborted("joining bodies", e))?;
            let content = *empty.cid();
            session.put(vec![empty]).await?;
            return Ok(Joined { content, size: 0, canonical });
        }
        [(content, size)] => return Ok(Joined { content: *content, size: *size, canonical }),
        several => {
            for (content, size) in several {
                let whole = whole(&**store, *content, *size).await?;
                if canonical { tree.push_leaves(&**store, whole).await? } else { tree.push(whole).await? }
            }
        }
    }
    let root = tree.dag.finish(&mut tree.nodes)?;
    session.put(tree.nodes).await?;
    let root = root.ok_or_else(|| ObjectError::aborted("joining bodies", "there is nothing to join"))?;
    Ok(Joined { content: root.cid, size: root.size, canonical })
}

struct Tree<'a> {
    dag: DagBuilder,
    nodes: Vec<Block>,
    session: &'a dyn Session,
}

impl Tree<'_> {
    async fn push(&mut self, link: Link) -> Result<(), ObjectError> {
        self.dag.push(link, &mut self.nodes)?;
        if !self.nodes.is_empty() {
            self.session.put(std::mem::take(&mut self.nodes)).await?;
        }
        Ok(())
    }

    /// Pushes the leaves under `top`, in order, reading only the nodes above them.
    async fn push_leaves(&mut self, store: &dyn ReadBlocks, top: Link) -> Result<(), ObjectError> {
        let mut pending = vec![(top, 0)];
        while let Some((link, depth)) = pending.pop() {
            if link.cid.codec() == Codec::Raw.code() {
                self.push(link).await?;
                continue;
            }
            if depth == MAX_DEPTH {
                return Err(ObjectError::malformed(&link.cid, Flaw::TooDeep));
            }
            let children = children(store, &link).await?;
            pending.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        }
        Ok(())
    }
}

/// A link to a whole body of `size` bytes.
async fn whole(store: &dyn ReadBlocks, content: Cid, size: u64) -> Result<Link, ObjectError> {
    let link = Link { cid: content, size, dag_size: size };
    if content.codec() == Codec::Raw.code() {
        return Ok(link);
    }
    let block = get(store, &content).await?;
    let links = decode_node(&block).map_err(|flaw| ObjectError::malformed(&content, flaw))?;
    let beneath =
        links.iter().map(|link| link.dag_size).try_fold(block.data().len() as u64, u64::checked_add);
    let dag_size = beneath.ok_or_else(|| ObjectError::malformed(&content, Flaw::Sum))?;
    Ok(Link { dag_size, ..link })
}

async fn children(store: &dyn ReadBlocks, of: &Link) -> Result<Vec<Link>, ObjectError> {
    let block = get(store, &of.cid).await?;
    let malformed = |flaw| ObjectError::malformed(&of.cid, flaw);
    let links = decode_node(&block).map_err(malformed)?;
    // Cannot overflow: decoding has added them up.
    let actual = links.iter().map(|link| link.size).sum();
    if actual == of.size { Ok(links) } else { Err(malformed(Flaw::Size { expected: of.size, actual })) }
}

async fn get(store: &dyn ReadBlocks, cid: &Cid) -> Result<Block, ObjectError> {
    store.get(cid).await?.ok_or(ObjectError::MissingBlock(*cid))
}
