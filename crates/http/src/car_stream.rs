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
    /// It ended within a frame, or before the first.
    #[error("the CAR is cut short")]
    CutShort,
    /// A length over the limit.
    #[error("a frame of the CAR is too long")]
    TooLong,
    /// It must have one root.
    #[error("the CAR has {0} roots; an export has one")]
    Roots(usize),
    /// A frame without a block.
    #[error("a frame of the CAR has no block")]
    Empty,
    /// What the frame says is wrong, or the block is not what its CID says.
    #[error(transparent)]
    Car(#[from] CarError),
}

/// A CAR with one root whose blocks are checked as they come.
#[derive(Debug)]
pub(crate) struct CarStream<S> {
    input: S,
    buffer: Vec<u8>,
    taken: usize,
}

impl<S, E> CarStream<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Reads the header, and gives the root.
    pub(crate) async fn open(input: S) -> Result<(Self, Cid), CarStreamError> {
        let mut car = Self { input, buffer: Vec::new(), taken: 0 };
        let header = car.frame(MAX_HEADER_SIZE).await?.ok_or(CarStreamError::CutShort)?;
        match CarReader::new(header.as_ref())?.roots() {
            [root] => Ok((car, *root)),
            roots => Err(CarStreamError::Roots(roots.len())),
        }
    }

    /// The next block; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Block>, CarStreamError> {
        let Some(frame) = self.frame(MAX_FRAME).await? else { return Ok(None) };
        let block = CarReader::resume(frame.as_ref(), 0).next_block()?;
        block.ok_or(CarStreamError::Empty).map(Some)
    }

    /// The next frame, with its length before it.
    async fn frame(&mut self, limit: usize) -> Result<Option<Bytes>, CarStreamError> {
        loop {
            if let Some(frame) = self.whole(limit)? {
                return Ok(Some(frame));
            }
            self.buffer.drain(..self.taken);
            self.taken = 0;
            match self.input.try_next().await.map_err(|error| CarStreamError::BrokeOff(error.into()))? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(CarStreamError::CutShort),
            }
        }
    }

    /// The next frame, if all of it has come.
    fn whole(&mut self, limit: usize) -> Result<Option<Bytes>, CarStreamError> {
        let rest = self.buffer.get(self.taken..).unwrap_or_default();
        let Some(last) = rest.iter().take(4).position(|byte| byte & 0x80 == 0) else {
            return if rest.len() < 4 { Ok(None) } else { Err(CarStreamError::TooLong) };
        };
        let digits = rest.iter().take(last + 1).rev();
        let length = digits.fold(0_usize, |sum, byte| (sum << 7) | usize::from(byte & 0x7f));
        if length > limit {
            return Err(CarStreamError::TooLong);
        }
        let Some(frame) = rest.get(..=last + length) else { return Ok(None) };
        let frame = Bytes::copy_from_slice(frame);
        self.taken += frame.len();
        Ok(Some(frame))
    }
}
