//! Which segments may hold a block: a compact table in memory.

use parking_lot::RwLock;

/// How many bytes of a digest the table goes by. Among ten million blocks, one lookup in a hundred thousand
/// finds a segment that does not hold the block after all.
pub(crate) const PREFIX: usize = 5;

const SHARDS: usize = 256;

/// How full a shard gets: seven eighths.
const FULL: (usize, usize) = (7, 8);

/// From the first bytes of digests to the segments of their blocks: 9 to 12 bytes of memory a block.
///
/// The first byte of a digest chooses a shard, the next four where in it a slot is looked for, one after the
/// other until an empty one. Digests are spread evenly, so shards fill and grow alike, a little at a time.
#[derive(Debug)]
pub(crate) struct Table {
    shards: Vec<RwLock<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    /// Four bytes of a digest, then a segment's number, which is never 0; 0 when empty.
    slots: Vec<u64>,
    used: usize,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }

    /// The segments that may hold the block whose digest begins with `prefix`; mostly one or none.
    pub(crate) fn candidates(&self, prefix: [u8; PREFIX]) -> Vec<u32> {
        let (shard, bits) = split(prefix);
        let shard = self.shards[shard].read();
        let mut found = Vec::new();
        let mut at = shard.home(bits);
        while let Some(slot) = shard.slots.get(at).copied().filter(|slot| *slot != 0) {
            if slot >> 32 == u64::from(bits) {
                found.push(slot as u32);
            }
            at = shard.after(at);
        }
        found
    }

    /// Makes room for so many blocks, so that shards do not grow again and again while these are added.
    pub(crate) fn reserve(&self, blocks: u64) {
        let each = usize::try_from(blocks / SHARDS as u64).unwrap_or(0);
        for shard in &self.shards {
            // They fill alike, but not quite.
            shard.write().make_room(each + each / 64);
        }
    }

    /// Adds blocks of `segment`, whose number is not 0: fastest when those that begin alike follow each other.
    pub(crate) fn insert(&self, prefixes: &[[u8; PREFIX]], segment: u32) {
        for alike in prefixes.chunk_by(|one, next| one[0] == next[0]) {
            let mut shard = self.shards[usize::from(alike[0][0])].write();
            shard.make_room(alike.len());
            for prefix in alike {
                shard.insert(u64::from(split(*prefix).1) << 32 | u64::from(segment));
            }
        }
    }

    /// Takes away what [`Table::insert`] added.
    pub(crate) fn remove(&self, prefixes: &[[u8; PREFIX]], segment: u32) {
        for alike in prefixes.chunk_by(|one, next| one[0] == next[0]) {
            let mut shard = self.shards[usize::from(alike[0][0])].write();
            for prefix in alike {
                shard.remove(u64::from(split(*prefix).1) << 32 | u64::from(segment));
            }
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().used as u64).sum()
    }
}

fn split(prefix: [u8; PREFIX]) -> (usize, u32) {
    let [first, rest @ ..] = prefix;
    (first.into(), u32::from_be_bytes(rest))
}

