//! Nodes as they are in memory, and their strict decoder.

use bytes::Bytes;
use carob_block::{Cid, Codec, sha256_cid};

use crate::cbor::{Reader, Reason};
use crate::{Entry, MAX_KEY, MAX_VALUE, Params, Totals, Value};

/// No tree is higher: with two entries at least in every node but the last of a level, 2⁶³ entries fit below.
pub(crate) const MAX_LEVEL: u8 = 63;

/// SHA-256 of a DAG-CBOR block: a third of a [`Cid`] in memory.
pub(crate) type Digest = [u8; 32];

pub(crate) fn cid_of(digest: &Digest) -> Cid {
    sha256_cid(Codec::DagCbor, *digest)
}

/// The digest in the CID of a DAG-CBOR block.
pub(crate) fn digest_of(cid: &Cid) -> Option<Digest> {
    let digest = Digest::try_from(cid.hash().digest()).ok()?;
    (cid_of(&digest) == *cid).then_some(digest)
}

/// An inner node's entry, but for the key, which is the last key under the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) digest: Digest,
    pub(crate) totals: Totals,
}

/// An entry of any level, but for the key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload<'a> {
    Entry { weight: u64, value: &'a [u8] },
    Child(Child),
}

/// A decoded node. All keys stand one after the other in `keys`.
#[derive(Debug)]
pub(crate) struct Node {
    level: u8,
    totals: Totals,
    keys: Bytes,
    key_ends: Vec<u32>,
    slots: Slots,
}

#[derive(Debug)]
enum Slots {
    /// Values are ranges of the block.
    Leaf {
        block: Bytes,
        slots: Vec<Slot>,
    },
    Inner(Vec<Child>),
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    weight: u64,
    start: u32,
    end: u32,
}

impl Node {
    /// Reads a node, accepting exactly what [`crate::encode::NodeWriter`] writes.
    pub(crate) fn decode(block: &Bytes) -> Result<Self, Reason> {
        let mut reader = Reader::new(block);
        if reader.array()? != 2 {
            return Err("a node is an array of two");
        }
        let level = u8::try_from(reader.unsigned()?).ok().filter(|level| *level <= MAX_LEVEL);
        let level = level.ok_or("level out of range")?;
        let len = reader.array()?;
        if len == 0 || len > u64::from(Params::MAX_ENTRIES) {
            return Err("number of entries out of range");
        }
        let len = len as usize;
        let mut keys = Vec::with_capacity(block.len().min(len * 64));
        let mut key_ends = Vec::with_capacity(len);
        let mut totals = Totals::default();
        let slots = if level == 0 {
            let mut slots = Vec::with_capacity(len);
            for _ in 0..len {
                if reader.array()? != 4 {
                    return Err("a leaf entry is an array of four");
                }
                read_key(&mut reader, &mut keys, &mut key_ends)?;
                let slot = read_slot(&mut reader)?;
                totals =
                    totals.checked_add(Totals { count: 1, bytes: slot.weight }).ok_or("totals overflow")?;
                slots.push(slot);
            }
            Slots::Leaf { block: block.clone(), slots }
        } else {
            let mut children = Vec::with_capacity(len);
            for _ in 0..len {
                if reader.array()? != 5 {
                    return Err("an inner entry is an array of five");
                }
                read_key(&mut reader, &mut keys, &mut key_ends)?;
                let digest = reader.node_link()?;
                let child = Totals { count: reader.unsigned()?, bytes: reader.unsigned()? };
                if child.count == 0 {
                    return Err("an empty child");
                }
                totals = totals.checked_add(child).ok_or("totals overflow")?;
                children.push(Child { digest, totals: child });
            }
            Slots::Inner(children)
        };
        reader.end()?;
        keys.shrink_to_fit();
        Ok(Self { level, totals, keys: keys.into(), key_ends, slots })
    }

