//! The history of buckets over the network: what an access key may ask for, and what it may not.

use std::io::Cursor;
use std::path::Path;
use std::time::SystemTime;

use carob_commit::{Answer, Verified, verify_file};
use carob_http::api::{Branch, CreateAccount, CreateKey, CreateSnapshot, NewKey, Restore, Scope};
use carob_http::client::{Access, Client, ClientError, DiffOptions, Endpoint, Question};

use crate::harness::Gateway;
use crate::s3::S3;

struct Remote {
    gateway: Gateway,
    operator: Client,
    alice: (Client, S3),
    bob: (Client, S3),
    dir: tempfile::TempDir,
}

fn client(gateway: &Gateway, id: &str, secret: &str) -> Client {
    let access = Access {
        id: id.to_owned(),
        secret: secret.to_owned(),
        region: "us-east-1".into(),
        now: std::sync::Arc::new(SystemTime::now),
    };
    Client::over(Endpoint::new(&format!("http://{}", gateway.address()), access, b"").unwrap())
}

fn both(gateway: &Gateway, dir: &Path, key: &NewKey) -> (Client, S3) {
    let mut s3 = S3::of(gateway, dir);
    (s3.signer.key, s3.signer.secret) = (key.key.access_key.clone(), key.secret_key.clone());
    (client(gateway, &key.key.access_key, &key.secret_key), s3)
}

/// Alice's bucket `garden`: `a` was there, `b` is, and `c` was changed.
async fn garden() -> Remote {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let operator = Client::new(dir.path().join("admin.sock"));
    let account = |name: &str| CreateAccount { name: name.into(), access_key: None, secret_key: None };
    let alice = operator.create_account(&account("alice")).await.unwrap().key;
    let bob = operator.create_account(&account("bob")).await.unwrap().key;
    let (alice, bob) = (both(&gateway, dir.path(), &alice), both(&gateway, dir.path(), &bob));
    for (method, path, body) in [
        ("PUT", "/garden", ""),
        ("PUT", "/garden/a", "one"),
        ("PUT", "/garden/c", "one"),
        ("DELETE", "/garden/a", ""),
        ("PUT", "/garden/b", "two"),
        ("PUT", "/garden/c", "two"),
    ] {
        let answer = alice.1.send(method, path, body.as_bytes());
        assert!(answer.status < 300, "{method} {path}: {}", answer.text());
    }
    Remote { gateway, operator, alice, bob, dir }
}

/// The commit that was the newest `back` commits ago.
async fn commit(client: &Client, back: usize) -> String {
    client.log("garden", None).await.unwrap()[back].cid.clone()
}

fn whole(at: String) -> Restore {
    Restore { at, prefix: None, key: None }
}

