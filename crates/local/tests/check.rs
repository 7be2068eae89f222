//! The check of a whole store, and the repair of what can be made anew.

mod fixture;

use std::path::{Path, PathBuf};

use carob_block::{Cid, Heads, ReadBlocks, Store};
use carob_local::sim::SimDisk;
use carob_local::{Disk, Harm, LocalError, LocalStore, Losses, check, repair};
use fixture::{keep, numbered, open_on, raw, set, swap};

const DIR: &str = "/store";

/// A small store with several segments, indexes, a checkpoint and removed segments, closed in order.
async fn store() -> (SimDisk, Vec<(String, Cid)>) {
    let disk = SimDisk::new(1);
    let store = open_on(DIR.as_ref(), std::sync::Arc::new(disk.clone()), 4096).unwrap();
    let mut live = Vec::new();
    for round in 0..6 {
        live.push(set(&store, &format!("h/{round}"), None, &numbered(round, 200)).await.unwrap());
        set(&store, &format!("gone/{round}"), None, &numbered(100 + round, 900)).await.unwrap();
    }
    for round in 0..6 {
        let dead = *numbered(100 + round, 900).cid();
        store.commit(&[], &[swap(&format!("gone/{round}"), Some(dead), None)]).await.unwrap();
    }
    keep(&store, &live).await.unwrap();
    for round in 6..14 {
        set(&store, &format!("h/{round:02}"), None, &numbered(round, 900)).await.unwrap();
    }
    let heads = store.heads("").await.unwrap();
    store.close().await.unwrap();
    (disk, heads)
}

fn files(disk: &SimDisk) -> Vec<PathBuf> {
    let segments = Path::new(DIR).join("segments");
    let mut all: Vec<PathBuf> =
        disk.list(&segments).unwrap().iter().map(|name| segments.join(name)).collect();
    all.extend(["CHECKPOINT", "FORMAT"].map(|name| Path::new(DIR).join(name)));
    all.sort();
    all
}

fn read(disk: &SimDisk, path: &Path) -> Vec<u8> {
    let file = disk.open(path).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_at(0, &mut bytes).unwrap();
    bytes
}

fn reopen(disk: &SimDisk) -> Result<LocalStore, LocalError> {
    open_on(DIR.as_ref(), std::sync::Arc::new(disk.clone()), 4096)
}

/// Everything is there, or asking for it is an error; never anything else.
async fn is_all_there(disk: &SimDisk, heads: &[(String, Cid)]) -> bool {
    let Ok(store) = reopen(disk) else { return false };
    if store.heads("").await.unwrap() != heads {
        return false;
    }
    let mut all = true;
    for round in 0..14 {
        let block = numbered(round, if round < 6 { 200 } else { 900 });
        match store.get(block.cid()).await {
            Ok(Some(found)) => assert_eq!(found, block, "a wrong block"),
            Ok(None) | Err(_) => all = false,
        }
    }
    all
}

#[tokio::test]
async fn a_sound_store_has_no_findings() {
    let (disk, heads) = store().await;
    let report = check(DIR.as_ref(), &disk).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.heads, heads.len() as u64);
    assert_eq!(report.blocks, 14);
    assert!(report.segments > 1 && report.records > 8, "{report:?}");
    let open = reopen(&disk).unwrap();
    assert!(matches!(check(DIR.as_ref(), &disk), Err(LocalError::Locked(_))));
    drop(open);
    // One that was killed, too: what is unfinished is no damage.
    let store = reopen(&disk).unwrap();
    set(&store, "more", None, &raw("more")).await.unwrap();
    for seed in 0..20 {
        assert_eq!(check(DIR.as_ref(), &disk.image().power_cut(seed)).unwrap().findings, []);
    }
}

#[tokio::test]
async fn every_flipped_byte_is_found_or_does_not_matter() {
    let (disk, heads) = store().await;
    let (mut found, mut harmless) = (0, 0);
    for path in files(&disk) {
        for at in 0..read(&disk, &path).len() {
            let image = disk.image();
            let (file, mut byte) = (image.open(&path).unwrap(), [0]);
            file.read_at(at as u64, &mut byte).unwrap();
            file.write_at(at as u64, &[byte[0] ^ 0x01]).unwrap();
            let clean = check(DIR.as_ref(), &image).is_ok_and(|report| report.findings.is_empty());
            let whole = is_all_there(&image, &heads).await;
            assert!(whole || !clean, "{} at {at} is damaged and not found", path.display());
            *(if clean { &mut harmless } else { &mut found }) += 1;
        }
    }
    assert!(found > 5000 && harmless < 50, "{found} found, {harmless} harmless");
}

