//! Amazon S3 API reference, RenameObject.

use carob_identity::AccountNumber;

use crate::client::Request;
use crate::server::Server;
use crate::tenants::{ALICE, BOB, Tenants};

const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const AFTER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";

fn rename(server: &Server, from: &str, to: &str) -> Request {
    server.put(&format!("/bucket/{to}?renameObject"), "").header("x-amz-rename-source", from)
}

#[tokio::test]
async fn an_object_is_under_its_new_key_as_it_was() {
    let server = Server::start().await;
    let put = server.put("/bucket/a b", "hello").header("content-type", "text/plain");
    let put = put.header("x-amz-meta-colour", "red").header("x-amz-tagging", "k=v");
    put.send().await.expect_status(200);
    let before = server.head("/bucket/a b").header("x-amz-checksum-mode", "ENABLED").send().await;
    let answer = rename(&server, "a%20b", "dir/b").send().await.expect_status(200);
    assert_eq!((answer.text(), answer.header("x-carob-cid")), (String::new(), before.header("x-carob-cid")));
    server.get("/bucket/a b").send().await.expect_error(404, "NoSuchKey");
    let after = server.get("/bucket/dir/b").header("x-amz-checksum-mode", "ENABLED").send().await;
    assert_eq!(after.text(), "hello");
    for name in [
        "etag",
        "last-modified",
        "content-type",
        "x-amz-meta-colour",
        "x-amz-tagging-count",
        "x-amz-checksum-crc64nvme",
    ] {
        assert_eq!(after.header(name), before.header(name), "{name}");
    }
    assert_eq!(server.state().await.0, 1);
    rename(&server, "a%20b", "c").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn both_keys_may_be_held_to_conditions() {
    let server = Server::start().await;
    let tag = async |key: &str, body: &str| {
        let put = server.put(&format!("/bucket/{key}"), body).send().await.expect_status(200);
        put.header("etag").to_owned()
    };
    let (source, target) = (tag("from", "1").await, tag("to", "2").await);
    let before = server.state().await;
    for (name, value) in [
        ("if-none-match", "*"),
        ("if-match", &*source),
        ("if-modified-since", AFTER),
        ("if-unmodified-since", BEFORE),
        ("x-amz-rename-source-if-match", &*target),
        ("x-amz-rename-source-if-none-match", "*"),
        ("x-amz-rename-source-if-none-match", &*source),
        ("x-amz-rename-source-if-modified-since", AFTER),
        ("x-amz-rename-source-if-unmodified-since", BEFORE),
    ] {
        let answer = rename(&server, "from", "to").header(name, value).send().await;
        assert_eq!(answer.expect_error(412, "PreconditionFailed").status, 412, "{name}");
    }
    // Where nothing is, nothing matches and nothing was modified.
    for (name, value) in [("if-match", "*"), ("if-modified-since", BEFORE)] {
        rename(&server, "from", "new")
            .header(name, value)
            .send()
            .await
            .expect_error(412, "PreconditionFailed");
    }
    assert_eq!(server.state().await, before);

    let all = rename(&server, "from", "to").header("if-match", &target).header("if-modified-since", BEFORE);
    let all = all.header("if-unmodified-since", AFTER).header("x-amz-rename-source-if-match", &source);
    let all = all.header("x-amz-rename-source-if-none-match", &target);
    let all = all.header("x-amz-rename-source-if-modified-since", BEFORE);
    all.header("x-amz-rename-source-if-unmodified-since", AFTER).send().await.expect_status(200);
    assert_eq!(server.get("/bucket/to").send().await.text(), "1");
    let fresh =
        rename(&server, "to", "new").header("if-none-match", "*").header("if-unmodified-since", BEFORE);
    fresh.send().await.expect_status(200);
}

#[tokio::test]
async fn a_request_that_comes_again_with_its_token_has_succeeded() {
    let server = Server::start().await;
    server.fill(&["a", "b"]).await;
    let token = |from: &str, to: &str| rename(&server, from, to).header("x-amz-client-token", "0-1-2");
    token("a", "c").send().await.expect_status(200);
    let state = server.state().await;
    token("a", "c").send().await.expect_status(200);
    assert_eq!(server.state().await, state);
    for (from, to) in [("b", "c"), ("a", "d")] {
        token(from, to).send().await.expect_error(400, "IdempotentParameterMismatch");
    }
    token("a", "c").header("if-match", "*").send().await.expect_error(400, "IdempotentParameterMismatch");
    rename(&server, "a", "c").send().await.expect_error(404, "NoSuchKey");
    let long = rename(&server, "b", "d").header("x-amz-client-token", &"x".repeat(65));
    long.send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn what_has_no_meaning_is_refused() {
    let server = Server::start().await;
    server.fill(&["a", "dir/"]).await;
    let state = server.state().await;
    for (from, to) in [("a", "a"), ("dir/", "b"), ("a", "b/"), ("", "b")] {
        rename(&server, from, to).send().await.expect_error(400, "InvalidRequest");
    }
    rename(&server, "%FF", "b").send().await.expect_error(400, "InvalidArgument");
    server.put("/bucket/b?renameObject", "").send().await.expect_error(400, "InvalidRequest");
    server
        .put("/bucket/b", "")
        .header("x-amz-rename-source", "a")
        .send()
        .await
        .expect_error(501, "NotImplemented");
    let owner = rename(&server, "a", "b").header("x-amz-expected-bucket-owner", "123456789012");
    owner.send().await.expect_error(403, "AccessDenied");
    assert_eq!(server.state().await, state);
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", versioning).send().await.expect_status(200);
    rename(&server, "a", "b").send().await.expect_error(409, "InvalidBucketState");
}

#[tokio::test]
async fn it_takes_the_rights_to_read_to_delete_and_to_write() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/a", "alices").by(ALICE).send().await.expect_status(200);
    let bobs = AccountNumber::of(&server.space.bucket("bobs").await.unwrap().info().owner);
    let all = ["s3:GetObject", "s3:DeleteObject", "s3:PutObject"];
    let rename = || server.put("/alices/b?renameObject", "").header("x-amz-rename-source", "a").by(BOB);
    for missing in all.iter().map(Some).chain([None]) {
        let actions: Vec<_> =
            all.iter().filter(|action| Some(*action) != missing).map(|a| format!("\"{a}\"")).collect();
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{bobs}"}},
                "Action": [{}], "Resource": "arn:aws:s3:::alices/*"}}]}}"#,
            actions.join(",")
        );
        server.put("/alices?policy", policy).by(ALICE).send().await.expect_status(204);
        match missing {
            Some(_) => _ = rename().send().await.expect_error(403, "AccessDenied"),
            None => _ = rename().send().await.expect_status(200),
        }
    }
    // Who may not list is not told what is absent.
    rename().send().await.expect_error(403, "AccessDenied");
    assert_eq!(server.get("/alices/b").by(ALICE).send().await.text(), "alices");
}
