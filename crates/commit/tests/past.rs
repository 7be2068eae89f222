//! What the heads of a store say of the past is checked, head by head.

use std::collections::BTreeMap;
use std::sync::Arc;

use carob_block::{Block, Bytes, Cid, Codec, HeadSwap, MemoryStore, ReadBlocks, Store};
use carob_commit::{
    BucketId, Commit, Kept, KeptCommit, NamedCommit, Purged, Tombstone, Unsigned, VerifyError, verify_past,
};
use carob_identity::{Hlc, Signer, SpaceKey, Timestamp};
use carob_index::{Entry, NodeCache, Params, Salt, Tree, Value};

const ID: BucketId = BucketId([1; 16]);

fn key(seed: u8) -> SpaceKey {
    SpaceKey::from_seed(&[seed; 32])
}

struct World {
    store: MemoryStore,
    empty: Cid,
    blocks: Vec<Block>,
}

impl World {
    fn new() -> Self {
        let mut world = Self { store: MemoryStore::new(), empty: cid(b"?"), blocks: Vec::new() };
        world.empty = world.tree(BTreeMap::new());
        world
    }

    fn add(&mut self, block: Block) -> Cid {
        let cid = *block.cid();
        self.blocks.push(block);
        cid
    }

    /// A tree of small entries, built over blocks of its own.
    fn tree(&mut self, entries: BTreeMap<Bytes, Option<Entry>>) -> Cid {
        let store: Arc<dyn ReadBlocks> = Arc::new(self.store.clone());
        let (tree, new) =
            Tree::empty(store, Arc::new(NodeCache::new(1 << 20)), Salt([0; 16]), Params::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let session = self.store.session();
        runtime.block_on(session.put(new.clone())).unwrap();
        let edited = runtime.block_on(tree.edit(entries)).unwrap();
        self.blocks.extend(new.into_iter().chain(edited.blocks));
        edited.tree.root()
    }

    fn commit(&mut self, signer: &SpaceKey, millis: u64) -> Commit {
        let did = *key(7).did();
        let unsigned = Unsigned {
            space: did,
            bucket: ID,
            name: "photos".to_owned(),
            objects: self.empty,
            versions: None,
            config: None,
            parents: Vec::new(),
            skip: None,
            seq: 0,
            time: Hlc { millis, counter: 0 },
            author: did,
        };
        let (commit, block) = unsigned.sign(signer).unwrap();
        self.add(block);
        commit
    }

    /// What is found wrong with this head.
    fn check(self, head: &str, cid: Cid) -> (Vec<VerifyError>, u64, usize) {
        let Self { store, blocks, .. } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let session = store.session();
            session.put(blocks).await.unwrap();
            let swap = HeadSwap { name: head.to_owned(), expected: None, next: Some(cid) };
            store.commit(&[&*session], &[swap]).await.unwrap();
            let past = verify_past(&[(head.to_owned(), cid)], Arc::new(store.clone())).await;
            let wrong = past.wrong.into_iter().map(|(name, error)| {
                assert_eq!(name, head);
                error
            });
            (wrong.collect(), past.states, past.purged.len())
        })
    }
}

fn cid(bytes: &'static [u8]) -> Cid {
    *Block::new(Codec::Raw, Bytes::from_static(bytes)).unwrap().cid()
}

fn entry(value: Value) -> Option<Entry> {
    Some(Entry { weight: 0, value })
}

/// A list that says of a commit that it is of this time.
fn listed(world: &mut World, commit: &Commit, millis: u64) -> Cid {
    let place = KeptCommit::key(Hlc { millis, counter: 0 });
    let value = KeptCommit { until: 9, commit: commit.cid() }.to_value().unwrap();
    let commits = world.tree([(Bytes::copy_from_slice(&place), entry(value))].into());
    let kept = Kept {
        upto: Hlc { millis: 9, counter: 0 },
        seq: 1,
        ended: None,
        genesis: None,
        commits: Some(commits),
    };
    world.add(kept.to_block().unwrap())
}

#[test]
fn a_kept_state_counts_if_its_signature_is_the_spaces_and_its_time_as_listed() {
    let mut world = World::new();
    let commit = world.commit(&key(7), 5);
    let list = listed(&mut world, &commit, 5);
    let (wrong, states, _) = world.check(&Kept::head(ID), list);
    assert!(wrong.is_empty() && states == 1, "{wrong:?}");

    let mut world = World::new();
    let commit = world.commit(&key(7), 5);
    let list = listed(&mut world, &commit, 6);
    assert!(matches!(world.check(&Kept::head(ID), list).0[..], [VerifyError::Listed(_)]));

    let mut world = World::new();
    let commit = world.commit(&key(8), 5);
    let list = listed(&mut world, &commit, 5);
    assert!(matches!(world.check(&Kept::head(ID), list).0[..], [VerifyError::OtherAuthor(_)]));
}

#[test]
fn a_named_state_with_a_bad_signature_is_found() {
    let mut world = World::new();
    let commit = world.commit(&key(7), 5);
    let block = world.blocks.iter().find(|block| *block.cid() == commit.cid()).unwrap();
    let mut bytes = block.data().to_vec();
    let at = bytes.windows(64).position(|run| run == commit.signature().as_bytes()).unwrap();
    bytes[at] ^= 1;
    let forged = world.add(Block::new(Codec::DagCbor, bytes.into()).unwrap());
    let named = NamedCommit { commit: forged, created: Timestamp(1), locked_until: None };
    let named = world.add(named.to_block().unwrap());
    let (wrong, ..) = world.check(&NamedCommit::head(ID, "name"), named);
    assert!(matches!(wrong[..], [VerifyError::Commit(_)]), "{wrong:?}");
}

#[test]
fn tombstones_count_if_the_space_signed_them_for_this_bucket() {
    for (signer, bucket, sound) in [(7, ID, true), (8, ID, false), (7, BucketId([2; 16]), false)] {
        let mut world = World::new();
        let places = [Tombstone::Key("k".to_owned()), Tombstone::Block(cid(b"gone"))];
        let entries = places.map(|place| (place.place().into(), entry(Tombstone::value(3).unwrap())));
        let tombstones = world.tree(entries.into());
        let did = *key(7).did();
        let (upto, time) = (Hlc::default(), Timestamp(1));
        let purged = Purged { space: did, bucket, tombstones, upto, time, author: did };
        let block = purged.sign(&key(signer)).unwrap();
        let head = world.add(block);
        let (wrong, _, blocks) = world.check(&Purged::head(ID), head);
        assert_eq!((wrong.is_empty(), blocks), (sound, usize::from(sound)), "{wrong:?}");
    }
}
