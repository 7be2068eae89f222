//! `carob fsck` and `carob repair` on a store that no gateway has open.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use carob_block::SweepOptions;
use carob_bucket::{CollectOptions, PutOptions, Space, SpaceOptions};
use carob_identity::{ManualClock, SeededEntropy, SpaceKey, Timestamp};
use carob_local::{LocalOptions, LocalStore};

/// A data directory whose store holds a bucket of so many objects of a MiB.
fn data(objects: u8) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let local = Arc::new(LocalStore::open(LocalOptions::new(dir.path().join("store"), [1; 16])).unwrap());
        let entropy = Arc::new(SeededEntropy::new(1));
        let space = Space::open(SpaceOptions {
            store: Arc::clone(&local) as _,
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: Arc::new(ManualClock::new(Timestamp(851_042_397_000))),
            entropy,
            cache_bytes: 1 << 20,
        });
        let space = space.await.unwrap();
        space.create_bucket("photos").await.unwrap();
        let photos = space.bucket("photos").await.unwrap();
        for n in 0..objects {
            let mut upload = photos.upload(&[]);
            upload.write(vec![n; 1 << 20].into()).await.unwrap();
            photos.put(&format!("{n}"), upload.finish().await.unwrap(), PutOptions::default()).await.unwrap();
        }
        space.close().await;
        local.close().await.unwrap();
    });
    dir
}

fn run(data: &Path, command: &str) -> (bool, String) {
    run_with(data, &[command])
}

fn run_with(data: &Path, command: &[&str]) -> (bool, String) {
    let mut carob = Command::new(env!("CARGO_BIN_EXE_carob"));
    let output = carob.arg("--data").arg(data).args(command).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

fn file(data: &Path, extension: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(data.join("store/segments")).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    files.find(|path| path.extension().is_some_and(|found| found == extension))
}

#[test]
fn a_sound_store_is_sound_and_says_what_it_holds() {
    let data = data(5);
    let (sound, text) = run(data.path(), "fsck");
    assert!(sound, "{text}");
    assert!(text.contains("wrong        0\n") && text.contains("buckets      1\n"), "{text}");
    let (sound, text) = run(data.path(), "fsck");
    assert!(sound, "a check leaves it sound: {text}");
}

#[test]
fn a_flipped_byte_is_found_and_named() {
    let data = data(5);
    let segment = file(data.path(), "car").unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (sound, text) = run(data.path(), "fsck");
    assert!(!sound && text.contains("LOST") && text.contains(segment.to_str().unwrap()), "{text}");
    assert!(text.contains("does not open") && text.contains("buckets      0\n"), "{text}");
    let (repaired, text) = run(data.path(), "repair");
    assert!(!repaired, "nothing brings a byte back: {text}");

    let (accepted, text) = run_with(data.path(), &["repair", "--accept-loss"]);
    assert!(accepted && text.contains("accepted") && text.contains(segment.to_str().unwrap()), "{text}");
    let (sound, text) = run(data.path(), "fsck");
    assert!(!sound && text.contains("LOST  s3://photos/2") && text.contains("buckets      1\n"), "{text}");
    assert!(text.contains("wrong        2\n"), "the block and its object alone: {text}");
}

#[test]
fn a_lost_index_is_named_and_made_anew() {
    // More than a segment: the index of the last one is made whenever the store is opened.
    let data = data(70);
    let index = data.path().join("store/segments/00000001.idx");
    std::fs::remove_file(&index).unwrap();
    let (repaired, text) = run(data.path(), "repair");
    assert!(repaired && text.contains("repaired     1\n"), "{text}");
    std::fs::remove_file(&index).unwrap();
    let (sound, text) = run(data.path(), "fsck");
    assert!(!sound && text.contains("repairable") && !text.contains("LOST"), "{text}");
    let (sound, text) = run(data.path(), "fsck");
    assert!(sound, "opening the store for the rest of the check has mended it: {text}");
}

/// The bytes that the one body of the object `n` of [`data`] consists of, in a row that nothing else has.
fn holds(data: &Path, n: u8) -> bool {
    let files = std::fs::read_dir(data.join("store/segments")).unwrap();
    let mut files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    files.any(|bytes| bytes.windows(4096).step_by(512).any(|run| run.iter().all(|byte| *byte == n)))
}

#[test]
fn what_was_purged_is_in_no_file_and_the_store_is_sound_without_it() {
    let data = data(5);
    assert!(holds(data.path(), 3) && holds(data.path(), 4));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let erased = runtime.block_on(async {
        let dir = data.path().join("store");
        let local = Arc::new(LocalStore::open(LocalOptions::new(dir, [1; 16])).unwrap());
        let entropy = Arc::new(SeededEntropy::new(1));
        let space = Space::open(SpaceOptions {
            store: Arc::clone(&local) as _,
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: Arc::new(ManualClock::new(Timestamp(851_042_398_000))),
            entropy: Arc::new(SeededEntropy::new(2)),
            cache_bytes: 1 << 20,
        });
        let space = space.await.unwrap();
        // As lazy as can be: what was purged goes all the same.
        let sweep = SweepOptions { dead_percent: 100, bytes_per_second: None };
        let options = CollectOptions { dry_run: false, sweep, upload_age: None };
        let purge = space.purge(&*local, "photos", "3", options).await.unwrap();
        space.close().await;
        local.close().await.unwrap();
        purge.erased
    });
    assert_eq!(erased, 2, "the body and its outboard");
    assert!(!holds(data.path(), 3) && holds(data.path(), 4));
    let (sound, text) = run(data.path(), "fsck");
    assert!(sound && text.contains("purged       2\n"), "{text}");
}
