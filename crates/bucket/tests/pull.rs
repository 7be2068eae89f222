//! Pulls: the same trees on the other side, only what is missing is asked for, and nothing is taken on trust.

#![expect(clippy::large_futures, reason = "a test's stack has room for them")]

mod support;

use std::collections::HashSet;
use std::sync::Arc;

use carob_block::{Block, Cid, Codec, MemoryStore};
use carob_bucket::{
    Bucket, BucketError, Config, DeleteOptions, HistoryRetention, Lock, Moment, ObjectLock, Pull,
    PullFigures, PullOptions, Pulled, PutOptions, Retention, RetentionMode, Space, SpaceOptions, Versioning,
    Wanted,
};
use carob_identity::{ManualClock, SeededEntropy, SpaceKey, Timestamp};
use futures::TryStreamExt;
use support::{EAGER, START, put, put_with, read, space_at};

const HOUR: u64 = 60 * 60 * 1000;
/// A bucket, and another space that pulls it.
struct World {
    clock: Arc<ManualClock>,
    store: MemoryStore,
    space: Space,
    source: Bucket,
    there: Space,
    their_store: MemoryStore,
}

async fn other(store: &MemoryStore, clock: &Arc<ManualClock>) -> Space {
    let options = SpaceOptions {
        store: Arc::new(store.clone()),
        signer: Arc::new(SpaceKey::generate(&SeededEntropy::new(70))),
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(SeededEntropy::new(80)),
        cache_bytes: 8 << 20,
    };
    Space::open(options).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(START / HOUR * HOUR)));
        let (store, their_store) = (MemoryStore::new(), MemoryStore::new());
        let space = space_at(Arc::new(store.clone()), &clock).await;
        space.create_bucket("garden").await.unwrap();
        let source = space.bucket("garden").await.unwrap();
        let there = other(&their_store, &clock).await;
        Self { clock, store, space, source, there, their_store }
    }

    /// With 600 objects, one of them of several leaves, one with a record of its own.
    async fn full() -> Self {
        let world = Self::new().await;
        for n in 0..600 {
            put(&world.source, &format!("key/{n:04}"), &format!("body {n}")).await.unwrap();
        }
        put(&world.source, "large", &"0123456789".repeat(250_000)).await.unwrap();
        let metadata = [("long".to_owned(), "x".repeat(1500))].into();
        put_with(&world.source, "told", "of", PutOptions { metadata, ..PutOptions::default() })
            .await
            .unwrap();
        world
    }

    async fn pull(&self, name: &str, history: bool) -> Result<Pulled, BucketError> {
        self.drain(self.begin(name, history).await?).await?.finish().await
    }

    /// A pull that knows what there is to pull.
    async fn begin(&self, name: &str, history: bool) -> Result<Pull, BucketError> {
        self.begin_of(name, history, None).await
    }

    async fn begin_of(&self, name: &str, history: bool, max_bytes: Option<u64>) -> Result<Pull, BucketError> {
        let mut pull = self
            .there
            .pull(PullOptions { name: name.into(), space: Some(*self.space.did()), history, max_bytes })
            .await?;
        let mut states = self.source.kept_states().await?;
        if !history {
            states.past.clear();
        }
        let blocks: Vec<Block> = states.commits().try_collect().await?;
        for block in blocks {
            pull.offer(block).await?;
        }
        pull.begin(states.newest.cid()).await?;
        Ok(pull)
    }

    /// One round of asking. False if nothing was asked for.
    async fn round(&self, pull: &mut Pull) -> Result<bool, BucketError> {
        let wanted = pull.wanted().await?;
        if wanted.blocks.is_empty() {
            return Ok(false);
        }
        let blocks: Vec<Block> = self.source.reach(&wanted).await?.try_collect().await?;
        for block in blocks {
            pull.add(block).await?;
        }
        pull.received().await?;
        Ok(true)
    }

    async fn drain(&self, mut pull: Pull) -> Result<Pull, BucketError> {
        while self.round(&mut pull).await? {}
        Ok(pull)
    }

    async fn pulled(&self, name: &str) -> Bucket {
        self.there.bucket(name).await.unwrap()
    }
}

async fn roots(bucket: &Bucket) -> (Cid, Option<Cid>) {
    let state = bucket.snapshot().await.unwrap();
    (state.commit().objects, state.commit().versions)
}

