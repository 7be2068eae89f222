//! Storage classes that are read from at once: kept and shown wherever S3 names one.

use crate::server::Server;

const CLASSES: [&str; 5] =
    ["GLACIER_IR", "INTELLIGENT_TIERING", "ONEZONE_IA", "REDUCED_REDUNDANCY", "STANDARD_IA"];

#[tokio::test]
async fn the_class_of_an_object_is_shown_wherever_there_is_one() {
    let server = Server::start().await;
    for class in CLASSES {
        server
            .put("/bucket/key", "hello")
            .header("x-amz-storage-class", class)
            .send()
            .await
            .expect_status(200);
        for request in [server.get("/bucket/key"), server.head("/bucket/key")] {
            assert_eq!(request.send().await.header("x-amz-storage-class"), class);
        }
        for listing in ["/bucket", "/bucket?list-type=2", "/bucket?versions"] {
            assert_eq!(server.get(listing).send().await.element("StorageClass"), class, "{listing}");
        }
        let attributes =
            server.get("/bucket/key?attributes").header("x-amz-object-attributes", "StorageClass");
        assert_eq!(attributes.send().await.element("StorageClass"), class);
    }
}

#[tokio::test]
async fn a_copy_has_the_class_that_it_is_given() {
    let server = Server::start().await;
    server
        .put("/bucket/key", "hello")
        .header("x-amz-storage-class", "ONEZONE_IA")
        .send()
        .await
        .expect_status(200);
    let shown =
        async |key: &str| server.head(key).send().await.find("x-amz-storage-class").map(str::to_owned);
    let copy = |to: &str| server.put(to, "").header("x-amz-copy-source", "/bucket/key");
    copy("/bucket/copy").send().await.expect_status(200);
    assert_eq!(shown("/bucket/copy").await, None, "STANDARD, as Amazon S3 has it");
    copy("/bucket/copy").header("x-amz-storage-class", "GLACIER_IR").send().await.expect_status(200);
    assert_eq!(shown("/bucket/copy").await.as_deref(), Some("GLACIER_IR"));
    copy("/bucket/key").header("x-amz-storage-class", "STANDARD_IA").send().await.expect_status(200);
    assert_eq!(shown("/bucket/key").await.as_deref(), Some("STANDARD_IA"), "onto itself");
    copy("/bucket/key")
        .header("x-amz-storage-class", "GLACIER")
        .send()
        .await
        .expect_error(501, "NotImplemented");
}

#[tokio::test]
async fn an_upload_in_parts_has_the_class_that_it_is_begun_with() {
    let server = Server::start().await;
    let create = server.request("POST", "/bucket/key?uploads").header("x-amz-storage-class", "STANDARD_IA");
    let id = create.send().await.expect_status(200).element("UploadId");
    let part = server.put("/bucket/key", "hello").query("partNumber", "1").query("uploadId", &id);
    let tag = part.send().await.header("etag").to_owned();
    for listing in [server.get("/bucket/key").query("uploadId", &id), server.get("/bucket?uploads")] {
        assert_eq!(listing.send().await.element("StorageClass"), "STANDARD_IA");
    }
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = server.request("POST", "/bucket/key").query("uploadId", &id).body(parts);
    complete.send().await.expect_status(200);
    assert_eq!(server.head("/bucket/key").send().await.header("x-amz-storage-class"), "STANDARD_IA");
}
