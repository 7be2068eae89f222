//! The sorted index beside a sealed segment.

use std::cmp::Ordering;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use crate::disk::{Disk, DiskFile, fill};
use crate::index::Key;
use crate::record::LogId;
use crate::table::PREFIX;

/// What stands before the entries: multicodec `car-multihash-index-sorted`, one hash function, sha2-256, one
/// width, 40 bytes. Then comes how many bytes of entries follow.
const OPENING: [u8; 22] = *b"\x81\x08\x01\0\0\0\x12\0\0\0\0\0\0\0\x01\0\0\0\x28\0\0\0";

/// Where the entries begin.
const ENTRIES: usize = OPENING.len() + 8;

/// A digest, and where in the segment the frame begins.
const ENTRY: usize = 32 + 8;

const MAGIC: [u8; 12] = *b"carobidx\x01\0\0\0";

/// Magic, log id, segment, end, count, and two hashes.
const FOOTER: usize = MAGIC.len() + 16 + 3 * 4 + 2 * 32;

/// A block of a segment: its digest, and where its frame begins.
pub(crate) type Entry = (Key, u32);

/// Which segment an index is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    pub(crate) log: LogId,
    pub(crate) segment: u32,
    /// Where the segment ends.
    pub(crate) end: u32,
}

/// The index file of a segment.
pub(crate) fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.idx"))
}

/// Writes the index of a segment, which lists `entries` in any order, whole or not at all. It need not be
/// durable: without it, it is made again.
pub(crate) fn write(disk: &dyn Disk, dir: &Path, of: Of, entries: &mut [Entry]) -> io::Result<()> {
    let (path, draft) = (path(dir, of.segment), dir.join(format!("{:08}.idx.tmp", of.segment)));
    let bytes = encode(of, entries)?;
    let write = || {
        let file = disk.create(&draft)?;
        file.write_at(0, &bytes)?;
        file.flush_all()?;
        disk.rename(&draft, &path)
    };
    write().inspect_err(|_| {
        let _ = disk.remove(&draft);
    })
}

/// The order of entries.
pub(crate) fn order(a: &Entry, b: &Entry) -> Ordering {
    a.0.as_bytes().cmp(b.0.as_bytes()).then(a.1.cmp(&b.1))
}

/// Brings entries into their order.
pub(crate) fn sort(entries: &mut [Entry]) {
    entries.sort_unstable_by(order);
}

fn encode(of: Of, entries: &mut [Entry]) -> io::Result<Vec<u8>> {
    sort(entries);
    let count = u32::try_from(entries.len()).map_err(io::Error::other)?;
    let mut out = Vec::with_capacity(ENTRIES + entries.len() * (ENTRY + PREFIX) + FOOTER);
    out.extend(OPENING);
    out.extend((entries.len() as u64 * ENTRY as u64).to_le_bytes());
    for (key, frame) in &*entries {
        out.extend(key.as_bytes());
        out.extend(u64::from(*frame).to_le_bytes());
    }
    let sorted = Sha256::digest(&out);
    let summary = out.len();
    entries.iter().for_each(|(key, _)| out.extend(key.prefix()));
    out.extend(MAGIC);
    out.extend(of.log);
    for number in [of.segment, of.end, count] {
        out.extend(number.to_le_bytes());
    }
    out.extend(sorted);
    let sum = Sha256::digest(&out[summary..]);
    out.extend(sum);
    Ok(out)
}

/// Where an entry points, or why that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    Frame {
        /// Where the frame begins.
        at: u32,
        /// How many entries come before.
        nth: u32,
    },
    Absent,
    /// Knowing would take waiting for the disk.
    Waits,
}

/// Where an index is.
#[derive(Debug)]
enum Source {
    File(Arc<dyn DiskFile>),
    Memory(Vec<u8>),
}

/// An open index.
#[derive(Debug)]
pub(crate) struct Sidecar {
    source: Source,
    count: u32,
    sound: OnceLock<bool>,
}