impl Shard {
    /// Where the search for `bits` begins.
    fn home(&self, bits: u32) -> usize {
        ((u64::from(bits) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Adds a slot where there is room.
    fn insert(&mut self, slot: u64) {
        let mut at = self.home((slot >> 32) as u32);
        while self.slots[at] != 0 {
            at = self.after(at);
        }
        self.slots[at] = slot;
        self.used += 1;
    }

    /// Takes a slot out, and moves up those behind it that would not be found past an empty one.
    fn remove(&mut self, slot: u64) {
        let mut hole = self.home((slot >> 32) as u32);
        loop {
            match self.slots.get(hole).copied() {
                None | Some(0) => return,
                Some(other) if other == slot => break,
                Some(_) => hole = self.after(hole),
            }
        }
        self.used -= 1;
        let mut at = self.after(hole);
        while self.slots[at] != 0 {
            let home = self.home((self.slots[at] >> 32) as u32);
            // How far each lies behind its home, around the end.
            let behind = |from: usize| if at >= from { at - from } else { at + self.slots.len() - from };
            if behind(home) >= behind(hole) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = 0;
    }

    fn make_room(&mut self, more: usize) {
        let wanted = (self.used + more) * FULL.1;
        if wanted > self.slots.len() * FULL.0 {
            let grown = self.slots.len() + self.slots.len() / 4;
            self.resize(grown.max(wanted / FULL.0 + 16));
        }
    }

    fn resize(&mut self, len: usize) {
        let old = std::mem::replace(&mut self.slots, vec![0; len]);
        self.used = 0;
        old.into_iter().filter(|slot| *slot != 0).for_each(|slot| self.insert(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn it_finds_what_a_map_finds() {
        let mut rng = fastrand::Rng::with_seed(1);
        let (table, mut map) = (Table::new(), HashMap::<_, Vec<u32>>::new());
        for segment in 1..=50_000 {
            // Crowded in places, so that runs are long, wrap around, and some prefixes come again.
            let prefix = if rng.bool() {
                [7, 0xff, 0xff, rng.u8(..), rng.u8(..)]
            } else {
                rng.u64(..).to_be_bytes()[..PREFIX].try_into().unwrap()
            };
            table.insert(&[prefix], segment);
            map.entry(prefix).or_default().push(segment);
        }
        assert_eq!(table.len(), 50_000);
        assert!(map.values().any(|segments| segments.len() > 1));
        for (prefix, segments) in &map {
            let mut found = table.candidates(*prefix);
            found.sort_unstable();
            assert_eq!(found, *segments);
        }
        for _ in 0..50_000 {
            let prefix = [7, 0xff, 0xff, rng.u8(..), rng.u8(..)];
            assert_eq!(table.candidates(prefix).is_empty(), !map.contains_key(&prefix));
        }
    }

    #[test]
    fn what_is_removed_is_gone_and_the_rest_is_found() {
        let mut rng = fastrand::Rng::with_seed(4);
        let (table, mut map) = (Table::new(), HashMap::<_, Vec<u32>>::new());
        for segment in 1..=20_000 {
            // Crowded around the end of a shard.
            let prefix = [7, 0xff, 0xff, rng.u8(250..), rng.u8(..)];
            table.insert(&[prefix], segment);
            map.entry(prefix).or_default().push(segment);
        }
        for (prefix, segments) in &mut map {
            segments.retain(|segment| {
                let keep = rng.bool();
                if !keep {
                    table.remove(&[*prefix], *segment);
                }
                keep
            });
        }
        table.remove(&[[7, 0, 0, 0, 0], [8, 0, 0, 0, 0]], 1);
        assert_eq!(table.len(), map.values().map(|segments| segments.len() as u64).sum::<u64>());
        for (prefix, segments) in &map {
            let mut found = table.candidates(*prefix);
            found.sort_unstable();
            assert_eq!(found, *segments);
        }
    }

    #[test]
    fn shards_with_room_for_what_comes_hardly_grow() {
        let (table, mut rng) = (Table::new(), fastrand::Rng::with_seed(3));
        table.reserve(500_000);
        let slots = || table.shards.iter().map(|shard| shard.read().slots.len()).collect::<Vec<_>>();
        let reserved = slots();
        for _ in 0..500_000 {
            table.insert(&[rng.u64(..).to_be_bytes()[..PREFIX].try_into().unwrap()], 1);
        }
        let grown = slots().iter().zip(&reserved).filter(|(now, reserved)| now != reserved).count();
        assert!(grown < SHARDS / 3, "{grown} shards grew");
        assert!(slots().iter().sum::<usize>() * 8 <= 500_000 * 10);
    }

    #[test]
    fn ten_million_blocks_take_less_than_120_megabytes() {
        let (table, mut rng) = (Table::new(), fastrand::Rng::with_seed(2));
        for _ in 0..500_000 {
            table.insert(&[rng.u64(..).to_be_bytes()[..PREFIX].try_into().unwrap()], 1);
        }
        let slots: usize = table.shards.iter().map(|shard| shard.read().slots.capacity()).sum();
        assert!(slots * 8 <= 500_000 * 12, "{slots}");
    }
}
