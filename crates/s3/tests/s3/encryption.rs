//! Encryption at rest: Amazon S3 user guide, "Protecting data with server-side encryption".

use md5::{Digest, Md5};

use crate::answer::Response;
use crate::client::Request;
use crate::server::Server;
use crate::tenants::Tenants;

const MIB: usize = 1 << 20;

/// A customer's key and its MD5.
type Key = (&'static str, &'static str);

const ONE: Key = ("pO3upElrwuEXSoFwCfnZPdSsmt/xWeFa0N9KgDijwVs=", "DWygnHRtgiJ77HCm+1rvHw==");
const TWO: Key = ("6b+WOZ1T3cqZMxgThRcXAQBrS5mXKdDUphvpxptl9/4=", "arxBvwY2V4SiOne6yppVPQ==");

const METHOD: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";

trait Encrypted {
    fn with(self, key: Key) -> Self;
    fn copied_with(self, source: &str, key: Option<Key>) -> Self;
}

impl Encrypted for Request {
    fn with(self, (key, md5): Key) -> Self {
        self.header("x-amz-server-side-encryption-customer-algorithm", "AES256")
            .header("x-amz-server-side-encryption-customer-key", key)
            .header("x-amz-server-side-encryption-customer-key-md5", md5)
    }

    fn copied_with(self, source: &str, key: Option<Key>) -> Self {
        let copy = self.header("x-amz-copy-source", source);
        let Some((key, md5)) = key else { return copy };
        copy.header("x-amz-copy-source-server-side-encryption-customer-algorithm", "AES256")
            .header("x-amz-copy-source-server-side-encryption-customer-key", key)
            .header("x-amz-copy-source-server-side-encryption-customer-key-md5", md5)
    }
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8 ^ (n / 65_536) as u8).collect()
}

fn md5_tag(body: &[u8]) -> String {
    format!("\"{}\"", hex::encode(Md5::digest(body)))
}

/// What of the store's blocks under an object shows a piece of its body.
async fn shows(server: &Server, key: &str, piece: &[u8]) -> bool {
    use futures::TryStreamExt;
    let snapshot = server.space.bucket("bucket").await.unwrap().snapshot().await.unwrap();
    assert!(snapshot.get(key).await.unwrap().is_some());
    let blocks: Vec<_> = snapshot.export().try_collect().await.unwrap();
    blocks.iter().any(|block| block.data().windows(piece.len()).any(|window| window == piece))
}

