//! Writing, in a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::chain::{AuditError, Followed, Link, Place, follow};
use crate::deed::Deed;

/// The file that is written to; full ones are called `audit-<number of their first line>.jsonl`.
pub const FILE: &str = "audit.jsonl";

/// How many deeds may wait for the thread. What comes while so many do is counted, and the log says so.
const WAITING: usize = 16 << 10;

/// How long a line may wait to be on the disk for good.
const SYNC_AFTER: Duration = Duration::from_secs(1);

/// The log. Dropping it writes what waits.
#[derive(Debug)]
pub struct AuditLog {
    deeds: Mutex<Option<SyncSender<(OffsetDateTime, Deed)>>>,
    lost: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Opens the log in a directory, where it goes on, or begins it. A last line that is not whole, since the power
    /// went while it was written, is cut off; lines of the newest file that do not hang together, with those behind
    /// them, are moved to a file of their own. The log says so. Files of more than `max_bytes` are followed by another.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(dir: &Path, max_bytes: u64) -> Result<Self, AuditError> {
        let mut writer = Writer::open(dir, max_bytes)?;
        let lost = Arc::new(AtomicU64::new(0));
        let (deeds, waiting) = sync_channel(WAITING);
        let counted = Arc::clone(&lost);
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let thread = thread.spawn(move || writer.run(&waiting, &counted)).map_err(AuditError::io(dir))?;
        Ok(Self { deeds: Mutex::new(Some(deeds)), lost, thread: Mutex::new(Some(thread)) })
    }

    /// Hands a deed over; never waits.
    pub fn record(&self, deed: Deed) {
        let deeds = self.deeds.lock().unwrap_or_else(PoisonError::into_inner);
        let sent =
            deeds.as_ref().is_some_and(|deeds| deeds.try_send((OffsetDateTime::now_utc(), deed)).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Writes what waits, and takes nothing more.
    pub fn close(&self) {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the audit log ended unexpectedly");
        }
    }
}

impl Drop for AuditLog {
    fn drop(&mut self) {
        self.close();
    }
}

#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(flatten)]
    place: Place,
    time: String,
    #[serde(flatten)]
    told: &'a T,
}

#[derive(Serialize)]
struct Lost {
    lost: u64,
}

#[derive(Serialize)]
struct CutOff {
    cut_off_bytes: u64,
}

/// Lines that were altered, or that a power cut left in disorder.
#[derive(Serialize)]
struct SetAside {
    /// The file that holds them now.
    set_aside: String,
    reason: String,
}

struct Writer {
    dir: PathBuf,
    path: PathBuf,
    file: File,
    bytes: u64,
    max_bytes: u64,
    last: Link,
    /// Of the first line in the file.
    first: u64,
    /// When the first line was written that may not be on the disk for good.
    unsynced: Option<Instant>,
}

impl Writer {
    fn open(dir: &Path, max_bytes: u64) -> Result<Self, AuditError> {
        let path = dir.join(FILE);
        let mut file = create(&path)?;
        let cut_off = cut_off_fragment(&mut file).map_err(AuditError::io(&path))?;
        let mut before = None;
        if file.metadata().map_err(AuditError::io(&path))?.len() == 0
            && let Some(older) = newest_full(dir)?
        {
            let Followed { chain, broken, .. } = follow(&older, None)?;
            if let Some(broken) = broken {
                tracing::error!(%broken, "lines of an older file of the audit log were altered or torn");
            }
            before = Some(chain.last);
        }
        let Followed { chain, bytes: sound, broken } = follow(&path, before.as_ref())?;
        let aside =
            broken.map(|broken| set_aside(dir, &mut file, sound, &chain.last, &broken)).transpose()?;
        let bytes = file.seek(SeekFrom::End(0)).map_err(AuditError::io(&path))?;
        let first = chain.first.number + 1;
        let dir = dir.to_owned();
        let mut writer = Self { dir, path, file, bytes, max_bytes, last: chain.last, first, unsynced: None };
        if cut_off > 0 {
            writer.write(OffsetDateTime::now_utc(), &CutOff { cut_off_bytes: cut_off })?;
        }
        if let Some(aside) = aside {
            writer.write(OffsetDateTime::now_utc(), &aside)?;
        }
        Ok(writer)
    }

