//! Amazon S3 API reference, CopyObject and UploadPartCopy.

use carob_bucket::{Checksum, ChecksumAlgorithm};
use sha2::Digest;

use crate::answer::Response;
use crate::client::Request;
use crate::server::{NOW_HTTP, Server};

const TAG: &str = "\"781e5e245d69b566979b86e28d23f2c7\"";
const BEFORE: &str = "Tue, 14 Nov 2023 22:13:19 GMT";

async fn with_source() -> Server {
    let server = Server::start().await;
    let put = server.put("/bucket/source", "0123456789").header("content-type", "text/plain");
    put.header("x-amz-meta-colour", "red").send().await.expect_status(200);
    server
}

fn copy(server: &Server, source: &str) -> Request {
    server.put("/bucket/copy", "").header("x-amz-copy-source", source)
}

async fn head(server: &Server) -> Response {
    server.head("/bucket/copy").header("x-amz-checksum-mode", "ENABLED").send().await.expect_status(200)
}

#[tokio::test]
async fn a_copy_is_its_source_with_its_metadata() {
    let server = with_source().await;
    let answer = copy(&server, "/bucket/source").send().await.expect_status(200);
    assert_eq!(answer.element("ETag").replace("&quot;", "\""), TAG);
    assert!(answer.element("LastModified").starts_with("2023-11-14T22:13:20"));
    let copied = head(&server).await;
    let source = server.head("/bucket/source").header("x-amz-checksum-mode", "ENABLED").send().await;
    for name in [
        "etag",
        "content-type",
        "x-amz-meta-colour",
        "x-carob-cid",
        "x-amz-checksum-crc64nvme",
        "content-length",
    ] {
        assert_eq!(copied.header(name), source.header(name), "{name}");
    }
    assert_eq!(server.get("/bucket/copy").send().await.text(), "0123456789");
}

#[tokio::test]
async fn replaced_metadata_is_the_requests_alone() {
    let server = with_source().await;
    let replace = copy(&server, "bucket/source").header("x-amz-metadata-directive", "REPLACE");
    replace.header("x-amz-meta-shape", "round").send().await.expect_status(200);
    let copied = head(&server).await;
    assert_eq!((copied.header("x-amz-meta-shape"), copied.find("x-amz-meta-colour")), ("round", None));
    assert_eq!(copied.header("content-type"), "binary/octet-stream");
    // COPY takes nothing of the request.
    let keep = copy(&server, "bucket/source").header("x-amz-metadata-directive", "COPY");
    keep.header("x-amz-meta-shape", "round").header("content-type", "a/b").send().await.expect_status(200);
    let copied = head(&server).await;
    assert_eq!((copied.find("x-amz-meta-shape"), copied.header("content-type")), (None, "text/plain"));
    for name in ["x-amz-metadata-directive", "x-amz-tagging-directive"] {
        copy(&server, "bucket/source")
            .header(name, "MERGE")
            .send()
            .await
            .expect_error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let server = with_source().await;
    let before = server.state().await;
    let onto = |name: &str, value: &str| {
        server
            .put("/bucket/source", "")
            .header("x-amz-copy-source", "/bucket/source")
            .header(name, value)
            .send()
    };
    onto("x-amz-metadata-directive", "COPY").await.expect_error(400, "InvalidRequest");
    assert_eq!(server.state().await, before);
    onto("x-amz-metadata-directive", "REPLACE").await.expect_status(200);
    let read = server.get("/bucket/source").send().await;
    assert_eq!((read.text(), read.find("x-amz-meta-colour")), ("0123456789".into(), None));
    onto("x-amz-storage-class", "STANDARD").await.expect_status(200);
}

#[tokio::test]
async fn sources_are_read_as_they_are_written() {
    let server = Server::start().await;
    for key in ["plain", "a/b c", "ü+%", "?versionId=1", "-"] {
        server.request("PUT", "").path(&format!("/bucket/{key}")).body(key).send().await.expect_status(200);
    }
    for (source, text) in [
        ("bucket/plain", "plain"),
        ("/bucket/plain", "plain"),
        ("/bucket/plain?versionId=null", "plain"),
        ("bucket/a/b c", "a/b c"),
        ("bucket/a%2Fb%20c", "a/b c"),
        ("bucket%2Fplain", "plain"),
        ("bucket/%C3%BC%2B%25", "ü+%"),
        // As in a form, and in Amazon S3.
        ("bucket/a/b+c", "a/b c"),
        ("bucket/%3FversionId=1", "?versionId=1"),
        ("bucket/-", "-"),
    ] {
        let answer = copy(&server, source).send().await;
        assert_eq!(answer.status, 200, "{source}: {}", answer.text());
        assert_eq!(server.get("/bucket/copy").send().await.text(), text, "{source}");
    }
    let id = server.request("POST", "/bucket/key?uploads").send().await.element("UploadId");
    let part = server.put("/bucket/key", "").query("partNumber", "1").query("uploadId", &id);
    part.header("x-amz-copy-source", "bucket/a/b+c").send().await.expect_status(200);
}

#[tokio::test]
async fn sources_that_are_none_are_refused() {
    let server = with_source().await;
    for (source, status, code) in [
        ("bucket/absent", 404, "NoSuchKey"),
        ("no-such-bucket/source", 404, "NoSuchBucket"),
        ("bucket/source?versionId=1", 400, "InvalidArgument"),
        ("bucket/source?versionId=", 400, "InvalidArgument"),
        ("bucket", 400, "InvalidArgument"),
        ("bucket/", 400, "InvalidArgument"),
        ("/", 400, "InvalidArgument"),
        ("//bucket/source", 400, "InvalidArgument"),
        ("bucket/%ff", 400, "InvalidArgument"),
        ("..%2f..", 400, "InvalidArgument"),
        ("bucket/%ZZ", 400, "InvalidArgument"),
        ("192.168.1.1/key", 400, "InvalidArgument"),
        ("arn:aws:s3:us-east-1:123456789012:accesspoint/point/object/source", 501, "NotImplemented"),
    ] {
        let answer = copy(&server, source).send().await;
        assert_eq!((answer.status, &*answer.element("Code")), (status, code), "{source}: {}", answer.text());
        if status == 400 {
            // Before the upload is looked for.
            let part = server.put("/bucket/copy", "").query("partNumber", "1").query("uploadId", "none");
            let part = part.header("x-amz-copy-source", source).send().await;
            part.expect_error(status, code);
        }
    }
    server.get("/bucket/copy").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn all_four_conditions_on_the_source() {
    let server = with_source().await;
    let list = format!("\"x\", {TAG}");
    let if_match = "x-amz-copy-source-if-match";
    let none = "x-amz-copy-source-if-none-match";
    let since = "x-amz-copy-source-if-modified-since";
    let until = "x-amz-copy-source-if-unmodified-since";
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[(if_match, TAG)], 200),
        (&[(if_match, &list)], 200),
        (&[(if_match, "*")], 200),
        (&[(if_match, "\"x\"")], 412),
        (&[(none, TAG)], 412),
        (&[(none, "\"x\"")], 200),
        (&[(since, BEFORE)], 200),
        (&[(since, NOW_HTTP)], 412),
        (&[(until, NOW_HTTP)], 200),
        (&[(until, BEFORE)], 412),
        // The tables of the API reference.
        (&[(if_match, TAG), (until, BEFORE)], 200),
        (&[(none, TAG), (since, BEFORE)], 412),
    ];
    for (headers, status) in table {
        let request = headers.iter().fold(copy(&server, "bucket/source"), |r, (n, v)| r.header(n, v));
        assert_eq!(request.send().await.status, *status, "{headers:?}");
    }
    // They mean nothing where nothing is copied, so they are not ignored there.
    for name in [if_match, none, since, until] {
        server.put("/bucket/key", "x").header(name, TAG).send().await.expect_error(501, "NotImplemented");
    }
}

