//! Why the store cannot be opened, read or written.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use carob_car::CarError;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process, or another part of this one, has the store open.
    #[error("the store in {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The store was written by another version of Carob.
    #[error("{} has {what}, which this version does not know", path.display())]
    UnknownFormat {
        /// The file that says so.
        path: PathBuf,
        /// The version or feature.
        what: String,
    },
    /// A file does not hold what was once durably written to it. It was left as it is.
    #[error("{} is damaged at offset {offset}: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damage begins, in bytes.
        offset: u64,
        /// What was found.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A file or directory could not be used.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl LocalError {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }

    pub(crate) fn damaged(path: &Path, offset: u64, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged { path: path.to_owned(), offset, source: source.into() }
    }

    /// What is wrong in a frame of the segment at `path`.
    pub(crate) fn frame(path: &Path, error: CarError) -> Self {
        match error {
            CarError::Io(e) => Self::io("use", path)(e),
            CarError::Truncated { offset } => Self::damaged(path, offset, "the frame is cut short"),
            CarError::Malformed { offset, source } => Self::damaged(path, offset, source),
            CarError::BadBlock { offset, source } => Self::damaged(path, offset, source),
        }
    }
}
