//! What commands say, and how they fail.

use std::process::Stdio;

use carob_http::api;

use crate::harness::{Gateway, carob, complaint};

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
