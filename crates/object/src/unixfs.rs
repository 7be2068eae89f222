//! File nodes of the UnixFS profile `unixfs-v1-2025` (IPIP-0499): DAG-PB with links first, UnixFS data after.

use bytes::Bytes;
use carob_block::{Block, Cid, Codec};
use ipld_dagpb::{PbLink, PbNode};
use unsigned_varint::{decode, encode};

use crate::error::Flaw;
use crate::{MAX_LINKS, ObjectError};

/// Bytes that a node of [`MAX_LINKS`] links cannot reach: a link takes at most 64, a block size 11.
const MAX_NODE_SIZE: usize = 128 * 1024;

// Tags of the UnixFS `Data` message: field number, wire type varint.
const TYPE: u8 = 1 << 3;
const FILE_SIZE: u8 = 3 << 3;
const BLOCK_SIZE: u8 = 4 << 3;
const TYPE_FILE: u64 = 2;

/// A part of a body: a leaf, or a node over leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The block.
    pub cid: Cid,
    /// Bytes of the body beneath it.
    pub size: u64,
    /// Bytes of all blocks beneath it, its own included and repeats counted (`Tsize`).
    pub dag_size: u64,
}

impl Link {
    /// A link to a raw leaf.
    pub fn to_leaf(leaf: &Block) -> Self {
        let size = leaf.data().len() as u64;
        Self { cid: *leaf.cid(), size, dag_size: size }
    }
}

/// Builds the file node over `links`, and the link to it.
pub(crate) fn encode_node(links: &[Link]) -> Result<(Block, Link), ObjectError> {
    let sum = |of: fn(&Link) -> u64| {
        let total = links.iter().map(of).try_fold(0_u64, u64::checked_add);
        total.ok_or_else(|| ObjectError::aborted("adding up a body", Flaw::Sum))
    };
    let size = sum(|link| link.size)?;
    let mut data = vec![TYPE];
    put_varint(&mut data, TYPE_FILE);
    data.push(FILE_SIZE);
    put_varint(&mut data, size);
    for link in links {
        data.push(BLOCK_SIZE);
        put_varint(&mut data, link.size);
    }
    // Kubo writes the empty name rather than leaving it out.
    let named = |link: &Link| PbLink { cid: link.cid, name: Some(String::new()), size: Some(link.dag_size) };
    let node = PbNode { links: links.iter().map(named).collect(), data: Some(data.into()) };
    let block = Block::new(Codec::DagPb, node.into_bytes().into())
        .map_err(|source| ObjectError::aborted("encoding a file node", source))?;
    let dag_size = sum(|link| link.dag_size)?
        .checked_add(block.data().len() as u64)
        .ok_or_else(|| ObjectError::aborted("adding up a body", Flaw::Sum))?;
    let link = Link { cid: *block.cid(), size, dag_size };
    Ok((block, link))
}

/// The links of a file node. Their sizes add up to its own, and none is empty.
///
/// Strict: it reads what [`encode_node`] writes, whatever the shape of the tree, and nothing else of UnixFS.
pub(crate) fn decode_node(block: &Block) -> Result<Vec<Link>, Flaw> {
    if block.data().len() > MAX_NODE_SIZE {
        return Err(Flaw::NodeTooLarge(block.data().len()));
    }
    let node = PbNode::from_bytes(block.data().clone())?;
    let (size, sizes) = node.data.and_then(decode_data).ok_or(Flaw::NotAFileNode)?;
    if sizes.len() != node.links.len() || sizes.is_empty() || sizes.len() > MAX_LINKS {
        return Err(Flaw::LinkCount { links: node.links.len(), sizes: sizes.len() });
    }
    if sizes.iter().copied().try_fold(0, u64::checked_add) != Some(size) {
        return Err(Flaw::Sum);
    }
    node.links.into_iter().zip(sizes).map(|(link, size)| decode_link(link, size).ok_or(Flaw::Link)).collect()
}

fn decode_link(link: PbLink, size: u64) -> Option<Link> {
    let dag_size = link.size?;
    let kind = matches!(Codec::from_code(link.cid.codec()), Some(Codec::Raw | Codec::DagPb));
    // Links without bytes beneath them would let a small DAG take unbounded time to walk.
    let plain = link.name.is_none_or(|name| name.is_empty()) && size > 0;
    (kind && plain).then_some(Link { cid: link.cid, size, dag_size })
}

fn decode_data(data: Bytes) -> Option<(u64, Vec<u64>)> {
    let (kind, rest) = take_field(TYPE, &data)?;
    let (size, mut rest) = take_field(FILE_SIZE, rest)?;
    let mut sizes = Vec::new();
    while !rest.is_empty() {
        let (size, after) = take_field(BLOCK_SIZE, rest)?;
        sizes.push(size);
        rest = after;
    }
    (kind == TYPE_FILE).then_some((size, sizes))
}

fn take_field(tag: u8, data: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = data.split_first()?;
    (*first == tag).then(|| decode::u64(rest).ok()).flatten()
}

fn put_varint(to: &mut Vec<u8>, value: u64) {
    to.extend_from_slice(encode::u64(value, &mut encode::u64_buffer()));
}
