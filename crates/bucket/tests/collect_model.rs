//! Random histories with collections in between and amid them, against a plain model of what is kept.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use carob_block::fault::FaultyStore;
use carob_block::{Cid, Heads, MemoryStore, ReadBlocks};
use carob_bucket::{
    Bucket, BucketError, CompleteOptions, Config, DeleteOptions, ETag, HistoryRetention, PartClaim,
    PutOptions, Snapshot, Space, UploadOptions, Versioning,
};
use carob_identity::{ManualClock, Timestamp};
use proptest::prelude::*;
use support::yielding::Yielding;
use support::{EAGER, START, body, put, space_at};

mod support;

const HOUR: u64 = 60 * 60 * 1000;
#[derive(Debug, Clone)]
enum Write {
    Put(u8, u8),
    Delete(u8),
    Copy(u8, u8),
    Multipart(u8, u8),
}

#[derive(Debug, Clone)]
enum Step {
    Write(Write),
    Name(u8),
    Unname(u8),
    Retain(HistoryRetention),
    Version,
    Pass(u64),
    Collect,
    /// Writes, and reads of what was there before, while a collection is under way.
    Amid(Vec<Write>),
    /// A collection that fails at this call of the store, then a crash.
    Fail(u64),
    Crash,
}

fn write() -> impl Strategy<Value = Write> {
    prop_oneof![
        4 => (0..4_u8, 0..9_u8).prop_map(|(key, body)| Write::Put(key, body)),
        2 => (0..4_u8).prop_map(Write::Delete),
        2 => (0..4_u8, 0..4_u8).prop_map(|(from, to)| Write::Copy(from, to)),
        1 => (0..4_u8, 0..9_u8).prop_map(|(key, body)| Write::Multipart(key, body)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let retention = prop_oneof![
        Just(HistoryRetention::HEAD_ONLY),
        (0..7200_u64, 0..20_000_u64).prop_map(|(all, hourly)| HistoryRetention { all, hourly }),
    ];
    prop_oneof![
        8 => write().prop_map(Step::Write),
        1 => (0..3_u8).prop_map(Step::Name),
        1 => (0..3_u8).prop_map(Step::Unname),
        1 => retention.prop_map(Step::Retain),
        1 => Just(Step::Version),
        3 => (1..HOUR).prop_map(Step::Pass),
        3 => Just(Step::Collect),
        2 => proptest::collection::vec(write(), 1..6).prop_map(Step::Amid),
        1 => (1..40_u64).prop_map(Step::Fail),
        1 => Just(Step::Crash),
    ]
}

/// The same few bodies, so that keys share blocks: short, with an outboard, of several leaves.
fn text(n: u8) -> String {
    let len = [20, 40_000, 1_200_000][usize::from(n % 3)];
    format!("{n:02}, ").repeat(len / 4)
}

type State = BTreeMap<u8, u8>;

/// A commit that the log is to show.
#[derive(Debug, Clone, PartialEq)]
struct Past {
    cid: Cid,
    seq: u64,
    from: u64,
    state: State,
}

type Faulty = FaultyStore<MemoryStore>;

struct World {
    memory: MemoryStore,
    store: Arc<Yielding<Faulty>>,
    clock: Arc<ManualClock>,
    space: Space,
    bucket: Bucket,
    history: HistoryRetention,
    now: State,
    /// Newest last; what retention has dropped is gone.
    past: Vec<Past>,
    names: BTreeMap<u8, State>,
}

impl World {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp(START)));
        let memory = MemoryStore::new();
        let (store, space) = open(&memory, &clock, 1).await;
        space.create_bucket("bucket").await.unwrap();
        let bucket = space.bucket("bucket").await.unwrap();
        let (history, now, past) = (HistoryRetention::default(), State::new(), Vec::new());
        let mut world =
            Self { memory, store, clock, space, bucket, history, now, past, names: BTreeMap::new() };
        world.note().await;
        world
    }

    /// Notes the newest commits, which all have the present state but for those before the last.
    async fn note(&mut self) {
        let snapshot = self.bucket.snapshot().await.unwrap();
        if self.past.last().is_none_or(|last| last.cid != snapshot.cid()) {
            let (cid, seq, from) = (snapshot.cid(), snapshot.commit().seq, snapshot.commit().time.millis);
            self.past.push(Past { cid, seq, from, state: self.now.clone() });
        }
    }

    async fn write(&mut self, write: &Write) {
        apply(&self.bucket, write).await;
        model(&mut self.now, write);
        self.note().await;
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Write(write) => self.write(write).await,
            Step::Name(n) => match self.bucket.create_snapshot(&format!("s{n}"), None).await {
                Ok(_) => assert!(self.names.insert(*n, self.now.clone()).is_none()),
                Err(error) => assert!(matches!(error, BucketError::SnapshotExists(_)), "{error}"),
            },
            Step::Unname(n) => {
                let removed = self.bucket.remove_snapshot(&format!("s{n}")).await.is_ok();
                assert_eq!(removed, self.names.remove(n).is_some());
            }
            Step::Retain(history) => {
                let history = *history;
                self.configure(move |config| config.history = history).await;
                self.history = history;
            }
            Step::Version => self.configure(|config| config.versioning = Versioning::Enabled).await,
            Step::Pass(millis) => self.clock.advance(*millis),
            Step::Collect => {
                self.collect().await;
                self.forget(self.past.len() - 1);
                self.check().await;
            }
            Step::Amid(writes) => self.amid(writes).await,
            Step::Fail(nth) => {
                self.store.inner().fail_call(*nth);
                let failed = self.space.collect(&*self.store, EAGER).await.is_err();
                self.store.inner().fail_call(0);
                self.crash().await;
                // Either it was the last call or nothing was swept; the list of kept ones may be new all the same.
                let before = self.past.clone();
                self.forget(self.past.len() - 1);
                if failed && self.log().await != seqs(&self.past) {
                    self.past = before;
                }
                self.check().await;
            }
            Step::Crash => {
                self.crash().await;
                self.check().await;
            }
        }
    }

    async fn configure(&mut self, change: impl Fn(&mut Config) + Send + Sync + 'static) {
        let change = move |config: &mut Config| {
            change(config);
            Ok(())
        };
        self.bucket.configure(change).await.unwrap();
        self.note().await;
    }

    async fn amid(&mut self, writes: &[Write]) {
        // Readers from before: one of a state, one of a body.
        let held = self.bucket.snapshot().await.unwrap();
        let state = self.now.clone();
        let judged = self.past.len() - 1;
        let (space, store) = (self.space.clone(), Arc::clone(&self.store));
        let collecting = tokio::spawn(async move { space.collect(&*store, EAGER).await });
        for write in writes {
            self.write(write).await;
            tokio::task::yield_now().await;
        }
        compare(&held, &state).await;
        drop(held);
        collecting.await.unwrap().unwrap();
        // It read the heads somewhere among the writes, and kept of what came before the same as if it had before or
        // after them. The clock stood still, so all of those are as young as the last.
        let log = self.log().await;
        let fits = (judged..self.past.len()).find(|at| {
            let mut past = self.past.clone();
            retain(&mut past, self.history, *at, self.clock_now());
            seqs(&past) == log
        });
        let at =
            fits.unwrap_or_else(|| panic!("{log:?} is none of what {:?} may have become", seqs(&self.past)));
        self.forget(at);
        self.check().await;
    }

    async fn collect(&self) {
        self.space.collect(&*self.store, EAGER).await.unwrap();
    }

    async fn crash(&mut self) {
        self.memory = self.memory.crash();
        (self.store, self.space) = open(&self.memory, &self.clock, self.past.len() as u64).await;
        self.bucket = self.space.bucket("bucket").await.unwrap();
    }

    fn clock_now(&self) -> u64 {
        use carob_identity::Clock;
        self.clock.now().0
    }

    /// Drops what retention no longer keeps of what was replaced by the commit at `newest` or before.
    fn forget(&mut self, newest: usize) {
        let now = self.clock_now();
        retain(&mut self.past, self.history, newest, now);
    }

    async fn log(&self) -> Vec<u64> {
        let log = self.bucket.snapshot().await.unwrap().log(10_000).await.unwrap();
        log.iter().map(|entry| entry.commit.seq).collect()
    }

    async fn check(&self) {
        assert_eq!(self.log().await, seqs(&self.past));
        compare(&self.bucket.snapshot().await.unwrap(), &self.now).await;
        for past in &self.past {
            assert!(closure(&self.memory, past.cid).await.is_some(), "commit {} is not whole", past.seq);
        }
        for (n, state) in &self.names {
            compare(&self.bucket.named_snapshot(&format!("s{n}")).await.unwrap(), state).await;
        }
    }

    /// What is left after a while is what heads reach, and nothing else.
    async fn check_clean(&mut self) {
        self.crash().await;
        self.collect().await;
        self.collect().await;
        let mut reachable = HashSet::new();
        for (name, cid) in self.memory.heads("").await.unwrap() {
            reachable
                .extend(closure(&self.memory, cid).await.unwrap_or_else(|| panic!("{name} is not whole")));
        }
        assert_eq!(self.memory.block_count(), reachable.len());
    }
}

