//! Crash states, one by one: what a power cut may leave at every flush of every short sequence of operations.
//!
//! A sequence runs in a bucket over the simulated disk. Before each flush of its last operation, after that is
//! acknowledged, and before each flush of closing the store, the disk is kept as it is then: what is on the medium, and
//! which pages, lengths and names are not. (The operations before are the last ones of shorter sequences.) If these are
//! few, every subset of them is tried; if not, every prefix, each alone, each left out, and random subsets; and with
//! either the last ones torn. The store that opens on each must hold what was acknowledged, and the operation under way
//! as a whole or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use carob_block::{Store, SweepOptions};
use carob_bucket::{CollectOptions, HistoryRetention, Space, SpaceOptions};
use carob_identity::{SeededEntropy, SpaceKey, SystemClock};
use carob_local::sim::{Kept, Moment, SimDisk};
use carob_local::{Disk, LocalOptions, LocalStore};
use tokio::task::JoinSet;

use super::model::Condition;
use super::target::{Name, Target};

const BUCKET: &str = "states";

/// Small, so that segments are sealed and swept within three operations.
const SEGMENT_SIZE: u32 = 32 << 10;

/// Arguments of `xtask crash-states`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashStatesArgs {
    /// The most operations in a sequence.
    #[arg(long, default_value_t = 3)]
    length: usize,
    /// How many random states to try of a moment that has more than so many.
    #[arg(long, default_value_t = 10_000)]
    samples: usize,
    /// Stop after so many minutes, and say how to go on; sequences come in random order, the short ones first.
    #[arg(long)]
    minutes: Option<u64>,
    /// Leave out so many sequences, which an earlier run has tried.
    #[arg(long, default_value_t = 0)]
    from: usize,
    /// How many sequences to try at once.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Draws the order and the random subsets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What one step of a sequence does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Put,
    Overwrite,
    Delete,
    Copy,
    Complete,
    /// The collector that a gateway runs.
    Gc,
    /// In no sequence of the run, but tried by a test.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test tries it"))]
    Purge,
}

/// Every segment with anything dead in it is rewritten.
const COLLECT: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};

const OPS: [Op; 6] = [Op::Put, Op::Overwrite, Op::Delete, Op::Copy, Op::Complete, Op::Gc];

/// What the bucket holds: the operation that wrote each key, and its body.
type Model = BTreeMap<String, (u64, Bytes)>;

/// What was tried.
#[derive(Debug, Default)]
struct Figures {
    sequences: usize,
    moments: usize,
    states: usize,
    /// Moments all of whose states were tried, but for torn pages.
    exhausted: usize,
    /// The most changes of a moment.
    most: usize,
    /// Segments that collections removed.
    swept: u64,
}

impl CrashStatesArgs {
    /// Tries them; an error names the sequence, the moment and the state.
    pub(crate) async fn run(self) -> Result<()> {
        let begun = Instant::now();
        let limit = self.minutes.map(|minutes| Duration::from_secs(60 * minutes));
        let all = sequences(self.length, &mut fastrand::Rng::with_seed(self.seed));
        let base = Arc::new(Base::new(|disk| disk).await?);
        let (mut next, mut running, mut figures) = (self.from, JoinSet::new(), Figures::default());
        loop {
            let in_time = limit.is_none_or(|limit| begun.elapsed() < limit);
            while in_time && running.len() < self.threads.max(1) && next < all.len() {
                let (base, sequence, samples) = (base.clone(), all[next].clone(), self.samples);
                let mut rng = fastrand::Rng::with_seed(self.seed.wrapping_add(next as u64));
                running.spawn(async move { base.run(&sequence, samples, &mut rng).await });
                next += 1;
            }
            let Some(done) = running.join_next().await else { break };
            figures += done??;
            if figures.sequences % 20 == 0 {
                println!("  {} sequences, {} states", figures.sequences, figures.states);
            }
        }
        let Figures { sequences: tried, moments, states, exhausted, most, swept } = figures;
        println!(
            "crash states: {tried} of {} sequences of up to {} operations, {moments} moments of up to {most} changes \
             ({exhausted} in every state), {swept} segments collected, {states} states: each holds what was acknowledged, \
             and no part of what was not ({} s)",
            all.len(),
            self.length,
            begun.elapsed().as_secs(),
        );
        if next < all.len() {
            println!("go on with --seed {} --from {next}", self.seed);
        }
        Ok(())
    }
}

/// All sequences, short ones first, otherwise in random order.
fn sequences(length: usize, rng: &mut fastrand::Rng) -> Vec<Vec<Op>> {
    let (mut all, mut last) = (Vec::new(), vec![Vec::new()]);
    for _ in 0..length {
        let longer = |sequence: &Vec<Op>| OPS.map(|op| [&sequence[..], &[op]].concat());
        last = last.iter().flat_map(longer).collect();
        rng.shuffle(&mut last);
        all.extend(last.iter().cloned());
    }
    all
}

