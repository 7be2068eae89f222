//! The admin API through its socket: the typed client against a space in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use carob_block::{MemoryStore, SweepOptions};
use carob_bucket::{
    Bucket, CollectOptions, Collector, Config, ObjectHeaders, PutOptions, Space, SpaceOptions, System,
    SystemOptions,
};
use carob_http::api::{self, Entry};
use carob_http::client::{Client, ClientError, ListOptions};
use carob_http::{Admin, AdminOptions, Connections, Limits, bind, serve};
use carob_identity::{AccessKeys, Credentials, ManualClock, MasterKey, SeededEntropy, SpaceKey, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// RFC 3339 §5.8: 1996-12-20T00:39:57Z.
const NOW: u64 = 851_042_397_000;

const COLLECT: CollectOptions = CollectOptions {
    dry_run: false,
    sweep: SweepOptions { dead_percent: 0, bytes_per_second: None },
    upload_age: None,
};

struct Gateway {
    store: MemoryStore,
    space: Space,
    system: System,
    clock: Arc<ManualClock>,
    client: Client,
    socket: PathBuf,
    stop: CancellationToken,
    server: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

impl Gateway {
    async fn start() -> Self {
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock = Arc::new(ManualClock::new(Timestamp(NOW)));
        let store = MemoryStore::new();
        let space = Space::open(SpaceOptions {
            store: Arc::new(store.clone()),
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: clock.clone(),
            entropy: entropy.clone(),
            cache_bytes: 1 << 20,
        });
        let space = space.await.unwrap();
        let root = Credentials::generate(&*entropy);
        let master = MasterKey::generate(&*entropy);
        let system = SystemOptions { root, master, clock: clock.clone() };
        let system = System::open(&space, system).await.unwrap();
        let admin = Admin::new(AdminOptions {
            space: space.clone(),
            system: system.clone(),
            authorizer: system.table().clone(),
            clock: clock.clone(),
            version: "9.9.9",
            collector: Collector::new(space.clone(), Arc::new(store.clone()), COLLECT),
            store: Box::new(|| BTreeMap::from([("blocks".to_owned(), 7)])),
        });
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("admin.sock");
        let stop = CancellationToken::new();
        let listener = bind(&socket).unwrap();
        let server =
            tokio::spawn(serve(listener, admin, Limits::default(), Connections::default(), stop.clone()));
        Self { store, space, system, clock, client: Client::new(&socket), socket, stop, server, _dir: dir }
    }

    async fn bucket(&self, name: &str) -> Bucket {
        self.space.create_bucket(name).await.unwrap();
        self.space.bucket(name).await.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.server.await.unwrap();
        self.space.close().await;
    }

    /// The status line and body of an answer to bytes that the client would not send.
    async fn raw(&self, request: &str) -> (String, String) {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    async fn get(&self, target: &str) -> (String, String) {
        self.raw(&format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }
}

async fn put(bucket: &Bucket, key: &str, body: &'static [u8], options: PutOptions) {
    let mut upload = bucket.upload(&[]);
    upload.write(body.into()).await.unwrap();
    bucket.put(key, upload.finish().await.unwrap(), options).await.unwrap();
}

fn refused(error: ClientError) -> (u16, String) {
    match error {
        ClientError::Refused { status, message } => (status, message),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn status_and_buckets_tell_what_there_is() {
    let gateway = Gateway::start().await;
    let made = gateway.bucket("second").await;
    gateway.bucket("first").await;
    gateway.clock.advance(61_999);
    let status = gateway.client.status().await.unwrap();
    assert_eq!((status.version.as_str(), status.uptime_seconds, status.buckets), ("9.9.9", 61, 2));
    assert_eq!(status.space, gateway.space.did().to_string());
    assert_eq!(status.store, BTreeMap::from([("blocks".to_owned(), 7)]));
    let buckets = gateway.client.buckets().await.unwrap();
    let names: Vec<&str> = buckets.iter().map(|bucket| bucket.name.as_str()).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(buckets[1].id, made.info().id.to_string());
    assert_eq!(buckets[1].created, "1996-12-20T00:39:57.000Z");
    gateway.stop().await;
}

#[tokio::test]
async fn stat_tells_all_of_an_object_whatever_its_key() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    let key = "a b/+%2F?&=#é\u{0}\u{1b}";
    let options = PutOptions {
        headers: ObjectHeaders { content_type: Some("text/plain".into()), ..ObjectHeaders::default() },
        metadata: BTreeMap::from([("colour".into(), "blue".into())]),
        ..PutOptions::default()
    };
    put(&bucket, key, b"hello", options).await;
    let object = gateway.client.stat("bucket", key, None).await.unwrap();
    assert_eq!((object.bucket.as_str(), object.key.as_str(), object.size), ("bucket", key, 5));
    // `ipfs add --cid-version=1` of the same five bytes.
    assert_eq!(object.cid, "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq");
    assert_eq!(object.etag, "5d41402abc4b2a76b9719d911017c592");
    // The BLAKE3 of "hello", from b3sum.
    assert_eq!(object.blake3[0].root, "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f");
    assert_eq!(object.headers, BTreeMap::from([("content-type".into(), "text/plain".into())]));
    assert_eq!(object.metadata, BTreeMap::from([("colour".into(), "blue".into())]));
    assert_eq!(object.modified, "1996-12-20T00:39:57.000Z");
    assert_eq!(object.commit, bucket.snapshot().await.unwrap().cid().to_string());
    gateway.stop().await;
}

#[tokio::test]
async fn listings_page_and_roll_up() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    for key in ["a/1", "a/2", "b", "c/1", "c/2", "é"] {
        put(&bucket, key, b"x", PutOptions::default()).await;
    }
    let delimiter = Some("/".to_owned());
    let options = ListOptions { delimiter, ..ListOptions::default() };
    let page = gateway.client.list("bucket", &options).await.unwrap();
    let shown = |entries: &[Entry]| -> Vec<String> {
        let text = |entry: &Entry| match entry {
            Entry::Object { key, size, .. } => format!("{key} {size}"),
            Entry::Prefix { prefix } => format!("{prefix} PRE"),
        };
        entries.iter().map(text).collect()
    };
    assert_eq!(shown(&page.entries), ["a/ PRE", "b 1", "c/ PRE", "é 1"]);
    assert_eq!(page.next, None);
    assert_eq!(page.commit, bucket.snapshot().await.unwrap().cid().to_string());

    let (mut keys, mut target) = (Vec::new(), "max=4".to_owned());
    loop {
        let (_, body) = gateway.get(&format!("/_carob/buckets/bucket/objects?{target}")).await;
        let page: carob_http::api::Listing = serde_json::from_str(&body).unwrap();
        assert!(page.entries.len() <= 4);
        keys.extend(shown(&page.entries));
        let Some(next) = page.next else { break };
        target = format!("max=4&token={next}");
    }
    assert_eq!(keys, ["a/1 1", "a/2 1", "b 1", "c/1 1", "c/2 1", "é 1"]);
    let (_, body) = gateway.get("/_carob/buckets/bucket/objects?start-after=c%2F1&prefix=c").await;
    let page: carob_http::api::Listing = serde_json::from_str(&body).unwrap();
    assert_eq!(shown(&page.entries), ["c/2 1"]);
    gateway.stop().await;
}

#[tokio::test]
async fn usage_counts_what_is_under_a_prefix() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    for key in ["a", "a/ü", "a/b", "b"] {
        put(&bucket, key, b"four", PutOptions::default()).await;
    }
    for (prefix, objects) in [("", 4), ("a", 3), ("a/", 2), ("a/ü", 1), ("c", 0)] {
        let usage = gateway.client.usage("bucket", prefix, None).await.unwrap();
        assert_eq!((usage.objects, usage.bytes), (objects, 4 * objects), "{prefix:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_log_is_newest_first_and_bounded() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    for key in ["a", "b", "c"] {
        gateway.clock.advance(1000);
        put(&bucket, key, b"four", PutOptions::default()).await;
    }
    let log = gateway.client.log("bucket", Some(2)).await.unwrap();
    let told: Vec<_> = log.iter().map(|entry| (entry.seq, entry.objects, entry.bytes)).collect();
    assert_eq!(told, [(3, 3, 12), (2, 2, 8)]);
    assert_eq!(log[0].cid, bucket.snapshot().await.unwrap().cid().to_string());
    assert_eq!(
        (log[0].time.as_str(), &log[0].author),
        ("1996-12-20T00:40:00.000Z", &gateway.space.did().to_string())
    );
    assert_eq!(gateway.client.log("bucket", None).await.unwrap().len(), 4);
    gateway.stop().await;
}

#[tokio::test]
async fn an_export_is_a_car_of_the_whole_bucket() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    put(&bucket, "key", b"body of the object", PutOptions::default()).await;
    let mut car = Vec::new();
    let length = gateway.client.export("bucket", None, &mut car).await.unwrap();
    assert_eq!(length, car.len() as u64);
    let mut reader = carob_car::CarReader::new(car.as_slice()).unwrap();
    assert_eq!(reader.roots(), [bucket.snapshot().await.unwrap().cid()]);
    let mut bodies = 0;
    while let Some(block) = reader.next_block().unwrap() {
        bodies += usize::from(&block.data()[..] == b"body of the object");
    }
    assert_eq!(bodies, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn an_export_of_a_damaged_bucket_never_looks_whole() {
    let gateway = Gateway::start().await;
    let bucket = gateway.bucket("bucket").await;
    put(&bucket, "key", b"body", PutOptions::default()).await;
    gateway.store.lose(&bucket.get("key").await.unwrap().unwrap().record().content);
    let err = gateway.client.export("bucket", None, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(err, ClientError::Broken { context: "the export broke off", .. }), "{err}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_in_one_line() {
    let gateway = Gateway::start().await;
    gateway.bucket("bucket").await;
    let client = &gateway.client;
    let missing = (404, "bucket absent does not exist".to_owned());
    assert_eq!(refused(client.log("absent", None).await.unwrap_err()), missing);
    assert_eq!(refused(client.export("absent", None, &mut Vec::new()).await.unwrap_err()), missing);
    let no_key = refused(client.stat("bucket", "no\nkey", None).await.unwrap_err());
    assert_eq!(no_key, (404, "there is no object \"no\\nkey\"".to_owned()));
    let odd = refused(client.log("../status", None).await.unwrap_err());
    assert_eq!(odd.0, 404);
    let token = Some("x".to_owned());
    let bad = client.list("bucket", &ListOptions { token, ..ListOptions::default() }).await.unwrap_err();
    assert_eq!(refused(bad), (400, "the continuation token is not valid".to_owned()));
    gateway.stop().await;
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused() {
    let gateway = Gateway::start().await;
    gateway.bucket("bucket").await;
    let cases = [
        ("/", "404"),
        ("/_carob", "404"),
        ("/_carobstatus", "404"),
        ("/_carob/status/", "404"),
        ("/_carob/status?verbose=1", "400"),
        ("/_carob/buckets/bucket", "404"),
        ("/_carob/buckets/bucket/stat", "400"),
        ("/_carob/buckets/bucket/stat?key=%ff", "400"),
        ("/_carob/buckets/bucket/log?limit=0", "400"),
        ("/_carob/buckets/bucket/log?limit=1001", "400"),
        ("/_carob/buckets/bucket/objects?max=1001", "400"),
    ];
    for (target, status) in cases {
        let (line, body) = gateway.get(target).await;
        assert!(line.contains(status), "{target}: {line}");
        let failure: carob_http::api::Failure = serde_json::from_str(&body).unwrap();
        assert_eq!(failure.error.lines().count(), 1, "{target}: {body}");
    }
    let post = "POST /_carob/status HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert!(gateway.raw(post).await.0.contains("405"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_not_running_is_told_apart() {
    let gateway = Gateway::start().await;
    let client = gateway.client.clone();
    let (socket, stop) = (gateway.socket.clone(), gateway.stop.clone());
    stop.cancel();
    gateway.server.await.unwrap();
    let err = client.status().await.unwrap_err();
    assert!(matches!(err, ClientError::NotRunning(_)), "a socket that nobody serves: {err}");
    std::fs::remove_file(&socket).unwrap();
    let err = client.status().await.unwrap_err();
    assert_eq!(err.to_string(), format!("the gateway is not running (no answer at {})", socket.display()));
}

fn new_account(name: &str, chosen: Option<(&str, &str)>) -> api::CreateAccount {
    let (access_key, secret_key) = chosen.map(|(id, secret)| (id.to_owned(), secret.to_owned())).unzip();
    api::CreateAccount { name: name.to_owned(), access_key, secret_key }
}

fn new_key(account: &str) -> api::CreateKey {
    let scope = api::Scope { buckets: vec!["photos".into()], prefix: "a/".into(), read: true, write: false };
    api::CreateKey { account: account.to_owned(), scope, expires_in_seconds: Some(60) }
}

#[tokio::test]
async fn accounts_and_keys_come_and_go() {
    let gateway = Gateway::start().await;
    let client = &gateway.client;
    let made = client.create_account(&new_account("alice", Some(("ALICE", "alices-secret")))).await.unwrap();
    assert_eq!(
        (made.account.name.as_str(), made.account.canonical_id.len(), made.account.number.len()),
        ("alice", 64, 12)
    );
    assert_eq!((made.key.key.access_key.as_str(), made.key.secret_key.as_str()), ("ALICE", "alices-secret"));
    let key = client.create_key(&new_key("alice")).await.unwrap();
    assert_eq!(key.key.expires.as_deref(), Some("1996-12-20T00:40:57.000Z"));
    let secret = gateway.system.table().secret(&key.key.access_key.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(secret.expose(), key.secret_key);

    let names: Vec<_> = client.accounts().await.unwrap().into_iter().map(|account| account.name).collect();
    assert_eq!(names, ["root", "alice"]);
    let states = async || {
        let keys = client.keys(Some("alice")).await.unwrap();
        keys.into_iter().map(|key| key.state).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [api::KeyState::Active; 2]);
    let revoked = client.revoke_key("ALICE").await.unwrap();
    assert_eq!((revoked.state, revoked.revoked.is_some()), (api::KeyState::Revoked, true));
    gateway.clock.advance(60_000);
    let mut states = states().await;
    states.sort_by_key(|state| format!("{state:?}"));
    assert_eq!(states, [api::KeyState::Expired, api::KeyState::Revoked]);
    client.remove_account("alice").await.unwrap();
    assert!(client.keys(None).await.unwrap().is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_account_or_key_is_told() {
    let gateway = Gateway::start().await;
    let client = &gateway.client;
    let account = client.create_account(&new_account("alice", None)).await.unwrap().account;
    let id = account.id.parse().unwrap();
    gateway.space.create_bucket_with("photos", id, &Config::default()).await.unwrap();
    assert_eq!(client.buckets().await.unwrap()[0].owner, "alice");
    let create = async |name: &str, chosen| {
        refused(client.create_account(&new_account(name, chosen)).await.unwrap_err())
    };
    assert_eq!(create("alice", None).await, (409, "account alice exists already".into()));
    assert_eq!(create("a/b", None).await.0, 400);
    assert_eq!(create("bob", Some(("BOBBY", "short"))).await.0, 400);
    let nobody = refused(client.create_key(&new_key("bob")).await.unwrap_err());
    assert_eq!(nobody, (404, "there is no account bob".into()));
    let unknown = refused(client.revoke_key("NOBODY").await.unwrap_err());
    assert_eq!(unknown, (404, "there is no access key NOBODY".into()));
    let owner = refused(client.remove_account("alice").await.unwrap_err());
    assert_eq!(owner, (409, "account alice owns buckets, photos among them: delete them first".into()));
    let nothing = api::Scope { read: false, ..new_key("alice").scope };
    let nothing = api::CreateKey { scope: nothing, ..new_key("alice") };
    assert_eq!(refused(client.create_key(&nothing).await.unwrap_err()).0, 400);
    for (method, target, body) in [
        ("POST", "/_carob/accounts", "{}"),
        ("POST", "/_carob/accounts", "{\"name\":\"x\",\"admin\":true}"),
        ("POST", "/_carob/accounts", "{\"name\":\"x\",\"secret_key\":\"hidden-away\"}"),
        ("POST", "/_carob/keys", "[]"),
        ("DELETE", "/_carob/accounts", ""),
        ("DELETE", "/_carob/keys?id=a/b", ""),
    ] {
        let length = body.len();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let (status, text) = gateway.raw(&request).await;
        assert!(
            status.contains(" 400 ") && !text.contains("hidden-away"),
            "{method} {target}: {status} {text}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn retention_snapshots_and_collections_are_told_and_done() {
    let gateway = Gateway::start().await;
    let (client, bucket) = (&gateway.client, gateway.bucket("bucket").await);
    let usual = api::Retention { all_seconds: 3600, hourly_seconds: 604_800 };
    assert_eq!(client.retention("bucket").await.unwrap(), usual);
    let none = api::Retention { all_seconds: 0, hourly_seconds: 0 };
    assert_eq!(client.set_retention("bucket", &none).await.unwrap(), none);
    assert_eq!(client.buckets().await.unwrap()[0].retention, Some(none));

    put(&bucket, "k", b"old", PutOptions::default()).await;
    let until = "1996-12-21T00:00:00.000Z".to_owned();
    let locked = api::CreateSnapshot { name: "one".into(), locked_until: Some(until.clone()) };
    let made = client.create_snapshot("bucket", &locked).await.unwrap();
    assert_eq!((made.name.as_str(), made.locked_until), ("one", Some(until)));
    assert_eq!(made.commit, bucket.snapshot().await.unwrap().cid().to_string());
    for late in ["1996-12-20T00:00:00Z", "tomorrow"] {
        let late = api::CreateSnapshot { name: "two".into(), locked_until: Some(late.into()) };
        assert_eq!(refused(client.create_snapshot("bucket", &late).await.unwrap_err()).0, 400);
    }
    let (status, message) = refused(client.remove_snapshot("bucket", "one").await.unwrap_err());
    assert_eq!((status, message.as_str()), (409, "snapshot \"one\" is locked until 1996-12-21T00:00:00Z"));
    assert_eq!(refused(client.remove_snapshot("bucket", "two").await.unwrap_err()).0, 404);
    put(&bucket, "k", b"new", PutOptions::default()).await;
    put(&bucket, "k", b"newest", PutOptions::default()).await;

    let would = client.collect(true, false).await.unwrap();
    let did = client.collect(false, true).await.unwrap();
    assert!(would.dry_run && !did.dry_run && did.dead_bytes > 0);
    assert_eq!((would.buckets, would.dead_bytes), (did.buckets.clone(), did.dead_bytes));
    // The first two have no name; the third has.
    assert_eq!((did.buckets[0].name.as_str(), did.buckets[0].dropped), ("bucket", 4));
    let log = client.log("bucket", None).await.unwrap();
    assert_eq!(log.len(), 1, "{log:?}");
    let kept = bucket.named_snapshot("one").await.unwrap();
    assert_eq!(kept.get("k").await.unwrap().unwrap().record().size, 3);
    gateway.clock.advance(24 * 3600 * 1000);
    client.remove_snapshot("bucket", "one").await.unwrap();
    assert_eq!(client.snapshots("bucket").await.unwrap(), []);
    gateway.stop().await;
}
