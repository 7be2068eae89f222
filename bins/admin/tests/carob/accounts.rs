//! Accounts, keys and audit logs.

use std::path::PathBuf;

use carob_http::api;

use crate::harness::{Gateway, carob, complaint};

#[test]
fn an_audit_log_is_checked_file_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = carob_audit::AuditLog::open(dir.path(), 600).unwrap();
    (0..5).for_each(|_| log.record(carob_audit::Deed::default()));
    log.close();
    let mut files: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 1);
    let run = |files: &[PathBuf]| carob(dir.path()).args(["audit", "verify"]).args(files).output().unwrap();
    let found = run(&files);
    assert!(found.status.success());
    let text = String::from_utf8(found.stdout).unwrap();
    assert!(text.contains("the lines hang together") && text.contains("5, from 1 to 5"), "{text}");
    files.reverse();
    assert!(complaint(&run(&files)).contains("was to come"));
    let text = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], text.replace("status\":0", "status\":9") + "{}\n").unwrap();
    assert!(complaint(&run(&files[..1])).contains("line"));
}

#[test]
fn accounts_and_keys_are_made_shown_and_revoked() {
    let gateway = Gateway::start();
    let chosen = ["--access-key", "ALICE", "--secret-key", "alices-secret"];
    let made = gateway.says(&[&["account", "create", "alice"], &chosen[..]].concat());
    assert!(
        made.contains("access key    ALICE\n") && made.contains("secret key    alices-secret\n"),
        "{made}"
    );
    let scope = ["--bucket", "photos", "--prefix", "cats/", "--read", "--expires", "30d"];
    let key = gateway.json::<api::NewKey>(&[&["key", "create", "alice"], &scope[..]].concat()).remove(0);
    assert_eq!(key.key.expires.as_deref(), Some("1997-01-19T00:39:57.000Z"));
    let api::Scope { buckets, prefix, read, write } = key.key.scope;
    assert_eq!((buckets, prefix.as_str(), read, write), (vec!["photos".to_owned()], "cats/", true, false));

    let accounts = gateway.says(&["account", "ls"]);
    assert!(accounts.starts_with("NAME   BUCKETS  NUMBER") && accounts.contains("\nroot   1"), "{accounts}");
    let keys = gateway.says(&["key", "ls", "alice"]);
    for part in ["ALICE", "active", "everything", "read photos/cats/*", &key.key.access_key] {
        assert!(keys.contains(part), "{part} is not in {keys}");
    }
    assert!(gateway.says(&["key", "revoke", "ALICE"]).contains("revoked"));
    for shown in [gateway.says(&["key", "ls"]), gateway.says(&["--json", "key", "ls"])] {
        assert!(shown.contains("revoked"), "{shown}");
        assert!(!shown.contains("alices-secret") && !shown.contains(&key.secret_key), "{shown}");
    }
    gateway.says(&["account", "rm", "alice"]);
    assert!(!gateway.says(&["account", "ls"]).contains("alice"));
}

#[test]
fn mistakes_with_accounts_are_one_line() {
    let gateway = Gateway::start();
    let says = |args: &[&str]| complaint(&gateway.run(args));
    assert_eq!(says(&["account", "rm", "nobody"]), "there is no account nobody");
    assert_eq!(
        says(&["account", "rm", "root"]),
        "account root owns buckets, photos among them: delete them first"
    );
    assert_eq!(says(&["key", "create", "nobody"]), "there is no account nobody");
    assert_eq!(says(&["key", "revoke", "NOBODY"]), "there is no access key NOBODY");
    assert!(says(&["account", "create", "root"]).contains("root is the name of the space's own account"));
    for bad in ["30", "d", "-1d", "1y", ""] {
        assert!(!gateway.run(&["key", "create", "root", "--expires", bad]).status.success(), "{bad}");
    }
    assert!(!gateway.run(&["account", "create", "x", "--access-key", "abc"]).status.success());
}

#[test]
fn encryption_keys_are_made_shown_disabled_and_enabled() {
    let gateway = Gateway::start();
    assert_eq!(gateway.says(&["kms", "create", "one"]), "encryption key  one\nstate           enabled\n");
    assert!(gateway.says(&["kms", "disable", "one"]).ends_with("state           disabled\n"));
    let keys: Vec<api::EncryptionKey> = gateway.json(&["kms", "ls"]);
    assert_eq!((keys.len(), &*keys[0].name, keys[0].disabled.is_some()), (1, "one", true));
    assert!(gateway.says(&["kms", "enable", "one"]).ends_with("state           enabled\n"));
    let refused = |args: &[&str]| complaint(&gateway.run(args));
    assert_eq!(refused(&["kms", "create", "one"]), "encryption key one exists already");
    assert_eq!(refused(&["kms", "disable", "two"]), "there is no encryption key two");
    assert!(refused(&["kms", "create", "a b"]).starts_with("an encryption key's name may hold only"));
}
