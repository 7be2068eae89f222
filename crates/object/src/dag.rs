//! The UnixFS tree over leaves.

use carob_block::Block;

use crate::unixfs::encode_node;
use crate::{Link, MAX_LINKS, ObjectError};

/// Builds a balanced UnixFS tree over leaves that come one by one.
///
/// Nodes are handed out as soon as they are full, so it holds at most [`MAX_LINKS`] links a level, whatever
/// the size of the body. All leaves end up at the same depth, as in the balanced layout of Kubo. The leaves
/// may come from several bodies, one after the other: that is how parts become one object.
///
/// ```
/// use carob_block::{Block, Codec};
/// use carob_object::{DagBuilder, Link};
///
/// let leaf = Block::new(Codec::Raw, vec![0; carob_object::LEAF_SIZE].into())?;
/// let (mut dag, mut nodes) = (DagBuilder::new(), Vec::new());
/// for _ in 0..1025 {
///     dag.push(Link::to_leaf(&leaf), &mut nodes)?;
/// }
/// let root = dag.finish(&mut nodes)?.expect("there are leaves");
/// assert_eq!(root.size, 1025 << 20);
/// assert_eq!(nodes.len(), 3, "two nodes over leaves, and the root over them");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct DagBuilder {
    /// Links that wait for their node, from the level above the leaves upwards.
    levels: Vec<Vec<Link>>,
}

impl DagBuilder {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next leaf; nodes that it fills are appended to `nodes`.
    ///
    /// # Errors
    /// [`ObjectError::Aborted`] if the sizes of the links overflow.
    pub fn push(&mut self, leaf: Link, nodes: &mut Vec<Block>) -> Result<(), ObjectError> {
        self.push_at(0, leaf, nodes)
    }

    /// Ends the tree: the link to its root, which is the leaf itself if there is only one, and `None` without
    /// leaves. The remaining nodes are appended to `nodes`, children before parents.
    ///
    /// # Errors
    /// As [`DagBuilder::push`].
    pub fn finish(mut self, nodes: &mut Vec<Block>) -> Result<Option<Link>, ObjectError> {
        let mut level = 0;
        while let Some(links) = self.levels.get_mut(level) {
            let mut links = std::mem::take(links);
            let top = level + 1 == self.levels.len();
            if top && links.len() <= 1 {
                return Ok(links.pop());
            }
            if !links.is_empty() {
                let (block, link) = encode_node(&links)?;
                nodes.push(block);
                self.push_at(level + 1, link, nodes)?;
            }
            level += 1;
        }
        Ok(None)
    }

    fn push_at(&mut self, level: usize, link: Link, nodes: &mut Vec<Block>) -> Result<(), ObjectError> {
        let (mut level, mut link) = (level, link);
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let links = &mut self.levels[level];
            links.push(link);
            if links.len() < MAX_LINKS {
                return Ok(());
            }
            let (block, parent) = encode_node(links)?;
            links.clear();
            nodes.push(block);
            (level, link) = (level + 1, parent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carob_block::{Codec, sha256_cid};
    use proptest::prelude::*;

    fn leaf(n: usize) -> Link {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&n.to_le_bytes());
        Link { cid: sha256_cid(Codec::Raw, digest), size: 1, dag_size: 1 }
    }

    /// The balanced layout as it is defined, level by level.
    fn naive(mut links: Vec<Link>) -> Option<Link> {
        while links.len() > 1 {
            links = links.chunks(MAX_LINKS).map(|links| encode_node(links).unwrap().1).collect();
        }
        links.pop()
    }

    fn streamed(leaves: usize) -> (Option<Link>, Vec<Block>) {
        let (mut dag, mut nodes) = (DagBuilder::new(), Vec::new());
        for n in 0..leaves {
            dag.push(leaf(n), &mut nodes).unwrap();
            assert!(dag.levels.iter().all(|level| level.len() < MAX_LINKS), "memory is bounded");
        }
        (dag.finish(&mut nodes).unwrap(), nodes)
    }

    #[test]
    fn the_tree_is_the_naive_one_at_every_boundary() {
        for leaves in [0, 1, 2, 1023, 1024, 1025, 2047, 2048, 2049, 5000] {
            assert_eq!(streamed(leaves).0, naive((0..leaves).map(leaf).collect()), "{leaves} leaves");
        }
    }

    #[test]
    fn a_third_level_begins_after_a_tebibyte() {
        let full = MAX_LINKS * MAX_LINKS;
        let (root, nodes) = streamed(full + 1);
        assert_eq!(root, naive((0..=full).map(leaf).collect()));
        assert_eq!(nodes.len(), (MAX_LINKS + 1) + (1 + 1) + 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn the_tree_is_the_naive_one(leaves in 0_usize..6000) {
            prop_assert_eq!(streamed(leaves).0, naive((0..leaves).map(leaf).collect()));
        }
    }
}