#[tokio::test]
async fn every_cut_file_is_found_or_does_not_matter() {
    let (disk, heads) = store().await;
    for path in files(&disk) {
        let len = read(&disk, &path).len();
        for cut in (0..len).step_by(7) {
            let image = disk.image();
            image.open(&path).unwrap().set_len(cut as u64).unwrap();
            let clean = check(DIR.as_ref(), &image).is_ok_and(|report| report.findings.is_empty());
            // The end of the log may be unfinished: then what was written last is not there, as after a power cut.
            let last = segments(&disk).last() == Some(&path);
            let whole = is_all_there(&image, &heads).await;
            assert!(whole || !clean || last, "{} cut to {cut} is not found", path.display());
        }
        let image = disk.image();
        image.remove(&path).unwrap();
        let clean = check(DIR.as_ref(), &image).is_ok_and(|report| report.findings.is_empty());
        let last = segments(&disk).last() == Some(&path);
        // Nothing needs the index of the last segment, or a checkpoint.
        let last = last || segments(&disk).last() == Some(&path.with_extension("car"));
        assert!(!clean || last || path.ends_with("CHECKPOINT"), "{} is not missed", path.display());
    }
}

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    files(disk).into_iter().filter(|path| path.extension().is_some_and(|end| end == "car")).collect()
}

#[tokio::test]
async fn a_finding_names_file_and_offset() {
    let (disk, _) = store().await;
    let path = segments(&disk).remove(0);
    let bytes = read(&disk, &path);
    let at = bytes.len() / 2;
    disk.open(&path).unwrap().write_at(at as u64, &[bytes[at] ^ 4]).unwrap();
    let report = check(DIR.as_ref(), &disk).unwrap();
    let finding = &report.findings[0];
    assert_eq!((&finding.path, finding.harm), (&path, Harm::Loss));
    assert!(finding.offset <= at as u64 && finding.offset + 1000 > at as u64, "{finding:?}");
    assert!(!finding.what.is_empty());
    // Beyond the bad frame the check goes on.
    let sound = check(DIR.as_ref(), &store().await.0).unwrap();
    assert!(report.blocks + report.records + 1 >= sound.blocks + sound.records, "{report:?} {sound:?}");
}

#[tokio::test]
async fn repair_makes_indexes_and_the_checkpoint_anew_and_nothing_else() {
    let (disk, heads) = store().await;
    let others: Vec<PathBuf> = files(&disk)
        .into_iter()
        .filter(|path| !segments(&disk).contains(path) && !path.ends_with("FORMAT"))
        .collect();
    assert!(others.len() > 2, "{others:?}");
    let before: Vec<Vec<u8>> = segments(&disk).iter().map(|path| read(&disk, path)).collect();
    for damage in [true, false] {
        let image = disk.image();
        for path in &others {
            if damage {
                image.open(path).unwrap().write_at(20, b"damaged").unwrap();
            } else {
                image.remove(path).unwrap();
            }
        }
        let damaged = check(DIR.as_ref(), &image).unwrap();
        let unmissed = if damage { 0 } else { 2 };
        assert!(damaged.findings.len() + unmissed >= others.len(), "{damaged:?}");
        assert!(damaged.findings.iter().all(|finding| finding.harm == Harm::Repairable), "{damaged:?}");
        let report = repair(DIR.as_ref(), &image, Losses::Report).unwrap();
        assert_eq!(report.findings, []);
        assert!(report.repaired.len() + 1 >= others.len(), "{report:?}");
        assert_eq!(check(DIR.as_ref(), &image).unwrap().findings, []);
        assert_eq!(segments(&image).iter().map(|path| read(&image, path)).collect::<Vec<_>>(), before);
        assert!(is_all_there(&image, &heads).await);
    }
}

