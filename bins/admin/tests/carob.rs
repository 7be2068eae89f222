//! The real binary against an admin socket that serves a space in memory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use carob_block::{MemoryStore, SweepOptions};
use carob_bucket::{
    CollectOptions, Collector, DeleteOptions, PutOptions, Space, SpaceOptions, System, SystemOptions,
};
use carob_http::api;
use carob_http::{Admin, AdminOptions, Certificate, Connections, Limits, TlsListener, bind, serve};
use carob_identity::{Credentials, ManualClock, MasterKey, SeededEntropy, Signer, SpaceKey, Timestamp};
use http::{Request, Response};
use hyper::service::service_fn;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

const COLLECT: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};

/// A gateway with the bucket `photos`.
struct Gateway {
    runtime: Runtime,
    space: Space,
    dir: tempfile::TempDir,
}

const KEYS: [(&str, &str); 4] =
    [("cats/one.jpg", "meow"), ("cats/two.jpg", "purr"), ("read me", "hello"), ("\u{1b}[31mred", "!")];

impl Gateway {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        // RFC 3339 §5.8: 1996-12-20T00:39:57Z.
        let clock = Arc::new(ManualClock::new(Timestamp(851_042_397_000)));
        let store = MemoryStore::new();
        let space = runtime.block_on(async {
            let space = Space::open(SpaceOptions {
                store: Arc::new(store.clone()),
                signer: Arc::new(SpaceKey::generate(&*entropy)),
                clock: clock.clone(),
                entropy: entropy.clone(),
                cache_bytes: 1 << 20,
            });
            let space = space.await.unwrap();
            space.create_bucket("photos").await.unwrap();
            let photos = space.bucket("photos").await.unwrap();
            for (key, body) in KEYS {
                let mut upload = photos.upload(&[]);
                upload.write(body.into()).await.unwrap();
                photos.put(key, upload.finish().await.unwrap(), PutOptions::default()).await.unwrap();
            }
            let root = Credentials::generate(&*entropy);
            let master = MasterKey::generate(&*entropy);
            let system = System::open(&space, SystemOptions { root, master, clock: clock.clone() });
            let system = system.await.unwrap();
            let admin = Admin::new(AdminOptions {
                space: space.clone(),
                system: system.clone(),
                authorizer: system.table().clone(),
                clock,
                version: "9.9.9",
                collector: Collector::new(space.clone(), Arc::new(store.clone()), COLLECT),
                store: Box::new(|| BTreeMap::from([("blocks".to_owned(), 7)])),
            });
            let listener = bind(&dir.path().join("admin.sock")).unwrap();
            tokio::spawn(serve(
                listener,
                admin,
                Limits::default(),
                Connections::default(),
                CancellationToken::new(),
            ));
            space
        });
        Self { runtime, space, dir }
    }

    fn run(&self, args: &[&str]) -> Output {
        carob(self.dir.path()).args(args).output().unwrap()
    }

    /// Standard output of a command that succeeds and complains of nothing.
    fn says(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json<T: DeserializeOwned>(&self, args: &[&str]) -> Vec<T> {
        let text = self.says(&[&["--json"], args].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn exported(&self) -> PathBuf {
        let path = self.dir.path().join("photos.car");
        let file = File::create(&path).unwrap();
        let status = carob(self.dir.path()).args(["export", "photos"]).stdout(file).status().unwrap();
        assert!(status.success());
        path
    }
}

fn carob(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_carob"));
    command.env_remove("CAROB_ADMIN_SOCKET").env("CAROB_DATA", data).stdin(Stdio::null());
    command
}

/// The one line that a failing command says.
fn complaint(output: &Output) -> String {
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text.strip_prefix("carob: ").unwrap_or_else(|| panic!("{text}")).trim_end().to_owned()
}

#[test]
fn people_get_text() {
    let gateway = Gateway::start();
    let status = gateway.says(&["status"]);
    assert!(
        status.contains("version  9.9.9\n") && status.contains(&gateway.space.did().to_string()),
        "{status}"
    );
    let buckets = gateway.says(&["bucket", "ls"]);
    assert!(buckets.starts_with("NAME    OWNER  CREATED"), "{buckets}");
    assert!(buckets.contains("\nphotos  root   1996-12-20T00:39:57.000Z  "), "{buckets}");
    let keys = |args: &[&str]| -> Vec<String> {
        gateway.says(args).lines().map(|line| line[42..].to_owned()).collect()
    };
    assert_eq!(keys(&["ls", "s3://photos"]), ["\\u{1b}[31mred", "cats/", "read me"]);
    assert_eq!(keys(&["ls", "photos/cats/"]), ["cats/one.jpg", "cats/two.jpg"]);
    assert_eq!(keys(&["ls", "-r", "photos/c"]), ["cats/one.jpg", "cats/two.jpg"]);
    let stat = gateway.says(&["stat", "s3://photos/read me"]);
    assert!(stat.contains("etag      5d41402abc4b2a76b9719d911017c592\n"), "{stat}");
    let log = gateway.says(&["log", "photos", "-n", "2"]);
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(log.lines().nth(1).unwrap().starts_with("4    1996-12-20T00:39:57.000Z  4"), "{log}");
}

#[test]
fn programs_get_a_json_value_a_line() {
    let gateway = Gateway::start();
    let status: Vec<api::Status> = gateway.json(&["status"]);
    assert_eq!((status.len(), status[0].buckets), (1, 1));
    let buckets: Vec<api::Bucket> = gateway.json(&["bucket", "ls"]);
    assert_eq!(buckets[0].name, "photos");
    let entries: Vec<api::Entry> = gateway.json(&["ls", "photos", "--recursive"]);
    assert!(matches!(&entries[0], api::Entry::Object { key, .. } if key == "\u{1b}[31mred"));
    assert_eq!(entries.len(), 4);
    let objects: Vec<api::Object> = gateway.json(&["stat", "photos/read me"]);
    assert_eq!((objects.len(), objects[0].size), (1, 5));
    let log: Vec<api::LogEntry> = gateway.json(&["log", "photos"]);
    assert_eq!(log.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
}

#[test]
fn an_export_verifies_offline() {
    let gateway = Gateway::start();
    let car = gateway.exported();
    let car = car.to_str().unwrap();
    let space = gateway.space.did().to_string();
    let commit = gateway.json::<api::LogEntry>(&["log", "photos", "-n", "1"]).remove(0).cid;
    // From here on nothing is asked of the gateway.
    std::fs::remove_file(gateway.dir.path().join("admin.sock")).unwrap();
    let text = gateway.says(&["verify", car, "--space", &space]);
    let lines =
        ["verdict     authentic and complete", "bucket      photos", "objects     4", "size        14 B"];
    for line in lines {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
    let report: Vec<serde_json::Value> = gateway.json(&["verify", car]);
    assert_eq!((&report[0]["commit"], &report[0]["space"]), (&commit.into(), &space.into()));
    assert_eq!(report[0]["time"], "1996-12-20T00:39:57.000Z");

    let other = SpaceKey::generate(&SeededEntropy::new(2)).did().to_string();
    let line = complaint(&gateway.run(&["verify", car, "--space", &other]));
    assert!(line.contains("the bucket belongs to did:key:"), "{line}");
}

#[test]
fn a_changed_or_cut_export_is_not_authentic() {
    let gateway = Gateway::start();
    let path = gateway.exported();
    let good = std::fs::read(&path).unwrap();
    let middle = good.len() / 2;
    let mut flipped = good.clone();
    flipped[middle] ^= 1;
    for bad in [&flipped[..], &good[..middle], &good[..good.len() - 1], b""] {
        std::fs::write(&path, bad).unwrap();
        let line = complaint(&gateway.run(&["verify", path.to_str().unwrap()]));
        assert!(line.contains("photos.car is not authentic: "), "{line}");
    }
    std::fs::write(&path, &flipped).unwrap();
    let piped = carob(gateway.dir.path()).args(["verify", "-"]).stdin(File::open(&path).unwrap()).output();
    assert!(complaint(&piped.unwrap()).starts_with("standard input is not authentic: "));
    let line = complaint(&gateway.run(&["verify", "absent.car"]));
    assert!(line.starts_with("cannot open absent.car: No such file"), "{line}");
}

#[test]
fn an_export_is_verified_as_it_comes_through_a_pipe() {
    let gateway = Gateway::start();
    let path = gateway.exported();
    let named = gateway.says(&["verify", path.to_str().unwrap()]);
    let redirected =
        carob(gateway.dir.path()).args(["verify", "-"]).stdin(File::open(&path).unwrap()).output();
    let mut piped = carob(gateway.dir.path());
    let mut piped = piped.args(["verify", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::copy(&mut File::open(&path).unwrap(), &mut piped.stdin.take().unwrap()).unwrap();
    for output in [redirected.unwrap(), piped.wait_with_output().unwrap()] {
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), named);
    }
}

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
fn failures_are_one_line_and_a_failing_exit() {
    let gateway = Gateway::start();
    assert_eq!(complaint(&gateway.run(&["ls", "absent"])), "bucket absent does not exist");
    assert_eq!(complaint(&gateway.run(&["export", "absent"])), "bucket absent does not exist");
    assert_eq!(complaint(&gateway.run(&["stat", "photos/absent"])), "there is no object \"absent\"");
    for command in [
        &["stat", "photos"][..],
        &["stat", "s3://photos/"],
        &["get", "--verify", "photos"],
        &["prove", "photos"],
    ] {
        let line = complaint(&gateway.run(command));
        let name = command[0];
        assert!(line.starts_with(&format!("photos is a bucket, and carob {name} takes an object")), "{line}");
        assert!(line.contains(&format!("carob {name} s3://photos/KEY")), "{line}");
    }
    let line = complaint(&gateway.run(&["--data", "/nowhere", "status"]));
    assert_eq!(line, "the gateway is not running (no answer at /nowhere/admin.sock)");
    assert!(!gateway.run(&["stat"]).status.success());
    assert!(!gateway.run(&["verify", "x.car", "--space", "did:key:no"]).status.success());
}

#[test]
fn programs_are_told_of_failures_in_json() {
    let gateway = Gateway::start();
    let message = |args: &[&str], status: i32| {
        let output = gateway.run(args);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(status), 0), "{output:?}");
        let value: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 1);
        assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
        value["message"].as_str().unwrap().to_owned()
    };
    assert_eq!(message(&["--json", "ls", "absent"], 1), "bucket absent does not exist");
    assert_eq!(message(&["stat", "photos/absent", "--json"], 1), "there is no object \"absent\"");
    let missing = message(&["--json", "verify"], 2);
    assert_eq!(missing, "the following required arguments were not provided: <FILE>");
    assert_eq!(gateway.run(&["verify"]).status.code(), Some(2));
}

#[test]
fn an_export_is_not_written_to_a_terminal() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let gateway = Gateway::start();
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options().write(true).open(name.to_str().unwrap()).unwrap();
    let output = carob(gateway.dir.path()).args(["export", "photos"]).stdout(terminal).output().unwrap();
    assert!(complaint(&output).starts_with("a CAR is not for the terminal"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let gateway = Gateway::start();
    let mut child = carob(gateway.dir.path())
        .args(["log", "photos"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
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

/// A commit of `photos`, by how many came after it.
fn commit(gateway: &Gateway, back: usize) -> String {
    gateway.json::<api::LogEntry>(&["log", "photos"]).remove(back).cid
}

#[test]
fn what_differs_is_shown_and_undone() {
    let gateway = Gateway::start();
    let first = commit(&gateway, 3);
    let then = format!("photos@{first}");
    let diff = gateway.says(&["diff", &then]);
    let keys: Vec<_> = diff.lines().map(|line| (&line[..1], line[24..].to_owned())).collect();
    let added = |key: &str| ("+", key.to_owned());
    assert_eq!(keys, [added("\\u{1b}[31mred"), added("cats/two.jpg"), added("read me")]);
    assert_eq!(gateway.says(&["diff", "photos", "--name-only"]), "\\u{1b}[31mred\n", "what came last");
    let backwards = gateway.says(&[
        "diff",
        &format!("photos@{}", commit(&gateway, 0)),
        &format!("@{first}"),
        "--prefix",
        "read",
        "--stat",
    ]);
    assert!(
        backwards.contains("removed        1\n") && backwards.contains("bytes removed  5 B"),
        "{backwards}"
    );

    let dry = ["restore", "photos", "--at", &first, "--prefix", "cats/", "--dry-run"];
    assert_eq!(gateway.says(&dry).trim_end(), format!("- {:>20}  cats/two.jpg", 4));
    let restored: Vec<api::Grafted> = gateway.json(&dry[..6]);
    assert_eq!((restored[0].objects_before, restored[0].objects, &restored[0].from), (4, 3, &first));
    gateway.says(&["restore", "photos", "--at", &first]);
    assert_eq!(gateway.says(&["ls", "-r", "photos"]).lines().count(), 1);
    assert_eq!(gateway.says(&["ls", "-r", "photos", "--at", &restored[0].commit]).lines().count(), 3);
    gateway.says(&["restore", "photos", "--at", &restored[0].commit, "--key", "read me"]);
    assert!(gateway.says(&["stat", "photos/read me"]).contains("size      5 B"));
}

#[test]
fn a_branch_is_merged_back() {
    let gateway = Gateway::start();
    let branched: Vec<api::Branched> = gateway.json(&["branch", "photos", "draft"]);
    assert_eq!((branched[0].owner.as_str(), branched[0].objects), ("root", 4));
    let first = commit(&gateway, 3);
    gateway.says(&["restore", "photos", "--at", &first, "--prefix", "cats/"]);
    assert_eq!(gateway.says(&["diff", "photos", "draft", "--name-only"]), "cats/two.jpg\n");
    let merged: Vec<api::Grafted> = gateway.json(&["merge", "photos", "draft"]);
    assert_eq!((merged[0].objects, merged[0].conflicts.len()), (3, 0));
    assert!(gateway.says(&["diff", "photos", "draft", "--name-only"]).is_empty());
    let line = complaint(&gateway.run(&["merge", "photos", "photos"]));
    assert!(line.contains("photos is no branch of photos"), "{line}");
    assert_eq!(complaint(&gateway.run(&["branch", "photos", "draft"])), "bucket draft exists already");
    let line = complaint(&gateway.run(&["restore", "photos", "--at", "1990-01-01T00:00:00Z"]));
    assert!(line.contains("its history begins later"), "{line}");
}

#[test]
fn proofs_say_what_they_prove_and_a_changed_one_is_refused() {
    let gateway = Gateway::start();
    let space = gateway.space.did().to_string();
    let prove = |args: &[&str]| {
        let path = gateway.dir.path().join("proof.car");
        let output = gateway.run(&[&["prove"], args].concat());
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        std::fs::write(&path, output.stdout).unwrap();
        path
    };
    let says = |path: &Path| gateway.says(&["verify", path.to_str().unwrap(), "--space", &space]);
    for (args, words) in [
        (&["s3://photos/read me"][..], "an object of this CID is under this key at this commit"),
        (&["s3://photos/read me", "--body"], "these bytes are under this key at this commit"),
        (&["s3://photos/read"], "there is no object under this key at this commit"),
        (&["s3://photos/cats/", "--list"], "these 2 objects and no others are under this prefix"),
        (&["s3://photos/dogs/", "--list"], "these 0 objects and no others are under this prefix"),
    ] {
        let path = prove(args);
        let text = says(&path);
        assert!(text.contains(words), "{args:?}: {text}");
        let mut bad = std::fs::read(&path).unwrap();
        let middle = bad.len() / 2;
        bad[middle] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let line = complaint(&gateway.run(&["verify", path.to_str().unwrap(), "--space", &space]));
        assert!(line.contains("is not authentic"), "{line}");
    }
    let past = prove(&["photos/read me", "--at", &commit(&gateway, 3)]);
    assert!(says(&past).contains("there is no object under this key"));
}

#[test]
fn an_object_is_written_when_it_is_proven() {
    let gateway = Gateway::start();
    let space = gateway.space.did().to_string();
    let get = |args: &[&str]| gateway.run(&[&["get", "--verify"], args].concat());
    for (args, bytes) in [
        (&["s3://photos/cats/one.jpg"][..], "meow"),
        (&["photos/cats/one.jpg", "--space", &space], "meow"),
        (&["photos/read me", "--range", "1-2"], "el"),
        (&["photos/read me", "--range", "4-"], "o"),
    ] {
        let output = get(args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(output.stdout, bytes.as_bytes(), "{args:?}");
    }
    let path = gateway.dir.path().join("cat.jpg");
    let file = path.to_str().unwrap();
    let text = gateway.says(&["get", "--verify", "photos/cats/one.jpg", "--output", file]);
    assert!(text.contains("every byte is proven") && text.contains(&space), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), b"meow");

    let other = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
    for (args, words) in [
        (&["photos/dogs"][..], "there is no object"),
        (&["photos/read me", "--range", "5-"], "no such bytes"),
        (&["photos/read me", "--space", other], "not authentic"),
        (&["photos/dogs", "--output", file], "there is no object"),
    ] {
        let line = complaint(&get(args));
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), b"meow", "what fails leaves the file as it was");
    assert!(!gateway.run(&["get", "photos/read me"]).status.success(), "nothing is got unproven");
    let past = get(&["photos/cats/one.jpg", "--at", &commit(&gateway, 1)]);
    assert_eq!(past.stdout, b"meow");
}

#[test]
fn an_export_becomes_a_bucket_of_another_gateway_with_the_same_trees() {
    let (gateway, other) = (Gateway::start(), Gateway::start());
    let path = gateway.exported();
    let imported: Vec<api::Branched> = other.json(&["import", path.to_str().unwrap(), "copy"]);
    assert_eq!((imported[0].objects, &imported[0].from), (4, &commit(&gateway, 0)));
    let tree = |gateway: &Gateway, bucket: &str| {
        gateway.json::<api::LogEntry>(&["log", bucket, "-n", "1"]).remove(0).tree
    };
    assert_eq!(tree(&other, "copy"), tree(&gateway, "photos"));
    assert_eq!(other.says(&["ls", "-r", "copy"]), gateway.says(&["ls", "-r", "photos"]));

    let file = path.to_str().unwrap();
    assert_eq!(complaint(&other.run(&["import", file, "copy"])), "bucket copy exists already");
    let good = std::fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        complaint(&other.run(&["import", file, "bad"]))
    };
    let last = good.len() - 1;
    let mut bad = good.clone();
    bad[last] ^= 1;
    let line = refused(&bad);
    let frame: usize =
        line.strip_prefix("the CAR is damaged at byte ").unwrap().split(':').next().unwrap().parse().unwrap();
    // The last frame goes from there to the end: its length, and so many bytes.
    let mut rest = &good[frame..];
    assert!(rest.len() < 1 << 14 && frame > 0, "{line}");
    let length = match rest {
        [first, second, ..] if first & 0x80 != 0 => {
            (usize::from(*second) << 7 | usize::from(first & 0x7f)) + 2
        }
        [first, ..] => usize::from(*first) + 1,
        [] => 0,
    };
    rest = &rest[length..];
    assert!(rest.is_empty(), "{line}");
    assert_eq!(
        refused(&good[..last]),
        format!("the CAR is cut short: it ends at byte {last}, inside the block that begins at byte {frame}")
    );
    assert!(
        refused(b"hello, this is a text and nothing else\n")
            .starts_with("this is no CAR, or one that is damaged where it begins")
    );
    assert!(
        refused(&[0x1f, 0x8b, 8, 0]).starts_with("this is no CAR, or one that is damaged where it begins")
    );
    assert_eq!(refused(b""), "the CAR is empty");
    assert_eq!(other.says(&["bucket", "ls"]).lines().count(), 3, "no bucket is made of it");
}

#[test]
fn an_export_with_history_brings_every_state_along() {
    let (gateway, other) = (Gateway::start(), Gateway::start());
    let path = gateway.dir.path().join("history.car");
    let file = File::create(&path).unwrap();
    let args = ["export", "photos", "--history"];
    assert!(carob(gateway.dir.path()).args(args).stdout(file).status().unwrap().success());
    let path = path.to_str().unwrap();
    assert!(gateway.says(&["verify", path]).ends_with("past states  4\n"));
    let imported: Vec<api::Branched> = other.json(&["import", path, "copy"]);
    assert_eq!((imported[0].objects, imported[0].past), (4, 4));
    let states = |gateway: &Gateway, bucket: &str| -> Vec<_> {
        let log: Vec<api::LogEntry> = gateway.json(&["log", bucket]);
        log.into_iter().map(|entry| (entry.time, entry.tree, entry.objects)).collect()
    };
    assert_eq!(states(&other, "copy"), states(&gateway, "photos"));
    assert_eq!(states(&other, "copy").len(), 5);
}

const KEY: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret")];

#[test]
fn a_pull_says_what_is_in_its_way() {
    let gateway = Gateway::start();
    let pull = |args: &[&str]| carob(gateway.dir.path()).arg("pull").args(args).envs(KEY).output().unwrap();
    let nobody = "http://127.0.0.1:1/garden";
    for (args, words) in [
        (&[nobody][..], "the other gateway: cannot reach the gateway at 127.0.0.1:1"),
        (&[nobody, "photos"], "bucket photos exists already"),
        (&[nobody, "No_Name"], "not a bucket name"),
        (&[nobody, "--endpoint", "http://127.0.0.1:2"], "without --endpoint"),
    ] {
        let line = complaint(&pull(args));
        assert!(line.contains(words), "{args:?}: {line}");
    }
    assert!(!pull(&["http://127.0.0.1:1"]).status.success(), "no bucket is named");
}

#[test]
fn a_certificate_is_trusted_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name)
    };
    let runtime = Runtime::new().unwrap();
    let serve_with = |cert: &Path, key: &Path| {
        runtime.block_on(async {
            let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = tcp.local_addr().unwrap();
            let listener = TlsListener::new(tcp, Certificate::load(cert.to_owned(), key.to_owned()).unwrap());
            // It says that nothing differs.
            let says = service_fn(|request: Request<carob_http::Body>| async move {
                Ok::<_, Infallible>(Response::new(request.into_body()))
            });
            let stop = CancellationToken::new();
            tokio::spawn(serve(listener, says, Limits::default(), Connections::default(), stop));
            format!("https://{address}")
        })
    };
    let made = |host: &str, is_ca| {
        let mut params = rcgen::CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        (file("cert.pem", cert.pem()), file("key.pem", key.serialize_pem()))
    };
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (cert, key) = made("127.0.0.2", authority);
    let ask_at = |url: &str, named: Option<&Path>, bundle: Option<&Path>| {
        let mut command = carob(dir.path());
        command.envs(KEY).env_remove("AWS_CA_BUNDLE").env_remove("SSL_CERT_FILE");
        command.args(["--endpoint", url, "diff", "garden@1h"]);
        named.iter().for_each(|file| _ = command.arg("--ca").arg(file));
        bundle.iter().for_each(|file| _ = command.env("AWS_CA_BUNDLE", file));
        command.output().unwrap()
    };
    let elsewhere = complaint(&ask_at(&serve_with(&cert, &key), Some(&cert), None));
    assert!(elsewhere.contains("not valid for name"), "{elsewhere}");
    // Made as `openssl req -x509` makes it, and as one that is a server's alone.
    for is_ca in [authority, rcgen::IsCa::NoCa] {
        let (cert, key) = made("127.0.0.1", is_ca);
        let url = serve_with(&cert, &key);
        for trusting in [ask_at(&url, Some(&cert), None), ask_at(&url, None, Some(&cert))] {
            assert!(trusting.status.success(), "{trusting:?}");
        }
    }
    let url = serve_with(&cert, &key);
    let ask = |named: Option<&Path>, bundle: Option<&Path>| ask_at(&url, named, bundle);
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let line = complaint(&ask(Some(&file("other.pem", other)), Some(&cert)));
    assert!(line.contains("cannot reach the gateway") && line.contains("certificate"), "{line}");
    let line = complaint(&ask(Some(&dir.path().join("none.pem")), None));
    assert!(line.contains("cannot read"), "{line}");
}