#[tokio::test]
async fn an_object_of_a_customers_key_is_read_with_that_key_alone() {
    let server = Server::start().await;
    let whole = body(3 * MIB + 77);
    let put = server.put("/bucket/key", whole.clone()).with(ONE).send().await.expect_status(200);
    assert_eq!(put.header("x-amz-server-side-encryption-customer-algorithm"), "AES256");
    assert_eq!(put.header("x-amz-server-side-encryption-customer-key-md5"), ONE.1);
    assert_ne!(put.header("etag"), md5_tag(&whole), "no MD5 of the body");
    assert!(!shows(&server, "key", &whole[1000..1032]).await);

    let get = server.get("/bucket/key").with(ONE).send().await.expect_status(200);
    assert!(get.body == whole);
    assert_eq!(get.header("etag"), put.header("etag"));
    assert_eq!(get.header("x-amz-server-side-encryption-customer-key-md5"), ONE.1);
    for (range, expected) in [
        ("bytes=0-0", &whole[..1]),
        ("bytes=65519-65520", &whole[65_519..65_521]),
        ("bytes=1048319-1048320", &whole[1_048_319..1_048_321]),
        ("bytes=-10", &whole[whole.len() - 10..]),
        ("bytes=1000000-2999999", &whole[1_000_000..3_000_000]),
    ] {
        let part = server.get("/bucket/key").with(ONE).header("range", range).send().await;
        assert!(part.expect_status(206).body == expected, "{range}");
    }
    for method in ["GET", "HEAD"] {
        let read = || server.request(method, "/bucket/key");
        assert_eq!(read().send().await.status, 400, "{method} without a key");
        assert_eq!(read().with(TWO).send().await.status, 403, "{method} with another");
        assert_eq!(read().with(ONE).send().await.status, 200, "{method}");
    }
    let attributes = |request: Request| request.header("x-amz-object-attributes", "ETag,ObjectSize");
    attributes(server.get("/bucket/key?attributes")).send().await.expect_error(400, "InvalidRequest");
    let known = attributes(server.get("/bucket/key?attributes")).with(ONE).send().await.expect_status(200);
    assert_eq!(known.element("ObjectSize"), whole.len().to_string());

    let plain = server.put("/bucket/plain", "x").send().await.expect_status(200);
    assert!(plain.find(METHOD).is_none());
    server.get("/bucket/plain").with(ONE).send().await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn the_same_body_under_the_same_key_is_never_stored_alike() {
    let server = Server::start().await;
    let put = || server.put("/bucket/key", "hello").with(ONE).send();
    let (one, two) = (put().await, put().await);
    assert_ne!(one.header("x-carob-cid"), two.header("x-carob-cid"));
    assert_ne!(one.header("etag"), two.header("etag"));
}

#[tokio::test]
async fn checksums_and_content_md5_are_of_the_body() {
    let server = Server::start().await;
    let put =
        |crc: &str| server.put("/bucket/key", "123456789").with(ONE).header("x-amz-checksum-crc32", crc);
    put("AAAAAA==").send().await.expect_error(400, "BadDigest");
    put("y/Q5Jg==")
        .header("content-md5", "JfnnlDI7RTiF9RgfGNiIog==")
        .send()
        .await
        .expect_error(400, "BadDigest");
    put("y/Q5Jg==").header("content-md5", "JfnnlDI7RTiF9RgfG2JNCw==").send().await.expect_status(200);
    let head = server.head("/bucket/key").with(ONE).header("x-amz-checksum-mode", "ENABLED").send().await;
    assert_eq!(head.expect_status(200).header("x-amz-checksum-crc32"), "y/Q5Jg==");
}

async fn upload(server: &Server, begin: Request, parts: &[&[u8]], key: Option<Key>) -> Response {
    let with = |request: Request| match key {
        Some(key) => request.with(key),
        None => request,
    };
    let id = begin.send().await.expect_status(200).element("UploadId");
    let mut document = String::from("<CompleteMultipartUpload>");
    for (number, part) in (1..).zip(parts) {
        let put =
            server.put("/bucket/key", *part).query("partNumber", &number.to_string()).query("uploadId", &id);
        let etag = with(put).send().await.expect_status(200).header("etag").to_owned();
        document += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    document += "</CompleteMultipartUpload>";
    let complete = server.request("POST", "/bucket/key").query("uploadId", &id).body(document);
    with(complete).send().await.expect_status(200)
}

#[tokio::test]
async fn parts_are_encrypted_each_for_itself_and_read_as_one() {
    let server = Server::start().await;
    let whole = body(10 * MIB + 1234);
    // Neither whole MiB nor whole segments.
    let parts: Vec<&[u8]> = whole.chunks(5 * MIB + 7).collect();
    let begin = || server.request("POST", "/bucket/key?uploads");
    for (begin, key) in [(begin().with(ONE), Some(ONE)), (begin().header(METHOD, "AES256"), None)] {
        upload(&server, begin, &parts, key).await;
        let get = |range: Option<&str>| {
            let get = server.get("/bucket/key");
            let get = if key.is_some() { get.with(ONE) } else { get };
            range.map_or_else(|| get.clone(), |range| get.clone().header("range", range)).send()
        };
        let read = get(None).await.expect_status(200);
        assert!(read.body == whole, "{key:?}");
        assert_eq!(read.header("content-length"), whole.len().to_string());
        let seam = 5 * MIB + 7;
        let range = format!("bytes={}-{}", seam - 70_000, seam + 70_000);
        assert!(get(Some(&range)).await.expect_status(206).body == whole[seam - 70_000..=seam + 70_000]);
        let second = server.get("/bucket/key?partNumber=2");
        let second = if key.is_some() { second.with(ONE) } else { second };
        assert!(second.send().await.expect_status(206).body == parts[1]);
        assert!(!shows(&server, "key", &whole[1000..1032]).await);
    }
}

#[tokio::test]
async fn a_part_needs_the_key_of_its_upload() {
    let server = Server::start().await;
    let begin = |request: Request| async { request.send().await.expect_status(200).element("UploadId") };
    let part = |id: &str| server.put("/bucket/key", "x").query("partNumber", "1").query("uploadId", id);
    let id = begin(server.request("POST", "/bucket/key?uploads").with(ONE)).await;
    part(&id).send().await.expect_error(400, "InvalidRequest");
    part(&id).with(TWO).send().await.expect_error(400, "InvalidRequest");
    let etag = part(&id).with(ONE).send().await.expect_status(200).header("etag").to_owned();
    let list = server.get("/bucket/key").query("uploadId", &id);
    list.clone().with(TWO).send().await.expect_error(400, "InvalidRequest");
    assert_eq!(list.send().await.expect_status(200).element("Size"), "1");
    let document = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = || server.request("POST", "/bucket/key").query("uploadId", &id).body(&*document);
    complete().with(TWO).send().await.expect_error(400, "InvalidRequest");
    complete().send().await.expect_status(200);
    let plain = begin(server.request("POST", "/bucket/key?uploads")).await;
    part(&plain).with(ONE).send().await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn copies_are_encrypted_as_they_ask_whatever_the_source() {
    let server = Server::start().await;
    let whole = body(2 * MIB + 5);
    type Ask = fn(Request) -> Request;
    let ways: [(&str, Ask, Option<Key>); 5] = [
        ("plain", |request| request, None),
        ("customer", |request| request.with(ONE), Some(ONE)),
        ("other", |request| request.with(TWO), Some(TWO)),
        ("space", |request| request.header(METHOD, "AES256"), None),
        ("named", |request| request.header(METHOD, "aws:kms"), None),
    ];
    for (source, ask, source_key) in ways {
        ask(server.put(&format!("/bucket/{source}"), whole.clone())).send().await.expect_status(200);
        for (target, ask, key) in ways {
            let copy = || ask(server.put("/bucket/copy", ""));
            let path = format!("/bucket/{source}");
            let copied = copy().copied_with(&path, source_key).send().await;
            copied.expect_status(200);
            let read = server.get("/bucket/copy");
            let read = if let Some(key) = key { read.with(key) } else { read };
            let read = read.send().await.expect_status(200);
            assert!(read.body == whole, "{source} to {target}");
            let tagged = ["plain", "space"].contains(&target);
            assert_eq!(read.header("etag") == md5_tag(&whole), tagged, "{source} to {target}");
            if source_key.is_some() {
                copy().copied_with(&path, None).send().await.expect_error(400, "InvalidRequest");
                let other = if source_key == Some(ONE) { TWO } else { ONE };
                copy().copied_with(&path, Some(other)).send().await.expect_error(403, "AccessDenied");
            }
        }
    }
}

#[tokio::test]
async fn a_copy_between_keys_of_one_kind_reads_no_body() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", body(MIB)).with(ONE).send().await.expect_status(200);
    let copy = server.put("/bucket/copy", "").with(TWO).copied_with("/bucket/key", Some(ONE));
    let copy = copy.send().await.expect_status(200);
    assert_eq!(copy.header("x-carob-cid"), put.header("x-carob-cid"));
    server.get("/bucket/copy").with(ONE).send().await.expect_error(403, "AccessDenied");
    // A new key for the same object, without reading it.
    let rotate = server.put("/bucket/key", "").with(TWO).copied_with("/bucket/key", Some(ONE));
    rotate.send().await.expect_status(200);
    server.get("/bucket/key").with(ONE).send().await.expect_error(403, "AccessDenied");
    assert!(server.get("/bucket/key").with(TWO).send().await.expect_status(200).body == body(MIB));
}

#[tokio::test]
async fn an_object_is_opened_where_it_is_by_a_copy_onto_itself_that_asks_for_no_key() {
    let server = Server::start().await;
    server.put("/bucket/key", body(MIB)).with(ONE).send().await.expect_status(200);
    let onto_itself = |key| server.put("/bucket/key", "").copied_with("/bucket/key", key).send();
    onto_itself(Some(ONE)).await.expect_status(200);
    assert!(server.get("/bucket/key").send().await.expect_status(200).body == body(MIB));
    onto_itself(None).await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn named_keys_are_made_disabled_and_enabled() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let put =
        |id: &str| server.put("/alices/key", "hello").header(METHOD, "aws:kms").header(KEY_ID, id).send();
    put("one").await.expect_error(400, "KMS.NotFoundException");
    let name = "one".parse().unwrap();
    tenants.system.create_encryption_key(&name).await.unwrap();
    for id in ["one", "alias/one", "arn:aws:kms:us-east-1:123456789012:key/one"] {
        let answer = put(id).await.expect_status(200);
        assert_eq!((answer.header(METHOD), answer.header(KEY_ID)), ("aws:kms", id));
        let get = server.get("/alices/key").send().await.expect_status(200);
        assert_eq!((get.header(METHOD), get.header(KEY_ID), &*get.body), ("aws:kms", id, &b"hello"[..]));
    }
    tenants.system.disable_encryption_key(&name, true).await.unwrap();
    put("one").await.expect_error(400, "KMS.DisabledException");
    server.get("/alices/key").send().await.expect_error(400, "KMS.DisabledException");
    server.head("/alices/key").send().await.expect_status(200);
    tenants.system.disable_encryption_key(&name, false).await.unwrap();
    server.get("/alices/key").send().await.expect_status(200);
    let default = server.put("/alices/key", "x").header(METHOD, "aws:kms").send().await.expect_status(200);
    assert_eq!(default.header(KEY_ID), "alias/aws/s3");
    let read = server.get("/alices/key").header(METHOD, "aws:kms").send().await;
    read.expect_error(400, "InvalidArgument");
}

fn rule(inner: &str) -> String {
    format!("<ServerSideEncryptionConfiguration><Rule>{inner}</Rule></ServerSideEncryptionConfiguration>")
}

fn default(inner: &str) -> String {
    rule(&format!("<ApplyServerSideEncryptionByDefault>{inner}</ApplyServerSideEncryptionByDefault>"))
}

#[tokio::test]
async fn a_bucket_encrypts_by_default_what_brings_nothing_itself() {
    let server = Server::start().await;
    let set = |document: String| server.put("/bucket?encryption", document).send();
    server.delete("/bucket?encryption").send().await.expect_status(204);
    for bad in [
        "<ServerSideEncryptionConfiguration/>".to_owned(),
        rule(""),
        default("<SSEAlgorithm>AES128</SSEAlgorithm>"),
    ] {
        set(bad).await.expect_error(400, "MalformedXML");
    }
    let contradiction = default("<SSEAlgorithm>AES256</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>");
    set(contradiction).await.expect_error(400, "InvalidArgument");
    server.put("/bucket/before", "hello").send().await.expect_status(200);

    set(default("<SSEAlgorithm>AES256</SSEAlgorithm>")).await.expect_status(200);
    let get = server.get("/bucket?encryption").send().await.expect_status(200);
    assert_eq!(get.element("SSEAlgorithm"), "AES256");
    let put = server.put("/bucket/key", "hello").send().await.expect_status(200);
    assert_eq!((put.header(METHOD), put.header("etag")), ("AES256", &*md5_tag(b"hello")));
    assert_eq!(server.get("/bucket/key").send().await.expect_status(200).header(METHOD), "AES256");
    let begun = server.request("POST", "/bucket/key?uploads").send().await.expect_status(200);
    assert_eq!(begun.header(METHOD), "AES256");
    let copy = server.put("/bucket/copy", "").header("x-amz-copy-source", "/bucket/before").send().await;
    assert_eq!(copy.expect_status(200).header(METHOD), "AES256");
    let customer = server.put("/bucket/own", "hello").with(ONE).send().await.expect_status(200);
    assert!(customer.find(METHOD).is_none());
    assert!(server.get("/bucket/before").send().await.expect_status(200).find(METHOD).is_none());

    let named = "<SSEAlgorithm>aws:kms</SSEAlgorithm>";
    let enabled = default(named).replace("</Rule>", "<BucketKeyEnabled>true</BucketKeyEnabled></Rule>");
    set(enabled).await.expect_status(200);
    let put = server.put("/bucket/key", "hello").send().await.expect_status(200);
    assert_eq!((put.header(METHOD), put.header(KEY_ID)), ("aws:kms", "alias/aws/s3"));
    assert_eq!(put.header("x-amz-server-side-encryption-bucket-key-enabled"), "true");

    server.delete("/bucket?encryption").send().await.expect_status(204);
    let code = "ServerSideEncryptionConfigurationNotFoundError";
    server.get("/bucket?encryption").send().await.expect_error(404, code);
    assert!(server.put("/bucket/key", "hello").send().await.expect_status(200).find(METHOD).is_none());
}

#[tokio::test]
async fn a_bucket_may_refuse_customers_keys() {
    let server = Server::start().await;
    let blocked = "<BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType></BlockedEncryptionTypes>";
    server.put("/bucket/key", "hello").with(ONE).send().await.expect_status(200);
    server.put("/bucket?encryption", rule(blocked)).send().await.expect_status(200);
    server.put("/bucket/key", "hello").with(ONE).send().await.expect_error(403, "AccessDenied");
    server.request("POST", "/bucket/key?uploads").with(ONE).send().await.expect_error(403, "AccessDenied");
    server.get("/bucket/key").with(ONE).send().await.expect_status(200);
    server.put("/bucket/plain", "hello").send().await.expect_status(200);
}
