//! Requests that nobody has signed: what everybody may do, and no more.

use carob_identity::LimitOptions;

use crate::tenants::{ALICE, BOB, Tenants};

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
     "Resource": ["arn:aws:s3:::alices", "arn:aws:s3:::alices/open/*"]},
    {"Effect": "Allow", "Principal": "*", "Action": ["s3:PutObject", "s3:DeleteObject"],
     "Resource": "arn:aws:s3:::alices/drop/*"}]}"#;

#[tokio::test]
async fn nobody_may_do_what_a_policy_gives_to_everybody() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    for key in ["open/key", "shut/key"] {
        server.put(&format!("/alices/{key}"), "hello").by(ALICE).send().await.expect_status(200);
    }
    server.get("/alices/open/key").anonymous().send().await.expect_error(403, "AccessDenied");
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    for (method, target, status) in [
        ("GET", "/alices/open/key", 200),
        ("HEAD", "/alices/open/key", 200),
        ("GET", "/alices?list-type=2", 200),
        ("HEAD", "/alices", 200),
        ("GET", "/alices/open/absent", 404),
        ("PUT", "/alices/drop/new", 200),
        ("POST", "/alices/drop/up?uploads", 403),
        ("DELETE", "/alices/drop/new", 204),
        ("GET", "/alices/shut/key", 403),
        ("GET", "/alices/shut/absent", 404),
        ("PUT", "/alices/open/key", 403),
        ("PUT", "/alices/open/key?acl", 403),
        ("GET", "/alices/open/key?acl", 403),
        ("GET", "/alices/open/key?tagging", 403),
        ("GET", "/alices?versions", 403),
        ("GET", "/alices?policy", 403),
        ("PUT", "/alices?policy", 403),
        ("DELETE", "/alices?policy", 403),
        ("DELETE", "/alices", 403),
        ("PUT", "/another", 403),
        ("GET", "/", 403),
        ("GET", "/bobs/key", 403),
    ] {
        let answer = server.request(method, target).anonymous().send().await;
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
    }
    let range = server.get("/alices/open/key").anonymous().unsigned_header("range", "bytes=1-2").send().await;
    assert_eq!((range.status, range.text()), (206, "el".to_owned()));
    // What nobody has signed is the bucket owner's.
    server.put("/alices/drop/theirs", "x").anonymous().send().await.expect_status(200);
    server.get("/alices/drop/theirs").by(ALICE).send().await.expect_status(200);
}

/// Not even where everybody may write.
#[tokio::test]
async fn nobody_begins_uploads_or_copies_or_lets_others_in() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    server.put("/alices/open/key", "x").by(ALICE).send().await.expect_status(200);
    let copy = server.put("/alices/drop/copy", "").anonymous();
    let copy = copy.unsigned_header("x-amz-copy-source", "/alices/open/key").send().await;
    copy.expect_error(403, "AccessDenied");
    let public = server.put("/alices/drop/public", "x").anonymous();
    let public = public.unsigned_header("x-amz-acl", "public-read").send().await;
    public.expect_error(403, "AccessDenied");
    server.put("/alices/drop/private", "x").anonymous().send().await.expect_status(200);
}

#[tokio::test]
async fn nobody_says_what_headers_an_answer_shall_have() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/open/key", "<script>").by(ALICE).send().await.expect_status(200);
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    let html =
        |method: &str| server.request(method, "/alices/open/key").query("response-content-type", "text/html");
    html("GET").anonymous().send().await.expect_error(400, "InvalidRequest");
    assert_eq!(html("HEAD").anonymous().send().await.status, 400);
    let signed = html("GET").by(ALICE).send().await.expect_status(200);
    assert_eq!(signed.header("content-type"), "text/html");
    html("GET").by(ALICE).presigned(60).send().await.expect_status(200);
}

