//! Signature Version 2, in the header and in URLs, signed as the specification says and not as the server does it.

use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::client::Request;
use crate::server::{DOMAIN, GUEST, ROOT, Server};
use crate::tenants::{ALICE, BOB, Tenants};

fn seal(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

/// What is signed of a request: `date` or the end of its life, lines of `x-amz-` headers, and the resource.
fn text(method: &str, kind: &str, date: &str, amz: &str, resource: &str) -> String {
    format!("{method}\n\n{kind}\n{date}\n{amz}{resource}")
}

/// A request signed in its header at `time`; `resource` is what it names, with the sub-resources that are signed.
fn signed(
    server: &Server,
    (key, secret): (&str, &str),
    method: &str,
    resource: &str,
    time: SystemTime,
) -> Request {
    let date = httpdate::fmt_http_date(time);
    let signature = seal(secret, &text(method, "", &date, "", resource));
    let request = server.request(method, resource).anonymous().unsigned_header("date", &date);
    request.unsigned_header("authorization", &format!("AWS {key}:{signature}"))
}

/// A URL that lives until `time`.
fn presigned(
    server: &Server,
    (key, secret): (&str, &str),
    method: &str,
    resource: &str,
    time: SystemTime,
) -> Request {
    let expires = time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().to_string();
    let signature = seal(secret, &text(method, "", &expires, "", resource));
    let request = server.request(method, resource).anonymous();
    request.query("AWSAccessKeyId", key).query("Signature", &signature).query("Expires", &expires)
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_mins(1)
}

#[tokio::test]
async fn requests_are_signed_in_the_header() {
    let server = Server::start().await;
    let by_root = |method: &str, resource: &str| signed(&server, ROOT, method, resource, SystemTime::now());
    by_root("PUT", "/bucket/key").body("hello").send().await.expect_status(200);
    assert_eq!(by_root("GET", "/bucket/key").send().await.expect_status(200).text(), "hello");
    by_root("GET", "/bucket?acl").send().await.expect_status(200);
    let listed = by_root("GET", "/bucket").query("list-type", "2").query("prefix", "k").send().await;
    assert!(listed.expect_status(200).text().contains("<Key>key</Key>"));
    // As boto3 and s3cmd sign a bucket.
    let date = httpdate::fmt_http_date(SystemTime::now());
    for (resource, status) in [("/bucket/", 200), ("/bucket//", 403), ("/bucke", 403)] {
        let signature = seal(ROOT.1, &text("GET", "", &date, "", resource));
        let get = server.get("/bucket").anonymous().unsigned_header("date", &date);
        let get = get.unsigned_header("authorization", &format!("AWS {}:{signature}", ROOT.0));
        get.send().await.expect_status(status);
    }
    by_root("DELETE", "/bucket/key").send().await.expect_status(204);
}

#[tokio::test]
async fn headers_of_amazon_are_part_of_what_is_signed() {
    let server = Server::start().await;
    let date = httpdate::fmt_http_date(SystemTime::now()).replace("GMT", "+0000");
    let amz = format!("x-amz-date:{date}\nx-amz-meta-a:1\n");
    let signature = seal(ROOT.1, &text("PUT", "a/b", "", &amz, "/bucket/key"));
    let put = |value: &str| {
        let request = server.put("/bucket/key", "x").anonymous().header("content-type", "a/b");
        let request = request.header("x-amz-date", &date).header("x-amz-meta-a", value);
        request.unsigned_header("authorization", &format!("AWS {}:{signature}", ROOT.0))
    };
    put("1").send().await.expect_status(200);
    put("2").send().await.expect_error(403, "SignatureDoesNotMatch");
    put("1").header("x-amz-meta-b", "1").send().await.expect_error(403, "SignatureDoesNotMatch");
    assert_eq!(server.get("/bucket/key").send().await.header("x-amz-meta-a"), "1");
}

#[tokio::test]
async fn a_bucket_in_the_host_is_signed_as_in_the_path() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let date = httpdate::fmt_http_date(SystemTime::now());
    let signature = seal(ROOT.1, &text("GET", "", &date, "", "/bucket/key"));
    let get = server.get("/key").host(&format!("bucket.{DOMAIN}")).anonymous().unsigned_header("date", &date);
    let get = get.unsigned_header("authorization", &format!("AWS {}:{signature}", ROOT.0));
    get.send().await.expect_status(200);
}

