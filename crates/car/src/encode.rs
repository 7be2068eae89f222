//! Frames of a CAR.

use carob_block::{Block, Bytes};

/// One block as a CAR holds it: length, CID, data.
#[derive(Debug)]
pub struct Frame<'a> {
    prefix: Vec<u8>,
    data: &'a Bytes,
}

impl<'a> Frame<'a> {
    /// The frame of `block`.
    pub fn of(block: &'a Block) -> Self {
        let cid = block.cid().to_bytes();
        let mut prefix = Vec::with_capacity(cid.len() + 4);
        append_length(cid.len() + block.data().len(), &mut prefix);
        prefix.extend_from_slice(&cid);
        Self { prefix, data: block.data() }
    }

    /// Length and CID, the bytes before the block's data: for a sink that takes the data as it is.
    pub fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// How many bytes the whole frame takes.
    #[expect(clippy::len_without_is_empty, reason = "a frame is never empty")]
    pub fn len(&self) -> usize {
        self.prefix.len() + self.data.len()
    }

    /// Appends the whole frame.
    pub fn append_to(&self, out: &mut Vec<u8>) {
        out.reserve(self.len());
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(self.data);
    }
}

/// Appends `len` as an unsigned varint.
pub(crate) fn append_length(len: usize, out: &mut Vec<u8>) {
    let mut buffer = unsigned_varint::encode::usize_buffer();
    out.extend_from_slice(unsigned_varint::encode::usize(len, &mut buffer));
}
