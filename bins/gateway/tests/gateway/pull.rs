//! A bucket brought from one gateway to another, over the network, through kills, lies and refusals.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use carob_http::api::{CreateAccount, CreateKey, Pull, Pulled, Scope};
use carob_http::client::{Access, Client, ClientError, Endpoint};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustix::process::Signal;

use crate::harness::{Gateway, command, until};
use crate::s3::S3;

/// A gateway with the bucket `garden`, and the directory of another.
struct World {
    source: Gateway,
    root: S3,
    dir: tempfile::TempDir,
    here: tempfile::TempDir,
}

impl World {
    fn new(objects: u8, size: usize) -> Self {
        let (dir, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let source = Gateway::start(dir.path());
        let root = S3::of(&source, dir.path());
        assert_eq!(root.send("PUT", "/garden", b"").status, 200);
        for n in 0..objects {
            assert_eq!(root.send("PUT", &format!("/garden/{n}"), &vec![n; size]).status, 200);
        }
        Self { source, root, dir, here }
    }

    fn asked(&self, address: SocketAddr) -> Pull {
        Pull {
            endpoint: format!("http://{address}"),
            bucket: "garden".into(),
            access_key: self.root.signer.key.clone(),
            secret_key: self.root.signer.secret.clone(),
            region: "us-east-1".into(),
            roots: None,
            space: None,
            history: false,
            max_bytes: None,
        }
    }

    fn operator(&self) -> Client {
        Client::new(self.here.path().join("admin.sock"))
    }

    async fn tree(&self, at: &Path) -> String {
        Client::new(at.join("admin.sock")).log("garden", Some(1)).await.unwrap()[0].tree.clone()
    }
}

fn message<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> String {
    match answer {
        Err(ClientError::Refused { message, .. }) => message,
        other => panic!("not refused: {other:?}"),
    }
}

/// Stands between two gateways, and does something to what the one answers: given how many bytes went through before.
struct Between {
    address: SocketAddr,
    through: Arc<AtomicU64>,
}

type Meddle = Arc<Mutex<dyn FnMut(u64, &mut [u8]) + Send>>;

impl Between {
    fn new(to: SocketAddr, meddle: Meddle) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, through) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&through);
        thread::spawn(move || {
            for near in listener.incoming() {
                let (near, far) = (near.unwrap(), TcpStream::connect(to).unwrap());
                let (mut from, mut into) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut from, &mut into));
                let (count, meddle) = (Arc::clone(&count), Arc::clone(&meddle));
                thread::spawn(move || answer(far, near, &count, &meddle));
            }
        });
        Self { address, through }
    }
}

fn answer(mut far: TcpStream, mut near: TcpStream, count: &AtomicU64, meddle: &Meddle) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = far.read(&mut piece) {
        let before = count.load(Ordering::SeqCst);
        meddle.lock().unwrap()(before, &mut piece[..read]);
        count.fetch_add(read as u64, Ordering::SeqCst);
        if near.write_all(&piece[..read]).is_err() {
            return;
        }
    }
    _ = near.shutdown(std::net::Shutdown::Write);
}

#[tokio::test]
async fn a_bucket_goes_from_one_gateway_to_another() {
    let world = World::new(20, 100_000);
    let here = Gateway::start(world.here.path());
    let mut told = 0;
    let first = world.operator().pull("garden", &world.asked(world.source.address()), |_| told += 1).await;
    let first = first.unwrap();
    assert!(first.blocks.fetched >= 20 && told > 0, "{first:?}");
    assert_eq!(world.tree(world.here.path()).await, world.tree(world.dir.path()).await);
    let s3 = S3::of(&here, world.here.path());
    assert_eq!(s3.send("GET", "/garden/7", b"").body, vec![7; 100_000]);

    let again = world.operator().pull("garden", &world.asked(world.source.address()), |_| ()).await.unwrap();
    assert_eq!((again.commits, again.blocks.fetched, again.commit), (0, 0, first.commit));

    assert_eq!(world.root.send("PUT", "/garden/7", b"new").status, 200);
    assert_eq!(world.root.send("DELETE", "/garden/8", b"").status, 204);
    let asked = Pull { history: true, ..world.asked(world.source.address()) };
    let next: Pulled = world.operator().pull("garden", &asked, |_| ()).await.unwrap();
    assert!(next.commits >= 1 && next.blocks.fetched < 10, "{next:?}");
    assert_eq!(world.tree(world.here.path()).await, world.tree(world.dir.path()).await);
    assert_eq!(s3.send("GET", "/garden/8", b"").status, 404);

    let past = Pull { history: true, ..world.asked(world.source.address()) };
    let past = world.operator().pull("with-past", &past, |_| ()).await.unwrap();
    assert_eq!(past.commits, 23, "a bucket, 20 objects and two changes");
    assert!(past.blocks.bytes < 100_000, "nodes of past trees, and no body: {past:?}");
    let (there, copy) = (Client::new(world.dir.path().join("admin.sock")), world.operator());
    let trees = async |client: &Client, bucket: &str| -> Vec<_> {
        let log = client.log(bucket, None).await.unwrap();
        log.into_iter().map(|entry| (entry.time, entry.tree)).collect()
    };
    assert_eq!(trees(&copy, "with-past").await, trees(&there, "garden").await);
}

