//! Clients write, and maybe a collector sweeps, while the power goes at a random moment, again and again on the same
//! disk. What was acknowledged must be there afterwards, whole; what nothing reaches can be swept.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use carob_block::{
    Block, Cid, Codec, Collection, HeadSwap, Heads, ReadBlocks, Store, StoreError, Sweep, SweepOptions,
};
use carob_local::sim::{SimDisk, SimOp};
use carob_local::{LocalError, LocalOptions, LocalStore};
use fastrand::Rng;

const CLIENTS: usize = 6;

/// Where the two heads of a client are.
type Pair = (Option<Cid>, Option<Cid>);

/// What a client knows: the pair it was last told of, and those it tried to move to since.
#[derive(Debug, Clone, Default)]
struct Client {
    acknowledged: Pair,
    tried: Vec<Pair>,
    round: u64,
}

fn open(disk: &SimDisk) -> Result<Arc<LocalStore>, LocalError> {
    let options = LocalOptions {
        dir: Path::new("/store").into(),
        segment_size: 24 * 1024,
        disk: Arc::new(disk.clone()),
        log_id: [9; 16],
    };
    LocalStore::open(options).map(Arc::new)
}

fn leaf(rng: &mut Rng) -> Block {
    // Few different ones, so that clients often put the same.
    let (byte, len) = (rng.u8(..), rng.usize(..3) * 1500 + rng.usize(..3));
    Block::new(Codec::Raw, vec![byte; len].into()).unwrap()
}

fn node(links: &[Cid], unique: &str) -> Block {
    let bytes = serde_ipld_dagcbor::to_vec(&(unique, links)).unwrap();
    Block::new(Codec::DagCbor, bytes.into()).unwrap()
}

/// Moves both heads once. `Err` leaves it open whether they moved.
async fn step(store: &LocalStore, id: usize, client: &mut Client, rng: &mut Rng) -> Result<(), StoreError> {
    client.round += 1;
    let session = store.session();
    let leaves: Vec<Block> = (0..rng.usize(1..4)).map(|_| leaf(rng)).collect();
    let links: Vec<Cid> = leaves.iter().map(|leaf| *leaf.cid()).collect();
    if rng.bool() {
        let missing = session.missing(&links).await?;
        session.put(leaves.into_iter().filter(|leaf| missing.contains(leaf.cid())).collect()).await?;
    } else {
        session.put(leaves).await?;
    }
    let (a, b) = (node(&links, &format!("a {id} {}", client.round)), node(&links, &format!("b {id}")));
    let next = (Some(*a.cid()), (rng.u8(..4) > 0).then_some(*b.cid()));
    session.put(vec![a, b]).await?;
    let now = client.acknowledged;
    let swaps = [
        HeadSwap { name: format!("a/{id}"), expected: now.0, next: next.0 },
        HeadSwap { name: format!("b/{id}"), expected: now.1, next: next.1 },
    ];
    client.tried.push(next);
    store.commit(&[&*session], &swaps).await?;
    (client.acknowledged, client.tried) = (next, Vec::new());
    assert_eq!(heads(store, id).await, next, "an acknowledged move shows");
    Ok(())
}

async fn heads(store: &LocalStore, id: usize) -> Pair {
    (store.head(&format!("a/{id}")).await.unwrap(), store.head(&format!("b/{id}")).await.unwrap())
}

/// Reads everything below `root`.
async fn walk(store: &LocalStore, root: Cid) {
    let mut todo = vec![root];
    while let Some(cid) = todo.pop() {
        let block = store.get(&cid).await.unwrap().expect("a reachable block is held");
        todo.extend(block.links().unwrap());
    }
}

/// Finds each client where it was told it is, or where it tried to go since.
async fn find(store: &LocalStore, clients: &mut [Client]) {
    for (id, client) in clients.iter_mut().enumerate() {
        let found = heads(store, id).await;
        let allowed = found == client.acknowledged || client.tried.contains(&found);
        assert!(allowed, "client {id} is at {found:?}: {client:?}");
        (client.acknowledged, client.tried) = (found, Vec::new());
    }
}

/// Marks all that the heads reach, and tells what that is.
async fn mark(store: &LocalStore, collection: &dyn Collection) -> Result<BTreeSet<Cid>, StoreError> {
    let mut todo: Vec<Cid> = store.heads("").await?.into_iter().map(|(_, cid)| cid).collect();
    let mut reached = BTreeSet::new();
    while !todo.is_empty() {
        let marked = collection.mark(&todo).await?;
        assert_eq!(marked.missing, [], "a head reaches it");
        todo.clear();
        for cid in marked.new {
            todo.extend(store.get(&cid).await?.expect("marked").links().unwrap());
            reached.insert(cid);
        }
    }
    Ok(reached)
}

/// Collects again and again until the clients are done or the power is gone.
async fn collect(store: Arc<LocalStore>, done: Arc<AtomicBool>, mut rng: Rng) {
    while !done.load(Ordering::SeqCst) {
        let round = async {
            let collection = store.collect().await?;
            mark(&store, &*collection).await?;
            let options = SweepOptions { dead_percent: rng.u8(..80), bytes_per_second: None };
            if rng.u8(..4) > 0 { collection.sweep(&options).await } else { collection.survey(&options).await }
        };
        let _: Result<_, StoreError> = round.await;
        tokio::task::yield_now().await;
    }
}

