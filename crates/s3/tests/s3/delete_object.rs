//! DeleteObject.

use crate::server::Server;

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
async fn conditions_of_directory_buckets_are_refused() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for name in ["x-amz-if-match-size", "x-amz-if-match-last-modified-time"] {
        let delete = server.delete("/bucket/key").header(name, "1").send().await;
        delete.expect_error(501, "NotImplemented");
    }
    let delete = server.delete("/bucket/key").header("if-none-match", "*").send().await;
    delete.expect_error(501, "NotImplemented");
    assert_eq!(server.state().await.0, 1);
}