fn refused<T: std::fmt::Debug>(result: Result<T, BucketError>) -> String {
    match result {
        Err(BucketError::Untrustworthy(why)) => why.to_string(),
        other => panic!("believed: {other:?}"),
    }
}

#[tokio::test]
async fn the_trees_are_the_same_and_nothing_is_fetched_twice() {
    let world = World::full().await;
    let first = world.pull("garden", false).await.unwrap();
    let copy = world.pulled("garden").await;
    assert_eq!(roots(&copy).await, roots(&world.source).await);
    assert_eq!(read(&copy, "key/0007").await.as_deref(), Some("body 7"));
    assert_eq!(read(&copy, "large").await.unwrap().len(), 2_500_000);
    assert_eq!((first.commits, first.space), (1, *world.space.did()));
    assert!(first.figures.fetched > 600 && first.figures.left == 0, "{:?}", first.figures);

    let again = world.pull("garden", false).await.unwrap();
    assert_eq!((again.commits, again.figures, again.from), (0, PullFigures::default(), first.from));
    let beside = world.pull("beside", false).await.unwrap();
    assert_eq!((beside.figures.fetched, beside.commits), (0, 1), "every block is here");
    assert_eq!(roots(&world.pulled("beside").await).await, roots(&world.source).await);

    put(&world.source, "key/0300", "changed").await.unwrap();
    let new = world.pull("garden", false).await.unwrap();
    assert_eq!(roots(&copy).await, roots(&world.source).await);
    // The body, a leaf, what is above it, and the root.
    assert!((3..8).contains(&new.figures.fetched), "{:?}", new.figures);
    assert!(new.figures.skipped < 200, "what is known to be whole is passed over: {:?}", new.figures);
    assert_eq!(copy.snapshot().await.unwrap().log(10).await.unwrap().len(), 2, "a commit for each pull");
}

#[tokio::test]
async fn what_came_before_a_power_cut_is_found_again() {
    let world = World::full().await;
    let whole = world.pull("measure", false).await.unwrap().figures.fetched;
    let mut before = 0;
    for rounds in 1..5 {
        let mut world = World::full().await;
        let mut pull = world.begin("garden", false).await.unwrap();
        for _ in 0..rounds {
            world.round(&mut pull).await.unwrap();
        }
        let came = pull.figures().fetched;
        assert!(came > before && came < whole, "{came} of {whole}");
        before = came;
        drop(pull);
        world.their_store = world.their_store.crash();
        world.there = other(&world.their_store, &world.clock).await;
        assert!(world.there.buckets().await.unwrap().is_empty(), "nobody sees a part");
        let rest = world.pull("garden", false).await.unwrap();
        assert_eq!(rest.figures.fetched, whole - came, "after {rounds} rounds");
        assert_eq!(roots(&world.pulled("garden").await).await, roots(&world.source).await);
    }
}

#[tokio::test]
async fn a_collection_takes_nothing_of_a_pull_under_way() {
    let world = World::full().await;
    let mut pull = world.begin("garden", false).await.unwrap();
    while world.round(&mut pull).await.unwrap() {
        world.there.collect(&world.their_store, EAGER).await.unwrap();
    }
    pull.finish().await.unwrap();
    world.there.collect(&world.their_store, EAGER).await.unwrap();
    let copy = world.pulled("garden").await;
    let all: Vec<Block> = copy.snapshot().await.unwrap().export().try_collect().await.unwrap();
    assert!(all.len() > 600);

    let before = world.their_store.block_count();
    put(&world.source, "given up", &"y".repeat(3_000_000)).await.unwrap();
    let mut pull = world.begin("garden", false).await.unwrap();
    world.round(&mut pull).await.unwrap();
    drop(pull);
    world.there.collect(&world.their_store, EAGER).await.unwrap();
    assert!(world.their_store.block_count() <= before, "what was given up goes");
}

#[tokio::test]
async fn no_more_comes_than_may_and_what_came_goes() {
    let world = World::full().await;
    for most in [10, 1_000_000] {
        let refused = match world.begin_of("garden", false, Some(most)).await {
            Ok(pull) => world.drain(pull).await.map(drop),
            Err(error) => Err(error),
        };
        assert!(matches!(refused, Err(BucketError::TooManyBytes(limit)) if limit == most), "{refused:?}");
        assert_eq!(world.there.buckets().await.unwrap(), []);
        world.there.collect(&world.their_store, EAGER).await.unwrap();
        assert_eq!(world.their_store.block_count(), 0);
    }
    let pull = world.begin_of("garden", false, Some(10_000_000)).await.unwrap();
    world.drain(pull).await.unwrap().finish().await.unwrap();
}

