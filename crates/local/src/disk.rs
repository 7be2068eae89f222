//! The file operations that the store is made of.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

/// The blocking file operations that the store is made of.
///
/// Nothing written, created, renamed, removed or truncated survives a power cut before it was flushed: file
/// contents and lengths by [`DiskFile::flush`], names by [`Disk::flush_dir`].
#[expect(clippy::missing_errors_doc, reason = "each gives what the file system says")]
pub trait Disk: Send + Sync + Debug {
    /// Creates a directory and its parents, and makes their names durable. Not an error if it exists.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file for reading and writing, emptying one that exists.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// The names in a directory, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Renames a file within its directory, replacing what had the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes all changes of names in `dir` durable.
    fn flush_dir(&self, dir: &Path) -> io::Result<()>;

    /// How many bytes can still be written in `dir`, as far as the file system tells.
    fn free(&self, dir: &Path) -> io::Result<u64>;

    /// Takes the lock that `path` names, creating the file; `None` if someone else holds it. Dropping the
    /// guard, or the end of the process, releases it.
    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;
}

/// Holds a lock taken with [`Disk::lock`].
pub trait DiskLock: Send + Sync + Debug {}

/// An open file, read and written at positions.
#[expect(clippy::len_without_is_empty, reason = "it has a length, but is no collection")]
#[expect(clippy::missing_errors_doc, reason = "each gives what the file system says")]
pub trait DiskFile: Send + Sync + Debug {
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Reads up to `buf.len()` bytes at `offset`; 0 only at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;

    /// As [`DiskFile::read_at`], but only what needs no waiting for the disk; `None` if nothing is at hand.
    fn read_cached_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<Option<usize>>;

    /// Writes all of `bytes` at `offset`, growing the file as needed. After an error any part of them may
    /// have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes zeros of whole pages of 4 KiB and gives back their space; `false` if the file system cannot, and then nothing
    /// has changed. Durable once flushed; before that, any of the pages may come back as it was.
    fn punch(&self, offset: u64, len: u64) -> io::Result<bool>;

    /// How many bytes of the disk the file takes.
    fn allocated(&self) -> io::Result<u64>;

    /// Makes contents and length durable (fdatasync). After an error it is unknown which of the writes since
    /// the last flush are durable, and flushing again does not tell: they must be written anew.
    fn flush(&self) -> io::Result<()>;

    /// Begins a [`DiskFile::flush`] of what was written until now; what is written from now on need not wait for it.
    fn begin_flush(self: Arc<Self>) -> BegunFlush {
        BegunFlush::ended(self.flush())
    }

    /// Makes contents, length and all other metadata durable (fsync): after the file was cut.
    fn flush_all(&self) -> io::Result<()>;

    /// Cuts the file, or grows it with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Grows the file with zeros to `len`, with the space for them set aside where the file system can.
    fn preallocate(&self, len: u64) -> io::Result<()>;
}

/// A flush that was begun by [`DiskFile::begin_flush`].
#[derive(Debug)]
pub struct BegunFlush(Receiver<Ended>);

/// What came of a flush, and when.
type Ended = (io::Result<()>, Instant);

impl BegunFlush {
    /// One that has ended already.
    pub fn ended(result: io::Result<()>) -> Self {
        let (end, flush) = Self::new();
        end(result);
        flush
    }

    /// One that ends when the function is called.
    pub(crate) fn new() -> (impl FnOnce(io::Result<()>) + Send, Self) {
        let (end, ended) = sync_channel(1);
        // Nobody may want to know any more.
        (move |result| end.send((result, Instant::now())).unwrap_or_default(), Self(ended))
    }

    /// Waits for its end.
    pub(crate) fn wait(self) -> Ended {
        let unheard = || (Err(io::Error::other("a flush ended without an outcome")), Instant::now());
        self.0.recv().unwrap_or_else(|_| unheard())
    }
}

/// Reads a part of a file front to back.
#[derive(Debug)]
pub(crate) struct FileReader<'a> {
    file: &'a dyn DiskFile,
    at: u64,
    end: u64,
}

impl<'a> FileReader<'a> {
    /// Reads from `at` up to `end` or the end of the file.
    pub(crate) fn new(file: &'a dyn DiskFile, at: u64, end: u64) -> Self {
        Self { file, at, end }
    }
}

impl io::Read for FileReader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let wanted = rest.min(buf.len());
        let read = self.file.read_at(self.at, &mut buf[..wanted])?;
        self.at += read as u64;
        Ok(read)
    }
}

/// All of a file of up to `limit` bytes; what lies beyond is left out.
pub(crate) fn read_whole(file: &dyn DiskFile, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut FileReader::new(file, 0, limit), &mut bytes)?;
    Ok(bytes)
}

/// Fills `buf` as far as the file goes.
pub(crate) fn fill(file: &dyn DiskFile, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(offset + filled as u64, &mut buf[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}