/// A bucket with some objects, and a disk that keeps what to try.
struct Base {
    disk: SimDisk,
    model: Model,
    /// The disk as the store sees it.
    seen: fn(Arc<dyn Disk>) -> Arc<dyn Disk>,
}

/// What a bucket may hold after a cut in one of the moments.
struct Points {
    moments: Vec<Moment>,
    allowed: Vec<Model>,
}

async fn open(disk: Arc<dyn Disk>) -> Result<(Arc<LocalStore>, Space)> {
    let options = LocalOptions { dir: "/store".into(), segment_size: SEGMENT_SIZE, disk, log_id: [7; 16] };
    let store = Arc::new(LocalStore::open(options)?);
    let space = Space::open(SpaceOptions {
        store: store.clone(),
        signer: Arc::new(SpaceKey::generate(&SeededEntropy::new(7))),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SeededEntropy::new(8)),
        cache_bytes: 1 << 20,
    });
    Ok((store, space.await?))
}

async fn close(store: &LocalStore, space: &Space) -> Result<()> {
    space.close().await;
    Ok(store.close().await?)
}

fn name(key: &str) -> Name {
    Name { bucket: BUCKET.into(), key: key.into() }
}

/// A body of a few pages that says which operation wrote it.
fn body(op: u64) -> Bytes {
    format!("written by operation {op};").into_bytes().repeat(300).into()
}

/// The bucket keeps nothing but its newest state, so that there is something to collect.
async fn keep_head_only(space: &Space) -> Result<()> {
    let change = |config: &mut carob_bucket::Config| {
        config.history = HistoryRetention::HEAD_ONLY;
        Ok(())
    };
    space.bucket(BUCKET).await?.configure(change).await?;
    Ok(())
}

impl Base {
    async fn new(seen: fn(Arc<dyn Disk>) -> Arc<dyn Disk>) -> Result<Self> {
        let disk = SimDisk::new(1);
        let (store, space) = open(Arc::new(disk.clone())).await?;
        let mut model = Model::new();
        Target::create_bucket(&space, BUCKET).await?;
        keep_head_only(&space).await?;
        for (op, key) in [(1, "changed"), (2, "deleted"), (3, "source")] {
            space.put(&name(key), op, body(op), &Condition::None).await?;
            model.insert(key.into(), (op, body(op)));
            // What a client began and gave up: blocks that nothing reaches.
            let session = store.session();
            session.put(vec![carob_block::Block::new(carob_block::Codec::Raw, body(100 + op))?]).await?;
            store.commit(&[&*session], &[]).await?;
        }
        close(&store, &space).await?;
        Ok(Self { disk, model, seen })
    }

    /// Runs a sequence once, then tries what any power cut of its last operation may leave.
    async fn run(&self, sequence: &[Op], samples: usize, rng: &mut fastrand::Rng) -> Result<Figures> {
        let mut figures = Figures { sequences: 1, ..Figures::default() };
        for (name, points) in self.record(sequence, &mut figures).await? {
            for (number, moment) in points.moments.iter().enumerate() {
                let changes = moment.changes();
                let (states, all) = states(changes, samples, rng);
                for state in &states {
                    let kept = |change: usize| state.get(change).copied().unwrap_or(Kept::No);
                    let at = || format!("{sequence:?}: {name}, moment {number}, state {state:?}");
                    let found = recovered(moment.after(kept)).await.with_context(at)?;
                    if !points.allowed.contains(&found) {
                        let held = found.iter().map(|(key, (op, _))| (key, op));
                        bail!("{}: {:?}", at(), held.collect::<Vec<_>>());
                    }
                }
                figures.moments += 1;
                figures.states += states.len();
                figures.exhausted += usize::from(all);
                figures.most = figures.most.max(changes);
            }
        }
        Ok(figures)
    }

    /// The moments of the last operation of a sequence, and of closing the store after it.
    async fn record(&self, sequence: &[Op], figures: &mut Figures) -> Result<[(&'static str, Points); 2]> {
        let disk = self.disk.image();
        let (store, space) = open((self.seen)(Arc::new(disk.clone()))).await?;
        let (mut before, mut model) = (self.model.clone(), self.model.clone());
        for (number, op) in (10..).zip(sequence) {
            before = model.clone();
            disk.record();
            figures.swept += perform(*op, number, &store, &space, &mut model).await?;
        }
        let under_way = Points { moments: disk.moments(), allowed: vec![before, model.clone()] };
        let acknowledged = disk.moment();
        close(&store, &space).await?;
        let moments = std::iter::once(acknowledged).chain(disk.moments()).collect();
        Ok([("under way", under_way), ("acknowledged", Points { moments, allowed: vec![model] })])
    }
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.moments += other.moments;
        self.states += other.states;
        self.exhausted += other.exhausted;
        self.most = self.most.max(other.most);
        self.swept += other.swept;
    }
}