#[tokio::test]
async fn conditions_on_the_target_hold_too() {
    let server = with_source().await;
    let only_new = || copy(&server, "bucket/source").header("if-none-match", "*");
    only_new().send().await.expect_status(200);
    only_new().send().await.expect_error(412, "PreconditionFailed");
    copy(&server, "bucket/source")
        .header("if-match", "\"x\"")
        .send()
        .await
        .expect_error(412, "PreconditionFailed");
    copy(&server, "bucket/source").header("if-match", TAG).send().await.expect_status(200);
}

#[tokio::test]
async fn another_checksum_is_computed_if_asked_for() {
    let server = with_source().await;
    let answer = copy(&server, "bucket/source").header("x-amz-checksum-algorithm", "SHA256").send().await;
    let value = sha2::Sha256::digest(b"0123456789").to_vec();
    let sha256 = Checksum { algorithm: ChecksumAlgorithm::Sha256, value }.to_base64();
    assert_eq!(answer.expect_status(200).element("ChecksumSHA256"), sha256);
    let copied = head(&server).await;
    assert_eq!(copied.header("x-amz-checksum-sha256"), sha256);
    assert_eq!(copied.find("x-amz-checksum-crc64nvme"), None);
    let unknown = copy(&server, "bucket/source").header("x-amz-checksum-algorithm", "ROT13").send().await;
    let said = unknown.expect_error(400, "InvalidRequest").element("Message");
    assert!(said.contains("[CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128,"), "{said}");
}