#[tokio::test]
async fn a_source_that_lies_changes_nothing() {
    let world = World::full().await;
    world.pull("garden", false).await.unwrap();
    let honest = roots(&world.pulled("garden").await).await;
    put(&world.source, "key/0001", "new").await.unwrap();

    // A block is left out, and another comes in its place.
    let mut pull = world.begin("garden", false).await.unwrap();
    let wanted = pull.wanted().await.unwrap();
    assert!(refused(pull.received().await).contains("did not come"));
    let foreign = Block::new(Codec::Raw, "foreign".into()).unwrap();
    assert!(refused(pull.add(foreign).await).contains("nobody asked for"));
    assert!(!wanted.blocks.is_empty());

    // A signature that is not the author's; a commit of another space; one that somebody else signed.
    let head = world.source.snapshot().await.unwrap();
    let states = world.source.kept_states().await.unwrap();
    let blocks: Vec<Block> = states.commits().try_collect().await.unwrap();
    let mut bytes = blocks[0].data().to_vec();
    let at = bytes.windows(4).position(|part| part == b"csig").unwrap() + 10;
    bytes[at] ^= 1;
    let forged = Block::new(Codec::DagCbor, bytes.into()).unwrap();
    let options = |space| PullOptions { name: "garden".into(), space, history: false, max_bytes: None };
    let mut pull = world.there.pull(options(None)).await.unwrap();
    assert!(refused(pull.offer(forged).await).contains("bad signature"));
    let mut pull = world.there.pull(options(Some(*world.there.did()))).await.unwrap();
    pull.offer(blocks[0].clone()).await.unwrap();
    assert!(refused(pull.begin(head.cid()).await).contains("another space"));
    let mut unsigned = carob_commit::Unsigned::clone(head.commit());
    unsigned.seq += 1;
    let (other, block) = unsigned.sign(&SpaceKey::generate(&SeededEntropy::new(99))).unwrap();
    let mut pull = world.there.pull(options(None)).await.unwrap();
    pull.offer(block).await.unwrap();
    assert!(refused(pull.begin(other.cid()).await).contains("not signed by its space"));

    // It goes back behind what was pulled.
    world.pull("garden", false).await.unwrap();
    let newer = roots(&world.pulled("garden").await).await;
    let old = head.log(10).await.unwrap()[2].commit.clone();
    let all = PullOptions { history: true, ..options(None) };
    let mut pull = world.there.pull(all).await.unwrap();
    for block in states.commits().try_collect::<Vec<_>>().await.unwrap() {
        pull.offer(block).await.unwrap();
    }
    assert!(refused(pull.begin(old.cid()).await).contains("older than what was pulled"));

    assert_ne!(honest, newer);
    assert_eq!(roots(&world.pulled("garden").await).await, newer);
}

#[tokio::test]
async fn a_bucket_that_lives_a_life_of_its_own_is_left_alone() {
    let world = World::new().await;
    put(&world.source, "a", "1").await.unwrap();
    world.there.create_bucket("mine").await.unwrap();
    assert!(matches!(world.pull("mine", false).await, Err(BucketError::BucketExists(_))));
    world.pull("garden", false).await.unwrap();
    put(&world.pulled("garden").await, "b", "written here").await.unwrap();
    put(&world.source, "c", "3").await.unwrap();
    let refused = world.pull("garden", false).await.map(|pulled| pulled.commits);
    assert!(matches!(refused, Err(BucketError::NotPulled { .. })), "{refused:?}");
    assert_eq!(read(&world.pulled("garden").await, "b").await.as_deref(), Some("written here"));

    // What is written while a pull is under way is no less there.
    world.pull("other", false).await.unwrap();
    put(&world.source, "d", "4").await.unwrap();
    let pull = world.drain(world.begin("other", false).await.unwrap()).await.unwrap();
    put(&world.pulled("other").await, "e", "meanwhile").await.unwrap();
    let refused = pull.finish().await.map(|pulled| pulled.commits);
    assert!(matches!(refused, Err(BucketError::NotPulled { .. })), "{refused:?}");
    assert_eq!(read(&world.pulled("other").await, "e").await.as_deref(), Some("meanwhile"));
}

