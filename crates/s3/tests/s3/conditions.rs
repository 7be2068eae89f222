//! Conditional reads: RFC 9110 §13 and Amazon S3 API reference, GetObject, "Overriding response header values" ff.

use crate::server::{NOW_HTTP, Server};

const TAG: &str = "\"5d41402abc4b2a76b9719d911017c592\"";
const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";
const AFTER: &str = "Tue, 14 Nov 2023 22:13:21 GMT";

async fn with_object() -> Server {
    let server = Server::start().await;
    server.put("/bucket/key", "hello").send().await.expect_status(200);
    server
}

async fn status(server: &Server, headers: &[(&str, &str)]) -> u16 {
    let mut statuses = Vec::new();
    for method in ["GET", "HEAD"] {
        let mut request = server.request(method, "/bucket/key");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        statuses.push(request.send().await.status);
    }
    assert_eq!(statuses[0], statuses[1], "GET and HEAD differ: {headers:?}");
    statuses[0]
}

#[tokio::test]
async fn single_conditions() {
    let server = with_object().await;
    let bare = TAG.trim_matches('"');
    let weak = format!("W/{TAG}");
    let list = format!("\"x\", {TAG}");
    let weak_list = format!("\"x\", {weak}");
    for (name, value, expected) in [
        ("if-match", TAG, 200),
        ("if-match", bare, 200),
        ("if-match", &TAG.to_uppercase(), 200),
        ("if-match", "*", 200),
        ("if-match", &list, 200),
        ("if-match", "\"x\"", 412),
        ("if-match", &weak, 412),
        ("if-match", &weak_list, 412),
        ("if-none-match", TAG, 304),
        ("if-none-match", bare, 304),
        ("if-none-match", &TAG.to_uppercase(), 304),
        ("if-none-match", "*", 304),
        ("if-none-match", &list, 304),
        ("if-none-match", &weak, 304),
        ("if-none-match", "\"x\"", 200),
        ("if-none-match", "\"x\", \"y\"", 200),
        ("if-modified-since", BEFORE, 200),
        ("if-modified-since", NOW_HTTP, 304),
        ("if-modified-since", AFTER, 304),
        ("if-unmodified-since", BEFORE, 412),
        ("if-unmodified-since", NOW_HTTP, 200),
        ("if-unmodified-since", AFTER, 200),
        // Obsolete forms that must be read (RFC 9110 §5.6.7), and what is no date.
        ("if-modified-since", "Tuesday, 14-Nov-23 22:13:20 GMT", 304),
        ("if-modified-since", "Tue Nov 14 22:13:20 2023", 304),
        ("if-modified-since", "yesterday", 200),
        ("if-unmodified-since", "yesterday", 200),
    ] {
        assert_eq!(status(&server, &[(name, value)]).await, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn tags_go_before_dates() {
    let server = with_object().await;
    for (headers, expected) in [
        // Amazon S3 API reference, GetObject: both of these are spelled out there.
        ([("if-match", TAG), ("if-unmodified-since", BEFORE)], 200),
        ([("if-none-match", TAG), ("if-modified-since", BEFORE)], 304),
        ([("if-none-match", "\"x\""), ("if-modified-since", AFTER)], 200),
        ([("if-match", "\"x\""), ("if-unmodified-since", AFTER)], 412),
        ([("if-match", "\"x\""), ("if-none-match", TAG)], 412),
        ([("if-match", TAG), ("if-none-match", TAG)], 304),
        ([("if-unmodified-since", AFTER), ("if-modified-since", AFTER)], 304),
    ] {
        assert_eq!(status(&server, &headers).await, expected, "{headers:?}");
    }
}

#[tokio::test]
async fn not_modified_carries_what_a_cache_needs() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", "hello").header("cache-control", "max-age=60");
    put.send().await.expect_status(200);
    let read = server.get("/bucket/key").header("if-none-match", TAG).send().await.expect_status(304);
    assert_eq!((read.header("etag"), read.header("last-modified")), (TAG, NOW_HTTP));
    assert_eq!(read.header("cache-control"), "max-age=60");
    assert!(read.body.is_empty());
    assert!(read.find("x-amz-request-id").is_some());
}

#[tokio::test]
async fn a_failed_precondition_is_an_error_document() {
    let server = with_object().await;
    let read = server.get("/bucket/key").header("if-match", "\"x\"").send().await;
    read.expect_error(412, "PreconditionFailed");
}

#[tokio::test]
async fn if_range_takes_the_whole_when_the_object_changed() {
    let server = with_object().await;
    for (condition, expected) in [
        (TAG, 206),
        ("\"x\"", 200),
        (&*format!("W/{TAG}"), 200),
        (NOW_HTTP, 206),
        (BEFORE, 200),
        (AFTER, 200),
    ] {
        let headers = [("range", "bytes=0-1"), ("if-range", condition)];
        assert_eq!(status(&server, &headers).await, expected, "{condition}");
    }
}

#[tokio::test]
async fn a_write_asks_for_an_object_or_for_none() {
    let server = with_object().await;
    for target in ["/bucket/key", "/bucket/absent"] {
        let put = server.put(target, "x").header("if-match", TAG).header("if-none-match", "*");
        put.send().await.expect_error(501, "NotImplemented");
    }
}

#[tokio::test]
async fn conditions_on_what_is_absent_do_not_matter() {
    let server = with_object().await;
    for (name, value) in [("if-match", "*"), ("if-none-match", "*"), ("if-unmodified-since", BEFORE)] {
        server.get("/bucket/absent").header(name, value).send().await.expect_error(404, "NoSuchKey");
    }
}

#[tokio::test]
async fn one_of_64_writers_creates() {
    let server = Server::start().await;
    for round in 0..3 {
        let target = format!("/bucket/round-{round}");
        let writers = (0..64).map(|writer| {
            let put = server.put(&target, format!("writer {writer}")).header("if-none-match", "*");
            async move { (writer, put.send().await) }
        });
        let mut winners = Vec::new();
        for (writer, answer) in futures::future::join_all(writers).await {
            match answer.status {
                200 => winners.push(writer),
                412 => assert_eq!(answer.element("Code"), "PreconditionFailed"),
                409 => assert_eq!(answer.element("Code"), "ConditionalRequestConflict"),
                other => panic!("{other}: {}", answer.text()),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(server.get(&target).send().await.text(), format!("writer {}", winners[0]));
    }
}

/// A condition that nobody looks at would let through what it was to keep from being done.
#[tokio::test]
async fn a_write_refuses_conditions_that_it_does_not_know() {
    let server = Server::start().await;
    server.put("/bucket/key", "kept").send().await.expect_status(200);
    let long_ago = ("if-unmodified-since", "Sun, 01 Nov 2020 00:00:00 GMT");
    let other = ("if-match", "\"0\"");
    for (method, target, (name, value)) in [
        ("PUT", "/bucket/key", long_ago),
        ("DELETE", "/bucket/key", long_ago),
        ("POST", "/bucket/key?uploads", ("if-none-match", "*")),
        ("DELETE", "/bucket/key?tagging", other),
        ("PUT", "/bucket/key?acl", other),
        ("DELETE", "/bucket", other),
    ] {
        let answer = server.request(method, target).header(name, value).send().await;
        answer.expect_error(501, "NotImplemented");
    }
    assert_eq!(server.get("/bucket/key").send().await.expect_status(200).text(), "kept");
}