#[test]
fn retention_snapshots_and_collections_have_commands() {
    let gateway = Gateway::start();
    assert_eq!(gateway.says(&["retention", "photos"]), "all     1h\nhourly  7d\n");
    assert_eq!(gateway.says(&["retention", "photos", "--all", "0"]), "all     0s\nhourly  7d\n");
    assert!(gateway.says(&["bucket", "ls"]).contains("  0s, hourly 7d  "));
    assert!(gateway.says(&["retention", "photos", "--hourly", "0"]).ends_with("hourly  0s\n"));
    assert!(gateway.says(&["bucket", "ls"]).contains("  newest  "));
    gateway.says(&["snapshot", "create", "photos", "free"]);
    let locked =
        gateway.says(&["snapshot", "create", "photos", "held", "--lock-until", "2001-01-01T00:00:00Z"]);
    assert!(locked.contains("locked until  2001-01-01T00:00:00.000Z\n"), "{locked}");
    let listed: Vec<api::NamedSnapshot> = gateway.json(&["snapshot", "ls", "photos"]);
    assert_eq!(listed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["free", "held"]);
    let line = complaint(&gateway.run(&["snapshot", "rm", "photos", "held"]));
    assert_eq!(line, "snapshot \"held\" is locked until 2001-01-01T00:00:00Z");
    assert_eq!(gateway.says(&["snapshot", "rm", "photos", "free"]), "removed  free\n");
    let would = gateway.says(&["gc", "--dry-run"]);
    assert!(would.contains("would free") && would.contains("photos: 6 commits dropped, 0 kept"), "{would}");
    let did = gateway.says(&["gc"]);
    assert!(did.contains("photos: 6 commits dropped, 0 kept") && !did.contains("would"), "{did}");
    assert_eq!(gateway.says(&["log", "photos"]).lines().count(), 2);
}