/// Nothing but what the heads reach is left after a thorough sweep.
async fn check_sweep(store: &LocalStore) {
    let collection = store.collect().await.unwrap();
    let reached = mark(store, &*collection).await.unwrap();
    collection.sweep(&SweepOptions { dead_percent: 0, bytes_per_second: None }).await.unwrap();
    assert_eq!(store.stats().blocks, reached.len() as u64, "blocks left");
    for cid in reached {
        assert!(store.get(&cid).await.unwrap().is_some(), "reached and gone");
    }
}

async fn check(disk: &SimDisk, clients: &mut [Client], collecting: bool) {
    let store = open(disk).unwrap();
    find(&store, clients).await;
    if collecting {
        check_sweep(&store).await;
    }
    for client in clients {
        for head in [client.acknowledged.0, client.acknowledged.1].into_iter().flatten() {
            walk(&store, head).await;
        }
    }
}

/// Lets all clients work until the power goes or each has done `steps`.
async fn work(store: Arc<LocalStore>, clients: Vec<Client>, steps: usize, seed: u64) -> Vec<Client> {
    let tasks = clients.into_iter().enumerate().map(|(id, mut client)| {
        let (store, mut rng) = (Arc::clone(&store), Rng::with_seed(seed.wrapping_add(id as u64)));
        tokio::spawn(async move {
            for _ in 0..steps {
                let Err(error) = step(&store, id, &mut client, &mut rng).await else { continue };
                assert!(
                    !matches!(error, StoreError::Conflict { .. } | StoreError::Dangling { .. }),
                    "{error}"
                );
                assert_eq!(heads(&store, id).await, client.acknowledged, "after an error no head has moved");
            }
            client
        })
    });
    let mut done = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        done.push(task.await.unwrap());
    }
    done
}

/// What happens beside losses of power.
#[derive(Debug, Clone, Copy, Default)]
struct Troubles {
    /// Some calls fail.
    faults: bool,
    /// A collector is at work.
    collecting: bool,
}

/// One disk through several losses.
async fn ordeal(seed: u64, Troubles { faults, collecting }: Troubles) {
    let mut rng = Rng::with_seed(seed);
    let mut disk = SimDisk::new(seed);
    let mut clients = vec![Client::default(); CLIENTS];
    for _ in 0..10 {
        if faults {
            for _ in 0..rng.usize(..3) {
                disk.fail(rng.choice(SimOp::CHANGES).unwrap(), rng.u64(1..20), rng.u64(1..4));
            }
        }
        // Often while it is being opened.
        let soon = if rng.bool() {
            20
        } else if collecting {
            1000
        } else {
            200
        };
        disk.lose_power_after(rng.u64(..soon));
        match open(&disk) {
            Ok(store) => {
                find(&store, &mut clients).await;
                let done = Arc::new(AtomicBool::new(!collecting));
                let collector = tokio::spawn(collect(Arc::clone(&store), Arc::clone(&done), rng.fork()));
                clients = work(Arc::clone(&store), clients, rng.usize(1..12), rng.u64(..)).await;
                done.store(true, Ordering::SeqCst);
                if rng.bool() {
                    disk = lose(&disk, &mut rng);
                    collector.await.unwrap();
                } else {
                    collector.await.unwrap();
                    disk = lose(&disk, &mut rng);
                }
                drop(store);
            }
            Err(LocalError::Io { .. }) => disk = lose(&disk, &mut rng),
            Err(error) => panic!("{error}"),
        }
        if rng.bool() {
            disk.heal();
            check(&disk, &mut clients, collecting).await;
        }
    }
    disk.heal();
    check(&disk, &mut clients, collecting).await;
}

fn lose(disk: &SimDisk, rng: &mut Rng) -> SimDisk {
    if rng.u8(..4) == 0 { disk.image() } else { disk.power_cut(rng.u64(..)) }
}

fn run(seeds: std::ops::Range<u64>, troubles: Troubles) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    // Others: CAROB_SEED=17 CAROB_SEEDS=1 cargo test -p carob-local --test power_cut
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("CAROB_SEED").unwrap_or(seeds.start);
    let seeds = first..first + number("CAROB_SEEDS").unwrap_or(seeds.end - seeds.start);
    for seed in seeds {
        if let Err(panic) = runtime.block_on(async { tokio::spawn(ordeal(seed, troubles)).await }) {
            panic!("seed {seed}: {panic}");
        }
    }
}

#[test]
fn no_acknowledged_commit_is_lost_to_a_power_cut() {
    run(0..30, Troubles::default());
}

#[test]
fn no_acknowledged_commit_is_lost_to_failing_calls_and_power_cuts() {
    run(1000..1030, Troubles { faults: true, collecting: false });
}

#[test]
fn no_collection_takes_what_a_head_reaches_or_leaves_what_none_does() {
    run(2000..2040, Troubles { faults: false, collecting: true });
}

#[test]
fn no_collection_takes_what_a_head_reaches_when_calls_fail() {
    run(3000..3120, Troubles { faults: true, collecting: true });
}
