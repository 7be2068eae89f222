//! Leaves made into blocks, with all hashes but MD5.

use bytes::Bytes;
use carob_block::{Block, Cid, Codec};

use crate::checksum::ChecksumHasher;
use crate::leaf::LeafBuffer;
use crate::outboard::OutboardHasher;
use crate::sealed::Segments;
use crate::{Checksum, ChecksumAlgorithm, DagBuilder, Link, ObjectError};

/// Turns the leaves of a body into blocks and hashes. Pure computation; MD5, the slowest hash, is left out so
/// that it can run beside.
#[derive(Debug)]
pub(crate) struct Assembler {
    content: DagBuilder,
    bao: OutboardHasher,
    outboard_leaf: LeafBuffer,
    outboard: DagBuilder,
    checksums: Vec<ChecksumHasher>,
    /// What is stored in place of the body, if it is sealed. Checksums are of the body nonetheless.
    seal: Option<Segments>,
    finished: Vec<Block>,
}

/// What the leaves came to.
#[derive(Debug)]
pub(crate) struct Assembled {
    pub(crate) cid: Cid,
    pub(crate) size: u64,
    pub(crate) blake3: [u8; 32],
    pub(crate) outboard: Option<Cid>,
    pub(crate) checksums: Vec<Checksum>,
    /// Blocks that had not been taken.
    pub(crate) blocks: Vec<Block>,
}

impl Assembler {
    pub(crate) fn new(checksums: &[ChecksumAlgorithm]) -> Self {
        Self {
            content: DagBuilder::new(),
            bao: OutboardHasher::default(),
            outboard_leaf: LeafBuffer::default(),
            outboard: DagBuilder::new(),
            checksums: checksums.iter().copied().map(ChecksumHasher::new).collect(),
            seal: None,
            finished: Vec::new(),
        }
    }

    /// Has the body sealed before it is stored.
    pub(crate) fn seal(&mut self, segments: Segments) {
        self.seal = Some(segments);
    }

    /// Adds the next leaf. All but the last are full; only an empty body has an empty one, or a sealed one as its last.
    pub(crate) fn leaf(&mut self, leaf: Bytes, last: bool) -> Result<(), ObjectError> {
        let mut pairs = Vec::new();
        self.checksums.iter_mut().for_each(|checksum| checksum.update(&leaf));
        let leaf = match &mut self.seal {
            Some(segments) => segments.seal(&leaf, last),
            None => leaf,
        };
        self.bao.update(&leaf, &mut pairs);
        push_leaf(&mut self.content, leaf, &mut self.finished)?;
        self.extend_outboard(pairs.into())
    }

    /// The blocks finished since the last call.
    pub(crate) fn take_finished(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.finished)
    }

    /// Ends the body, and is as good as new.
    pub(crate) fn finish(&mut self) -> Result<Assembled, ObjectError> {
        std::mem::replace(self, Self::new(&[])).end()
    }

    fn end(mut self) -> Result<Assembled, ObjectError> {
        let mut pairs = Vec::new();
        let blake3 = std::mem::take(&mut self.bao).finish(&mut pairs);
        self.extend_outboard(pairs.into())?;
        let rest = self.outboard_leaf.rest();
        if !rest.is_empty() {
            push_leaf(&mut self.outboard, rest, &mut self.finished)?;
        }
        let outboard = self.outboard.finish(&mut self.finished)?;
        let content = self.content.finish(&mut self.finished)?;
        let content = content.ok_or_else(|| ObjectError::aborted("ending a body", "it has no leaf"))?;
        Ok(Assembled {
            cid: content.cid,
            size: content.size,
            blake3: blake3.into(),
            outboard: outboard.map(|link| link.cid),
            checksums: self.checksums.into_iter().map(ChecksumHasher::finish).collect(),
            blocks: self.finished,
        })
    }

    fn extend_outboard(&mut self, mut pairs: Bytes) -> Result<(), ObjectError> {
        while !pairs.is_empty() {
            if let Some(leaf) = self.outboard_leaf.fill(&mut pairs) {
                push_leaf(&mut self.outboard, leaf, &mut self.finished)?;
            }
        }
        Ok(())
    }
}

fn push_leaf(dag: &mut DagBuilder, leaf: Bytes, blocks: &mut Vec<Block>) -> Result<(), ObjectError> {
    let leaf =
        Block::new(Codec::Raw, leaf).map_err(|source| ObjectError::aborted("making a leaf", source))?;
    let link = Link::to_leaf(&leaf);
    blocks.push(leaf);
    dag.push(link, blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LEAF_SIZE;
    use bao_tree::BlockSize;
    use bao_tree::io::outboard::PostOrderMemOutboard;

    /// 256 MiB have pairs for one leaf of outboard, less the last pair.
    #[test]
    fn a_full_leaf_of_outboard_goes_out_while_the_body_streams() {
        let leaf: Bytes = (0..LEAF_SIZE).map(|i| (i % 251) as u8).collect();
        let (mut assembler, mut blocks) = (Assembler::new(&[]), Vec::new());
        for _ in 0..258 {
            assembler.leaf(leaf.clone(), false).unwrap();
            blocks.extend(assembler.take_finished());
        }
        assert_eq!(blocks.len(), 259, "each leaf, and one of outboard");
        let end = assembler.finish().unwrap();
        blocks.extend(end.blocks);
        let peer = PostOrderMemOutboard::create(leaf.repeat(258), BlockSize::from_chunk_log(4));
        assert_eq!(end.blake3, *peer.root.as_bytes());
        let root = blocks.iter().find(|block| Some(*block.cid()) == end.outboard).unwrap();
        let outboard = root
            .links()
            .unwrap()
            .into_iter()
            .map(|cid| blocks.iter().find(|block| *block.cid() == cid).unwrap().data().to_vec());
        assert!(outboard.collect::<Vec<_>>().concat() == peer.data, "another outboard than bao-tree's");
    }
}
