//! Reading a CAR, each block checked.

use std::io::{BufRead, BufReader, ErrorKind, Read};

use carob_block::{Block, Bytes, Cid, MAX_BLOCK_SIZE};

use crate::CarError;
use crate::header::{self, MAX_HEADER_SIZE};

/// CIDv1, codec and hash function take a byte each, the digest's length another.
const CID_SIZE: usize = 4 + 32;

/// The longest length varint that a frame within bounds can have.
const MAX_LENGTH_BYTES: usize = 4;

/// Reads a CARv1 front to back, checking each block against its CID.
///
/// Nothing is read after an error: the reader then stays at its end.
#[derive(Debug)]
pub struct CarReader<R> {
    input: BufReader<R>,
    roots: Vec<Cid>,
    offset: u64,
    failed: bool,
}

impl<R: Read> CarReader<R> {
    /// Reads the header. The reader buffers for itself.
    ///
    /// # Errors
    /// All of [`CarError`] but `BadBlock`; an empty input is truncated.
    pub fn new(input: R) -> Result<Self, CarError> {
        let mut reader = Self::resume(input, 0);
        let length = reader.length(MAX_HEADER_SIZE)?.ok_or(CarError::Truncated { offset: 0 })?;
        let body = reader.body(length)?;
        reader.roots = header::decode(&body)?;
        reader.offset = length.end();
        Ok(reader)
    }

    /// Reads frames from the middle of a CAR: `input` begins where one does, `offset` bytes from the start.
    /// There are no roots then.
    pub fn resume(input: R, offset: u64) -> Self {
        let input = BufReader::with_capacity(64 * 1024, input);
        Self { input, roots: Vec::new(), offset, failed: false }
    }

    /// The roots in the header: one or more.
    pub fn roots(&self) -> &[Cid] {
        &self.roots
    }

    /// Where the next frame begins, or where the one that was refused does, in bytes from the start.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next block, or `None` at the end of the input.
    ///
    /// # Errors
    /// [`CarError`], once; afterwards `None`.
    pub fn next_block(&mut self) -> Result<Option<Block>, CarError> {
        if self.failed {
            return Ok(None);
        }
        let next = self.read_block();
        self.failed = next.is_err();
        next
    }

    fn read_block(&mut self) -> Result<Option<Block>, CarError> {
        let offset = self.offset;
        let Some(length) = self.length(CID_SIZE + MAX_BLOCK_SIZE)? else { return Ok(None) };
        if length.body < CID_SIZE {
            return Err(CarError::malformed(offset, "a frame too short for a CID"));
        }
        let body = Bytes::from(self.body(length)?);
        let mut rest = body.as_ref();
        let cid = Cid::read_bytes(&mut rest).map_err(|e| CarError::malformed(offset, e))?;
        let data = body.slice_ref(rest);
        let block = Block::verify(cid, data).map_err(|source| CarError::BadBlock { offset, source })?;
        self.offset = length.end();
        Ok(Some(block))
    }

    /// Reads a length; `None` if the input ends cleanly before it.
    fn length(&mut self, limit: usize) -> Result<Option<Length>, CarError> {
        let offset = self.offset;
        if self.at_end()? {
            return Ok(None);
        }
        let mut varint = [0; MAX_LENGTH_BYTES];
        for at in 0..MAX_LENGTH_BYTES {
            let byte = &mut varint[at..=at];
            self.input.read_exact(byte).map_err(|e| truncated(e, offset))?;
            if byte[0] & 0x80 != 0 {
                continue;
            }
            let (body, _) =
                unsigned_varint::decode::usize(&varint[..=at]).map_err(|e| CarError::malformed(offset, e))?;
            if body > limit {
                break;
            }
            return Ok(Some(Length { offset, varint: at + 1, body }));
        }
        Err(CarError::malformed(offset, "a length over the limit"))
    }

    fn body(&mut self, length: Length) -> Result<Vec<u8>, CarError> {
        let mut body = vec![0; length.body];
        self.input.read_exact(&mut body).map_err(|e| truncated(e, length.offset))?;
        Ok(body)
    }

    fn at_end(&mut self) -> Result<bool, CarError> {
        loop {
            match self.input.fill_buf() {
                Ok(rest) => return Ok(rest.is_empty()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// How a frame begins: before its data stand its length and CID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameStart {
    /// The CID of the block, not checked.
    pub cid: Cid,
    /// How many bytes stand before the data.
    pub prefix: usize,
    /// How many bytes of data follow.
    pub data: usize,
}

impl FrameStart {
    /// Reads the start of a frame of which `bytes` are the first, 40 of them or more; `None` if that is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (body, rest) = unsigned_varint::decode::usize(bytes).ok()?;
        let mut after = rest;
        let cid = Cid::read_bytes(&mut after).ok()?;
        let data = body.checked_sub(rest.len() - after.len()).filter(|data| *data <= MAX_BLOCK_SIZE)?;
        Some(Self { cid, prefix: bytes.len() - after.len(), data })
    }
}

/// A header's or frame's place: where it begins, and the bytes of its length and of its body.
#[derive(Clone, Copy)]
struct Length {
    offset: u64,
    varint: usize,
    body: usize,
}

impl Length {
    fn end(self) -> u64 {
        self.offset + self.varint as u64 + self.body as u64
    }
}

impl<R: Read> Iterator for CarReader<R> {
    type Item = Result<Block, CarError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_block().transpose()
    }
}

fn truncated(e: std::io::Error, offset: u64) -> CarError {
    if e.kind() == ErrorKind::UnexpectedEof { CarError::Truncated { offset } } else { e.into() }
}
