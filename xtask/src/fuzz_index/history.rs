//! One history: some batches of edits to one tree, drawn from a number.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use anyhow::{Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use carob_block::{Block, Cid, ReadBlocks, StoreError};
use carob_index::{Entry, MAX_KEY, NodeCache, Params, Salt, Tree, Value};
use fastrand::Rng;
use futures::executor::block_on;

use super::locked;

type Model = BTreeMap<Bytes, Entry>;

/// What histories did, for the report.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Outcome {
    pub(super) histories: u64,
    pub(super) edits: u64,
    pub(super) batches: u64,
    pub(super) roots: u64,
    pub(super) highest: usize,
}

impl Outcome {
    pub(super) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.edits += other.edits;
        self.batches += other.batches;
        self.roots += other.roots;
        self.highest = self.highest.max(other.highest);
    }
}

/// The distribution that a history's keys come from; few enough keys that it meets them again.
#[derive(Debug, Clone, Copy)]
enum Keys {
    Short,
    OneByte,
    LongPrefix,
    Longest,
    Awkward,
    Any,
    Mixed,
}

#[derive(Debug)]
pub(super) struct History {
    rng: Rng,
    salt: Salt,
    params: Params,
    keys: Keys,
    cache: u64,
    batches: usize,
}

impl History {
    /// The history of this number under a seed.
    pub(super) fn draw(seed: u64, number: u64) -> Self {
        // Seeds in a row must not give generators in a row.
        let mut rng = Rng::with_seed(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shapes =
            [(64, 8, 8, 8), (300, 20, 40, 32), (4096, 1, 1, 4), (1024, 64, 56, 64), (4096, 256, 56, 256)];
        let (target, leaf, inner, max) = shapes[rng.usize(..shapes.len())];
        let params = Params::new(target, leaf, inner, max).unwrap_or_default();
        let mut salt = [0; 16];
        rng.fill(&mut salt);
        let all = [
            Keys::Short,
            Keys::OneByte,
            Keys::LongPrefix,
            Keys::Longest,
            Keys::Awkward,
            Keys::Any,
            Keys::Mixed,
        ];
        let keys = all[rng.usize(..all.len())];
        let cache = if rng.bool() { 8 << 20 } else { 0 };
        let batches = rng.usize(1..=14);
        Self { rng, salt: Salt(salt), params, keys, cache, batches }
    }

    /// Makes the edits, and compares the root with that of a bulk build after the last batch and one before.
    pub(super) fn run(mut self) -> Result<Outcome> {
        let store = Arc::new(Blocks::default());
        let cache = Arc::new(NodeCache::new(self.cache));
        let (mut tree, blocks) =
            Tree::empty(Arc::clone(&store) as _, Arc::clone(&cache), self.salt, self.params);
        store.put(blocks);
        let mut model = Model::new();
        let mut outcome = Outcome { histories: 1, ..Outcome::default() };
        let between = self.rng.usize(..self.batches);
        for batch in 0..self.batches {
            let edits = self.batch(&model);
            outcome.edits += edits.len() as u64;
            outcome.batches += 1;
            for (key, edit) in &edits {
                match edit {
                    Some(entry) => model.insert(key.clone(), entry.clone()),
                    None => model.remove(key),
                };
            }
            let edited = block_on(tree.edit(edits))?;
            store.put(edited.blocks);
            tree = edited.tree;
            outcome.highest = outcome.highest.max(tree.height());
            if batch == between || batch + 1 == self.batches {
                let entries = model.iter().map(|(key, entry)| (key.clone(), entry.clone()));
                let (built, _) = Tree::build(
                    Arc::new(Blocks::default()),
                    Arc::clone(&cache),
                    self.salt,
                    self.params,
                    entries,
                )?;
                ensure!(
                    tree.root() == built.root(),
                    "root {} after batch {batch}, and {} by a bulk build",
                    tree.root(),
                    built.root()
                );
                ensure!(tree.len() == model.len() as u64, "{} entries counted", tree.len());
                outcome.roots += 1;
            }
        }
        Ok(outcome)
    }

    fn batch(&mut self, model: &Model) -> BTreeMap<Bytes, Option<Entry>> {
        match self.rng.u8(..10) {
            // A sweep over what is there.
            0 => {
                let (from, most) = (self.key(self.keys), self.rng.usize(1..300));
                model.range(from..).take(most).map(|(key, _)| (key.clone(), None)).collect()
            }
            1..=3 => (0..self.rng.usize(1..80)).map(|_| (self.key(self.keys), Some(self.entry()))).collect(),
            4..=6 => (0..self.rng.usize(2..20)).map(|_| self.edit()).collect(),
            _ => BTreeMap::from([self.edit()]),
        }
    }

    fn edit(&mut self) -> (Bytes, Option<Entry>) {
        let entry = (self.rng.u8(..4) > 0).then(|| self.entry());
        (self.key(self.keys), entry)
    }

    fn entry(&mut self) -> Entry {
        let text = "v".repeat(self.rng.usize(..40));
        let value = Value::from_serialize(&(self.rng.u32(..), text)).unwrap_or_else(|_| unreachable!());
        Entry { weight: self.rng.u64(..1 << 40), value }
    }

    fn key(&mut self, keys: Keys) -> Bytes {
        let filled = |fill: u8, len: usize, n: u16| {
            let mut key = vec![fill; len];
            key.extend_from_slice(&n.to_be_bytes());
            key
        };
        let rng = &mut self.rng;
        let key = match keys {
            Keys::Short => format!("a/{:03}", rng.u16(..400)).into_bytes(),
            Keys::OneByte => vec![rng.u8(..)],
            Keys::LongPrefix => filled(b'p', 200, rng.u16(..100)),
            Keys::Longest => filled(0xff, MAX_KEY - 2, rng.u16(..40)),
            Keys::Awkward => (0..rng.usize(1..7)).map(|_| [0, 0xff, b'/'][rng.usize(..3)]).collect(),
            Keys::Any => (0..rng.usize(1..40)).map(|_| rng.u8(..)).collect(),
            Keys::Mixed => {
                let some =
                    [Keys::Short, Keys::OneByte, Keys::LongPrefix, Keys::Longest, Keys::Awkward, Keys::Any];
                let keys = some[rng.usize(..some.len())];
                return self.key(keys);
            }
        };
        key.into()
    }
}

/// Blocks in a map.
#[derive(Debug, Default)]
struct Blocks(Mutex<HashMap<Cid, Block>>);

impl Blocks {
    fn put(&self, blocks: Vec<Block>) {
        locked(&self.0).extend(blocks.into_iter().map(|block| (*block.cid(), block)));
    }
}

#[async_trait]
impl ReadBlocks for Blocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        Ok(locked(&self.0).get(cid).cloned())
    }
}
