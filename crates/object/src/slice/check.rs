//! Checking slices as they come.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;

use bao_tree::BaoTree;
use bao_tree::io::BaoContentItem;
use bao_tree::io::fsm::{ResponseDecoder, ResponseDecoderNext};
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use iroh_io::AsyncStreamReader;

use super::{GROUPS, PREFIX, Touched, touched};

/// A run of a body by what is known of it for certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Its bytes.
    pub size: u64,
    /// Its BLAKE3 hash.
    pub root: [u8; 32],
}

/// Why slices are not what they were to be.
#[derive(Debug, thiserror::Error)]
pub enum SliceError {
    /// The range does not lie within the body.
    #[error("range {start}..{end} does not lie within a body of {size} bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Size of the body.
        size: u64,
    },
    /// A slice is of something of another size.
    #[error("a slice of {actual} bytes where one of {expected} belongs")]
    Size {
        /// What the size is for certain.
        expected: u64,
        /// What the slice says.
        actual: u64,
    },
    /// Bytes are not those of the root.
    #[error("what came does not match the BLAKE3 root, or is cut short")]
    Mismatch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// There is more than the slices.
    #[error("more bytes came than there are slices for")]
    Surplus,
}

type Encoded<E> = BoxStream<'static, Result<Bytes, E>>;

/// The bytes `range` of the body that `pieces` make up, from its slices. Each byte is proven before it is given out; after
/// an error nothing follows, and without one the slices were whole and no longer.
///
/// # Errors
/// [`SliceError::OutOfRange`]; the stream's items may be any other.
pub fn check_slices<E>(
    pieces: Vec<Piece>,
    range: Range<u64>,
    encoded: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> Result<BoxStream<'static, Result<Bytes, SliceError>>, SliceError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let size = pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.size));
    if range.start > range.end || range.end > size {
        return Err(SliceError::OutOfRange { start: range.start, end: range.end, size });
    }
    let touched = touched(pieces.iter().map(|piece| piece.size), &range).into();
    let received = Received { encoded: encoded.boxed(), rest: BytesMut::new() };
    let checking = Checking { pieces, touched, state: State::Between(received) };
    Ok(stream::try_unfold(checking, Checking::next).boxed())
}

struct Checking<E> {
    pieces: Vec<Piece>,
    touched: VecDeque<Touched>,
    state: State<E>,
}

enum State<E> {
    Between(Received<E>),
    Within(ResponseDecoder<Received<E>>, Range<u64>),
}

impl<E: std::error::Error + Send + Sync + 'static> Checking<E> {
    async fn next(self) -> Result<Option<(Bytes, Self)>, SliceError> {
        let Self { pieces, mut touched, mut state } = self;
        loop {
            state = match state {
                State::Between(mut received) => {
                    let Some(run) = touched.pop_front() else {
                        return if received.fill(1).await.map_err(mismatch)? {
                            Err(SliceError::Surplus)
                        } else {
                            Ok(None)
                        };
                    };
                    let said = u64::from_le_bytes(received.read::<PREFIX>().await.map_err(mismatch)?);
                    // Each run that is touched is one of the pieces.
                    let Some(piece) = pieces.get(run.number).filter(|piece| piece.size == said) else {
                        return Err(SliceError::Size { expected: run.size, actual: said });
                    };
                    let (root, tree) =
                        (blake3::Hash::from_bytes(piece.root), BaoTree::new(piece.size, GROUPS));
                    let decoder = ResponseDecoder::new(root, run.chunks(), tree, received);
                    State::Within(decoder, run.part)
                }
                State::Within(decoder, part) => match decoder.next().await {
                    ResponseDecoderNext::Done(received) => State::Between(received),
                    ResponseDecoderNext::More((decoder, item)) => {
                        let state = State::Within(decoder, part.clone());
                        if let BaoContentItem::Leaf(leaf) = item.map_err(mismatch)? {
                            let end = leaf.data.len() as u64;
                            let within = |at: u64| at.saturating_sub(leaf.offset).min(end) as usize;
                            let wanted = leaf.data.slice(within(part.start)..within(part.end));
                            if !wanted.is_empty() {
                                return Ok(Some((wanted, Self { pieces, touched, state })));
                            }
                        }
                        state
                    }
                },
            }
        }
    }
}

fn mismatch(error: impl std::error::Error + Send + Sync + 'static) -> SliceError {
    SliceError::Mismatch(Box::new(error))
}

/// What has come and is not yet looked at.
struct Received<E> {
    encoded: Encoded<E>,
    rest: BytesMut,
}

impl<E: std::error::Error + Send + Sync + 'static> Received<E> {
    /// Waits until there are so many bytes; whether there are.
    async fn fill(&mut self, len: usize) -> io::Result<bool> {
        while self.rest.len() < len {
            match self.encoded.next().await {
                Some(bytes) => self.rest.extend_from_slice(&bytes.map_err(io::Error::other)?),
                None => return Ok(false),
            }
        }
        Ok(true)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> AsyncStreamReader for Received<E> {
    async fn read_bytes(&mut self, len: usize) -> io::Result<Bytes> {
        self.fill(len).await?;
        let len = len.min(self.rest.len());
        Ok(self.rest.split_to(len).freeze())
    }

    async fn read<const L: usize>(&mut self) -> io::Result<[u8; L]> {
        let bytes = self.read_bytes(L).await?;
        bytes.as_ref().try_into().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }
}

impl<E> std::fmt::Debug for Received<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Received").field("rest", &self.rest.len()).finish_non_exhaustive()
    }
}