async fn open(memory: &MemoryStore, clock: &Arc<ManualClock>, seed: u64) -> (Arc<Yielding<Faulty>>, Space) {
    let store = Arc::new(Yielding::over(FaultyStore::over(Arc::new(memory.clone())), seed));
    let space = space_at(Arc::clone(&store) as _, clock).await;
    (store, space)
}

/// The slow and obvious way to say what is kept: for each commit but the newest, every moment at which it was current.
fn retain(past: &mut Vec<Past>, history: HistoryRetention, newest: usize, now: u64) {
    let untils: Vec<u64> = past.iter().skip(1).map(|next| next.from).collect();
    let (all, hourly) = (history.all * 1000, history.hourly * 1000);
    let hours: Vec<u64> =
        ((now - hourly) / HOUR..=now / HOUR).map(|n| n * HOUR).filter(|hour| hour + hourly > now).collect();
    let mut at = 0;
    past.retain(|past| {
        let keep = match untils.get(at).filter(|_| at < newest) {
            None => true,
            Some(until) => until + all > now || hours.iter().any(|hour| past.from <= *hour && *hour < *until),
        };
        at += 1;
        keep
    });
}

fn seqs(past: &[Past]) -> Vec<u64> {
    past.iter().rev().map(|past| past.seq).collect()
}

