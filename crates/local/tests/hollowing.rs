//! Collections that give back what is dead where it lies.

mod fixture;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use carob_block::{Block, Cid, Heads, ReadBlocks, Store, StoreError, Sweep, SweepOptions, Swept};
use carob_local::sim::{SimDisk, SimOp};
use carob_local::{Disk, DiskFile, Harm, LocalError, LocalStore, Losses, RealDisk, check, repair};
use fixture::{keep, numbered, open_on, set, swap};

const DIR: &str = "/store";
const SEGMENT: u32 = 128 * 1024;

const ROUNDS: u64 = 12;

/// As little as possible is copied.
const LAZY: SweepOptions = SweepOptions { dead_percent: 90, bytes_per_second: None };

fn open(disk: &SimDisk) -> Result<LocalStore, LocalError> {
    open_on(DIR.as_ref(), Arc::new(disk.clone()), SEGMENT)
}

/// Heads over live blocks, each followed by several dead ones. Some of these, by head records, too.
async fn aged(store: &LocalStore) -> Vec<Block> {
    let mut live = Vec::new();
    for round in 0..ROUNDS {
        let session = store.session();
        let dead: Vec<Block> = (0..10).map(|n| numbered(1000 * (round + 1) + n, 4000)).collect();
        let lives: Vec<Block> = (0..2).map(|n| numbered(10 * round + n, 12_000)).collect();
        session.put([&dead[..5], &lives[..1], &dead[5..], &lives[1..]].concat()).await.unwrap();
        let head = swap(&format!("h/{round}"), None, Some(*lives[0].cid()));
        store.commit(&[&*session], &[head]).await.unwrap();
        live.extend(lives);
    }
    live
}

fn dead() -> impl Iterator<Item = Block> {
    (0..ROUNDS).flat_map(|round| (0..10).map(move |n| numbered(1000 * (round + 1) + n, 4000)))
}

async fn collect(store: &LocalStore, live: &[Block], options: &SweepOptions) -> Result<Swept, StoreError> {
    let collection = store.collect().await?;
    let live: Vec<Cid> = live.iter().map(|block| *block.cid()).collect();
    assert_eq!(collection.mark(&live).await?.missing, []);
    collection.sweep(options).await
}

async fn are_there(store: &LocalStore, live: &[Block]) {
    for block in live {
        assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
        let part = store.get_part(block.cid(), 10..700, Arc::new(|_: &[u8]| true)).await.unwrap();
        assert_eq!(part, Some(block.data().slice(10..700)));
    }
    for (round, block) in (0..ROUNDS).zip(live.iter().step_by(2)) {
        assert_eq!(store.head(&format!("h/{round}")).await.unwrap(), Some(*block.cid()));
    }
}

/// How many of the dead blocks are still there. Whatever is read is right.
async fn left(store: &LocalStore) -> usize {
    let mut left = 0;
    for block in dead() {
        let found = store.get(block.cid()).await.unwrap();
        assert!(found.as_ref().is_none_or(|found| *found == block));
        left += usize::from(found.is_some());
    }
    left
}

fn segments(disk: &dyn Disk, dir: &Path) -> Vec<PathBuf> {
    let dir = dir.join("segments");
    let names = disk.list(&dir).unwrap().into_iter().map(|name| dir.join(name));
    let mut paths: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|extension| extension == "car")).collect();
    paths.sort();
    paths
}

fn announced(disk: &SimDisk) -> bool {
    disk.open(&Path::new(DIR).join("segments/HOLLOW")).is_ok()
}

/// An index that was not durable is made anew when the store is opened.
fn nothing_is_lost(disk: &SimDisk) {
    let findings = check(DIR.as_ref(), disk).unwrap().findings;
    let is_index = |path: &Path| path.extension().is_some_and(|end| end == "idx");
    assert!(
        findings.iter().all(|found| is_index(&found.path) && found.what == "it is missing"),
        "{findings:?}"
    );
}

