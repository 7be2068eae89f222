//! Rate limits over HTTP.

use carob_identity::LimitOptions;

use crate::server::ROOT;
use crate::tenants::{ALICE, BOB, Tenants};

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_when_to_come_back() {
    let tenants = Tenants::limited(LimitOptions { key: "3/s".parse().ok(), ..LimitOptions::default() }).await;
    let list = |key| tenants.server.get("/").by(key).send();
    for _ in 0..3 {
        list(ALICE).await.expect_status(200);
    }
    let slow = list(ALICE).await.expect_error(503, "SlowDown");
    assert_eq!(slow.header("retry-after"), "1");
    assert_eq!(slow.element("RequestId"), slow.header("x-amz-request-id"));
    tenants.server.put("/alices/key", "x").by(ALICE).send().await.expect_error(503, "SlowDown");
    let presigned = tenants.server.get("/alices/key").by(ALICE).presigned(60);
    presigned.send().await.expect_error(503, "SlowDown");
    list(BOB).await.expect_status(200);
    for _ in 0..20 {
        list(ROOT).await.expect_status(200);
    }
    tenants.clock.advance(1000);
    list(ALICE).await.expect_status(200);
    let bucket = tenants.server.space.bucket("alices").await.unwrap();
    assert!(bucket.get("key").await.unwrap().is_none(), "what was refused changed nothing");
}

#[tokio::test]
async fn nobody_uses_up_anothers_share() {
    let tenants = Tenants::limited(LimitOptions { key: "3/s".parse().ok(), ..LimitOptions::default() }).await;
    for _ in 0..20 {
        let forged = tenants.server.get("/").by((ALICE.0, "another-secret"));
        forged.send().await.expect_error(403, "SignatureDoesNotMatch");
    }
    tenants.server.get("/").by(ALICE).send().await.expect_status(200);
}

#[tokio::test]
async fn an_address_is_limited_whoever_it_says_it_is() {
    let tenants =
        Tenants::limited(LimitOptions { source: "6/s".parse().ok(), ..LimitOptions::default() }).await;
    let server = &tenants.server;
    server.get("/").by(ALICE).send().await.expect_status(200);
    server.get("/").by(BOB).send().await.expect_status(200);
    server.get("/").anonymous().send().await.expect_error(403, "AccessDenied");
    server.get("/").by(("NOBODY", "nobodys-secret")).send().await.expect_error(403, "InvalidAccessKeyId");
    server.get("/").by((ALICE.0, "another-secret")).send().await.expect_error(403, "SignatureDoesNotMatch");
    server.request("POST", "/alices").anonymous().send().await;
    for request in [
        server.get("/").anonymous(),
        server.get("/").by(("NOBODY", "nobodys-secret")),
        server.get("/").by((ROOT.0, "another-secret")),
        server.get("/").by(ALICE),
        server.get("/").by(BOB).presigned(60),
    ] {
        let slow = request.send().await.expect_error(503, "SlowDown");
        assert_eq!(slow.header("retry-after"), "1");
    }
    server.head("/alices").anonymous().send().await.expect_status(503);
    server.get("/").by(ROOT).send().await.expect_status(200);
    tenants.clock.advance(1000);
    server.get("/").by(ALICE).send().await.expect_status(200);
}
