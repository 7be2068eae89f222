//! Many entries at a time.

use crate::Datum;
use crate::node::{Node, Payload};

/// The entries from a [`Cursor`](crate::Cursor)'s place up to the end of its node, borrowed: nothing is counted, copied or
/// awaited between one and the next. The cursor passes those that are taken.
#[derive(Debug)]
pub struct Run<'a> {
    node: &'a Node,
    at: &'a mut usize,
    end: usize,
}

impl<'a> Run<'a> {
    /// Up to before `end`, which is at most the node's length.
    pub(crate) fn new(node: &'a Node, at: &'a mut usize, end: usize) -> Self {
        Self { node, at, end }
    }
}

impl<'a> Iterator for Run<'a> {
    type Item = (&'a [u8], Datum<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        if *self.at >= self.end {
            return None;
        }
        let Payload::Entry { value, .. } = self.node.payload(*self.at) else { return None };
        let key = self.node.key(*self.at);
        *self.at += 1;
        Some((key, Datum::of_checked(value)))
    }
}
