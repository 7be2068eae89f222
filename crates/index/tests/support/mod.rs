//! What the tests share: a store to put blocks in, small trees of many levels, and awkward keys.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use carob_block::{Block, Cid, ReadBlocks, StoreError};
use carob_index::{Edited, Entry, MAX_KEY, NodeCache, Params, Salt, Tree, Value};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

pub type Model = BTreeMap<Bytes, Entry>;
pub type Edits = BTreeMap<Bytes, Option<Entry>>;

/// Blocks in a map, and how often they were asked for.
#[derive(Debug, Default)]
pub struct Blocks {
    blocks: Mutex<HashMap<Cid, Block>>,
    reads: AtomicU64,
}

impl Blocks {
    pub fn put(&self, blocks: &[Block]) {
        let mut held = self.blocks.lock().unwrap();
        held.extend(blocks.iter().map(|block| (*block.cid(), block.clone())));
    }

    /// The same blocks in a store of its own, whose reads are counted apart.
    pub fn fork(&self) -> Self {
        Self { blocks: Mutex::new(self.blocks.lock().unwrap().clone()), reads: AtomicU64::new(0) }
    }

    pub fn lose(&self, cid: &Cid) {
        self.blocks.lock().unwrap().remove(cid);
    }

    pub fn block(&self, cid: &Cid) -> Option<Block> {
        self.blocks.lock().unwrap().get(cid).cloned()
    }

    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl ReadBlocks for Blocks {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.block(cid))
    }
}

/// A store, and trees in it.
#[derive(Debug, Clone)]
pub struct Bench {
    pub store: Arc<Blocks>,
    pub cache: Arc<NodeCache>,
    pub salt: Salt,
    pub params: Params,
}

impl Bench {
    pub fn new(params: Params) -> Self {
        let cache = Arc::new(NodeCache::new(64 << 20));
        Self { store: Arc::default(), cache, salt: Salt([0; 16]), params }
    }

    /// Nodes of a few entries, so that little trees have many levels.
    pub fn small() -> Self {
        Self::new(Params::new(64, 8, 8, 8).unwrap())
    }

    pub fn uncached(self) -> Self {
        Self { cache: Arc::new(NodeCache::new(0)), ..self }
    }

    pub fn build(&self, model: &Model) -> Tree {
        let entries = model.iter().map(|(key, entry)| (key.clone(), entry.clone()));
        let (tree, blocks) =
            Tree::build(self.store.clone(), self.cache.clone(), self.salt, self.params, entries).unwrap();
        self.store.put(&blocks);
        tree
    }

    pub fn empty(&self) -> Tree {
        let (tree, blocks) = Tree::empty(self.store.clone(), self.cache.clone(), self.salt, self.params);
        self.store.put(&blocks);
        tree
    }

    pub async fn edit(&self, tree: &Tree, edits: Edits) -> Edited {
        let edited = tree.edit(edits).await.unwrap();
        self.store.put(&edited.blocks);
        edited
    }

    pub async fn open(&self, root: Cid) -> Tree {
        Tree::open(self.store.clone(), self.cache.clone(), root).await.unwrap()
    }
}

pub fn entry(weight: u64, text: &str) -> Entry {
    Entry { weight, value: Value::from_serialize(text).unwrap() }
}

/// Numbered entries under keys of S3 shape.
pub fn numbered(numbers: impl IntoIterator<Item = u64>) -> Model {
    numbers.into_iter().map(|n| (numbered_key(n), entry(n, &format!("value {n}")))).collect()
}

pub fn numbered_key(n: u64) -> Bytes {
    // Spread, so that neighbours in number are strangers in order.
    format!("photos/{:016x}.jpg", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into()
}

pub fn apply(model: &mut Model, edits: &Edits) {
    for (key, edit) in edits {
        match edit {
            Some(entry) => model.insert(key.clone(), entry.clone()),
            None => model.remove(key),
        };
    }
}

pub async fn contents(tree: &Tree) -> Model {
    let mut cursor = tree.cursor();
    let mut found = Vec::new();
    while let Some(entry) = cursor.next().await.unwrap() {
        found.push(entry);
    }
    assert!(found.is_sorted_by(|a, b| a.0 < b.0), "a cursor yields keys in order");
    found.into_iter().collect()
}

pub async fn walk(tree: &Tree) -> Vec<Block> {
    let mut walk = tree.nodes();
    let mut blocks = Vec::new();
    while let Some(visited) = walk.next().await.unwrap() {
        blocks.push(visited.block);
    }
    blocks
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The same cases at every run; others with `PROPTEST_RNG_SEED`.
pub fn cases(cases: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    match config.rng_seed {
        RngSeed::Random => ProptestConfig { rng_seed: RngSeed::Fixed(0), ..config },
        RngSeed::Fixed(_) => config,
    }
}

/// Keys from distributions that trees find hard. Few enough that histories meet the same key again.
pub fn key() -> impl Strategy<Value = Bytes> {
    let long = |fill: u8, len: usize| {
        move |n: u16| {
            let mut key = vec![fill; len];
            key.extend_from_slice(&n.to_be_bytes());
            Bytes::from(key)
        }
    };
    prop_oneof![
        4 => (0u16..400).prop_map(|n| Bytes::from(format!("a/{n:03}"))),
        2 => any::<u8>().prop_map(|byte| Bytes::from(vec![byte])),
        2 => (0u16..100).prop_map(long(b'p', 200)),
        1 => (0u16..40).prop_map(long(0xff, MAX_KEY - 2)),
        2 => prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), Just(b'/')], 1..7).prop_map(Bytes::from),
        1 => prop::collection::vec(any::<u8>(), 1..40).prop_map(Bytes::from),
    ]
}

pub fn any_entry() -> impl Strategy<Value = Entry> {
    (0u64..1 << 40, "[a-z]{0,30}").prop_map(|(weight, text)| entry(weight, &text))
}

/// Batches of edits, and now and then a sweep that deletes what is there from some key on.
#[derive(Debug, Clone)]
pub enum Step {
    Batch(Edits),
    Sweep { from: Bytes, most: usize },
}

impl Step {
    pub fn edits(self, model: &Model) -> Edits {
        match self {
            Self::Batch(edits) => edits,
            Self::Sweep { from, most } => {
                model.range(from..).take(most).map(|(key, _)| (key.clone(), None)).collect()
            }
        }
    }
}

pub fn step() -> impl Strategy<Value = Step> {
    let edit = || (key(), prop_oneof![3 => any_entry().prop_map(Some), 1 => Just(None)]);
    prop_oneof![
        3 => prop::collection::btree_map(key(), any_entry().prop_map(Some), 1..60).prop_map(Step::Batch),
        3 => edit().prop_map(|edit| Step::Batch([edit].into())),
        2 => prop::collection::vec(edit(), 2..20).prop_map(|edits| Step::Batch(edits.into_iter().collect())),
        1 => (key(), 1usize..300).prop_map(|(from, most)| Step::Sweep { from, most }),
    ]
}

pub fn params() -> impl Strategy<Value = Params> {
    prop_oneof![
        2 => Just(Params::new(64, 8, 8, 8).unwrap()),
        1 => Just(Params::new(300, 20, 40, 32).unwrap()),
        1 => Just(Params::new(4096, 1, 1, 4).unwrap()),
        1 => Just(Params::default()),
    ]
}
