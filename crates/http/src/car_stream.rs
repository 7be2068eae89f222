//! A CAR as it comes, in pieces of any size.

use bytes::Bytes;
use carob_block::{Block, Cid, MAX_BLOCK_SIZE};
use carob_car::{CarError, CarReader, MAX_HEADER_SIZE};
use futures::{Stream, TryStreamExt};

/// A CID of ours takes 36 bytes.
const MAX_FRAME: usize = MAX_BLOCK_SIZE + 36;

/// Why what comes is no CAR.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CarStreamError {
    /// The stream ended in an error.
    #[error("the CAR broke off")]
    BrokeOff(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There was nothing.
    #[error("the CAR is empty")]
    Empty,
    /// What it begins with is no header.
    #[error("this is no CAR, or one that is damaged where it begins (at byte 0)")]
    NoCar(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It ended within a frame.
    #[error("the CAR is cut short: it ends at byte {end}, inside the block that begins at byte {offset}")]
    CutShort {
        /// Where the frame begins.
        offset: u64,
        /// How much came.
        end: u64,
    },
    /// What a frame says is wrong, or the block is not what its CID says.
    #[error("the CAR is damaged at byte {offset}: {reason}")]
    Damaged {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with it.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It must have one root.
    #[error("the CAR has {0} roots; an export has one")]
    Roots(usize),
}

impl CarStreamError {
    /// What is wrong with a frame, whose beginning is already known.
    fn damaged(offset: u64, error: CarError) -> Self {
        let reason = match error {
            CarError::Malformed { source, .. } => source,
            CarError::BadBlock { source, .. } => source.into(),
            other => other.into(),
        };
        Self::Damaged { offset, reason }
    }

    /// The same of what a file begins with: it may be a file of any other kind.
    fn of_header(self) -> Self {
        match self {
            Self::Damaged { reason, .. } => Self::NoCar(reason),
            Self::CutShort { .. } => Self::NoCar("it ends inside the header".into()),
            other => other,
        }
    }
}

/// A CAR with one root whose blocks are checked as they come.
#[derive(Debug)]
pub(crate) struct CarStream<S> {
    input: S,
    buffer: Vec<u8>,
    taken: usize,
    /// Where the next frame begins, in bytes from the start.
    offset: u64,
}

impl<S, E> CarStream<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads the header, and gives the root.
    pub(crate) async fn open(input: S) -> Result<(Self, Cid), CarStreamError> {
        let mut car = Self { input, buffer: Vec::new(), taken: 0, offset: 0 };
        let header = car.frame(MAX_HEADER_SIZE).await.map_err(CarStreamError::of_header)?;
        let (_, header) = header.ok_or(CarStreamError::Empty)?;
        let header = CarReader::new(header.as_ref());
        match header.map_err(|error| CarStreamError::damaged(0, error).of_header())?.roots() {
            [root] => Ok((car, *root)),
            roots => Err(CarStreamError::Roots(roots.len())),
        }
    }

    /// The next block; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>, CarStreamError> {
        let Some((offset, frame)) = self.frame(MAX_FRAME).await? else { return Ok(None) };
        let block = CarReader::resume(frame.as_ref(), 0).next_block();
        let block = block.map_err(|error| CarStreamError::damaged(offset, error))?;
        let none = || CarStreamError::Damaged { offset, reason: "a frame without a block".into() };
        block.ok_or_else(none).map(Some)
    }

    /// Where the next frame begins, and the frame, with its length before it.
    async fn frame(&mut self, limit: usize) -> Result<Option<(u64, Bytes)>, CarStreamError> {
        loop {
            if let Some(frame) = self.whole(limit)? {
                let offset = self.offset;
                self.offset += frame.len() as u64;
                return Ok(Some((offset, frame)));
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            match self.input.try_next().await.map_err(|error| CarStreamError::BrokeOff(error.into()))? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => {
                    let (offset, rest) = (self.offset, self.buffer.len() as u64);
                    return Err(CarStreamError::CutShort { offset, end: offset + rest });
                }
            }
        }
    }

    /// The next frame, if all of it has come.
    fn whole(&mut self, limit: usize) -> Result<Option<Bytes>, CarStreamError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some(last) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
            return if rest.len() < 4 { Ok(None) } else { Err(self.too_long()) };
        };
        let digits = rest.iter().take(last + 1).rev();
        let length = digits.fold(0_usize, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        if length > limit {
            return Err(self.too_long());
        }
        let Some(frame) = rest.get(..=last + length) else { return Ok(None) };
        let frame = Bytes::copy_from_slice(frame);
        self.taken += frame.len();
        Ok(Some(frame))
    }

    fn too_long(&self) -> CarStreamError {
        CarStreamError::Damaged { offset: self.offset, reason: "a length that no block has".into() }
    }
}