#[tokio::test]
async fn the_source_must_be_readable_for_the_caller() {
    let server = Server::start().await;
    server.fill(&["hidden", "open"]).await;
    copy(&server, "bucket/hidden").by_guest().send().await.expect_error(403, "AccessDenied");
    copy(&server, "bucket/hidden-and-absent").by_guest().send().await.expect_error(403, "AccessDenied");
    copy(&server, "bucket/open").by_guest().send().await.expect_status(200);
    let secret = server.put("/bucket/secret", "").header("x-amz-copy-source", "bucket/open").by_guest();
    secret.send().await.expect_error(403, "AccessDenied");
    let id = server.request("POST", "/bucket/key?uploads").send().await.element("UploadId");
    let part = server.put("/bucket/key", "").query("partNumber", "1").query("uploadId", &id).by_guest();
    part.header("x-amz-copy-source", "bucket/hidden").send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn parts_are_copied_by_range() {
    let server = with_source().await;
    let id = server.request("POST", "/bucket/key?uploads").send().await.element("UploadId");
    let part = |range: Option<&str>| {
        let request = server.put("/bucket/key", "").query("partNumber", "1").query("uploadId", &id);
        let request = request.header("x-amz-copy-source", "/bucket/source");
        range
            .map_or_else(|| request.clone(), |range| request.clone().header("x-amz-copy-source-range", range))
            .send()
    };
    for range in ["bytes=0-10", "bytes=5-4", "bytes=-5", "bytes=5-", "0-5", "bytes=0-2,4-5", "bytes=a-b"] {
        part(Some(range)).await.expect_error(400, "InvalidArgument");
    }
    part(Some("bytes=10-20")).await.expect_error(400, "InvalidRequest");
    part(None).await.expect_status(200);
    let answer = part(Some("bytes=2-4")).await.expect_status(200);
    let tag = answer.element("ETag");
    assert!(!answer.element("ChecksumCRC64NVME").is_empty());
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = server.request("POST", "/bucket/key").query("uploadId", &id).body(parts);
    complete.send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key").send().await.text(), "234");
}

#[tokio::test]
async fn a_multipart_object_is_copied_as_it_is() {
    let server = Server::start().await;
    let id = server.request("POST", "/bucket/source?uploads").send().await.element("UploadId");
    let part = server.put("/bucket/source", "hello").query("partNumber", "1").query("uploadId", &id);
    let tag = part.send().await.header("etag").to_owned();
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = server.request("POST", "/bucket/source").query("uploadId", &id).body(parts);
    complete.send().await.expect_status(200);
    copy(&server, "bucket/source").send().await.expect_status(200);
    let get = server.get("/bucket/copy").query("partNumber", "1").send().await.expect_status(206);
    assert_eq!((get.text(), get.header("x-amz-mp-parts-count")), ("hello".into(), "1"));
}

#[tokio::test]
async fn a_copy_of_parts_has_a_checksum_of_the_whole() {
    let server = Server::start().await;
    let create =
        server.request("POST", "/bucket/source?uploads").header("x-amz-checksum-algorithm", "SHA256");
    let id = create.send().await.element("UploadId");
    let bodies = [vec![b'a'; 5 << 20], b"end".to_vec()];
    let sha256 = |body: &[u8]| {
        let value = sha2::Sha256::digest(body).to_vec();
        Checksum { algorithm: ChecksumAlgorithm::Sha256, value }.to_base64()
    };
    let mut parts = String::new();
    for (number, body) in (1..).zip(&bodies) {
        let sum = sha256(body);
        let put = server.put("/bucket/source", body.clone()).query("partNumber", &number.to_string());
        let put = put.query("uploadId", &id).header("x-amz-checksum-sha256", &sum).send().await;
        let tag = put.expect_status(200).header("etag").to_owned();
        parts.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag><ChecksumSHA256>{sum}</ChecksumSHA256></Part>"
        ));
    }
    let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let complete = server.request("POST", "/bucket/source").query("uploadId", &id).body(parts);
    let source = complete.send().await.expect_status(200);
    assert_eq!(source.element("ChecksumType"), "COMPOSITE");

    let whole = sha256(&bodies.concat());
    for asked in [None, Some("SHA256")] {
        let mut request = copy(&server, "bucket/source");
        if let Some(algorithm) = asked {
            request = request.header("x-amz-checksum-algorithm", algorithm);
        }
        let answer = request.send().await.expect_status(200);
        assert_eq!(
            (answer.element("ChecksumSHA256"), answer.element("ChecksumType")),
            (whole.clone(), "FULL_OBJECT".into())
        );
        let copied = head(&server).await;
        assert_eq!(copied.header("x-amz-checksum-sha256"), whole);
        assert_eq!(copied.header("x-amz-checksum-type"), "FULL_OBJECT");
        // The body is the source's still, with its parts.
        assert!(copied.header("etag").ends_with("-2\""));
    }
    let part = server.get("/bucket/copy").query("partNumber", "2").header("x-amz-checksum-mode", "ENABLED");
    assert_eq!(part.clone().send().await.header("x-amz-checksum-sha256"), sha256(&bodies[1]));
    // What the parts' checksums are of is told by the object's: they go with one of another algorithm.
    let other = copy(&server, "bucket/source").header("x-amz-checksum-algorithm", "CRC32").send().await;
    assert_eq!(other.expect_status(200).element("ChecksumType"), "FULL_OBJECT");
    let part = part.send().await.expect_status(206);
    assert_eq!((part.text(), part.header("x-amz-mp-parts-count")), ("end".into(), "2"));
    assert_eq!((part.find("x-amz-checksum-crc32"), part.find("x-amz-checksum-sha256")), (None, None));
}