impl Sidecar {
    /// Opens the index of a segment; `None` if it is not one, as far as its length tells.
    pub(crate) fn open(disk: &dyn Disk, dir: &Path, segment: u32) -> io::Result<Option<Self>> {
        let file = match disk.open(&path(dir, segment)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let rest = file.len()?.checked_sub((ENTRIES + FOOTER) as u64);
        let each = (ENTRY + PREFIX) as u64;
        let count = rest.filter(|rest| rest % each == 0).and_then(|rest| u32::try_from(rest / each).ok());
        Ok(count.map(|count| Self { source: Source::File(file), count, sound: OnceLock::new() }))
    }

    /// An index that lists `entries`, in memory alone.
    pub(crate) fn in_memory(of: Of, entries: &mut [Entry]) -> io::Result<Self> {
        let count = u32::try_from(entries.len()).map_err(io::Error::other)?;
        Ok(Self { source: Source::Memory(encode(of, entries)?), count, sound: OnceLock::new() })
    }

    /// The first bytes of all digests, one after the other, if this is the index of that segment.
    pub(crate) fn prefixes(&self, of: Of) -> io::Result<Option<Vec<u8>>> {
        let len = self.count as usize * PREFIX;
        let mut summary = vec![0; len + FOOTER];
        let offset = (ENTRIES + self.count as usize * ENTRY) as u64;
        if !self.read(offset, &mut summary, true)? {
            return Ok(None);
        }
        let (signed, sum) = summary.split_at(summary.len() - 32);
        let mut expected = MAGIC.to_vec();
        expected.extend(of.log);
        [of.segment, of.end, self.count].iter().for_each(|number| expected.extend(number.to_le_bytes()));
        if Sha256::digest(signed).as_slice() != sum || !signed[len..].starts_with(&expected) {
            return Ok(None);
        }
        summary.truncate(len);
        Ok(Some(summary))
    }

    /// Where the frame of a block begins.
    ///
    /// Digests are spread evenly, so where one stands is close to where its first bytes say; the third guess
    /// and later ones halve what is left, should they not be.
    pub(crate) fn find(&self, key: &Key, wait: bool) -> io::Result<Found> {
        let wanted = key.leading();
        let (mut low, mut high) = (0, self.count);
        let (mut least, mut most) = (0, u64::MAX);
        let mut window = Vec::new();
        for guess in 0.. {
            if low >= high {
                break;
            }
            let span = high - low;
            let at = match (guess, wanted.checked_sub(least), most.checked_sub(least)) {
                (0..2, Some(into), Some(of)) => {
                    (u128::from(into) * u128::from(span) / (u128::from(of) + 1)) as u32
                }
                _ => span / 2,
            };
            // Two standard deviations to either side.
            let width = (2 * span.isqrt()).clamp(16, 1024);
            let from = low + at.min(span).saturating_sub(width / 2);
            let to = from.saturating_add(width).min(high);
            window.resize((to - from) as usize * ENTRY, 0);
            if !self.read((ENTRIES + from as usize * ENTRY) as u64, &mut window, wait)? {
                return Ok(Found::Waits);
            }
            let (entries, _) = window.as_chunks::<ENTRY>();
            let place = entries.partition_point(|entry| &entry[..32] < key.as_bytes().as_slice());
            match entries.get(place) {
                Some(entry) if &entry[..32] == key.as_bytes().as_slice() => {
                    let nth = from + place as u32;
                    return Ok(frame(entry).map_or(Found::Absent, |at| Found::Frame { at, nth }));
                }
                _ if place == 0 => (high, most) = (from, entries.first().map_or(0, leading)),
                Some(_) => break,
                None => (low, least) = (to, entries.last().map_or(0, leading)),
            }
        }
        Ok(Found::Absent)
    }

    /// All entries, in order.
    pub(crate) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut sorted = vec![0; self.count as usize * ENTRY];
        if !self.read(ENTRIES as u64, &mut sorted, true)? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let read = |entry: &[u8; ENTRY]| Some((Key::read(entry)?, frame(entry)?));
        let entries = sorted.as_chunks().0.iter().map(read);
        entries.collect::<Option<_>>().ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// How many entries there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Whether [`Sidecar::is_sound`] has found so.
    pub(crate) fn is_known_sound(&self) -> bool {
        self.sound.get() == Some(&true)
    }

    /// Whether the entries are those that were written. Reads all of them, once.
    pub(crate) fn is_sound(&self) -> io::Result<bool> {
        if let Some(sound) = self.sound.get() {
            return Ok(*sound);
        }
        let mut sorted = vec![0; ENTRIES + self.count as usize * ENTRY];
        let mut sum = [0; 32];
        let summed = sorted.len() + self.count as usize * PREFIX + FOOTER - 64;
        let read = self.read(0, &mut sorted, true)? && self.read(summed as u64, &mut sum, true)?;
        let sound = read && Sha256::digest(&sorted).as_slice() == sum;
        Ok(*self.sound.get_or_init(|| sound))
    }

    /// Fills `buf`; `false` if it cannot be without waiting, or the file ends before.
    fn read(&self, offset: u64, buf: &mut [u8], wait: bool) -> io::Result<bool> {
        match &self.source {
            Source::File(file) if wait => Ok(fill(&**file, offset, buf)? == buf.len()),
            Source::File(file) => Ok(file.read_cached_at(offset, buf)? == Some(buf.len())),
            Source::Memory(bytes) => {
                let from = usize::try_from(offset).ok();
                let part = from.and_then(|from| bytes.get(from..)?.get(..buf.len()));
                part.inspect(|part| buf.copy_from_slice(part));
                Ok(part.is_some())
            }
        }
    }
}

fn leading(entry: &[u8; ENTRY]) -> u64 {
    entry.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// Where the frame of an entry begins.
fn frame(entry: &[u8; ENTRY]) -> Option<u32> {
    u32::try_from(u64::from_le_bytes(*entry.last_chunk()?)).ok()
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    const OF: Of = Of { log: *b"0123456789abcdef", segment: 7, end: 5000 };

    fn sidecar(entries: &mut [Entry]) -> (SimDisk, Sidecar) {
        let (disk, dir) = (SimDisk::new(1), Path::new("/idx"));
        disk.create_dir(dir).unwrap();
        write(&disk, dir, OF, entries).unwrap();
        let sidecar = Sidecar::open(&disk, dir, 7).unwrap().unwrap();
        (disk, sidecar)
    }

    #[test]
    fn the_bytes_are_pinned() {
        let (a, b) = (Key::from_bytes([0x11; 32]), Key::from_bytes([0x22; 32]));
        let bytes = encode(OF, &mut [(b, 61), (a, 100)]).unwrap();
        // As go-car writes a detached index: LE numbers, digests in order, offsets of 8 bytes.
        let mut sorted =
            b"\x81\x08\x01\0\0\0\x12\0\0\0\0\0\0\0\x01\0\0\0\x28\0\0\0\x50\0\0\0\0\0\0\0".to_vec();
        sorted.extend([0x11; 32]);
        sorted.extend(b"\x64\0\0\0\0\0\0\0");
        sorted.extend([0x22; 32]);
        sorted.extend(b"\x3d\0\0\0\0\0\0\0");
        let mut summary = [[0x11; 5], [0x22; 5]].concat();
        summary.extend(b"carobidx\x01\0\0\x000123456789abcdef\x07\0\0\0\x88\x13\0\0\x02\0\0\0");
        summary.extend(Sha256::digest(&sorted));
        let sum = Sha256::digest(&summary);
        summary.extend(sum);
        assert_eq!(bytes, [sorted, summary].concat());
    }

    #[test]
    fn every_entry_is_found_however_the_digests_lie() {
        let mut rng = fastrand::Rng::with_seed(3);
        for (count, spread) in [(0, 0), (1, 0), (2000, 0), (30_000, 0), (3000, 6), (3000, 20)] {
            let mut key = || {
                let mut digest = [0; 32];
                rng.fill(&mut digest[spread..]);
                Key::from_bytes(digest)
            };
            let mut entries: Vec<Entry> = (0..count).map(|at| (key(), at)).collect();
            let absent: Vec<Key> = (0..1000).map(|_| key()).collect();
            let (_, sidecar) = sidecar(&mut entries);
            for (key, frame) in &entries {
                let Found::Frame { at, nth } = sidecar.find(key, true).unwrap() else { panic!("{key:?}") };
                assert_eq!((at, entries[nth as usize].0), (*frame, *key));
                let cached = sidecar.find(key, false).unwrap();
                assert!(cached == Found::Waits || cached == Found::Frame { at, nth });
            }
            for key in absent.into_iter().chain([[0; 32], [0xff; 32]].map(Key::from_bytes)) {
                assert_eq!(sidecar.find(&key, true).unwrap(), Found::Absent);
            }
            let prefixes = sidecar.prefixes(OF).unwrap().unwrap();
            assert_eq!(prefixes, entries.iter().flat_map(|(key, _)| key.prefix()).collect::<Vec<_>>());
            assert!(sidecar.is_sound().unwrap());
            assert_eq!(sidecar.entries().unwrap(), entries);
            let of_memory = Sidecar::in_memory(OF, &mut entries).unwrap();
            assert_eq!(of_memory.entries().unwrap(), entries);
            assert!(of_memory.is_sound().unwrap());
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let mut entries: Vec<Entry> = (0..20).map(|at| (Key::from_bytes([at as u8; 32]), at)).collect();
        let (disk, _) = sidecar(&mut entries);
        let file = disk.open(&path(Path::new("/idx"), 7)).unwrap();
        for at in 0..file.len().unwrap() {
            let mut byte = [0];
            file.read_at(at, &mut byte).unwrap();
            file.write_at(at, &[byte[0] ^ 4]).unwrap();
            let sidecar = Sidecar::open(&disk, Path::new("/idx"), 7).unwrap().unwrap();
            assert!(sidecar.prefixes(OF).unwrap().is_none() || !sidecar.is_sound().unwrap(), "{at}");
            file.write_at(at, &byte).unwrap();
        }
        let sidecar = Sidecar::open(&disk, Path::new("/idx"), 7).unwrap().unwrap();
        assert!(sidecar.prefixes(Of { end: 5001, ..OF }).unwrap().is_none(), "of another segment");
        file.set_len(file.len().unwrap() - 1).unwrap();
        assert!(Sidecar::open(&disk, Path::new("/idx"), 7).unwrap().is_none());
    }
}