    fn run(&mut self, waiting: &Receiver<(OffsetDateTime, Deed)>, lost: &AtomicU64) {
        loop {
            let waited = self.unsynced.map_or(Duration::ZERO, |since| since.elapsed());
            if waited >= SYNC_AFTER
                && let Err(error) = self.sync()
            {
                tracing::error!(%error, "the audit log cannot be written");
            }
            let written = match waiting.recv_timeout(SYNC_AFTER.saturating_sub(waited)) {
                Ok((when, deed)) => {
                    let missed = lost.swap(0, Ordering::Relaxed);
                    let told = if missed > 0 { self.write(when, &Lost { lost: missed }) } else { Ok(()) };
                    told.inspect_err(|_| _ = lost.fetch_add(missed, Ordering::Relaxed))
                        .and_then(|()| self.write(when, &deed))
                        .inspect_err(|_| _ = lost.fetch_add(1, Ordering::Relaxed))
                }
                Err(RecvTimeoutError::Timeout) => self.sync(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Err(error) = written {
                tracing::error!(%error, "the audit log cannot be written");
            }
        }
        if let Err(error) = self.sync() {
            tracing::error!(%error, "the audit log cannot be written");
        }
    }

    fn write(&mut self, when: OffsetDateTime, told: &impl Serialize) -> Result<(), AuditError> {
        let number = self.last.number + 1;
        let place = Place { n: number, prev: hex::encode(self.last.hash) };
        let time = when.format(&Rfc3339).unwrap_or_default();
        let line = serde_json::to_vec(&Line { place, time, told });
        let mut line = line.map_err(|error| AuditError::io(&self.path)(error.into()))?;
        let next = Link::of(number, &line);
        line.push(b'\n');
        if self.bytes > 0 && self.bytes + line.len() as u64 > self.max_bytes {
            self.begin_file()?;
        }
        if let Err(error) = self.file.write_all(&line) {
            // No half line stays: the next one would stand behind it.
            let cut = self.file.set_len(self.bytes).and_then(|()| self.file.seek(SeekFrom::End(0)));
            cut.map_err(AuditError::io(&self.path))?;
            return Err(AuditError::io(&self.path)(error));
        }
        self.bytes += line.len() as u64;
        self.last = next;
        self.unsynced.get_or_insert_with(Instant::now);
        Ok(())
    }

    fn begin_file(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        let full = self.dir.join(format!("audit-{:020}.jsonl", self.first));
        std::fs::rename(&self.path, &full).map_err(AuditError::io(&full))?;
        self.file = create(&self.path)?;
        (self.bytes, self.first) = (0, self.last.number + 1);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), AuditError> {
        if self.unsynced.take().is_some() {
            self.file.sync_data().map_err(AuditError::io(&self.path))?;
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<File, AuditError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(AuditError::io(path))
}

/// Cuts off what stands behind the last end of a line, and says how many bytes.
fn cut_off_fragment(file: &mut File) -> std::io::Result<u64> {
    let length = file.metadata()?.len();
    let mut kept = length;
    let mut byte = [0];
    while kept > 0 {
        file.seek(SeekFrom::Start(kept - 1))?;
        std::io::Read::read_exact(file, &mut byte)?;
        if byte == *b"\n" {
            break;
        }
        kept -= 1;
    }
    if kept < length {
        file.set_len(kept)?;
    }
    Ok(length - kept)
}

/// Moves what stands in the log behind its first `sound` bytes to a file of its own.
fn set_aside(
    dir: &Path,
    file: &mut File,
    sound: u64,
    last: &Link,
    broken: &AuditError,
) -> Result<SetAside, AuditError> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let name = format!("broken-{:020}-{now}.jsonl", last.number + 1);
    let path = dir.join(&name);
    let mut moved = || {
        let mut aside = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.seek(SeekFrom::Start(sound))?;
        std::io::copy(file, &mut aside)?;
        aside.sync_all()?;
        File::open(dir)?.sync_all()?;
        file.set_len(sound)
    };
    moved().map_err(AuditError::io(&path))?;
    tracing::error!(%broken, file = name, "lines of the audit log were altered or torn: they are set aside");
    Ok(SetAside { set_aside: name, reason: broken.to_string() })
}

/// The full file with the highest number.
fn newest_full(dir: &Path) -> Result<Option<PathBuf>, AuditError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(AuditError::io(dir))? {
        let name = entry.map_err(AuditError::io(dir))?.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix("audit-").and_then(|name| name.strip_suffix(".jsonl"));
        if number.is_some_and(|number| number.len() == 20 && number.bytes().all(|byte| byte.is_ascii_digit()))
        {
            names.push(name);
        }
    }
    Ok(names.into_iter().max().map(|name| dir.join(name)))
}