    pub(crate) fn level(&self) -> u8 {
        self.level
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Number of entries; never 0.
    pub(crate) fn len(&self) -> usize {
        self.key_ends.len()
    }

    fn key_range(&self, at: usize) -> std::ops::Range<usize> {
        let start = if at == 0 { 0 } else { self.key_ends[at - 1] };
        start as usize..self.key_ends[at] as usize
    }

    /// The key at `at`, which is below [`Node::len`].
    pub(crate) fn key(&self, at: usize) -> &[u8] {
        &self.keys[self.key_range(at)]
    }

    pub(crate) fn key_bytes(&self, at: usize) -> Bytes {
        self.keys.slice(self.key_range(at))
    }

    pub(crate) fn first_key(&self) -> &[u8] {
        self.key(0)
    }

    pub(crate) fn last_key(&self) -> &[u8] {
        self.key(self.len() - 1)
    }

    /// Index of the first key that is `key` or greater; [`Node::len`] if there is none.
    pub(crate) fn lower_bound(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.key(middle) < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    pub(crate) fn payload(&self, at: usize) -> Payload<'_> {
        match &self.slots {
            Slots::Leaf { block, slots } => {
                let Slot { weight, start, end } = slots[at];
                Payload::Entry { weight, value: &block[start as usize..end as usize] }
            }
            Slots::Inner(children) => Payload::Child(children[at]),
        }
    }

    /// The entry at `at`, if this is a leaf.
    pub(crate) fn entry(&self, at: usize) -> Option<Entry> {
        let Slots::Leaf { block, slots } = &self.slots else { return None };
        let Slot { weight, start, end } = *slots.get(at)?;
        Some(Entry { weight, value: Value::from_checked(block.slice(start as usize..end as usize)) })
    }

    /// The child at `at`, if this is an inner node.
    pub(crate) fn child(&self, at: usize) -> Option<Child> {
        let Slots::Inner(children) = &self.slots else { return None };
        children.get(at).copied()
    }

    /// What the entries before `at` add up to.
    pub(crate) fn totals_before(&self, at: usize) -> Totals {
        let mut totals = Totals::default();
        match &self.slots {
            Slots::Leaf { slots, .. } => {
                slots.iter().take(at).for_each(|slot| totals += Totals { count: 1, bytes: slot.weight });
            }
            Slots::Inner(children) => children.iter().take(at).for_each(|child| totals += child.totals),
        }
        totals
    }

    /// Bytes of memory this takes.
    pub(crate) fn memory(&self) -> usize {
        let slots = match &self.slots {
            Slots::Leaf { block, slots } => block.len() + size_of_val(slots.as_slice()),
            Slots::Inner(children) => size_of_val(children.as_slice()),
        };
        size_of::<Self>() + self.keys.len() + size_of_val(self.key_ends.as_slice()) + slots
    }
}

/// Reads how many bytes a key shares with the previous one, and the rest, and appends it to `keys`.
fn read_key(reader: &mut Reader<'_>, keys: &mut Vec<u8>, key_ends: &mut Vec<u32>) -> Result<(), Reason> {
    let start = match key_ends.as_slice() {
        [] => keys.len(),
        [_] => 0,
        [.., before, _] => *before as usize,
    };
    let previous_len = keys.len() - start;
    let shared = usize::try_from(reader.unsigned()?).map_err(|_| "shared prefix too long")?;
    let suffix = reader.bytes()?;
    if shared > previous_len {
        return Err("shared prefix too long");
    }
    // Ascending order, and the longest shared prefix: the first byte of the rest must be the greater one.
    let first = suffix.first().ok_or("a repeated or empty key")?;
    if shared < previous_len && keys.get(start + shared).is_some_and(|previous| previous >= first) {
        return Err("keys unsorted, or sharing more than said");
    }
    if shared + suffix.len() > MAX_KEY {
        return Err("key too long");
    }
    let end = keys.len();
    keys.extend_from_within(start..start + shared);
    debug_assert_eq!(keys.len(), end + shared);
    keys.extend_from_slice(suffix);
    // At most 512 keys of 2,112 bytes.
    key_ends.push(keys.len() as u32);
    Ok(())
}

fn read_slot(reader: &mut Reader<'_>) -> Result<Slot, Reason> {
    let weight = reader.unsigned()?;
    let start = reader.position();
    reader.item()?;
    let end = reader.position();
    if end - start > MAX_VALUE {
        return Err("value too large");
    }
    // A block has at most 2 MiB.
    Ok(Slot { weight, start: start as u32, end: end as u32 })
}
