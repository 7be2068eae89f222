//! Signatures, dates and presigned URLs.

use std::time::Duration;

use crate::server::Server;

#[tokio::test]
async fn strangers_are_turned_away() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for (method, target) in
        [("GET", "/"), ("GET", "/bucket/key"), ("PUT", "/bucket/new"), ("DELETE", "/bucket/key")]
    {
        server.request(method, target).anonymous().send().await.expect_error(403, "AccessDenied");
    }
    let empty = server.get("/bucket/key").anonymous().unsigned_header("authorization", "");
    empty.send().await.expect_error(403, "AccessDenied");
    assert_eq!(server.state().await.0, 1);
}

#[tokio::test]
async fn an_unknown_key_is_not_a_bad_signature() {
    let server = Server::start().await;
    for key in ["NOBODY", "x", "no body"] {
        let mut request = server.get("/");
        request.signer.key = key.to_owned();
        let answer = request.send().await;
        assert!(answer.status == 403 || answer.status == 400, "{key}: {}", answer.text());
        if key == "NOBODY" {
            answer.expect_error(403, "InvalidAccessKeyId");
        }
    }
}

#[tokio::test]
async fn a_wrong_secret_is_a_bad_signature() {
    let server = Server::start().await;
    let mut request = server.get("/");
    request.signer.secret = "another-secret".to_owned();
    request.send().await.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn another_region_is_told_the_right_one() {
    let server = Server::start().await;
    let mut request = server.get("/");
    request.signer.region = "eu-west-1".to_owned();
    let answer = request.send().await.expect_error(400, "AuthorizationHeaderMalformed");
    assert_eq!(
        (answer.element("Region"), answer.header("x-amz-bucket-region")),
        ("us-east-1".into(), "us-east-1")
    );
}

/// There is no document to look into.
#[tokio::test]
async fn a_head_for_another_region_is_told_the_right_one_too() {
    let server = Server::start().await;
    server.put("/bucket/key", "x").send().await.expect_status(200);
    for target in ["/bucket", "/bucket/key"] {
        let mut request = server.head(target);
        request.signer.region = "eu-west-1".to_owned();
        let answer = request.send().await.expect_status(400);
        assert_eq!(answer.header("x-amz-bucket-region"), "us-east-1");
        let refused = server.head(target).anonymous().send().await.expect_status(403);
        assert_eq!(refused.header("x-amz-bucket-region"), "us-east-1");
    }
}

#[tokio::test]
async fn another_service_does_not_get_in() {
    let server = Server::start().await;
    for service in ["sts", "ec2"] {
        let mut request = server.get("/");
        request.signer.service = service.to_owned();
        request.send().await.expect_error(400, "AuthorizationHeaderMalformed");
    }
}

#[tokio::test]
async fn old_and_future_requests_are_skewed() {
    let server = Server::start().await;
    for minutes in [16, 600] {
        let skew = Duration::from_secs(minutes * 60);
        let (mut old, mut future) = (server.get("/"), server.get("/"));
        old.signer.time -= skew;
        future.signer.time += skew;
        old.send().await.expect_error(403, "RequestTimeTooSkewed");
        future.send().await.expect_error(403, "RequestTimeTooSkewed");
    }
    let mut recent = server.get("/");
    recent.signer.time -= Duration::from_mins(14);
    recent.send().await.expect_status(200);
}

#[tokio::test]
async fn a_request_cannot_be_changed_after_it_is_signed() {
    let server = Server::start().await;
    server.fill(&["key", "other"]).await;
    let (head, _) = server.delete("/bucket/key").parts();
    for (from, to) in [
        ("/bucket/key", "/bucket/other"),
        ("/bucket/key", "/bucket/key?versionId=null"),
        ("DELETE", "GET"),
        ("x-amz-date: 2", "x-amz-date: 1"),
    ] {
        let changed = head.replacen(from, to, 1);
        assert_ne!(changed, head);
        let answer = crate::answer::exchange(server.address, changed.as_bytes(), false).await;
        assert!(matches!(answer.status, 400 | 403), "{from} -> {to}: {}", answer.text());
    }
    assert_eq!(server.state().await.0, 2);
}

#[tokio::test]
async fn an_unsigned_amz_or_carob_header_is_refused() {
    let server = Server::start().await;
    for name in ["x-amz-copy-source", "x-amz-meta-a", "x-amz-acl", "x-amz-tagging", "x-carob-at"] {
        let put = server.put("/bucket/key", "hello").unsigned_header(name, "private").send().await;
        put.expect_error(403, "AccessDenied");
    }
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn a_presigned_put_cannot_become_a_copy() {
    let server = Server::start().await;
    server.fill(&["victim"]).await;
    let put =
        server.put("/bucket/key", "").presigned(60).unsigned_header("x-amz-copy-source", "/bucket/victim");
    put.send().await.expect_error(403, "AccessDenied");
    server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn presigned_urls_work_until_they_expire() {
    let server = Server::start().await;
    server.put("/bucket/key", "hello").presigned(60).send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key").presigned(604_800).send().await.expect_status(200).text(), "hello");
    server.head("/bucket/key").presigned(1).send().await.expect_status(200);
    let mut old = server.get("/bucket/key");
    old.signer.time -= Duration::from_mins(2);
    old.presigned(60).send().await.expect_error(403, "AccessDenied");
    old.presigned(180).send().await.expect_status(200);
    server
        .get("/bucket/key")
        .presigned(604_801)
        .send()
        .await
        .expect_error(400, "AuthorizationQueryParametersError");
    let mut stranger = server.get("/bucket/key");
    stranger.signer.secret = "another-secret".to_owned();
    stranger.presigned(60).send().await.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_url_for_another_region_or_service_is_told_so() {
    let server = Server::start().await;
    let mut abroad = server.get("/bucket/key");
    abroad.signer.region = "eu-west-1".to_owned();
    let answer = abroad.presigned(60).send().await.expect_error(400, "AuthorizationQueryParametersError");
    assert_eq!(answer.element("Region"), "us-east-1");
    let mut elsewhere = server.get("/bucket/key");
    elsewhere.signer.service = "ec2".to_owned();
    elsewhere.presigned(60).send().await.expect_error(400, "AuthorizationQueryParametersError");
}

#[tokio::test]
async fn one_signature_is_enough() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for parameter in ["X-Amz-Signature", "X-Amz-Algorithm", "Signature"] {
        let twice = server.get("/bucket/key").query(parameter, "AWS4-HMAC-SHA256");
        twice.send().await.expect_error(400, "InvalidArgument");
    }
    let bearer = server.get("/bucket/key").presigned(60).unsigned_header("authorization", "Bearer token");
    bearer.send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn a_request_may_be_dated_by_date_alone() {
    let server = Server::start().await;
    let mut request = server.get("/");
    let date = httpdate::fmt_http_date(request.signer.time);
    request.dated = false;
    request.clone().header("date", &date).send().await.expect_status(200);
    let other = httpdate::fmt_http_date(request.signer.time + Duration::from_mins(5));
    request.clone().header("date", &other).send().await.expect_error(403, "SignatureDoesNotMatch");
    request.clone().header("date", "soon").send().await.expect_error(403, "AccessDenied");
    request.clone().send().await.expect_error(403, "AccessDenied");
    request.signer.time -= Duration::from_mins(16);
    let old = httpdate::fmt_http_date(request.signer.time);
    request.header("date", &old).send().await.expect_error(403, "RequestTimeTooSkewed");
}

#[tokio::test]
async fn the_authorizer_is_asked_for_every_operation() {
    let server = Server::start().await;
    server.fill(&["key", "secret"]).await;
    for (method, target) in [
        ("GET", "/"),
        ("PUT", "/new-bucket"),
        ("HEAD", "/bucket"),
        ("DELETE", "/bucket"),
        ("GET", "/bucket?location"),
        ("GET", "/bucket"),
        ("GET", "/bucket?list-type=2"),
        ("PUT", "/bucket/secret"),
        ("GET", "/bucket/secret"),
        ("HEAD", "/bucket/secret"),
        ("DELETE", "/bucket/secret"),
        ("POST", "/bucket/secret?uploads"),
        ("PUT", "/bucket/secret?partNumber=1&uploadId=x"),
        ("GET", "/bucket/secret?uploadId=x"),
        ("POST", "/bucket/secret?uploadId=x"),
        ("DELETE", "/bucket/secret?uploadId=x"),
        ("GET", "/bucket?uploads"),
        ("GET", "/bucket/secret?attributes"),
    ] {
        let answer = server.request(method, target).by_guest().send().await;
        assert_eq!(answer.status, 403, "{method} {target}");
    }
    for (method, status) in [("PUT", 200), ("GET", 200), ("HEAD", 200), ("DELETE", 204)] {
        server.request(method, "/bucket/key").by_guest().send().await.expect_status(status);
    }
    assert_eq!(server.state().await.0, 1);
}

#[tokio::test]
async fn whoever_may_not_write_is_told_before_the_body() {
    let server = Server::start().await;
    for request in [
        server.put("/bucket/secret", vec![0; 100_000]).by_guest(),
        server.put("/bucket/key", vec![0; 100_000]).anonymous(),
        server.put("/nowhere/key", vec![0; 100_000]),
        server.put("/bucket/key", vec![0; 100_000]).header("x-amz-grant-read", "id=x"),
        server.request("POST", "/bucket?delete").body(vec![0; 100_000]).anonymous(),
    ] {
        let (head, _) = request.parts();
        let head = head.replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
        // Nothing is sent after the head: an answer shows that the server did not wait for the body.
        let answer = crate::answer::exchange(server.address, head.as_bytes(), false).await;
        assert!(answer.status >= 400, "{}", answer.status);
    }
}

#[tokio::test]
async fn whoever_may_write_is_asked_to_continue() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start().await;
    let (head, body) = server.put("/bucket/key", "hello").parts();
    let head = head.replacen("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n", 1);
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    crate::answer::parse(&answer, false).expect_status(200);
}