#[tokio::test]
async fn a_pull_that_was_killed_goes_on_where_it_was() {
    let world = World::new(48, 1 << 20);
    let between = Between::new(
        world.source.address(),
        Arc::new(Mutex::new(|before, _: &mut [u8]| {
            // From here on nothing comes.
            if before > 30 << 20 {
                loop {
                    thread::park();
                }
            }
        })),
    );
    let here = Gateway::start(world.here.path());
    let (operator, asked) = (world.operator(), world.asked(between.address));
    let cut = tokio::spawn(async move { operator.pull("garden", &asked, |_| ()).await });
    tokio::task::spawn_blocking({
        let through = Arc::clone(&between.through);
        move || until(|| through.load(Ordering::SeqCst) > 30 << 20)
    })
    .await
    .unwrap();
    let (status, ..) = here.stop(Signal::KILL);
    assert!(!status.success());
    assert!(matches!(cut.await.unwrap(), Err(ClientError::Broken { .. })));

    let _here = Gateway::start(world.here.path());
    assert!(world.operator().buckets().await.unwrap().is_empty(), "nobody sees a part");
    let rest = world.operator().pull("garden", &world.asked(world.source.address()), |_| ()).await.unwrap();
    assert!(rest.blocks.bytes < 40 << 20, "what came was kept: {rest:?}");
    assert!(rest.blocks.skipped > 8, "{rest:?}");
    assert_eq!(world.tree(world.here.path()).await, world.tree(world.dir.path()).await);
}

#[tokio::test]
async fn a_byte_that_is_flipped_on_the_way_is_noticed() {
    let world = World::new(6, 40_000);
    let here = Gateway::start(world.here.path());
    let total = {
        let measure = Between::new(world.source.address(), Arc::new(Mutex::new(|_, _: &mut [u8]| ())));
        world.operator().pull("measure", &world.asked(measure.address), |_| ()).await.unwrap();
        measure.through.load(Ordering::SeqCst)
    };
    here.stop(Signal::TERM);
    for at in (0..total).step_by(usize::try_from(total / 40).unwrap()) {
        let dir = tempfile::tempdir().unwrap();
        let _here = Gateway::start(dir.path());
        let operator = Client::new(dir.path().join("admin.sock"));
        let between = Between::new(
            world.source.address(),
            Arc::new(Mutex::new(move |before: u64, piece: &mut [u8]| {
                if let Some(at) = at.checked_sub(before).and_then(|at| piece.get_mut(at as usize)) {
                    *at ^= 0x01;
                }
            })),
        );
        // A byte of a header may mean nothing; then all is as it was.
        if operator.pull("garden", &world.asked(between.address), |_| ()).await.is_ok() {
            assert_eq!(world.tree(dir.path()).await, world.tree(world.dir.path()).await, "byte {at}");
        } else {
            assert!(operator.buckets().await.unwrap().is_empty(), "byte {at}");
        }
    }
}

