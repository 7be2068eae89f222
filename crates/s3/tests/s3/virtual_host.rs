//! Buckets named in `Host` (Amazon S3 user guide, "Virtual hosting of buckets").

use crate::server::{DOMAIN, Server};

#[tokio::test]
async fn a_bucket_below_a_domain_of_ours_is_the_requests() {
    let server = Server::start().await;
    let host = format!("bucket.{DOMAIN}");
    server.put("/folder/key", "hello").host(&host).send().await.expect_status(200);
    assert_eq!(server.get("/bucket/folder/key").send().await.text(), "hello");
    let read = server.get("/folder/key").host(&format!("bucket.{DOMAIN}:9000")).send().await;
    assert_eq!(read.expect_status(200).text(), "hello");
    assert_eq!(server.get("/").host(&host).send().await.elements("Key"), ["folder/key"]);
    assert_eq!(server.get("/folder/key").host(&host).presigned(60).send().await.text(), "hello");
    // A key that looks like a path-style address is a key.
    server.get("/bucket/folder/key").host(&host).send().await.expect_error(404, "NoSuchKey");
    server.get("/key").host(&format!("nowhere.{DOMAIN}")).send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn another_host_leaves_the_bucket_in_the_path() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for host in
        [DOMAIN, "localhost", "bucket.example.org", "127.0.0.1:9000", "bucket.s3.example.com.evil.org"]
    {
        server.get("/bucket/key").host(host).send().await.expect_status(200);
    }
}

#[tokio::test]
async fn a_host_that_was_not_signed_chooses_no_bucket() {
    let server = Server::start().await;
    server.space.create_bucket("other").await.unwrap();
    server.fill(&["key"]).await;
    let (head, _) = server.get("/key").host(&format!("bucket.{DOMAIN}")).parts();
    let moved = head.replacen(&format!("host: bucket.{DOMAIN}"), &format!("host: other.{DOMAIN}"), 1);
    assert_ne!(moved, head);
    let answer = crate::answer::exchange(server.address, moved.as_bytes(), false).await;
    answer.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn names_that_are_no_buckets_are_refused() {
    let server = Server::start().await;
    for bucket in ["a", "under_score", "a..b", "xn--a", "-a-"] {
        let answer = server.get("/").host(&format!("{bucket}.{DOMAIN}")).send().await;
        assert!((400..500).contains(&answer.status), "{bucket}: {}", answer.status);
    }
}

#[tokio::test]
async fn the_region_is_told_on_head() {
    let server = Server::start().await;
    let head = server.head("/bucket").send().await.expect_status(200);
    assert_eq!(head.header("x-amz-bucket-region"), "us-east-1");
}