/// Gives how many segments a collection removed.
async fn perform(op: Op, number: u64, store: &LocalStore, space: &Space, model: &mut Model) -> Result<u64> {
    let mut write = |key: &str| model.insert(key.into(), (number, body(number)));
    match op {
        Op::Put => {
            write("new");
            space.put(&name("new"), number, body(number), &Condition::None).await?;
        }
        Op::Overwrite => {
            write("changed");
            space.put(&name("changed"), number, body(number), &Condition::None).await?;
        }
        Op::Delete => {
            model.remove("deleted");
            space.delete(&name("deleted"), None).await?;
        }
        Op::Copy => {
            let source = super::target::Source { name: name("source"), if_match: None };
            space.copy(&name("copy"), &source, Some(number), &Condition::None).await?;
            let body = model["source"].1.clone();
            model.insert("copy".into(), (number, body));
        }
        Op::Complete => {
            let upload = space.begin_upload(&name("joined"), number).await?;
            let etag = space.put_part(&upload, 1, body(number)).await?;
            write("joined");
            space.complete(&upload, &[(1, &etag)], &Condition::None).await?;
        }
        Op::Gc => return Ok(space.collect(store, COLLECT).await?.swept.segments),
        Op::Purge => {
            model.remove("deleted");
            return Ok(space.purge(store, BUCKET, "deleted", COLLECT).await?.collected.swept.segments);
        }
    }
    Ok(0)
}

/// What the bucket holds after a power cut, all of it read.
async fn recovered(disk: SimDisk) -> Result<Model> {
    let (store, space) = open(Arc::new(disk)).await?;
    let mut model = Model::new();
    for listed in space.list(BUCKET, 1000).await? {
        let found = space.get(&name(&listed.key)).await?.context("listed and not there")?;
        model.insert(listed.key, (found.op, found.body));
    }
    close(&store, &space).await?;
    Ok(model)
}

/// The states of so many changes to try: all, if there are no more than `samples`. Gives whether they are, but for
/// torn pages.
fn states(changes: usize, samples: usize, rng: &mut fastrand::Rng) -> (Vec<Vec<Kept>>, bool) {
    let kept = |yes: bool| if yes { Kept::Yes } else { Kept::No };
    let mut states: Vec<Vec<Kept>> = Vec::new();
    let few = changes < 32 && 1 << changes <= samples;
    if few {
        states.extend(
            (0..1_usize << changes).map(|set| (0..changes).map(|at| kept(set >> at & 1 == 1)).collect()),
        );
    } else {
        for one in 0..=changes {
            states.push((0..changes).map(|at| kept(at < one)).collect());
            states.push((0..changes).map(|at| kept(at == one)).collect());
            states.push((0..changes).map(|at| kept(at != one)).collect());
        }
    }
    // One of the last pages torn, all before it there.
    for sectors in 1..8 {
        for torn in changes.saturating_sub(3)..changes {
            states.push(
                (0..changes)
                    .map(|at| if at == torn { Kept::Torn(sectors) } else { kept(at < torn) })
                    .collect(),
            );
        }
    }
    if !few {
        states.extend((0..samples).map(|_| (0..changes).map(|_| kept(rng.bool())).collect()));
    }
    (states, few)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unflushed::Unflushed;

    #[tokio::test]
    async fn short_sequences_leave_only_what_was_acknowledged() {
        let mut rng = fastrand::Rng::with_seed(1);
        let base = Base::new(|disk| disk).await.unwrap();
        let mut figures = Figures::default();
        for op in OPS.into_iter().chain([Op::Purge]) {
            figures += base.run(&[op], 20, &mut rng).await.unwrap();
        }
        figures += base.run(&[Op::Delete, Op::Put, Op::Gc], 20, &mut rng).await.unwrap();
        assert!(figures.moments > 20 && figures.states > 200 && figures.swept > 0, "{figures:?}");
    }

    #[tokio::test]
    async fn a_disk_that_does_not_flush_is_noticed() {
        let mut rng = fastrand::Rng::with_seed(1);
        let base = Base::new(|disk| Arc::new(Unflushed(disk))).await.unwrap();
        for op in [Op::Put, Op::Overwrite, Op::Delete, Op::Copy, Op::Complete] {
            assert!(base.run(&[op], 50, &mut rng).await.is_err(), "{op:?}");
        }
    }
}
