//! Why a body cannot be written or read.

use carob_block::{Cid, StoreError};

/// Why a body could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The store does not hold a block that the body needs.
    #[error("block {0} of the body is missing")]
    MissingBlock(Cid),
    /// A block is not what its place in the DAG says: not a file node, or of another size.
    #[error("block {cid} is not a valid part of the body")]
    Malformed {
        /// The block.
        cid: Cid,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A sealed body does not open: its key is another one's, pieces of it belong elsewhere, or it was changed before it
    /// was stored.
    #[error("the body {0} does not open under its key")]
    Unopened(Cid),
    /// The range asked for does not lie within the body.
    #[error("range {start}..{end} does not lie within a body of {size} bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Size of the body.
        size: u64,
    },
    /// Too many bodies wait for memory already.
    #[error("there is no memory for another body")]
    Crowded,
    /// The store failed.
    #[error("the block store failed")]
    Store(#[source] Box<StoreError>),
    /// The work was given up: an earlier call failed or was cancelled, or the runtime is shutting down.
    #[error("{context}")]
    Aborted {
        /// What was given up.
        context: &'static str,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<StoreError> for ObjectError {
    fn from(error: StoreError) -> Self {
        Self::Store(Box::new(error))
    }
}

impl ObjectError {
    pub(crate) fn malformed(cid: &Cid, flaw: Flaw) -> Self {
        Self::Malformed { cid: *cid, source: Box::new(flaw) }
    }

    pub(crate) fn aborted(
        context: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Aborted { context, source: source.into() }
    }
}

/// What can be wrong with a block of a body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("not valid DAG-PB: {0}")]
    DagPb(#[from] ipld_dagpb::Error),
    #[error("a node of {0} bytes is larger than any file node")]
    NodeTooLarge(usize),
    #[error("the UnixFS data is missing, or not that of a file node of the profile")]
    NotAFileNode,
    #[error("{links} links but {sizes} block sizes")]
    LinkCount { links: usize, sizes: usize },
    #[error("a link is empty, named, without total size, or not to a raw or dag-pb block")]
    Link,
    #[error("the sizes do not add up")]
    Sum,
    #[error("{actual} bytes where {expected} belong")]
    Size { expected: u64, actual: u64 },
    #[error("too many levels of nodes")]
    TooDeep,
    #[error("neither a raw leaf nor a file node")]
    Codec,
}