#[tokio::test]
async fn only_what_the_buckets_states_reach_can_be_asked_for() {
    let world = World::new().await;
    world.space.create_bucket("secret").await.unwrap();
    let secret = world.space.bucket("secret").await.unwrap();
    put(&secret, "k", "not for you").await.unwrap();
    put(&world.source, "k", "for you").await.unwrap();
    let (ours, theirs) = (world.source.snapshot().await.unwrap(), secret.snapshot().await.unwrap());
    let blocks: Vec<Block> = theirs.export().try_collect().await.unwrap();
    let body = *blocks.iter().find(|block| &**block.data() == b"not for you").unwrap().cid();
    let tree = ours.commit().objects;
    let way = |steps: Vec<(Cid, Option<usize>)>, blocks| Wanted { steps, blocks };
    for (wanted, why) in [
        (way(vec![(theirs.cid(), None)], vec![(theirs.commit().objects, 0)]), "another bucket's commit"),
        (way(vec![(ours.cid(), None)], vec![(body, 0)]), "not linked"),
        (way(vec![(ours.cid(), None), (body, Some(0))], vec![(body, 1)]), "a step that is not linked"),
        (way(vec![(ours.cid(), None), (tree, Some(1))], vec![(body, 1)]), "a step behind itself"),
        (way(vec![(ours.cid(), None)], vec![(tree, 7)]), "a step that is not there"),
        (way(vec![(tree, None)], vec![(body, 0)]), "a way that begins with no commit"),
        (way(vec![], vec![(body, 0)]), "no way"),
    ] {
        let answer = world.source.reach(&wanted).await.map(|_| ());
        assert!(
            matches!(answer, Err(BucketError::Unreachable(_) | BucketError::NoSuchState { .. })),
            "{why}: {answer:?}"
        );
    }
    let wanted = way(vec![(ours.cid(), None)], vec![(tree, 0)]);
    let given: Vec<Block> = world.source.reach(&wanted).await.unwrap().try_collect().await.unwrap();
    assert_eq!(given.iter().map(|block| *block.cid()).collect::<Vec<_>>(), [tree]);
}

/// A past with a gap: of the commits of the first hours only those at full hours are left.
async fn with_a_past() -> World {
    let world = World::new().await;
    let keep = |config: &mut Config| {
        config.history = HistoryRetention { all: 600, hourly: 10 * 3600 };
        Ok(())
    };
    world.source.configure(keep).await.unwrap();
    for n in 0..40 {
        put(&world.source, &format!("k{}", n % 7), &format!("body {n}")).await.unwrap();
        world.clock.advance(HOUR / 8);
    }
    world.space.collect(&world.store, EAGER).await.unwrap();
    for n in 40..44 {
        put(&world.source, "k0", &format!("body {n}")).await.unwrap();
        world.clock.advance(1000);
    }
    world
}

/// The trees at each of these times, if there are any.
async fn through_time(bucket: &Bucket) -> Vec<Option<Cid>> {
    let mut found = Vec::new();
    for step in 0..400 {
        let time = Timestamp(START / HOUR * HOUR + step * HOUR / 64);
        found.push(match bucket.at(&Moment::At(time)).await {
            Ok(state) => Some(state.commit().objects),
            Err(BucketError::NoSuchState { .. }) => None,
            Err(error) => panic!("{error}"),
        });
    }
    found
}

#[tokio::test]
async fn the_past_comes_along_with_its_times_and_its_gaps() {
    let world = with_a_past().await;
    let there = through_time(&world.source).await;
    assert!(there.contains(&None) && there.iter().flatten().collect::<HashSet<_>>().len() > 4, "{there:?}");
    let first = world.pull("garden", true).await.unwrap();
    let copy = world.pulled("garden").await;
    assert_eq!(through_time(&copy).await, there);
    let log = copy.snapshot().await.unwrap().log(1000).await.unwrap();
    assert_eq!(log.len() as u64, first.commits);
    let source = world.source.snapshot().await.unwrap().log(1000).await.unwrap();
    let times = |log: &[carob_bucket::LogEntry]| -> Vec<_> {
        log.iter().map(|entry| (entry.commit.time, entry.commit.objects)).collect()
    };
    assert_eq!(times(&log), times(&source));

    // What came goes the way of everything that is kept, and what is written comes after it.
    world.there.collect(&world.their_store, EAGER).await.unwrap();
    assert_eq!(through_time(&copy).await, there);

    for n in 50..55 {
        put(&world.source, "k1", &format!("body {n}")).await.unwrap();
        world.clock.advance(1000);
    }
    let next = world.pull("garden", true).await.unwrap();
    assert_eq!(next.commits, 5);
    assert!(next.figures.fetched < 40, "{:?}", next.figures);
    assert_eq!(through_time(&copy).await, through_time(&world.source).await);
    world.there.collect(&world.their_store, EAGER).await.unwrap();
    let log = copy.snapshot().await.unwrap().log(1000).await.unwrap();
    assert_eq!(times(&log), times(&world.source.snapshot().await.unwrap().log(1000).await.unwrap()));
    let written = put(&copy, "k9", "here").await.unwrap();
    assert_eq!(copy.snapshot().await.unwrap().cid(), written.commit);
}