fn read(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn what_is_dead_together_goes_and_nothing_is_copied() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    let (before, used) = (store.stats(), disk.used());
    let survey = store.collect().await.unwrap();
    survey.mark(&live.iter().map(|block| *block.cid()).collect::<Vec<_>>()).await.unwrap();
    let expected = survey.survey(&LAZY).await.unwrap();
    drop(survey);
    let swept = collect(&store, &live, &LAZY).await.unwrap();
    assert_eq!((swept.segments, swept.copied_bytes), (0, 0), "{swept:?}");
    assert_eq!(expected, swept);
    let after = store.stats();
    assert!(swept.freed_bytes > 300_000 && swept.freed_bytes < swept.dead_bytes, "{swept:?}");
    assert!(before.bytes + 1000 >= after.bytes + swept.freed_bytes, "{before:?} {after:?}");
    assert!(disk.used() + swept.freed_bytes < used + u64::from(SEGMENT));
    are_there(&store, &live).await;
    assert!(left(&store).await < 40);
    // There is nothing more to it.
    let punched = disk.calls(SimOp::Punch);
    let again = collect(&store, &live, &LAZY).await.unwrap();
    assert_eq!((again.freed_bytes, disk.calls(SimOp::Punch)), (0, punched));
    assert_eq!(again.dead_bytes, swept.dead_bytes - swept.freed_bytes);
    drop(store);
    assert!(!announced(&disk));
    let store = open(&disk).unwrap();
    assert_eq!(store.collect().await.unwrap().survey(&LAZY).await.unwrap().copied_bytes, 0);
    let again = collect(&store, &live, &LAZY).await.unwrap();
    assert_eq!(disk.calls(SimOp::Punch), punched + 1, "it is only tried whether that can be done");
    assert!(again.freed_bytes < 10_000, "{again:?}");
    are_there(&store, &live).await;
    // What is asked for thoroughly goes as ever.
    collect(&store, &live, &fixture::THOROUGH).await.unwrap();
    assert_eq!((store.stats().blocks, left(&store).await), (live.len() as u64, 0));
    are_there(&store, &live).await;
}

#[tokio::test]
async fn hollowed_segments_are_cars_and_their_indexes_can_be_made_anew() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    collect(&store, &live, &LAZY).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(DIR.as_ref(), &disk).unwrap().findings, []);
    let mut found = 0;
    for path in segments(&disk, DIR.as_ref()) {
        let car = read(&*disk.open(&path).unwrap());
        let mut reader = iroh_car::CarReader::new(&car[..]).await.unwrap();
        while let Some((cid, data)) = reader.next_block().await.unwrap() {
            let is_live =
                |block: &&Block| block.cid().to_string() == cid.to_string() && **block.data() == data;
            found += usize::from(live.iter().any(|block| is_live(&block)));
        }
    }
    assert_eq!(found, live.len());
    for checkpoint in [true, false] {
        let image = disk.image();
        for path in segments(&image, DIR.as_ref()) {
            let index = path.with_extension("idx");
            // The last one may have none.
            let Ok(file) = image.open(&index) else { continue };
            let before = read(&*file);
            image.remove(&index).unwrap();
            if checkpoint {
                repair(DIR.as_ref(), &image, Losses::Report).unwrap();
                assert_eq!(read(&*image.open(&index).unwrap()), before);
            }
        }
        if !checkpoint {
            image.remove(&Path::new(DIR).join("CHECKPOINT")).unwrap();
        }
        let store = open(&image).unwrap();
        are_there(&store, &live).await;
        assert!(left(&store).await < 40);
        keep(&store, &live.iter().map(|block| *block.cid()).collect::<Vec<_>>()).await.unwrap();
        are_there(&store, &live).await;
    }
}

#[tokio::test]
async fn runs_that_grow_are_hollowed_as_one() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    collect(&store, &live, &LAZY).await.unwrap();
    let (held, punched) = (store.stats().bytes, disk.calls(SimOp::Punch));
    let named: Vec<Block> = live.into_iter().step_by(2).collect();
    let swept = collect(&store, &named, &LAZY).await.unwrap();
    assert!(swept.copied_bytes == 0 && disk.calls(SimOp::Punch) >= punched + ROUNDS / 2, "{swept:?}");
    assert!(store.stats().bytes + ROUNDS * 8000 < held, "{swept:?}");
    for block in &named {
        assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
    }
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(DIR.as_ref(), &disk).unwrap().findings, []);
}