fn key(n: u8) -> String {
    format!("key {n}")
}

async fn apply(bucket: &Bucket, write: &Write) {
    match write {
        Write::Put(k, n) => _ = put(bucket, &key(*k), &text(*n)).await.unwrap(),
        Write::Delete(k) => _ = bucket.delete(&key(*k), DeleteOptions::default()).await.unwrap(),
        Write::Copy(from, to) => {
            let Some(source) = bucket.get(&key(*from)).await.unwrap() else { return };
            bucket.copy(&source, &key(*to), PutOptions::default()).await.unwrap();
        }
        Write::Multipart(k, n) => {
            let id = bucket.begin_upload(&key(*k), UploadOptions::default()).await.unwrap();
            let mut upload = bucket.upload(&[]);
            upload.write(text(*n).into()).await.unwrap();
            let part = bucket.put_part(&key(*k), id, 1, upload.finish().await.unwrap(), None).await.unwrap();
            let etag = ETag { md5: part.md5, parts: None }.to_string();
            let parts = vec![PartClaim { number: 1, etag, checksum: None }];
            let options = CompleteOptions { parts, ..CompleteOptions::default() };
            bucket.complete_upload(&key(*k), id, options).await.unwrap();
        }
    }
}

fn model(state: &mut State, write: &Write) {
    match write {
        Write::Put(k, n) | Write::Multipart(k, n) => _ = state.insert(*k, *n),
        Write::Delete(k) => _ = state.remove(k),
        Write::Copy(from, to) => {
            if let Some(n) = state.get(from).copied() {
                state.insert(*to, n);
            }
        }
    }
}

async fn compare(snapshot: &Snapshot, state: &State) {
    assert_eq!(snapshot.objects(), state.len() as u64);
    for (k, n) in state {
        let object = snapshot.get(&key(*k)).await.unwrap().unwrap();
        assert!(body(&object).await == text(*n), "{} is not what was put", key(*k));
    }
}

/// All that `root` reaches, or `None` if some of it is missing.
async fn closure(store: &MemoryStore, root: Cid) -> Option<HashSet<Cid>> {
    let (mut seen, mut todo) = (HashSet::new(), vec![root]);
    while let Some(cid) = todo.pop() {
        if seen.insert(cid) {
            todo.extend(store.get(&cid).await.unwrap()?.links().unwrap());
        }
    }
    Some(seen)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(32) })]

    #[test]
    fn what_is_kept_is_whole_and_the_rest_goes(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for step in &steps {
                world.step(step).await;
            }
            world.collect().await;
            world.forget(world.past.len() - 1);
            world.check().await;
            world.check_clean().await;
        });
    }
}
