//! A place in a tree, and steps from it.

use std::sync::Arc;

use bytes::Bytes;

use crate::path::Path;
use crate::run::Run;
use crate::tree::prefix_end;
use crate::{Entry, IndexError, Tree};

/// Reads a tree's entries in order of keys, forward and backward.
///
/// A cursor stands between two entries: [`Cursor::next`] passes the one after it, [`Cursor::prev`] the one before.
/// It reads one state of the index, however many newer ones appear meanwhile. To go on later, or elsewhere, or in
/// a newer state, nothing is needed but the last key read: see [`Cursor::seek_past`].
///
/// After an error, or when a future is dropped, the cursor stands where it stood.
#[derive(Debug, Clone)]
pub struct Cursor {
    tree: Tree,
    /// The least key that may be read; none is less than the empty one.
    start: Bytes,
    /// The least key past those that may be read.
    end: Option<Bytes>,
    position: Position,
}

#[derive(Debug, Clone)]
enum Position {
    Start,
    At(Path),
    End,
}

impl Cursor {
    /// A cursor before the first key of `start..end`, which never leaves that range.
    pub(crate) fn new(tree: Tree, start: Bytes, end: Option<Bytes>) -> Self {
        Self { tree, start, end, position: Position::Start }
    }

    /// Moves to before the first key not less than `key`, backward or forward.
    ///
    /// Climbs from where the cursor stands only as far as needed.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn seek(&mut self, key: &[u8]) -> Result<(), IndexError> {
        if key < self.start.as_ref() {
            let start = self.start.clone();
            return self.stand(&start).await;
        }
        match self.end.clone() {
            Some(end) if end.as_ref() < key => self.stand(&end).await,
            _ => self.stand(key).await,
        }
    }

    /// Moves to after the last key not greater than `key`: [`Cursor::next`] then returns the first greater one, and
    /// [`Cursor::prev`] the greatest that is not.
    ///
    /// With the last key of a page read earlier this starts the next page, whatever became of that key.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn seek_past(&mut self, key: &[u8]) -> Result<(), IndexError> {
        // No key is between a key and the same with a zero byte more.
        self.seek(&[key, &[0]].concat()).await
    }

    /// Moves to after all keys that start with `prefix`: the way to pass over a folder of a listing without reading
    /// what is in it.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn seek_past_prefix(&mut self, prefix: &[u8]) -> Result<(), IndexError> {
        match prefix_end(prefix) {
            Some(end) => self.seek(&end).await,
            None => self.seek_end().await,
        }
    }

    /// Moves to after the last key, to read backward.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn seek_end(&mut self) -> Result<(), IndexError> {
        match self.end.clone() {
            Some(end) => self.seek(&end).await,
            None => {
                self.position = Position::End;
                Ok(())
            }
        }
    }

    /// The entry that the cursor stands before, which it passes; `None` at the end.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn next(&mut self) -> Result<Option<(Bytes, Entry)>, IndexError> {
        if !self.face_entry().await? {
            return Ok(None);
        }
        let Position::At(path) = &mut self.position else { return Ok(None) };
        let (node, at) = (path.node(), path.at());
        if self.end.as_ref().is_some_and(|end| node.key(at) >= end.as_ref()) {
            return Ok(None);
        }
        let Some(entry) = node.entry(at) else { return Ok(None) };
        let key = node.key_bytes(at);
        path.step();
        Ok(Some((key, entry)))
    }

    /// The entries that the cursor stands before, up to the end of a node; `None` at the end. There is one at least, and as
    /// many as are taken are passed.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn run(&mut self) -> Result<Option<Run<'_>>, IndexError> {
        if !self.face_entry().await? {
            return Ok(None);
        }
        let Position::At(path) = &mut self.position else { return Ok(None) };
        let (node, at) = path.place();
        let end = self.end.as_ref().map_or(node.len(), |end| node.lower_bound(end));
        Ok((*at < end).then(|| Run::new(node, at, end)))
    }

    /// The entry that the cursor stands after, which it passes backward; `None` at the start.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub async fn prev(&mut self) -> Result<Option<(Bytes, Entry)>, IndexError> {
        if let (Position::End, Some(top)) = (&self.position, &self.tree.top) {
            self.position = Position::At(Path::to_end(&self.tree, Arc::clone(top)).await?);
        }
        let Position::At(path) = &mut self.position else { return Ok(None) };
        if path.at() == 0 {
            // The key before is known from above: no node is read for an entry that is out of bounds.
            let precedes = path.key_before().is_some_and(|key| key >= self.start.as_ref());
            if !precedes || !path.prev_node(&self.tree).await? {
                return Ok(None);
            }
        }
        let (node, at) = (path.node(), path.at() - 1);
        if node.key(at) < self.start.as_ref() {
            return Ok(None);
        }
        let Some(entry) = node.entry(at) else { return Ok(None) };
        let key = node.key_bytes(at);
        path.step_back();
        Ok(Some((key, entry)))
    }

    /// The tree that this reads.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Stands before an entry of the node it is in, bounds or not. False at the end.
    async fn face_entry(&mut self) -> Result<bool, IndexError> {
        if matches!(self.position, Position::Start) {
            let start = self.start.clone();
            self.stand(&start).await?;
        }
        let Position::At(path) = &mut self.position else { return Ok(false) };
        Ok(path.at() < path.node().len() || path.next_node(&self.tree).await?)
    }

    /// Moves to before the first key not less than `key`, bounds or not.
    async fn stand(&mut self, key: &[u8]) -> Result<(), IndexError> {
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
}