#[test]
fn a_deleted_bucket_is_listed_and_brought_back() {
    let gateway = Gateway::start();
    let then = commit(&gateway, 0);
    let id = gateway.json::<api::Bucket>(&["bucket", "ls"]).remove(0).id;
    let delete = |name: &str| {
        gateway.runtime.block_on(async {
            let bucket = gateway.space.bucket(name).await.unwrap();
            let keys = KEYS.map(|(key, _)| (key.to_owned(), DeleteOptions::default()));
            bucket.delete_many(keys.into()).await.unwrap();
            bucket.delete_bucket().await.unwrap();
        });
    };
    assert_eq!(gateway.says(&["undelete"]), "NAME  OWNER  DELETED  KEEPS  STATES  ID\n");
    let nothing = complaint(&gateway.run(&["undelete", "photos"]));
    assert_eq!(nothing, "no deleted bucket photos is kept as asked: no deleted bucket is kept");
    delete("photos");
    assert_eq!(
        gateway.says(&["undelete"]),
        format!(
            "NAME    OWNER  DELETED                   KEEPS          STATES  ID\n\
             photos  root   1996-12-20T00:39:57.000Z  1h, hourly 7d  6       {id}\n"
        )
    );
    assert!(complaint(&gateway.run(&["ls", "photos", "--at", &then])).contains("does not exist"));

    gateway.runtime.block_on(gateway.space.create_bucket("photos")).unwrap();
    assert_eq!(complaint(&gateway.run(&["undelete", "photos"])), "bucket photos exists already");
    delete("photos");
    let bad = complaint(&gateway.run(&["undelete", "photos", "--id", "x"]));
    assert_eq!(bad, "\"x\" is no bucket's id");
    let other = complaint(&gateway.run(&["undelete", "photos", "--id", &"0".repeat(32)]));
    assert!(other.contains(&format!("photos {id} (deleted 1996-12-20T00:39:57Z)")), "{other}");
    let listed: Vec<api::DeletedBucket> = gateway.json(&["undelete"]);
    let newer = listed.iter().find(|gone| gone.id != id).unwrap();
    let done: Vec<api::Undeleted> = gateway.json(&["undelete", "photos", "--name", "newer"]);
    let done = done.into_iter().map(|done| (done.name, done.before.id, done.others.len()));
    assert_eq!(done.collect::<Vec<_>>(), [("newer".to_owned(), newer.id.clone(), 1)]);

    assert_eq!(
        gateway.says(&["undelete", "photos", "--id", &id]),
        format!(
            "bucket       photos\nid           {id}\nowner        root\n\
             deleted      1996-12-20T00:39:57.000Z\npast states  6\n\
             objects      none yet: carob restore photos --at MOMENT brings them back\n"
        )
    );
    assert_eq!(gateway.says(&["ls", "photos"]), "");
    gateway.says(&["restore", "photos", "--at", &then]);
    assert_eq!(gateway.says(&["ls", "-r", "photos"]).lines().count(), KEYS.len());
    let purged: Vec<api::Purged> = gateway.json(&["purge", "photos/read me"]);
    assert_eq!((purged[0].versions, purged[0].erased), (1, 1));
}