#[tokio::test]
async fn only_who_has_a_right_to_the_whole_bucket_pulls_it() {
    let world = World::new(2, 10);
    let source = Client::new(world.dir.path().join("admin.sock"));
    let account = CreateAccount { name: "bob".into(), access_key: None, secret_key: None };
    let bob = source.create_account(&account).await.unwrap().key;
    let scope = |prefix: &str, read| Scope {
        buckets: vec!["garden".into()],
        prefix: prefix.into(),
        read: true,
        write: read,
    };
    let mut keys = vec![bob];
    for scope in [scope("1", true), scope("", true), scope("", false)] {
        let key = CreateKey { account: "root".into(), scope, expires_in_seconds: None };
        keys.push(source.create_key(&key).await.unwrap());
    }
    let _here = Gateway::start(world.here.path());
    let asked = world.asked(world.source.address());
    let denied = async |asked: &Pull, who: &str| {
        let refused = message(world.operator().pull("garden", asked, |_| ()).await);
        assert!(refused.contains("ccess denied") || refused.contains("Access Denied"), "{who}: {refused}");
        assert!(world.operator().buckets().await.unwrap().is_empty());
        // Nor, past the pull, what it asks for.
        let access = Access {
            id: asked.access_key.clone(),
            secret: asked.secret_key.clone(),
            region: "us-east-1".into(),
            now: Arc::new(SystemTime::now),
        };
        let client = Client::over(Endpoint::new(&asked.endpoint, access, b"").unwrap());
        let head = source.log("garden", Some(1)).await.unwrap()[0].clone();
        let wanted = carob_http::api::Wanted { steps: vec![(head.cid, None)], blocks: vec![(head.tree, 0)] };
        let status = |answer: Result<(), ClientError>| match answer {
            Err(ClientError::Refused { status, .. }) => status,
            other => panic!("{who}: {other:?}"),
        };
        assert_eq!(status(client.blocks("garden", &wanted).await.map(drop)), 403, "{who}");
        for past in [false, true] {
            assert_eq!(status(client.commits("garden", past).await.map(drop)), 403, "{who}");
        }
    };
    for key in keys {
        let asked = Pull { access_key: key.key.access_key, secret_key: key.secret_key, ..asked.clone() };
        denied(&asked, "another account, or a narrowed key").await;
    }
    for path in ["/_carob/buckets/garden/commits", "/_carob/buckets/garden/blocks"] {
        assert!(world.source.get(path).0.starts_with("http/1.1 403"), "nobody signed");
    }
    let forged = Pull { secret_key: "not-the-secret".into(), ..asked.clone() };
    message(world.operator().pull("garden", &forged, |_| ()).await);
    // A pull is the operator's to ask for.
    assert_eq!(world.root.send("POST", "/_carob/buckets/garden/pull", b"{}").status, 403);

    // Whoever owns a bucket may be kept out of it all the same; root, who is above policies, may not.
    let alice = CreateAccount { name: "alice".into(), access_key: None, secret_key: None };
    let alice = source.create_account(&alice).await.unwrap().key;
    let mut owner = S3::of(&world.source, world.dir.path());
    (owner.signer.key, owner.signer.secret) = (alice.key.access_key.clone(), alice.secret_key.clone());
    assert_eq!(owner.send("PUT", "/hers", b"").status, 200);
    let hers = Pull {
        bucket: "hers".into(),
        access_key: alice.key.access_key,
        secret_key: alice.secret_key,
        ..asked.clone()
    };
    world.operator().pull("hers", &hers, |_| ()).await.unwrap();
    let policy = br#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:ListBucket","Resource":"arn:aws:s3:::hers"}]}"#;
    assert_eq!(owner.send("PUT", "/hers?policy", policy).status, 204);
    let refused = message(world.operator().pull("hers-again", &hers, |_| ()).await);
    assert!(refused.contains("ccess denied"), "{refused}");

    world.operator().pull("garden", &asked, |_| ()).await.unwrap();
    world.source.stop(Signal::TERM);
    let audit = std::fs::read_to_string(world.dir.path().join("audit").join(carob_audit::FILE)).unwrap();
    let blocks = |status: &str| {
        audit
            .lines()
            .any(|line| line.contains("garden/blocks") && line.contains(&format!("\"status\":{status}")))
    };
    assert!(blocks("403") && blocks("200"), "{audit}");
}

#[tokio::test]
async fn a_gateway_with_a_certificate_of_a_private_authority_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let file = |name: &str, text: String| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", leaf.pem()), file("key.pem", key.serialize_pem()));
    let data = dir.path().join("data");
    let gateway = Gateway::spawn(&mut command(&data, &["--tls-cert", &cert, "--tls-key", &key]));
    let url = gateway.told("endpoint").to_owned();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    let operator = Client::new(data.join("admin.sock"));
    let account = CreateAccount { name: "alice".into(), access_key: None, secret_key: None };
    let key = operator.create_account(&account).await.unwrap().key;
    let over = |roots: &str| {
        let access = Access {
            id: key.key.access_key.clone(),
            secret: key.secret_key.clone(),
            region: "us-east-1".into(),
            now: Arc::new(SystemTime::now),
        };
        Client::over(Endpoint::new(&url, access, roots.as_bytes()).unwrap())
    };
    // It is asked, and says that there is none.
    assert!(message(over(&ca).log("nowhere", None).await).contains("nowhere"));
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap().cert.pem();
    let distrusted = over(&other).log("nowhere", None).await;
    assert!(matches!(distrusted, Err(ClientError::Unreachable { .. })), "{distrusted:?}");
}
