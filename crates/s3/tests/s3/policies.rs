//! Bucket policies, and what they let others do.

use carob_identity::{AccountNumber, Scope};

use crate::server::{ROOT, Server};
use crate::tenants::{ALICE, BOB, Tenants};

/// A statement for the bucket `alices` and every key in it.
fn statement(effect: &str, principal: &str, action: &str, more: &str) -> String {
    format!(
        r#"{{"Sid": "S{effect}", "Effect": "{effect}", "Principal": {principal}, "Action": "{action}",
            "Resource": ["arn:aws:s3:::alices", "arn:aws:s3:::alices/*"]{more}}}"#
    )
}

fn policy(statements: &[String]) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(","))
}

async fn put(tenants: &Tenants, statements: &[String]) {
    let put = tenants.server.put("/alices?policy", policy(statements)).by(ALICE);
    put.send().await.expect_status(204);
}

#[tokio::test]
async fn a_policy_is_told_as_it_was_put_until_it_is_deleted() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let text = policy(&[statement("Allow", "\"*\"", "s3:GetObject", "")]);
    server.put("/alices?policy", text.clone()).by(ALICE).send().await.expect_status(204);
    let got = server.get("/alices?policy").by(ALICE).send().await.expect_status(200);
    assert_eq!((got.text(), got.header("content-type")), (text, "application/json"));
    let public = async || server.get("/alices?policyStatus").by(ALICE).send().await.element("IsPublic");
    assert_eq!(public().await, "true");
    server.get("/alices?policy").by(BOB).send().await.expect_error(403, "AccessDenied");
    for bad in ["", "{}", "{\"Version\": \"2012-10-17\"", &policy(&[])] {
        let put =
            server.put("/alices?policy", bad).by(ALICE).send().await.expect_error(400, "MalformedPolicy");
        assert!(!put.element("Message").is_empty());
    }
    assert_eq!(public().await, "true", "what is refused changes nothing");
    for _ in 0..2 {
        server.delete("/alices?policy").by(ALICE).send().await.expect_status(204);
        server.get("/alices?policy").by(ALICE).send().await.expect_error(404, "NoSuchBucketPolicy");
    }
    assert_eq!(public().await, "false");
}

#[tokio::test]
async fn another_account_may_do_what_a_policy_allows_it_and_no_more() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "alices").by(ALICE).send().await.expect_status(200);
    let bobs = AccountNumber::of(&server.space.bucket("bobs").await.unwrap().info().owner).to_string();
    let bob = format!(r#"{{"AWS": "arn:aws:iam::{bobs}:root"}}"#);
    let reads = statement("Allow", &bob, "s3:GetObject", "");
    put(&tenants, std::slice::from_ref(&reads)).await;
    for (method, target, status) in [
        ("GET", "/alices/key", 200),
        ("HEAD", "/alices/key", 200),
        ("GET", "/alices/absent", 403),
        ("GET", "/alices/key?acl", 403),
        ("GET", "/alices/key?versionId=null", 403),
        ("GET", "/alices", 403),
        ("PUT", "/alices/key", 403),
        ("DELETE", "/alices/key", 403),
        ("DELETE", "/alices?policy", 403),
    ] {
        let answer = server.request(method, target).by(BOB).send().await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
    }
    let copy = server.request("PUT", "/bobs/copy").by(BOB).header("x-amz-copy-source", "/alices/key");
    copy.clone().send().await.expect_status(200);
    assert_eq!(server.get("/bobs/copy").by(BOB).send().await.text(), "alices");
    server.get("/alices/key").anonymous().send().await.expect_error(403, "AccessDenied");
    // Whoever may list is told that a key is not there.
    put(&tenants, &[reads.clone(), statement("Allow", &bob, "s3:ListBucket", "")]).await;
    server.get("/alices/absent").by(BOB).send().await.expect_error(404, "NoSuchKey");
    assert_eq!(server.get("/alices").by(BOB).send().await.elements("Key"), ["key"]);
    // Tags are a right of their own.
    let tag = server.put(
        "/alices/key?tagging",
        "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    );
    tag.by(ALICE).send().await.expect_status(200);
    copy.clone().send().await.expect_error(403, "AccessDenied");
    put(&tenants, &[reads, statement("Allow", &bob, "s3:GetObjectTagging", "")]).await;
    copy.send().await.expect_status(200);
}

#[tokio::test]
async fn a_denial_binds_its_own_account_which_can_still_take_it_back() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    tenants.alices_key(("CIKEY", "ci-keys-secret"), Scope { write: false, ..Scope::default() }).await;
    put(&tenants, &[statement("Deny", "\"*\"", "s3:*", "")]).await;
    for key in [ALICE, ROOT, BOB, ("CIKEY", "ci-keys-secret")] {
        server.get("/alices/key").by(key).send().await.expect_error(403, "AccessDenied");
        server.get("/alices").by(key).send().await.expect_error(403, "AccessDenied");
    }
    server
        .delete("/alices?policy")
        .by(("CIKEY", "ci-keys-secret"))
        .send()
        .await
        .expect_error(403, "AccessDenied");
    server.get("/alices?policy").by(ALICE).send().await.expect_status(200);
    server.delete("/alices?policy").by(ALICE).send().await.expect_status(204);
    server.get("/alices/key").by(ALICE).send().await.expect_status(200);
    put(&tenants, &[statement("Deny", "\"*\"", "s3:*", "")]).await;
    server.delete("/alices?policy").by(ROOT).send().await.expect_status(204);
}