fn status<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> u16 {
    match answer {
        Err(ClientError::Refused { status, .. }) => status,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn the_owner_reads_compares_undoes_and_proves() {
    let Remote { gateway: _gateway, operator, alice: (alice, s3), dir: _dir, .. } = garden().await;
    let log = alice.log("garden", None).await.unwrap();
    assert_eq!(log, operator.log("garden", None).await.unwrap());
    let then = commit(&alice, 3).await;

    let mut changed = Vec::new();
    let options = DiffOptions { from: Some(then.clone()), ..DiffOptions::default() };
    alice
        .diff("garden", &options, |change| {
            changed.push(change.key);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(changed, ["a", "b", "c"]);

    let mut car = Vec::new();
    let question = Question::Key { key: "c", body: false };
    alice.prove("garden", &question, None, &mut car).await.unwrap();
    let space = operator.status().await.unwrap().space.parse().unwrap();
    let Verified::Proof(proven) = verify_file(Cursor::new(car), Some(&space)).await.unwrap() else {
        panic!("no proof");
    };
    assert!(matches!(&proven.answer, Answer::Object(record, None) if record.size == 3));
    let at = proven.commit.cid().to_string();
    let slices = alice.slices("garden", "c", &at, 0..3).await.unwrap();
    let bytes = carob_commit::check_slices(proven.answer.pieces().unwrap(), 0..3, slices).unwrap();
    let bytes: Vec<_> = futures::TryStreamExt::try_collect(bytes).await.unwrap();
    assert_eq!(bytes.concat(), b"two");

    let snapshot = CreateSnapshot { name: "kept".into(), locked_until: None };
    alice.create_snapshot("garden", &snapshot).await.unwrap();
    assert_eq!(alice.snapshots("garden").await.unwrap().len(), 1);
    alice.remove_snapshot("garden", "kept").await.unwrap();

    alice.restore("garden", &whole(then)).await.unwrap();
    assert_eq!(s3.send("GET", "/garden/a", b"").body, b"one");
    assert_eq!(s3.send("GET", "/garden/b", b"").status, 404);
    assert_eq!(s3.send("GET", "/garden/c", b"").body, b"one");

    let mut car = Vec::new();
    alice.export("garden", None, &mut car).await.unwrap();
    assert!(matches!(verify_file(Cursor::new(car), Some(&space)).await.unwrap(), Verified::Export(_)));
}

#[tokio::test]
async fn a_branch_is_its_makers_alone() {
    let Remote { gateway: _gateway, alice: (alice, s3), bob: (bob, bobs), dir: _dir, .. } = garden().await;
    let draft = |owner: Option<&str>| Branch { name: "draft".into(), at: None, owner: owner.map(Into::into) };
    assert_eq!(status(alice.branch("garden", &draft(Some("bob"))).await), 403, "for nobody else");
    let made = alice.branch("garden", &draft(None)).await.unwrap();
    assert_eq!(made.owner, "alice");
    assert_eq!(s3.send("GET", "/draft/c", b"").body, b"two");
    assert_eq!(bobs.send("GET", "/draft/c", b"").status, 403);
    assert_eq!(status(bob.log("draft", None).await), 403);
}

#[tokio::test]
async fn others_and_narrowed_keys_learn_nothing() {
    let Remote { gateway, operator, alice: _alice, bob: (bob, bobs), dir } = garden().await;
    let scope = Scope { buckets: vec!["garden".into()], prefix: String::new(), read: true, write: true };
    let key = CreateKey { account: "alice".into(), scope, expires_in_seconds: None };
    let (narrow, s3) = both(&gateway, dir.path(), &operator.create_key(&key).await.unwrap());
    assert_eq!(s3.send("GET", "/garden/c", b"").body, b"two", "it may read what is");
    let then = commit(&operator, 3).await;
    let question = Question::Key { key: "c", body: false };
    let branch = Branch { name: "draft".into(), at: None, owner: None };
    let snapshot = CreateSnapshot { name: "kept".into(), locked_until: None };
    for client in [&bob, &narrow] {
        assert_eq!(status(client.log("garden", None).await), 403);
        assert_eq!(status(client.diff("garden", &DiffOptions::default(), |_| Ok(())).await), 403);
        assert_eq!(status(client.prove("garden", &question, None, &mut Vec::new()).await), 403);
        assert_eq!(status(client.export("garden", None, &mut Vec::new()).await), 403);
        assert_eq!(status(client.restore("garden", &whole(then.clone())).await), 403);
        assert_eq!(status(client.branch("garden", &branch).await), 403);
        assert_eq!(status(client.snapshots("garden").await), 403);
        assert_eq!(status(client.create_snapshot("garden", &snapshot).await), 403);
        assert!(matches!(client.status().await, Err(ClientError::OnlyBySocket)));
    }
    assert_eq!(status(bob.log("nowhere", None).await), 404);

    // What is the operator's is nobody's on the network, whoever asks.
    let root = S3::of(&gateway, dir.path());
    for path in ["/_carob/status", "/_carob/keys", "/_carob/accounts", "/_carob/buckets", "/_carob/gc"] {
        assert_eq!(root.send("GET", path, b"").status, 403, "{path}");
        assert_eq!(bobs.send("GET", path, b"").status, 403, "{path}");
    }
    assert_eq!(root.send("GET", "/_carob/buckets/garden/log", b"").status, 200);
    assert!(gateway.get("/_carob/buckets/garden/log").0.starts_with("http/1.1 403"), "nobody signed");
    let forged = client(&gateway, &root.signer.key, "not-the-secret");
    assert_eq!(status(forged.log("garden", None).await), 403);
}

#[tokio::test]
async fn a_restore_takes_the_rights_to_each_key_that_it_changes() {
    let Remote { gateway: _gateway, alice: (alice, s3), dir: _dir, .. } = garden().await;
    let then = commit(&alice, 3).await;
    let deny = |action: &str, key: &str| {
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Principal":"*","Action":"{action}","Resource":"arn:aws:s3:::garden/{key}"}}]}}"#
        );
        assert_eq!(s3.send("PUT", "/garden?policy", policy.as_bytes()).status, 204);
    };
    let key = |key: &str| Restore { key: Some(key.into()), ..whole(then.clone()) };
    deny("s3:PutObject", "a");
    assert_eq!(status(alice.restore("garden", &whole(then.clone())).await), 403);
    assert_eq!(status(alice.restore("garden", &key("a")).await), 403);
    deny("s3:DeleteObject", "b");
    assert_eq!(status(alice.restore("garden", &whole(then.clone())).await), 403);
    assert_eq!(s3.send("GET", "/garden/b", b"").body, b"two", "nothing was changed");
    alice.restore("garden", &key("c")).await.unwrap();
    assert_eq!(s3.send("GET", "/garden/c", b"").body, b"one");
    deny("s3:DeleteObject", "other");
    alice.restore("garden", &whole(then)).await.unwrap();
    assert_eq!(s3.send("GET", "/garden/b", b"").status, 404);
}
