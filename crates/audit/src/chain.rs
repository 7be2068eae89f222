//! How lines hang together.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The longest line that is read, in bytes: a path is a few KiB at the most.
const MAX_LINE: u64 = 1 << 20;

/// Why a log cannot be written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The chain is broken.
    #[error("{path} line {line}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// The line in it, from 1.
        line: u64,
        /// What does not fit.
        reason: String,
    },
}

impl AuditError {
    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path: path.clone(), source }
    }
}

/// A line's place: what the next one goes on from. The default is the place before the first line of all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// Its number; 0 before the first.
    pub number: u64,
    /// SHA-256 of the line without its end.
    pub hash: [u8; 32],
}

/// What a line says of its place.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) n: u64,
    pub(crate) prev: String,
}

impl Link {
    /// The place of this line, which is number `number`.
    pub(crate) fn of(number: u64, line: &[u8]) -> Self {
        Self { number, hash: Sha256::digest(line).into() }
    }
}

/// A file whose lines hang together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many lines it has.
    pub lines: u64,
    /// What its first line goes on from, as that line says; the default for the first file.
    pub first: Link,
    /// Its last line.
    pub last: Link,
}

/// Checks a file from its first line to its last. If `before` is given, the first line must go on from there.
///
/// # Errors
/// [`AuditError::Broken`] for the first line that does not fit, or is not whole; [`AuditError::Io`].
pub fn verify(path: &Path, before: Option<&Link>) -> Result<Chain, AuditError> {
    let mut reader = BufReader::new(File::open(path).map_err(AuditError::io(path))?);
    let mut chain: Option<Chain> = None;
    let mut lines = 0;
    while let Some(line) = next_line(&mut reader, path, lines + 1)? {
        lines += 1;
        let broken = |reason: String| AuditError::Broken { path: path.to_owned(), line: lines, reason };
        let place: Place = serde_json::from_slice(&line)
            .map_err(|error| broken(format!("not a line of this log: {error}")))?;
        let mut prev = [0; 32];
        hex::decode_to_slice(&place.prev, &mut prev).map_err(|_| broken("its prev is no hash".to_owned()))?;
        let said = Link { number: place.n.wrapping_sub(1), hash: prev };
        let expected = chain.as_ref().map(|chain| &chain.last).or(before);
        if let Some(expected) = expected.filter(|expected| **expected != said) {
            return Err(broken(match said.number == expected.number {
                true => "the line before is not the one that it names".to_owned(),
                false => format!("it is number {}, and {} was to come", place.n, expected.number + 1),
            }));
        }
        let last = Link::of(place.n, &line);
        match &mut chain {
            Some(chain) => (chain.lines, chain.last) = (lines, last),
            None => chain = Some(Chain { lines, first: said, last }),
        }
    }
    let empty = || {
        let before = before.cloned().unwrap_or_default();
        Chain { lines: 0, first: before.clone(), last: before }
    };
    Ok(chain.unwrap_or_else(empty))
}

/// A line without its end.
fn next_line(reader: &mut impl BufRead, path: &Path, line: u64) -> Result<Option<Vec<u8>>, AuditError> {
    let mut bytes = Vec::new();
    let mut limited = io::Read::take(reader, MAX_LINE);
    limited.read_until(b'\n', &mut bytes).map_err(AuditError::io(path))?;
    match bytes.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(bytes)),
        Some(_) => {
            let reason = "it is not whole".to_owned();
            Err(AuditError::Broken { path: path.to_owned(), line, reason })
        }
    }
}
