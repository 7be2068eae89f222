//! Buckets: made, headed, listed, deleted.

use std::sync::Arc;

use carob_block::MemoryStore;

use crate::server::Server;

async fn in_region(region: &str) -> Server {
    Server::over(Arc::new(MemoryStore::new()), region).await
}

fn constraint(region: &str) -> String {
    format!(
        "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}

#[tokio::test]
async fn a_bucket_lives_from_create_to_delete() {
    let server = Server::start().await;
    server.head("/photos").send().await.expect_status(404);
    let created = server.put("/photos", "").send().await.expect_status(200);
    assert_eq!(created.header("location"), "/photos");
    let head = server.head("/photos").send().await.expect_status(200);
    assert_eq!(head.header("x-amz-bucket-region"), "us-east-1");
    server.put("/photos/key", "x").send().await.expect_status(200);
    server.delete("/photos").send().await.expect_error(409, "BucketNotEmpty");
    server.delete("/photos/key").send().await.expect_status(204);
    server.delete("/photos").send().await.expect_status(204);
    server.head("/photos").send().await.expect_status(404);
    server.delete("/photos").send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_made_though_somebody_deletes_it_at_the_same_time() {
    let server = Server::start().await;
    for _ in 0..200 {
        server.put("/busy-bucket", "").send().await.expect_status(200);
        let (create, delete) = (server.put("/busy-bucket", "").send(), server.delete("/busy-bucket").send());
        let (created, deleted) = tokio::join!(create, delete);
        created.expect_status(200);
        deleted.expect_status(204);
    }
}

#[tokio::test]
async fn re_creating_ones_own_bucket_is_an_error_outside_us_east_1() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    server.put("/bucket", "").send().await.expect_status(200);
    assert_eq!(server.state().await.0, 1, "nothing of it changed");
    let server = in_region("eu-central-1").await;
    let again = server.put("/bucket", constraint("eu-central-1")).send().await;
    again.expect_error(409, "BucketAlreadyOwnedByYou");
}

#[tokio::test]
async fn location_constraints_name_the_region_or_nothing_for_us_east_1() {
    let server = Server::start().await;
    let create = |server: &Server, region: &str| server.put("/new-bucket", constraint(region));
    create(&server, "eu-west-1").send().await.expect_error(400, "IllegalLocationConstraintException");
    create(&server, "Elsewhere").send().await.expect_error(400, "InvalidLocationConstraint");
    create(&server, "").send().await.expect_status(200);
    let location = server.get("/new-bucket?location").send().await.expect_status(200);
    assert!(location.text().contains("LocationConstraint"), "{}", location.text());
    assert!(!location.text().contains("us-east-1"), "null stands for us-east-1: {}", location.text());

    // As MinIO's clients name it.
    server.put("/another-bucket", constraint("us-east-1")).send().await.expect_status(200);

    let server = in_region("eu-central-1").await;
    server.put("/new-bucket", "").send().await.expect_error(400, "IllegalLocationConstraintException");
    create(&server, "us-west-2").send().await.expect_error(400, "IllegalLocationConstraintException");
    create(&server, "us-east-1").send().await.expect_error(400, "InvalidLocationConstraint");
    create(&server, "eu-central-1").send().await.expect_status(200);
    let location = server.get("/new-bucket?location").send().await.expect_status(200);
    assert!(location.text().contains(">eu-central-1</LocationConstraint>"), "{}", location.text());
}

#[tokio::test]
async fn names_that_are_none_are_refused() {
    let server = Server::start().await;
    for name in
        ["ab", "Upper", "under_score", "-dash", "192.168.0.1", "a..b", "xn--a", "a--at-b", "a-s3alias"]
    {
        server.put(&format!("/{name}"), "").send().await.expect_error(400, "InvalidBucketName");
    }
}

#[tokio::test]
async fn what_a_bucket_cannot_be_is_refused() {
    let server = Server::start().await;
    for (name, value, status, code) in [
        ("x-amz-object-ownership", "Nobody", 400, "InvalidArgument"),
        ("x-amz-acl", "aws-exec-read", 501, "NotImplemented"),
        ("x-amz-grant-read", "id=1", 400, "InvalidArgument"),
    ] {
        let create = server.put("/new-bucket", "").header(name, value).send().await;
        create.expect_error(status, code);
    }
    let unknown = server.put("/new-bucket", "").header("x-amz-object-ownership", "Nobody").send().await;
    assert_eq!(unknown.element("Message"), "Invalid x-amz-object-ownership header: Nobody");
    let tags = "<CreateBucketConfiguration><Tags><Tag><Key>{</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>";
    server.put("/new-bucket", tags).send().await.expect_error(400, "InvalidTag");
    server.head("/new-bucket").send().await.expect_status(404);
    server.put("/new-bucket", "<x>").send().await.expect_error(400, "MalformedXML");
    server.put("/new-bucket", "").header("x-amz-acl", "private").send().await.expect_status(200);
}

#[tokio::test]
async fn buckets_are_listed_by_name_with_their_owner() {
    let server = Server::start().await;
    for name in ["zoo", "aardvark", "ant"] {
        server.put(&format!("/{name}"), "").send().await.expect_status(200);
    }
    let all = server.get("/").send().await.expect_status(200);
    assert_eq!(all.elements("Name"), ["aardvark", "ant", "bucket", "zoo"]);
    assert_eq!(all.element("ID"), server.space.did().canonical_id());
    assert!(!all.element("DisplayName").is_empty());
    assert_eq!(all.element("CreationDate"), "2023-11-14T22:13:20.500Z");
    assert!(all.text().contains("<ListAllMyBucketsResult xmlns="));
    assert_eq!(server.get("/?prefix=a").send().await.elements("Name"), ["aardvark", "ant"]);
    assert_eq!(server.get("/?bucket-region=us-west-2").send().await.elements("Name"), Vec::<String>::new());

    let mut found = Vec::new();
    let mut token = None::<String>;
    loop {
        let page = server.get("/?max-buckets=1");
        let page = token.iter().fold(page, |page, token| page.query("continuation-token", token));
        let page = page.send().await.expect_status(200);
        found.extend(page.elements("Name"));
        token = page.elements("ContinuationToken").pop();
        if token.is_none() {
            break;
        }
    }
    assert_eq!(found, ["aardvark", "ant", "bucket", "zoo"]);
    for bad in ["max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=!"] {
        server.get(&format!("/?{bad}")).send().await.expect_error(400, "InvalidArgument");
    }
}
