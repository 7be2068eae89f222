//! The store's directory: its lock, its format file, and what is said when it cannot be used.

mod fixture;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use carob_block::{Store, StoreError};
use carob_local::{LocalError, LocalStore, RealDisk};
use fixture::{LOG_ID, open_on, raw};
use tempfile::TempDir;

fn open(dir: &Path) -> Result<LocalStore, LocalError> {
    open_on(dir, Arc::new(RealDisk), 64 * 1024)
}

#[tokio::test]
async fn an_open_store_is_locked_and_a_dropped_one_is_not() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path()).unwrap();
    assert!(matches!(open(dir.path()), Err(LocalError::Locked(_))));
    let session = store.session();
    drop(store);
    drop(open(dir.path()).unwrap());
    let late = session.put(vec![raw("late")]).await;
    assert!(matches!(late, Err(StoreError::Unavailable { .. })), "the session outlived its store");
}

#[test]
fn unknown_versions_and_features_are_refused() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    let path = dir.path().join("FORMAT");
    let format = fs::read_to_string(&path).unwrap();
    let log = hex::encode(LOG_ID);
    assert_eq!(format, format!("{{\"carob_local\":1,\"features\":[],\"log\":\"{log}\"}}\n"));
    for (from, to, what) in [
        ("\"carob_local\":1", "\"carob_local\":2,\"new\":0", "format version 2"),
        ("[]", "[\"sidecars\"]", "the feature \"sidecars\""),
    ] {
        fs::write(&path, format.replace(from, to)).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(&error, LocalError::UnknownFormat { what: found, .. } if found == what), "{error}");
        assert!(!error.to_string().contains('\n'));
    }
    for broken in ["", "{}", "not json", "{\"carob_local\":1,\"features\":[],\"log\":\"00\"}"] {
        fs::write(&path, broken).unwrap();
        assert!(matches!(open(dir.path()), Err(LocalError::Damaged { .. })), "{broken}");
    }
}

#[test]
fn a_checkpoint_that_is_no_file_of_its_own_is_refused_at_once() {
    let dir = TempDir::new().unwrap();
    drop(open(dir.path()).unwrap());
    let path = dir.path().join("CHECKPOINT");
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for target in [fifo.clone(), "/dev/zero".into(), dir.path().join("FORMAT")] {
        _ = fs::remove_file(&path);
        std::os::unix::fs::symlink(target, &path).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(
            matches!(&error, LocalError::Io { source, .. } if source.to_string().contains("regular")),
            "{error}"
        );
    }
    fs::remove_file(&path).unwrap();
    fs::rename(&fifo, &path).unwrap();
    open(dir.path()).unwrap_err();
    fs::remove_file(&path).unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("store")).unwrap_err();
    assert!(matches!(&error, LocalError::Io { path, .. } if path.starts_with(&file)), "{error}");
    assert!(!error.to_string().contains('\n'));
}

#[test]
fn files_are_for_their_owner_alone() {
    let dir = TempDir::new().unwrap();
    let store = dir.path().join("a/b");
    drop(open(&store).unwrap());
    for file in ["FORMAT", "LOCK"] {
        assert_eq!(fs::metadata(store.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}
