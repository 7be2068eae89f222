//! Commits, branches, deleted buckets and what is kept.

use carob_bucket::DeleteOptions;
use carob_http::api;

use crate::harness::{Gateway, KEYS, commit, complaint};

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
