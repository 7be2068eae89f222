//! Amazon S3 API reference, GetObjectAttributes.

use carob_bucket::{Checksum, ChecksumAlgorithm};
use sha2::Digest;

use crate::server::Server;

const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";

#[tokio::test]
async fn attributes_of_an_object_put_whole() {
    let server = Server::start().await;
    server
        .put("/bucket/key", "hello")
        .header("x-amz-checksum-crc32", "NhCmhg==")
        .send()
        .await
        .expect_status(200);
    let ask =
        |names: &str| server.get("/bucket/key?attributes").header("x-amz-object-attributes", names).send();
    let all = ask(ALL).await.expect_status(200);
    assert_eq!(all.element("ETag"), "5d41402abc4b2a76b9719d911017c592", "without quotes, here alone");
    assert_eq!(
        (all.element("ChecksumCRC32"), all.element("ChecksumType")),
        ("NhCmhg==".into(), "FULL_OBJECT".into())
    );
    assert_eq!((all.element("ObjectSize"), all.element("StorageClass")), ("5".into(), "STANDARD".into()));
    assert!(all.elements("ObjectParts").is_empty());
    assert!(all.find("last-modified").is_some());
    let size = ask("ObjectSize").await.expect_status(200);
    assert!(size.elements("ETag").is_empty() && size.elements("Checksum").is_empty());
    ask("").await.expect_error(400, "InvalidRequest");
    for bad in ["Colour", "", "ETag,Colour", "etag"] {
        assert_eq!(ask(bad).await.status, 400, "{bad}");
    }
    server.get("/bucket/key?attributes").send().await.expect_status(400);
    let absent = server.get("/bucket/absent?attributes").header("x-amz-object-attributes", ALL);
    absent.send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn attributes_of_parts_come_in_pages() {
    let server = Server::start().await;
    let create = server.request("POST", "/bucket/key?uploads").header("x-amz-checksum-algorithm", "SHA256");
    let id = create.send().await.element("UploadId");
    let value = sha2::Sha256::digest(vec![7; 5 << 20]).to_vec();
    let sum = Checksum { algorithm: ChecksumAlgorithm::Sha256, value }.to_base64();
    let mut listed = String::new();
    for number in ["1", "2", "3"] {
        let put =
            server.put("/bucket/key", vec![7; 5 << 20]).query("partNumber", number).query("uploadId", &id);
        let put = put.header("x-amz-checksum-sha256", &sum);
        let put = put.send().await.expect_status(200);
        let (tag, sum) = (put.header("etag"), put.header("x-amz-checksum-sha256"));
        listed.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><ChecksumSHA256>{sum}</ChecksumSHA256></Part>"
        ));
    }
    let complete = |list: &str| {
        let parts = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        server.request("POST", "/bucket/key").query("uploadId", &id).body(parts).send()
    };
    // Parts with checksums are numbered from 1 without a gap.
    let (first, rest) = listed.split_once("</Part>").unwrap();
    complete(rest).await.expect_error(400, "InvalidPartOrder");
    let gap = format!("{first}</Part>{}", &rest[rest.find("</Part>").unwrap() + 7..]);
    complete(&gap).await.expect_error(400, "InvalidPartOrder");
    complete(&listed).await.expect_status(200);

    let ask = |max: &str, marker: &str| {
        let request = server.get("/bucket/key?attributes").header("x-amz-object-attributes", ALL);
        request.header("x-amz-max-parts", max).header("x-amz-part-number-marker", marker).send()
    };
    let first = ask("2", "0").await.expect_status(200);
    assert_eq!(first.elements("PartNumber"), ["1", "2"]);
    assert_eq!(first.elements("Size"), ["5242880", "5242880"]);
    assert_eq!((first.element("PartsCount"), first.element("IsTruncated")), ("3".into(), "true".into()));
    assert_eq!(first.element("NextPartNumberMarker"), "2");
    let head = server.head("/bucket/key").header("x-amz-checksum-mode", "ENABLED").send().await;
    let composed = format!("{}-3", first.elements("ChecksumSHA256")[0]);
    assert_eq!(
        head.header("x-amz-checksum-sha256"),
        composed,
        "the object's comes first, and no number with it"
    );
    let second = ask("2", "2").await.expect_status(200);
    assert_eq!(
        (second.elements("PartNumber"), second.element("IsTruncated")),
        (vec!["3".into()], "false".into())
    );
    assert_eq!(second.element("NextPartNumberMarker"), "3", "S3 gives it with the last page too");
    let beyond = ask("2", "10").await.expect_status(200);
    assert_eq!(beyond.elements("PartNumber"), Vec::<String>::new());
    assert_eq!(
        (beyond.element("NextPartNumberMarker"), beyond.element("IsTruncated")),
        ("0".into(), "false".into())
    );
    ask("-1", "0").await.expect_error(400, "InvalidArgument");
    ask("1", "-1").await.expect_error(400, "InvalidArgument");
}
