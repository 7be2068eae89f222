//! Accounts of the real binary: across restarts, and in no file in the clear.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use carob_http::api::{CreateAccount, CreateKey, Scope};
use carob_http::client::Client;
use rustix::process::Signal;

use crate::harness::{Gateway, command, refusal};

fn alice() -> CreateAccount {
    CreateAccount { name: "alice".into(), access_key: None, secret_key: None }
}

/// Every file in a directory and its directories, one after the other.
fn bytes_below(dir: &Path) -> Vec<u8> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { bytes_below(&path) } else { fs::read(path).unwrap() }).collect()
}

#[tokio::test]
async fn accounts_survive_a_restart_and_no_file_holds_their_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let client = Client::new(dir.path().join("admin.sock"));
    let made = client.create_account(&alice()).await.unwrap();
    let scope = Scope { buckets: vec!["photos".into()], prefix: "x".repeat(1000), read: true, write: false };
    let key = CreateKey { account: "alice".into(), scope, expires_in_seconds: None };
    let other = client.create_key(&key).await.unwrap();
    let keys = client.keys(None).await.unwrap();
    let (status, rest, log) = gateway.stop(Signal::TERM);
    assert!(status.success());

    let mode = fs::metadata(dir.path().join("master.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let stored = bytes_below(&dir.path().join("store"));
    let holds = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&stored, &made.key.key.access_key), "the segments are what is looked at");
    for secret in [&made.key.secret_key, &other.secret_key] {
        assert_eq!(secret.len(), 40);
        assert!(!holds(&stored, secret) && !log.contains(secret) && !rest.contains(secret));
    }

    let gateway = Gateway::start(dir.path());
    assert_eq!(client.keys(None).await.unwrap(), keys);
    assert!(gateway.stop(Signal::TERM).0.success());
}

#[tokio::test]
async fn a_lost_or_wrong_master_key_stops_the_start_and_is_never_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    Client::new(dir.path().join("admin.sock")).create_account(&alice()).await.unwrap();
    assert!(gateway.stop(Signal::TERM).0.success());

    let (file, kept) = (dir.path().join("master.key"), dir.path().join("kept"));
    fs::rename(&file, &kept).unwrap();
    let line = refusal(&mut command(dir.path(), &[]));
    assert!(
        line.ends_with("master.key is missing, but the store holds secrets sealed under it: restore the key"),
        "{line}"
    );
    assert!(!file.exists());
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, "0".repeat(64)).unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let line = refusal(command(dir.path(), &[]).env("CAROB_MASTER_KEY_FILE", &wrong));
    assert!(line.contains("the master key is not the one"), "{line}");
    let found = Gateway::spawn(command(dir.path(), &["--master-key-file"]).arg(&kept));
    assert_eq!(Client::new(dir.path().join("admin.sock")).accounts().await.unwrap().len(), 2);
    assert!(found.stop(Signal::TERM).0.success());
}