#[tokio::test]
async fn nobody_is_taken_for_somebody_who_signed_wrongly() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/open/key", "hello").by(ALICE).send().await.expect_status(200);
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    let get = |target: &str| server.get(target).anonymous();
    get("/alices/open/key").send().await.expect_status(200);
    let forged = server.get("/alices/open/key").by((ALICE.0, "another-secret"));
    forged.clone().send().await.expect_error(403, "SignatureDoesNotMatch");
    forged.presigned(60).send().await.expect_error(403, "SignatureDoesNotMatch");
    for value in ["", "AWS4-HMAC-SHA256", "Basic YTpi", "AWS a:b"] {
        let answer = get("/alices/open/key").unsigned_header("authorization", value).send().await;
        assert!(answer.status >= 400, "{value}: {}", answer.text());
    }
    let twice = get("/alices/open/key").unsigned_header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    );
    let twice = twice.unsigned_header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=a/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    );
    assert!(twice.send().await.status >= 400);
    let chunks = server.put("/alices/drop/key", "hello").anonymous();
    let chunks = chunks.unsigned_header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    chunks.send().await.expect_error(501, "NotImplemented");
    let chunks = server.put("/alices/drop/key", "hello").anonymous();
    let chunks = chunks.unsigned_header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    chunks.send().await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn nobody_deletes_many_keys_but_those_it_may_delete() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    for key in ["drop/1", "open/1"] {
        server.put(&format!("/alices/{key}"), "x").by(ALICE).send().await.expect_status(200);
    }
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    let document = "<Delete><Object><Key>drop/1</Key></Object><Object><Key>open/1</Key></Object></Delete>";
    let delete = |bucket: &str| {
        let request = server.request("POST", &format!("/{bucket}?delete")).anonymous().body(document);
        request.unsigned_header("content-md5", &data_encoding::BASE64.encode(&md5(document))).send()
    };
    let answer = delete("alices").await.expect_status(200);
    assert_eq!(answer.elements("Code"), ["AccessDenied"]);
    assert_eq!(answer.elements("Key"), ["drop/1", "open/1"]);
    delete("bobs").await.expect_error(403, "AccessDenied");
    server.get("/alices/open/1").by(ALICE).send().await.expect_status(200);
    server.get("/alices/drop/1").by(ALICE).send().await.expect_error(404, "NoSuchKey");
}

fn md5(text: &str) -> Vec<u8> {
    use md5::Digest;
    md5::Md5::digest(text).to_vec()
}

#[tokio::test]
async fn nobody_is_limited_by_address_before_anything_is_done() {
    let limits = LimitOptions { source: "4/s".parse().ok(), ..LimitOptions::default() };
    let tenants = Tenants::limited(limits).await;
    let server = &tenants.server;
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    for n in 0..3 {
        server.put(&format!("/alices/drop/{n}"), "x").anonymous().send().await.expect_status(200);
    }
    server.put("/alices/drop/3", "x").anonymous().send().await.expect_error(503, "SlowDown");
    tenants.clock.advance(1000);
    let listed = server.get("/alices").by(ALICE).send().await.expect_status(200);
    assert_eq!(listed.elements("Key"), ["drop/0", "drop/1", "drop/2"]);
}

#[tokio::test]
async fn a_bucket_made_anew_under_the_name_is_not_the_one_that_was_decided_about() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices?policy", POLICY).by(ALICE).send().await.expect_status(204);
    let (head, body) = server.put("/alices/drop/key", vec![7; 300_000]).anonymous().parts();
    let mut slow = tokio::net::TcpStream::connect(server.address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&body[..100_000]).await.unwrap();
    // Let in, and reading its body.
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    server.delete("/alices").by(ALICE).send().await.expect_status(204);
    server.request("PUT", "/alices").by(BOB).send().await.expect_status(200);
    slow.write_all(&body[100_000..]).await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    crate::answer::parse(&answer, false).expect_error(404, "NoSuchBucket");
    let listed = server.get("/alices").by(BOB).send().await.expect_status(200);
    assert!(listed.elements("Key").is_empty(), "nothing has come into Bob's bucket");
}

/// What nobody has signed may be for everybody where the bucket's list lets everybody write.
#[tokio::test]
async fn where_a_list_lets_everybody_write_they_may_let_everybody_read() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let open = server.request("PUT", "/alices?acl").by(ALICE).header("x-amz-acl", "public-read-write");
    open.send().await.expect_status(200);
    let public = server.put("/alices/public", "x").anonymous();
    public.unsigned_header("x-amz-acl", "public-read").send().await.expect_status(200);
    server.get("/alices/public").anonymous().send().await.expect_status(200);
}