#[tokio::test]
async fn what_a_session_finds_meanwhile_stays() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    let collection = store.collect().await.unwrap();
    collection.mark(&live.iter().map(|block| *block.cid()).collect::<Vec<_>>()).await.unwrap();
    let (session, found) = (store.session(), dead().nth(55).unwrap());
    assert_eq!(session.missing(&[*found.cid()]).await.unwrap(), []);
    collection.sweep(&LAZY).await.unwrap();
    store.commit(&[&*session], &[swap("found", None, Some(*found.cid()))]).await.unwrap();
    assert_eq!(store.get(found.cid()).await.unwrap(), Some(found.clone()));
    // What went can be put again.
    let again = dead().next().unwrap();
    assert_eq!(store.get(again.cid()).await.unwrap(), None);
    set(&store, "again", None, &again).await.unwrap();
    drop((session, store));
    let store = open(&disk.power_cut(1)).unwrap();
    assert_eq!(store.get(found.cid()).await.unwrap(), Some(found));
    assert_eq!(store.get(again.cid()).await.unwrap(), Some(again));
    are_there(&store, &live).await;
}

#[tokio::test]
async fn power_lost_anywhere_while_hollowing_loses_nothing() {
    let (mut begun, mut changes) = (0, 0);
    loop {
        let disk = SimDisk::new(changes);
        let store = open(&disk).unwrap();
        let live = aged(&store).await;
        disk.lose_power_after(changes);
        let swept = collect(&store, &live, &LAZY).await;
        for seed in 0..8 {
            let disk = if seed == 0 { disk.image() } else { disk.power_cut(seed) };
            begun += u32::from(announced(&disk));
            nothing_is_lost(&disk);
            let image = disk.image();
            assert_eq!(repair(DIR.as_ref(), &image, Losses::Report).unwrap().findings, []);
            assert!(!announced(&image));
            // Sometimes the power goes again.
            disk.lose_power_after(if seed % 2 == 0 { seed * 3 } else { u64::MAX });
            let disk = match open(&disk) {
                Ok(_) => disk.image(),
                Err(LocalError::Io { .. }) => disk.power_cut(seed),
                Err(error) => panic!("{error}"),
            };
            let store = open(&disk).unwrap();
            are_there(&store, &live).await;
            left(&store).await;
            collect(&store, &live, &LAZY).await.unwrap();
            are_there(&store, &live).await;
            assert!(left(&store).await < 40);
            store.close().await.unwrap();
            drop(store);
            assert_eq!(check(DIR.as_ref(), &disk).unwrap().findings, [], "{changes} changes, seed {seed}");
        }
        if swept.is_ok() {
            break;
        }
        changes += 1;
    }
    assert!(begun > 100 && changes > 30, "{begun} of {changes} with an announcement");
}

/// Every flush, and every state of the disk before it.
#[tokio::test]
async fn what_a_cut_before_any_flush_leaves_is_finished_or_as_it_was() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    disk.record();
    collect(&store, &live, &LAZY).await.unwrap();
    let moments = disk.moments();
    let mut rng = fastrand::Rng::with_seed(1);
    for moment in moments {
        for _ in 0..40 {
            let seed = rng.u64(..);
            let kept = |change: usize| match fastrand::Rng::with_seed(seed ^ change as u64).u8(..4) {
                0 | 1 => carob_local::sim::Kept::Yes,
                2 => carob_local::sim::Kept::No,
                _ => carob_local::sim::Kept::Torn(3),
            };
            let disk = moment.after(kept);
            nothing_is_lost(&disk);
            let store = open(&disk).unwrap();
            are_there(&store, &live).await;
            left(&store).await;
        }
    }
}

#[tokio::test]
async fn after_a_failed_call_the_next_sweep_goes_on() {
    let mut failed = 0;
    for op in SimOp::CHANGES {
        for nth in (1..24).step_by(if op == SimOp::Write { 1 } else { 2 }) {
            let disk = SimDisk::new(nth);
            let store = open(&disk).unwrap();
            let live = aged(&store).await;
            disk.fail(op, nth, 1);
            let swept = collect(&store, &live, &LAZY).await;
            failed += u32::from(swept.is_err());
            are_there(&store, &live).await;
            left(&store).await;
            disk.heal();
            let killed = open(&disk.image()).unwrap();
            are_there(&killed, &live).await;
            let options = if nth % 2 == 0 { fixture::THOROUGH } else { LAZY };
            collect(&store, &live, &options).await.unwrap();
            left(&store).await;
            are_there(&store, &live).await;
            let _ = store.close().await;
            drop(store);
            nothing_is_lost(&disk);
            let store = open(&disk).unwrap();
            collect(&store, &live, &LAZY).await.unwrap();
            are_there(&store, &live).await;
            assert!(left(&store).await < 40, "{op:?} {nth}");
        }
    }
    assert!(failed > 10, "{failed}");
}

