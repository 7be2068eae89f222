use std::sync::Arc;

use bytes::Bytes;

use crate::path::Path;
use crate::{Entry, IndexError, Tree};

/// Reads a tree's entries in ascending order of keys.
///
/// After an error, or when a future is dropped, the cursor stands where it stood.
#[derive(Debug, Clone)]
pub struct Cursor {
    tree: Tree,
    position: Position,
}

#[derive(Debug, Clone)]
enum Position {
    Start,
    At(Path),
    End,
}

impl Cursor {
    pub(crate) fn new(tree: Tree) -> Self {
        Self { tree, position: Position::Start }
    }

    /// Moves to the first key not less than `key`, backward or forward. [`Cursor::next`] returns it.
    ///
    /// Climbs from where the cursor stands only as far as needed: to skip a folder in a listing, read a key
    /// in it, then seek to the first key past it.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn seek(&mut self, key: &[u8]) -> Result<(), IndexError> {
        let Some(top) = &self.tree.top else { return Ok(()) };
        if key > top.last_key() {
            self.position = Position::End;
            return Ok(());
        }
        if let Position::At(path) = &mut self.position {
            path.seek(&self.tree, key).await?;
        } else {
            let mut path = Path::new(Arc::clone(top), 0);
            path.seek(&self.tree, key).await?;
            self.position = Position::At(path);
        }
        Ok(())
    }

    /// The entry that the cursor stands before, which it passes; `None` at the end.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn next(&mut self) -> Result<Option<(Bytes, Entry)>, IndexError> {
        if matches!(self.position, Position::Start) {
            self.seek(&[]).await?;
        }
        let Position::At(path) = &mut self.position else { return Ok(None) };
        if path.at() == path.node().len() && !path.next_node(&self.tree).await? {
            self.position = Position::End;
            return Ok(None);
        }
        let (node, at) = (path.node(), path.at());
        let Some(entry) = node.entry(at) else { return Ok(None) };
        let key = node.key_bytes(at);
        path.step();
        Ok(Some((key, entry)))
    }

    /// The tree that this reads.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}
