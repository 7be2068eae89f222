//! What errors say of what they are about, with the elements that Amazon S3 has for it.

use crate::answer::Response;
use crate::server::{ROOT, Server};

const ABSENT_VERSION: &str = "00000000000000000000000000000000";

#[track_caller]
fn assert_says(answer: &Response, elements: &[(&str, &str)]) {
    for (name, text) in elements {
        assert_eq!(answer.elements(name), [*text], "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::start().await;
    let answer = server.get("/bucket").path("/bucket/a\u{1}&<\u{e9}>").send().await;
    assert_says(&answer.expect_error(404, "NoSuchKey"), &[("Key", "a&#x1;&amp;&lt;\u{e9}&gt;")]);
    let answer = server.get("/no-bucket/key").send().await.expect_error(404, "NoSuchBucket");
    assert_says(&answer, &[("BucketName", "no-bucket")]);
    assert!(answer.elements("Key").is_empty());
    for what in ["policy", "cors", "lifecycle", "tagging", "object-lock", "publicAccessBlock"] {
        let answer = server.get(&format!("/bucket?{what}")).send().await.expect_status(404);
        assert_says(&answer, &[("BucketName", "bucket")]);
    }
    let answer = server.get("/bucket/key").query("uploadId", "none&such").send().await;
    assert_says(&answer.expect_error(404, "NoSuchUpload"), &[("UploadId", "none&amp;such")]);
    let answer = server.get("/bucket/key").query("versionId", ABSENT_VERSION).send().await;
    assert_says(&answer.expect_error(404, "NoSuchVersion"), &[("Key", "key"), ("VersionId", ABSENT_VERSION)]);
}

#[tokio::test]
async fn a_source_that_is_not_there_is_not_taken_for_the_target() {
    let server = Server::start().await;
    let copy = server.request("PUT", "/bucket/key").header("x-amz-copy-source", "bucket/source");
    let answer = copy.send().await.expect_error(404, "NoSuchKey");
    assert!(answer.elements("Key").is_empty(), "{}", answer.text());
}

#[tokio::test]
async fn the_condition_that_failed_is_named_if_it_is_the_only_one() {
    let server = Server::start().await;
    server.fill(&["key", "other"]).await;
    let failed = async |method: &str, conditions: &[(&str, &str)]| {
        let mut request = server.request(method, "/bucket/key");
        for (name, value) in conditions {
            request = request.header(name, value);
        }
        request.send().await.expect_error(412, "PreconditionFailed").elements("Condition")
    };
    assert_eq!(failed("GET", &[("if-match", "\"x\"")]).await, ["If-Match"]);
    let before = ("if-unmodified-since", "Tue, 14 Nov 2000 22:13:20 GMT");
    assert_eq!(failed("GET", &[before]).await, ["If-Unmodified-Since"]);
    assert_eq!(failed("PUT", &[("if-none-match", "*")]).await, ["If-None-Match"]);
    let source = ("x-amz-copy-source", "bucket/other");
    let copied = failed("PUT", &[source, ("x-amz-copy-source-if-match", "\"x\"")]).await;
    assert_eq!(copied, ["x-amz-copy-source-If-Match"]);
    let both = failed("GET", &[("if-match", "\"x\""), ("if-none-match", "\"y\"")]).await;
    assert!(both.is_empty(), "{both:?}");
}

#[tokio::test]
async fn ranges_methods_and_access_keys_are_repeated() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let answer = server.get("/bucket/key").header("range", "bytes=100-200").send().await;
    assert_says(&answer.expect_error(416, "InvalidRange"), &[("RangeRequested", "bytes=100-200")]);
    let answer = server.get("/bucket").by(("NOBODY", "secret")).send().await;
    assert_says(&answer.expect_error(403, "InvalidAccessKeyId"), &[("AWSAccessKeyId", "NOBODY")]);
    let answer = server.get("/bucket").by((ROOT.0, "another-secret")).send().await;
    assert_says(&answer.expect_error(403, "SignatureDoesNotMatch"), &[("AWSAccessKeyId", ROOT.0)]);
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.request("PUT", "/bucket?versioning").body(on).send().await.expect_status(200);
    let marker = server.delete("/bucket/key").send().await.expect_status(204);
    let version = marker.header("x-amz-version-id").to_owned();
    let answer = server.get("/bucket/key").query("versionId", &version).send().await;
    assert_says(&answer.expect_error(405, "MethodNotAllowed"), &[("Method", "GET")]);
}
