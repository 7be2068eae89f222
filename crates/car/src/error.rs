//! Why a CAR cannot be read or written.

use carob_block::BlockError;

/// Why a CAR could not be read or written. Offsets are in bytes from its start.
#[derive(Debug, thiserror::Error)]
pub enum CarError {
    /// The input ends inside the header or a frame.
    #[error("the CAR ends inside the frame at offset {offset}")]
    Truncated {
        /// Where the unfinished header or frame begins.
        offset: u64,
    },
    /// The header, a length or a CID breaks the format or a bound.
    #[error("the CAR is malformed at offset {offset}: {source}")]
    Malformed {
        /// Where the offending header or frame begins.
        offset: u64,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A frame holds bytes that are not the block of its CID.
    #[error("the CAR has a bad block at offset {offset}")]
    BadBlock {
        /// Where the frame begins.
        offset: u64,
        /// What is wrong with the block.
        source: BlockError,
    },
    /// The input could not be read.
    #[error("the CAR could not be read")]
    Io(#[from] std::io::Error),
}

impl CarError {
    pub(crate) fn malformed(
        offset: u64,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Malformed { offset, source: source.into() }
    }
}
