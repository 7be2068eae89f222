//! Requests that no client library would send, byte for byte.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::{exchange, parse};
use crate::server::Server;

#[tokio::test]
async fn every_answer_carries_its_ids() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let mut ids = Vec::new();
    for answer in [
        server.get("/bucket/key").send().await,
        server.get("/bucket/absent").send().await,
        server.head("/bucket/absent").send().await,
        server.delete("/bucket/key").send().await,
        server.get("/").anonymous().send().await,
        server.request("PATCH", "/bucket/key").send().await,
        exchange(server.address, b"GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", false).await,
        exchange(server.address, b"BREW / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", false).await,
    ] {
        assert_eq!(answer.header("server"), "Carob");
        assert!(!answer.header("x-amz-id-2").is_empty());
        ids.push(answer.header("x-amz-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 8, "ids are unique");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_committed() {
    let server = Server::start().await;
    let before = server.state().await;
    for request in [
        server.put("/bucket/key", vec![1; 100_000]),
        server.put("/bucket/key", vec![1; 100_000]).unsigned_payload(),
        server.put("/bucket/key", vec![1; 100_000]).chunked(8192),
        server.put("/bucket/key", vec![1; 100_000]).presigned(60),
    ] {
        let bytes = request.to_bytes();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&bytes[..bytes.len() - 10]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        if !answer.is_empty() {
            parse(&answer, false).expect_error(400, "IncompleteBody");
        }
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn a_lying_decoded_length_is_told_apart_from_the_truth() {
    let server = Server::start().await;
    let wire = |size: &str| format!("{size}\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
    let put = |length: &str, body: String| {
        server
            .put("/bucket/key", body)
            .content_sha256("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-trailer", "x-amz-checksum-crc32")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", length)
    };
    for length in ["4", "6", "0", "-5", "5x", "+5", "99999999999999999999"] {
        let answer = put(length, wire("5")).send().await;
        assert!((400..500).contains(&answer.status), "{length}: {} {}", answer.status, answer.text());
    }
    for body in
        [wire("4"), wire("6"), wire("ffffffffffffffff"), wire("-5"), "hello".to_owned(), String::new()]
    {
        let answer = put("5", body.clone()).send().await;
        assert!((400..500).contains(&answer.status), "{body}: {} {}", answer.status, answer.text());
    }
    assert_eq!(server.state().await.0, 0);
    put("5", wire("5")).send().await.expect_status(200);
}

#[tokio::test]
async fn malformed_authorization_is_refused() {
    let server = Server::start().await;
    for value in [
        "Bearer token",
        "Basic cm9vdDpyb290",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=ROOTKEY/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x",
        "AWS4-ECDSA-P256-SHA256 Credential=ROOTKEY/20130524/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00",
    ] {
        let get = server.get("/").anonymous().unsigned_header("authorization", value).send().await;
        assert!((400..502).contains(&get.status) && get.status != 500, "{value}: {}", get.status);
    }
}

#[tokio::test]
async fn malformed_paths_are_refused() {
    let server = Server::start().await;
    for path in
        ["/bucket/%ff", "/bucket/%", "/bucket/%zz", "/bucket/a%c3", "/%2e%2e/x", "//", "/bucket%2Fkey"]
    {
        let get = server.get("").raw_path(path).send().await;
        assert!((400..500).contains(&get.status), "{path}: {}", get.status);
    }
    let absolute =
        format!("GET http://{}/bucket/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", server.address);
    assert_eq!(exchange(server.address, absolute.as_bytes(), false).await.status, 403);
}

#[tokio::test]
async fn two_hosts_or_lengths_are_refused() {
    let server = Server::start().await;
    let two = b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n";
    assert_eq!(exchange(server.address, two, false).await.status, 400);
    let two = b"PUT /bucket/k HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\nconnection: close\r\n\r\nxx";
    assert_eq!(exchange(server.address, two, false).await.status, 400);
    let both = b"PUT /bucket/k HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n0\r\n\r\n";
    assert!(exchange(server.address, both, false).await.status >= 400);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn a_put_in_http_chunks_without_a_length_is_refused() {
    let server = Server::start().await;
    let request = server.put("/bucket/key", "5\r\nhello\r\n0\r\n\r\n").unsigned_payload().length("");
    let request = request.unsigned_header("transfer-encoding", "chunked");
    request.send().await.expect_error(411, "MissingContentLength");
    assert_eq!(server.state().await.0, 0);
}

/// As AWS SDK for JavaScript v3 sends a stream.
#[tokio::test]
async fn aws_chunks_may_come_in_http_chunks() {
    let server = Server::start().await;
    let wire = |crc: &str| {
        let inner = format!("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:{crc}\r\n\r\n");
        let (start, end) = inner.split_at(7);
        format!("{:x}\r\n{start}\r\n{:x}\r\n{end}\r\n0\r\n\r\n", start.len(), end.len())
    };
    let put = |length: &str, crc: &str| {
        let put = server.put("/bucket/key", wire(crc)).content_sha256("STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let put =
            put.header("x-amz-trailer", "x-amz-checksum-crc32").header("content-encoding", "aws-chunked");
        let put = put.header("x-amz-decoded-content-length", length).length("");
        put.unsigned_header("transfer-encoding", "chunked").send()
    };
    put("5", "AAAAAA==").await.expect_error(400, "BadDigest");
    put("4", "NhCmhg==").await.expect_error(400, "IncompleteBody");
    assert_eq!(server.state().await.0, 0);
    put("5", "NhCmhg==").await.expect_status(200);
    assert_eq!(server.get("/bucket/key").send().await.text(), "hello");
}

#[tokio::test]
async fn oversize_heads_are_refused() {
    let server = Server::start().await;
    let long = "x".repeat(1 << 20);
    let get = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\nconnection: close\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let _ = stream.write_all(get.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    if !answer.is_empty() {
        assert_eq!(parse(&answer, false).status, 431);
    }
}

#[tokio::test]
async fn errors_escape_what_they_repeat() {
    let server = Server::start().await;
    let answer = server.get("").raw_path("/bucket/%3Cscript%3E&'\"").send().await;
    assert!(!answer.text().contains("<script>"));
    assert!(answer.element("Resource").starts_with("/bucket/%3Cscript%3E&amp;"), "{}", answer.text());
}

#[tokio::test]
async fn a_body_that_its_carrier_gives_up_on_is_never_committed() {
    let server = Server::start().await;
    let before = server.state().await;
    for (kind, code) in
        [(ErrorKind::TimedOut, "RequestTimeout"), (ErrorKind::ConnectionReset, "IncompleteBody")]
    {
        for request in [
            server.put("/bucket/key", vec![1; 100_000]),
            server.put("/bucket/key", vec![1; 100_000]).chunked(8192),
            server
                .request("POST", "/bucket?delete")
                .header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==")
                .body("<Delete>"),
        ] {
            let (head, body) = request.parts();
            let mut lines = head.trim_end().split("\r\n");
            let mut start = lines.next().unwrap().split(' ');
            let mut request =
                http::Request::builder().method(start.next().unwrap()).uri(start.next().unwrap());
            for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
                request = request.header(name, value);
            }
            let part = Ok(Frame::data(Bytes::copy_from_slice(&body[..body.len() / 2])));
            let stream = futures::stream::iter([part, Err(std::io::Error::from(kind))]);
            let body = carob_s3::Body::http_body_unsync(StreamBody::new(stream));
            let answer = server.frontend.handle(request.body(body).unwrap()).await;
            assert_eq!(answer.status(), 400);
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&text).contains(&format!("<Code>{code}</Code>")), "{text:?}");
        }
    }
    assert_eq!(server.state().await, before);
}