#[tokio::test]
async fn an_export_with_history_brings_the_past_and_a_forged_one_nothing() {
    let world = with_a_past().await;
    let states = world.source.kept_states().await.unwrap();
    let (root, count) = (states.newest.cid(), states.past.len());
    let blocks: Vec<Block> = states.export().try_collect().await.unwrap();
    assert_eq!(*blocks[0].cid(), root);
    let cids: HashSet<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    assert!(cids.len() * 10 > blocks.len() * 9, "what states share comes once");
    let import = async |name: &str, blocks: &[Block]| {
        let mut import = world.there.import(None);
        for block in blocks {
            import.add(block.clone()).await?;
        }
        import.finish(root, name, *world.there.did()).await
    };
    assert_eq!(import("garden", &blocks).await.unwrap().past, count);
    let copy = world.pulled("garden").await;
    assert_eq!(through_time(&copy).await, through_time(&world.source).await);
    assert_eq!(
        copy.snapshot().await.unwrap().config().history,
        HistoryRetention { all: 600, hourly: 10 * 3600 }
    );

    for left_out in 1..blocks.len() {
        // Without the entry of a list the state is no part of it, and is not looked at.
        if carob_commit::KeptCommit::from_block(&blocks[left_out]).is_ok() {
            continue;
        }
        let mut fewer = blocks.clone();
        let gone = *fewer.remove(left_out).cid();
        fewer.retain(|block| *block.cid() != gone);
        let imported = import("partial", &fewer).await.map(|imported| imported.past);
        assert!(matches!(imported, Err(BucketError::Untrustworthy(_))), "without {gone}: {imported:?}");
    }
    let mut forged = blocks.clone();
    let kept = carob_commit::KeptCommit::from_block(&forged[1]).unwrap();
    let longer = carob_commit::KeptCommit { until: kept.until + HOUR, ..kept };
    forged[1] = longer.to_block().unwrap();
    assert!(matches!(import("longer", &forged).await, Err(BucketError::Untrustworthy(_))));
}

#[tokio::test]
async fn what_object_lock_protects_here_stays() {
    let world = World::new().await;
    let enable = |config: &mut Config| {
        (config.versioning, config.object_lock) = (Versioning::Enabled, Some(ObjectLock::default()));
        Ok(())
    };
    world.source.configure(enable).await.unwrap();
    let until = Timestamp(START + HOUR);
    let retention = Some(Retention { mode: RetentionMode::Compliance, until });
    let lock = Lock { retention, ..Lock::default() };
    let kept = put_with(&world.source, "k", "1", PutOptions { lock, ..PutOptions::default() }).await.unwrap();
    world.pull("garden", false).await.unwrap();
    // Hidden by another version, it is still there.
    put(&world.source, "k", "2").await.unwrap();
    world.pull("garden", false).await.unwrap();
    let copy = world.pulled("garden").await;
    assert_eq!(read(&copy, "k").await.as_deref(), Some("2"));
    // There its time is over, and it is deleted; a clock that was set back says that here it is not.
    world.clock.advance(3 * HOUR);
    let version = Some(kept.record.version_name());
    world.source.delete("k", DeleteOptions { version, ..DeleteOptions::default() }).await.unwrap();
    world.clock.set(Timestamp(START));
    let refused = world.pull("garden", false).await.map(|pulled| pulled.commits);
    assert!(matches!(refused, Err(BucketError::Locked)), "{refused:?}");
    world.clock.advance(3 * HOUR);
    world.pull("garden", false).await.unwrap();
    assert_eq!(roots(&copy).await, roots(&world.source).await);
}