#[tokio::test]
async fn repair_makes_nothing_from_a_damaged_segment() {
    let (disk, _) = store().await;
    let path = segments(&disk).remove(0);
    let bytes = read(&disk, &path);
    let at = bytes.len() - 20;
    disk.open(&path).unwrap().write_at(at as u64, &[bytes[at] ^ 4]).unwrap();
    disk.remove(&path.with_extension("idx")).unwrap();
    let report = repair(DIR.as_ref(), &disk, Losses::Report).unwrap();
    assert!(report.findings.iter().any(|finding| finding.harm == Harm::Loss));
    assert!(disk.open(&path.with_extension("idx")).is_err());
    assert!(report.repaired.is_empty(), "{report:?}");
}

/// Three heads in the only segment, which is closed and has neither index nor checkpoint, and the bytes of the middle block.
async fn one_segment() -> (SimDisk, Vec<(String, Cid)>, PathBuf, std::ops::Range<usize>) {
    let disk = SimDisk::new(1);
    let store = open_on(DIR.as_ref(), std::sync::Arc::new(disk.clone()), 1 << 20).unwrap();
    for round in 0..3 {
        set(&store, &format!("h/{round}"), None, &numbered(round, 900)).await.unwrap();
    }
    let heads = store.heads("").await.unwrap();
    store.close().await.unwrap();
    let path = segments(&disk).remove(0);
    let bytes = read(&disk, &path);
    let begin = bytes.windows(900).position(|run| run == numbered(1, 900).data().as_ref()).unwrap();
    (disk, heads, path, begin..begin + 900)
}

#[tokio::test]
async fn a_store_that_a_damaged_block_keeps_shut_opens_once_its_loss_is_accepted() {
    let (disk, heads, path, block) = one_segment().await;
    let bytes = read(&disk, &path);
    disk.open(&path).unwrap().write_at(block.start as u64 + 100, &[!bytes[block.start + 100]]).unwrap();
    assert!(matches!(reopen(&disk), Err(LocalError::Damaged { .. })));
    let report = repair(DIR.as_ref(), &disk, Losses::Report).unwrap();
    assert_eq!((report.findings.len(), report.accepted.len()), (1, 0), "{report:?}");
    assert!(reopen(&disk).is_err());

    let report = repair(DIR.as_ref(), &disk, Losses::Accept).unwrap();
    assert_eq!(
        (report.findings.len(), report.accepted.len(), report.repaired.len()),
        (0, 1, 2),
        "{report:?}"
    );
    for round in 3..5 {
        let store = reopen(&disk).unwrap();
        assert_eq!(store.heads("h/").await.unwrap()[..3], heads);
        for sound in [0, 2] {
            assert!(store.get(numbered(sound, 900).cid()).await.unwrap().is_some());
        }
        assert!(store.get(numbered(1, 900).cid()).await.is_err());
        set(&store, &format!("h/{round}"), None, &numbered(round, 900)).await.unwrap();
        store.close().await.unwrap();
    }
    // It stays lost, and said to be.
    let report = check(DIR.as_ref(), &disk).unwrap();
    assert_eq!(report.findings.len(), 1, "{report:?}");
}

#[tokio::test]
async fn no_loss_is_accepted_that_could_be_of_a_head_or_has_no_certain_end() {
    let (disk, _, path, block) = one_segment().await;
    let bytes = read(&disk, &path);
    let record = block.end + 60;
    let length = block.start - 38;
    for at in [record, length] {
        let image = disk.image();
        image.open(&path).unwrap().write_at(at as u64, &[bytes[at] ^ 0x81]).unwrap();
        let report = repair(DIR.as_ref(), &image, Losses::Accept).unwrap();
        assert!(
            !report.findings.is_empty() && !report.repaired.iter().any(|path| path.ends_with("CHECKPOINT"))
        );
        assert!(matches!(reopen(&image), Err(LocalError::Damaged { .. })), "{at}");
    }
}

#[tokio::test]
async fn accepting_losses_changes_nothing_in_a_sound_store() {
    let (disk, ..) = store().await;
    let before: Vec<Vec<u8>> = files(&disk).iter().map(|path| read(&disk, path)).collect();
    let report = repair(DIR.as_ref(), &disk, Losses::Accept).unwrap();
    assert_eq!((report.findings.len(), report.accepted.len(), report.repaired.len()), (0, 0, 0));
    assert_eq!(files(&disk).iter().map(|path| read(&disk, path)).collect::<Vec<_>>(), before);
}
