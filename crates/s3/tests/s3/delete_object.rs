//! DeleteObject.

use crate::server::{NOW_HTTP, Server};

#[tokio::test]
async fn a_delete_answers_204_whether_or_not_there_was_an_object() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for _ in 0..2 {
        let answer = server.delete("/bucket/key").send().await.expect_status(204);
        assert!(answer.body.is_empty());
        assert!(answer.find("x-amz-request-id").is_some());
    }
    server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
    server.delete("/nowhere/key").send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_condition_must_hold_of_what_is_there() {
    let server = Server::start().await;
    server.put("/bucket/key", "hello").send().await.expect_status(200);
    let delete = |tag: &str| server.delete("/bucket/key").header("if-match", tag).send();
    delete("\"x\"").await.expect_error(412, "PreconditionFailed");
    server.get("/bucket/key").send().await.expect_status(200);
    delete("\"5d41402abc4b2a76b9719d911017c592\"").await.expect_status(204);
    server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
    // Absent is deleted.
    delete("\"x\"").await.expect_status(204);
    delete("*").await.expect_status(204);
}

#[tokio::test]
async fn a_condition_takes_the_right_to_read() {
    let server = Server::start().await;
    server.fill(&["hidden", "open"]).await;
    let delete = |key: &str| server.delete(&format!("/bucket/{key}")).by_guest();
    delete("open").header("if-match", "*").send().await.expect_status(204);
    delete("hidden").header("if-match", "*").send().await.expect_error(403, "AccessDenied");
    delete("hidden").send().await.expect_status(204);
}

#[tokio::test]
async fn only_the_null_version_can_be_deleted() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    server.delete("/bucket/key?versionId=other").send().await.expect_error(400, "InvalidArgument");
    assert_eq!(server.state().await.0, 1);
    server.delete("/bucket/key?versionId=null").send().await.expect_status(204);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn a_time_and_a_size_are_conditions_too() {
    let server = Server::start().await;
    let (at, size) = ("x-amz-if-match-last-modified-time", "x-amz-if-match-size");
    let other = "Tue, 14 Nov 2023 22:13:21 GMT";
    for (conditions, deleted) in [
        (&[(size, "3")][..], true),
        (&[(size, "4")], false),
        (&[(size, "-3")], false),
        (&[(at, NOW_HTTP)], true),
        (&[(at, other)], false),
        (&[(at, NOW_HTTP), (size, "3"), ("if-match", "*")], true),
        (&[(at, NOW_HTTP), (size, "4")], false),
        (&[(size, "3"), ("if-match", "\"x\"")], false),
    ] {
        server.fill(&["key"]).await;
        let delete = |target: &str| {
            conditions
                .iter()
                .fold(server.delete(target), |request, (name, value)| request.header(name, value))
        };
        let answer = delete("/bucket/key").send().await;
        match deleted {
            true => answer.expect_status(204),
            false => answer.expect_error(412, "PreconditionFailed"),
        };
        assert_eq!(server.state().await.0, u64::from(!deleted), "{conditions:?}");
        delete("/bucket/absent").send().await.expect_status(204);
    }
    let malformed = server.delete("/bucket/key").header(at, "yesterday").send().await;
    assert_eq!(malformed.status, 400);
}

#[tokio::test]
async fn a_delete_marker_is_there_and_has_no_entity_tag() {
    let server = Server::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", enabled).send().await.expect_status(200);
    let put = server.put("/bucket/key", "key").send().await.expect_status(200);
    let version = put.header("x-amz-version-id").to_owned();
    let delete = |name: &str, value: &str| server.delete("/bucket/key").header(name, value).send();
    let marked = delete("x-amz-if-match-size", "3").await.expect_status(204);
    assert_eq!(marked.header("x-amz-delete-marker"), "true");
    for (name, value) in [("if-match", "\"x\""), ("x-amz-if-match-size", "3"), ("x-amz-if-match-size", "0")] {
        delete(name, value).await.expect_error(412, "PreconditionFailed");
    }
    delete("if-match", "*").await.expect_status(204);
    let of_version = |size: &str| {
        let delete = server.delete(&format!("/bucket/key?versionId={version}"));
        delete.header("x-amz-if-match-size", size).send()
    };
    of_version("4").await.expect_error(412, "PreconditionFailed");
    of_version("3").await.expect_status(204);
    of_version("4").await.expect_status(204);
}

#[tokio::test]
async fn no_delete_asks_for_what_is_not_there() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let delete = server.delete("/bucket/key").header("if-none-match", "*").send().await;
    delete.expect_error(501, "NotImplemented");
    assert_eq!(server.state().await.0, 1);
}