#[tokio::test]
async fn what_is_not_signed_well_or_in_time_is_refused() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let now = SystemTime::now();
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for time in [now - minutes(16), now + minutes(16)] {
        signed(&server, ROOT, "GET", "/bucket/key", time)
            .send()
            .await
            .expect_error(403, "RequestTimeTooSkewed");
    }
    signed(&server, ROOT, "GET", "/bucket/key", now - minutes(14)).send().await.expect_status(200);
    let bad = [
        ((ROOT.0, "another"), "SignatureDoesNotMatch"),
        ((ROOT.0, GUEST.1), "SignatureDoesNotMatch"),
        (("NOBODY", "x"), "InvalidAccessKeyId"),
    ];
    for (by, code) in bad {
        signed(&server, by, "GET", "/bucket/key", now).send().await.expect_error(403, code);
        presigned(&server, by, "GET", "/bucket/key", soon()).send().await.expect_error(403, code);
    }
    let expired = presigned(&server, ROOT, "GET", "/bucket/key", now - minutes(1)).send().await;
    let expired = expired.expect_error(403, "AccessDenied");
    assert_eq!(expired.element("Message"), "Request has expired");
    let whole = signed(&server, ROOT, "PUT", "/bucket/chunked", now).unsigned_chunked(100).body("hello");
    whole
        .unsigned_header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .send()
        .await
        .expect_error(501, "NotImplemented");
    assert_eq!(server.state().await.0, 1);
}

#[tokio::test]
async fn a_url_does_what_it_was_signed_for_until_it_expires() {
    let server = Server::start().await;
    let put = presigned(&server, ROOT, "PUT", "/bucket/a key", soon());
    // The resource is signed as it is sent.
    put.send().await.expect_error(403, "SignatureDoesNotMatch");
    let url = |method: &str, resource: &str| presigned(&server, ROOT, method, resource, soon());
    url("PUT", "/bucket/key").body("hello").send().await.expect_status(200);
    let shown = url("GET", "/bucket/key?response-content-type=a/b").send().await.expect_status(200);
    assert_eq!((shown.text(), shown.header("content-type")), ("hello".into(), "a/b"));
    for other in [
        url("GET", "/bucket/key").query("acl", ""),
        url("GET", "/bucket/key").query("response-content-type", "a/b"),
        url("PUT", "/bucket/key").header("x-amz-copy-source", "/bucket/victim"),
        url("PUT", "/bucket/key").header("x-amz-acl", "public-read"),
    ] {
        other.send().await.expect_error(403, "SignatureDoesNotMatch");
    }
    for more in ["retention", "legal-hold", "encryption", "attributes"] {
        url("PUT", "/bucket/key").query(more, "").send().await.expect_error(400, "InvalidRequest");
    }
    let twice = url("PUT", "/bucket/key").query("acl", "").query("acl", "");
    twice.send().await.expect_error(400, "InvalidRequest");
    let past = url("GET", "/bucket/key").query("X-Amz-SignedHeaders", "x-carob-at");
    past.header("x-carob-at", "2023-11-14T22:13:20Z").send().await.expect_error(403, "AccessDenied");
    assert_eq!(server.get("/bucket/key").send().await.text(), "hello");
}

#[tokio::test]
async fn a_key_may_do_no_more_than_with_version_4() {
    let server = Server::start().await;
    server.fill(&["key", "secret"]).await;
    let now = SystemTime::now();
    signed(&server, GUEST, "GET", "/bucket/key", now).send().await.expect_status(200);
    signed(&server, GUEST, "GET", "/bucket/secret", now).send().await.expect_error(403, "AccessDenied");
    presigned(&server, GUEST, "GET", "/bucket/secret", soon()).send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn a_policy_may_ask_for_the_version() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::alices/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::alices/*",
         "Condition": {"StringEquals": {"s3:signatureversion": "AWS", "s3:authType": "REST-QUERY-STRING"}}}]}"#;
    server.put("/alices?policy", policy).by(ALICE).send().await.expect_status(204);
    server.get("/alices/key").by(BOB).presigned(60).send().await.expect_status(200);
    signed(server, BOB, "GET", "/alices/key", SystemTime::now()).send().await.expect_status(200);
    presigned(server, BOB, "GET", "/alices/key", soon()).send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn it_can_be_turned_off() {
    let server = Server::with(|options| options.signature_v2 = false).await;
    signed(&server, ROOT, "GET", "/bucket", SystemTime::now())
        .send()
        .await
        .expect_error(400, "InvalidRequest");
    presigned(&server, ROOT, "GET", "/bucket", soon()).send().await.expect_error(400, "InvalidRequest");
    server.get("/bucket").send().await.expect_status(200);
}