#[tokio::test]
async fn an_announcement_that_is_damaged_is_reported() {
    let disk = SimDisk::new(1);
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    store.close().await.unwrap();
    drop(store);
    let path = Path::new(DIR).join("segments/HOLLOW");
    disk.create(&path).unwrap().write_at(0, b"anything").unwrap();
    assert!(matches!(open(&disk), Err(LocalError::Damaged { .. })));
    for report in [check(DIR.as_ref(), &disk).unwrap(), repair(DIR.as_ref(), &disk, Losses::Report).unwrap()]
    {
        let found = report.findings.iter().map(|finding| (&finding.path, finding.harm)).collect::<Vec<_>>();
        assert_eq!(found, [(&path, Harm::Loss)]);
    }
    disk.remove(&path).unwrap();
    are_there(&open(&disk).unwrap(), &live).await;
}

#[tokio::test]
async fn where_nothing_can_be_given_back_everything_is_as_before() {
    let disk = SimDisk::new(1);
    disk.refuse_punching();
    let store = open(&disk).unwrap();
    let live = aged(&store).await;
    let swept = collect(&store, &live, &LAZY).await.unwrap();
    assert!(swept.segments > 3 && swept.copied_bytes > 50_000, "{swept:?}");
    are_there(&store, &live).await;
}

/// Readers, and writers that find blocks present, while all around them is given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_are_right_while_segments_are_hollowed() {
    let disk = SimDisk::new(1);
    let store = Arc::new(open(&disk).unwrap());
    let live = aged(&store).await;
    let tasks = (0..3).map(|n| {
        let (store, live) = (store.clone(), live.clone());
        tokio::spawn(async move {
            for round in 0..300 {
                let block = &live[(round * 7 + n) % live.len()];
                assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(block));
                let (block, session) = (dead().nth((round * 11 + n) % 120).unwrap(), store.session());
                if !session.missing(&[*block.cid()]).await.unwrap().is_empty() {
                    session.put(vec![block.clone()]).await.unwrap();
                }
                for _ in 0..3 {
                    assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(&block));
                    tokio::task::yield_now().await;
                }
                store.commit(&[&*session], &[]).await.unwrap();
                assert_eq!(store.get(block.cid()).await.unwrap().as_ref(), Some(&block));
            }
        })
    });
    let tasks: Vec<_> = tasks.collect();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        collect(&store, &live, &LAZY).await.unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(disk.calls(SimOp::Punch) > 20);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(DIR.as_ref(), &disk).unwrap().findings, []);
}

#[tokio::test]
async fn the_file_system_gives_space_back() {
    let dir = tempfile::tempdir().unwrap();
    let probe = RealDisk.create(&dir.path().join("probe")).unwrap();
    if !probe.punch(0, 4096).unwrap() {
        return;
    }
    let store = open_on(dir.path(), Arc::new(RealDisk), SEGMENT).unwrap();
    let live = aged(&store).await;
    let taken = || -> u64 {
        let paths = segments(&RealDisk, dir.path());
        paths.iter().map(|path| RealDisk.open(path).unwrap().allocated().unwrap()).sum()
    };
    let before = taken();
    let swept = collect(&store, &live, &LAZY).await.unwrap();
    assert!(swept.freed_bytes > 300_000 && swept.copied_bytes == 0, "{swept:?}");
    assert!(before + u64::from(SEGMENT) >= taken() + swept.freed_bytes, "{before} {} {swept:?}", taken());
    are_there(&store, &live).await;
    let stats = store.stats();
    store.close().await.unwrap();
    drop(store);
    assert_eq!(check(dir.path(), &RealDisk).unwrap().findings, []);
    let store = open_on(dir.path(), Arc::new(RealDisk), SEGMENT).unwrap();
    assert!(store.stats().bytes.abs_diff(stats.bytes) < 1000, "{stats:?} {:?}", store.stats());
    are_there(&store, &live).await;
}
