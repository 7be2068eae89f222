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
    let Followed { chain, broken, .. } = follow(path, before)?;
    broken.map_or(Ok(chain), Err)
}

/// How far the lines of a file hang together.
pub(crate) struct Followed {
    /// Those that do.
    pub(crate) chain: Chain,
    /// Their length together.
    pub(crate) bytes: u64,
    /// What is wrong with the one behind them, if there is one.
    pub(crate) broken: Option<AuditError>,
}

/// Reads a file as far as its lines hang together.
pub(crate) fn follow(path: &Path, before: Option<&Link>) -> Result<Followed, AuditError> {
    let mut reader = BufReader::new(File::open(path).map_err(AuditError::io(path))?);
    let start = before.cloned().unwrap_or_default();
    let mut chain = Chain { lines: 0, first: start.clone(), last: start };
    let mut bytes = 0;
    while let Some(line) = next_line(&mut reader).map_err(AuditError::io(path))? {
        let expected = if chain.lines > 0 { Some(&chain.last) } else { before };
        let (said, last) = match line.and_then(|line| link(&line, expected).map(|links| (line, links))) {
            Ok((line, links)) => {
                bytes += line.len() as u64 + 1;
                links
            }
            Err(reason) => {
                let broken = AuditError::Broken { path: path.to_owned(), line: chain.lines + 1, reason };
                return Ok(Followed { chain, bytes, broken: Some(broken) });
            }
        };
        let first = if chain.lines > 0 { chain.first } else { said };
        chain = Chain { lines: chain.lines + 1, first, last };
    }
    Ok(Followed { chain, bytes, broken: None })
}

/// Where a line says that it goes on from, which must be as `expected`, and its own place.
fn link(line: &[u8], expected: Option<&Link>) -> Result<(Link, Link), String> {
    let place: Place =
        serde_json::from_slice(line).map_err(|error| format!("not a line of this log: {error}"))?;
    let mut prev = [0; 32];
    hex::decode_to_slice(&place.prev, &mut prev).map_err(|_| "its prev is no hash".to_owned())?;
    let said = Link { number: place.n.wrapping_sub(1), hash: prev };
    match expected {
        Some(expected) if *expected != said && said.number == expected.number => {
            Err("the line before is not the one that it names".to_owned())
        }
        Some(expected) if *expected != said => {
            Err(format!("it is number {}, and {} was to come", place.n, expected.number + 1))
        }
        _ => Ok((said, Link::of(place.n, line))),
    }
}

/// A line without its end, or what is wrong with it; `None` at the end of the file.
fn next_line(reader: &mut impl BufRead) -> io::Result<Option<Result<Vec<u8>, String>>> {
    let mut bytes = Vec::new();
    io::Read::take(reader, MAX_LINE).read_until(b'\n', &mut bytes)?;
    Ok(match bytes.pop() {
        None => None,
        Some(b'\n') => Some(Ok(bytes)),
        Some(_) => Some(Err("it is not whole".to_owned())),
    })
}