#[test]
fn a_purge_says_what_goes_and_what_other_keys_keep() {
    let gateway = Gateway::start();
    let then = commit(&gateway, 0);
    let would = gateway.says(&["purge", "s3://photos/read me", "--dry-run"]);
    assert!(would.contains("would erase  1 blocks\n"), "{would}");
    assert!(gateway.says(&["stat", "photos/read me"]).contains("size"));
    let did: Vec<api::Purged> = gateway.json(&["purge", "s3://photos/read me"]);
    assert_eq!((did[0].versions, did[0].states, did[0].erased, did[0].shared), (1, 2, 1, 0));
    let line = complaint(&gateway.run(&["stat", "photos/read me", "--at", &then]));
    assert_eq!(line, "\"read me\" was purged from this state of the bucket");
    assert!(gateway.says(&["stat", "photos/cats/one.jpg", "--at", &then]).contains("size"));
    let line = complaint(&gateway.run(&["export", "photos", "--at", &then]));
    assert_eq!(line, "\"read me\" was purged from this state of the bucket");
    let line = complaint(&gateway.run(&["prove", "photos/read me", "--body", "--at", &then]));
    assert_eq!(line, "\"read me\" was purged from this state of the bucket");
    let proven = gateway.run(&["prove", "photos/cats/one.jpg", "--body", "--at", &then]);
    assert!(proven.status.success() && !proven.stdout.is_empty(), "{proven:?}");
    let branched: Vec<api::Branched> = gateway.json(&["branch", "photos", "branch", "--at", &then]);
    assert_eq!((branched[0].objects, branched[0].bytes), (3, 9));
    let held: Vec<api::Usage> = gateway.json(&["du", "branch"]);
    assert_eq!((held[0].objects, held[0].bytes), (3, 9));
    gateway.says(&["restore", "photos", "--at", &then]);
    assert!(complaint(&gateway.run(&["stat", "photos/read me"])).contains("no"));
    assert!(complaint(&gateway.run(&["purge", "nowhere/k"])).contains("nowhere"));
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
