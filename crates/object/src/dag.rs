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
