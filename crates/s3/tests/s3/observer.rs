//! What whoever counts is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carob_identity::LimitOptions;
use carob_s3::{Exchange, GONE, Observer, Rejection, Touched};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::delete_objects::delete;
use crate::server::Server;
use crate::tenants::{ALICE, Tenants};

/// Operation, status, code, why turned away, bytes in and out.
type Told = (&'static str, u16, String, Option<Rejection>, u64, u64);

#[derive(Default)]
struct Ledger {
    started: Mutex<usize>,
    told: Mutex<Vec<Told>>,
}

impl Observer for Ledger {
    fn started(&self) {
        *self.started.lock().unwrap() += 1;
    }

    fn finished(&self, exchange: &Exchange<'_>) {
        assert!(exchange.first_byte <= exchange.time);
        let code = exchange.code.unwrap_or_default().to_owned();
        let Exchange { operation, status, rejection, received, sent, .. } = *exchange;
        self.told.lock().unwrap().push((operation, status, code, rejection, received, sent));
    }
}

impl Ledger {
    /// What is told of `n` requests, once all of it is.
    async fn told(&self, n: usize) -> Vec<Told> {
        while self.told.lock().unwrap().len() < n {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*self.started.lock().unwrap(), n);
        self.told.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn every_request_is_told_once_with_what_became_of_it() {
    let ledger = Arc::new(Ledger::default());
    let server = Server::start().await.observed_by(ledger.clone()).await;
    server.put("/bucket/key", "hello").send().await.expect_status(200);
    server.get("/bucket/key").header("range", "bytes=1-3").send().await.expect_status(206);
    server.head("/bucket/absent").send().await.expect_status(404);
    let denied = server.get("/bucket/secret").by_guest().send().await.expect_error(403, "AccessDenied");
    let forged = server.get("/bucket/key").by((crate::server::ROOT.0, "other-secret")).send().await;
    let forged = forged.expect_error(403, "SignatureDoesNotMatch");
    // Goes away in the middle of its body.
    let bytes = server.put("/bucket/key", vec![7; 1000]).unsigned_payload().to_bytes();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(&bytes[..bytes.len() - 10]).await.unwrap();
    ledger.told(5).await;
    drop(stream);

    let told = ledger.told(6).await;
    let signature = Some(Rejection::Signature);
    let length = |answer: &crate::answer::Response| answer.body.len() as u64;
    assert_eq!(told[0], ("PutObject", 200, String::new(), None, 5, 0));
    assert_eq!(told[1], ("GetObject", 206, String::new(), None, 0, 3));
    assert_eq!(told[2], ("HeadObject", 404, "NoSuchKey".into(), None, 0, 0));
    assert_eq!(told[3], ("GetObject", 403, "AccessDenied".into(), None, 0, length(&denied)));
    assert_eq!(told[4], ("-", 403, "SignatureDoesNotMatch".into(), signature, 0, length(&forged)));
    let (operation, status, ..) = told[5];
    assert!(operation == "PutObject" && [GONE, 400].contains(&status), "{:?}", told[5]);
}

/// Keeps what it is told of keys.
#[derive(Default)]
struct Keys(Mutex<Vec<Touched>>);

impl Observer for Keys {
    fn started(&self) {}

    fn finished(&self, exchange: &Exchange<'_>) {
        self.0.lock().unwrap().extend_from_slice(exchange.keys);
    }
}

#[tokio::test]
async fn the_keys_of_a_deletion_of_many_are_told() {
    let keys = Arc::new(Keys::default());
    let server = Server::start().await.observed_by(keys.clone()).await;
    server.fill(&["a", "b"]).await;
    let objects = ["<Key>a</Key>", "<Key>secret</Key>", "<Key>b</Key><VersionId>null</VersionId>"];
    let objects = objects.map(|object| format!("<Object>{object}</Object>")).concat();
    let document = format!("<Delete><Quiet>true</Quiet>{objects}</Delete>");
    delete(&server, &document).by_guest().send().await.expect_status(200);
    while keys.0.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let touched = |key: &str, version: Option<&str>, code: Option<&str>| Touched {
        key: key.to_owned(),
        version: version.map(str::to_owned),
        code: code.map(str::to_owned),
    };
    let denied = Some("AccessDenied");
    let expected =
        [touched("a", None, None), touched("secret", None, denied), touched("b", Some("null"), denied)];
    assert_eq!(*keys.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_rate_limit_is_told_apart_from_overload() {
    let tenants = Tenants::limited(LimitOptions { key: "1/s".parse().ok(), ..LimitOptions::default() }).await;
    let ledger = Arc::new(Ledger::default());
    let server = tenants.server.observed_by(ledger.clone()).await;
    server.get("/").by(ALICE).send().await.expect_status(200);
    server.get("/").by(ALICE).send().await.expect_error(503, "SlowDown");
    let told = ledger.told(2).await;
    assert_eq!((told[0].3, told[1].3), (None, Some(Rejection::Rate)));
}