#[tokio::test]
async fn a_narrowed_key_gains_by_a_policy_of_its_account_but_needs_its_own_right_elsewhere() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let writer = ("WRITER", "writers-secret");
    tenants.alices_key(writer, Scope { read: false, ..Scope::default() }).await;
    let number = AccountNumber::of(&tenants.alice.id);
    let user = format!(r#"{{"AWS": "arn:aws:iam::{number}:user/WRITER"}}"#);
    let account = format!(r#"{{"AWS": "{number}"}}"#);
    put(&tenants, &[statement("Allow", &account, "s3:GetObject", "")]).await;
    server.get("/alices/key").by(writer).send().await.expect_error(403, "AccessDenied");
    put(&tenants, &[statement("Allow", &user, "s3:GetObject", "")]).await;
    server.get("/alices/key").by(writer).send().await.expect_status(200);
    server.get("/alices").by(writer).send().await.expect_error(403, "AccessDenied");

    let open = policy(&[statement("Allow", "\"*\"", "s3:*", "")]).replace("alices", "bobs");
    server.put("/bobs?policy", open).by(BOB).send().await.expect_status(204);
    server.put("/bobs/key", "x").by(writer).send().await.expect_status(200);
    server.get("/bobs/key").by(writer).send().await.expect_error(403, "AccessDenied");
    server.get("/bobs").by(ALICE).send().await.expect_status(200);
}

#[tokio::test]
async fn conditions_look_at_the_request() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/a/key", "x").by(ALICE).send().await.expect_status(200);
    let when = |condition: &str| format!(r#", "Condition": {condition}"#);
    for (action, condition, good, bad) in [
        (
            "s3:ListBucket",
            r#"{"StringEquals": {"s3:prefix": "a/", "s3:delimiter": "/"}, "NumericLessThan": {"s3:max-keys": "10"}}"#,
            server.get("/alices?prefix=a/&delimiter=/&max-keys=9"),
            server.get("/alices?prefix=a/&delimiter=/&max-keys=10"),
        ),
        (
            "s3:GetObject",
            r#"{"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}, "StringLike": {"aws:Referer": "http://example.com/*"}}"#,
            server.get("/alices/a/key").header("referer", "http://example.com/x"),
            server.get("/alices/a/key").header("referer", "http://example.org/x"),
        ),
        (
            "s3:PutObject",
            r#"{"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}"#,
            server.put("/alices/new", "x").header("x-amz-acl", "bucket-owner-full-control"),
            server.put("/alices/new", "x"),
        ),
        (
            "s3:PutObject",
            r#"{"Null": {"s3:if-none-match": "false"}}"#,
            server.put("/alices/once", "x").header("if-none-match", "*"),
            server.put("/alices/once", "x"),
        ),
        (
            "s3:GetObject",
            r#"{"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}"#,
            server.get("/alices/a/key").by(BOB).presigned(60),
            server.get("/alices/a/key"),
        ),
        (
            "s3:GetObject",
            r#"{"DateLessThan": {"aws:CurrentTime": "2023-11-15T00:00:00Z"}, "Bool": {"aws:SecureTransport": "false"}}"#,
            server.get("/alices/a/key"),
            server.get("/alices/a/key?versionId=null"),
        ),
    ] {
        put(&tenants, &[statement("Allow", "\"*\"", action, &when(condition))]).await;
        bad.by(BOB).send().await.expect_error(403, "AccessDenied");
        good.by(BOB).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn a_policy_may_ask_for_tls() {
    let deny = statement(
        "Deny",
        "\"*\"",
        "s3:GetObject",
        r#", "Condition": {"Bool": {"aws:SecureTransport": "false"}}"#,
    )
    .replace("alices", "bucket");
    for (tls, status) in [(true, 200), (false, 403)] {
        let server = Server::with(|options| options.tls = tls).await;
        server.put("/bucket?policy", policy(std::slice::from_ref(&deny))).send().await.expect_status(204);
        server.fill(&["key"]).await;
        server.get("/bucket/key").send().await.expect_status(status);
    }
}

#[tokio::test]
async fn conditions_on_tags_look_at_those_of_the_object_and_of_the_request() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    for (key, tag) in [("open", "level=public"), ("shut", "level=secret")] {
        let put = server.put(&format!("/alices/{key}"), "x").header("x-amz-tagging", tag);
        put.by(ALICE).send().await.expect_status(200);
    }
    let existing = r#", "Condition": {"StringEquals": {"s3:ExistingObjectTag/level": "public"}}"#;
    let requested = r#", "Condition": {"StringEquals": {"s3:RequestObjectTag/level": "public"}}"#;
    put(
        &tenants,
        &[
            statement("Allow", "\"*\"", "s3:GetObject", existing),
            statement("Allow", "\"*\"", "s3:DeleteObject", existing),
            statement("Allow", "\"*\"", "s3:PutObjectTagging", requested),
        ],
    )
    .await;
    server.get("/alices/open").by(BOB).send().await.expect_status(200);
    server.get("/alices/shut").by(BOB).send().await.expect_error(403, "AccessDenied");
    let tagging = |level: &str| {
        let set =
            format!("<Tagging><TagSet><Tag><Key>level</Key><Value>{level}</Value></Tag></TagSet></Tagging>");
        server.put("/alices/shut?tagging", set).by(BOB)
    };
    tagging("secret").send().await.expect_error(403, "AccessDenied");
    server.delete("/alices/shut").by(BOB).send().await.expect_error(403, "AccessDenied");
    tagging("public").send().await.expect_status(200);
    server.get("/alices/shut").by(BOB).send().await.expect_status(200);
    server.delete("/alices/shut").by(BOB).send().await.expect_status(204);
}

#[tokio::test]
async fn a_public_policy_is_blocked_or_restricted_where_that_is_set() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let set = |names: &[&str]| {
        let elements: String = names.iter().map(|name| format!("<{name}>true</{name}>")).collect();
        let document = format!("<PublicAccessBlockConfiguration>{elements}</PublicAccessBlockConfiguration>");
        server.put("/alices?publicAccessBlock", document).by(ALICE).send()
    };
    let open = statement("Allow", "\"*\"", "s3:GetObject", "");
    put(&tenants, std::slice::from_ref(&open)).await;
    server.get("/alices/key").by(BOB).send().await.expect_status(200);
    set(&["RestrictPublicBuckets"]).await.expect_status(200);
    let shown = server.get("/alices?publicAccessBlock").by(ALICE).send().await;
    assert_eq!(
        (shown.element("RestrictPublicBuckets"), shown.element("BlockPublicAcls")),
        ("true".into(), "false".into())
    );
    server.get("/alices/key").by(BOB).send().await.expect_error(403, "AccessDenied");
    server.get("/alices/key").anonymous().send().await.expect_error(403, "AccessDenied");
    server.get("/alices/key").by(ALICE).send().await.expect_status(200);
    set(&["BlockPublicPolicy"]).await.expect_status(200);
    server.get("/alices/key").by(BOB).send().await.expect_status(200);
    let again = server.put("/alices?policy", policy(std::slice::from_ref(&open))).by(ALICE);
    again.send().await.expect_error(403, "AccessDenied");
    server.delete("/alices?publicAccessBlock").by(ALICE).send().await.expect_status(204);
    put(&tenants, &[open]).await;
    let gone = server.get("/alices?publicAccessBlock").by(ALICE);
    gone.send().await.expect_error(404, "NoSuchPublicAccessBlockConfiguration");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_keeps_everybody_out_until_its_owner_replaces_it() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let bucket = server.space.bucket("alices").await.unwrap();
    let unknown = |config: &mut carob_bucket::Config| {
        config.documents.insert("policy".to_owned(), "{\"Version\": \"2099-01-01\"}".into());
        Ok(())
    };
    bucket.configure(unknown).await.unwrap();
    for key in [ALICE, BOB, ROOT] {
        server.get("/alices/key").by(key).send().await.expect_error(403, "AccessDenied");
    }
    server.delete("/alices?policy").by(ALICE).send().await.expect_status(204);
    server.get("/alices/key").by(ALICE).send().await.expect_status(200);
}

#[tokio::test]
async fn a_bucket_that_comes_back_under_another_name_is_shut_until_its_policy_is_replaced() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    put(&tenants, &[statement("Deny", "\"*\"", "s3:PutObject", "")]).await;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_error(403, "AccessDenied");
    let undelete = |from, to| server.space.undelete_bucket(from, None, to);
    server.delete("/alices").by(ALICE).send().await.expect_status(204);
    undelete("alices", None).await.unwrap();
    server.put("/alices/key", "x").by(ALICE).send().await.expect_error(403, "AccessDenied");
    server.get("/alices").by(ALICE).send().await.expect_status(200);
    server.delete("/alices").by(ALICE).send().await.expect_status(204);
    undelete("alices", Some("renamed")).await.unwrap();
    // What the policy says of the old name is not taken for nothing said about the new one.
    server.put("/renamed/key", "x").by(ALICE).send().await.expect_error(403, "AccessDenied");
    server.get("/renamed").by(ALICE).send().await.expect_error(403, "AccessDenied");
    server.delete("/renamed?policy").by(ALICE).send().await.expect_status(204);
    server.put("/renamed/key", "x").by(ALICE).send().await.expect_status(200);
    server.get("/renamed/key").by(BOB).send().await.expect_error(403, "AccessDenied");
}
