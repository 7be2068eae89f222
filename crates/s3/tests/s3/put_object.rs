//! PutObject.

use crate::server::Server;

/// `printf hello | ipfs add --cid-version=1 --raw-leaves`, one raw block.
const HELLO_CID: &str = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq";
const HELLO_MD5: &str = "5d41402abc4b2a76b9719d911017c592";

#[tokio::test]
async fn a_put_is_acknowledged_with_tag_cid_and_checksum() {
    let server = Server::start().await;
    let answer = server.put("/bucket/key", "hello").send().await.expect_status(200);
    assert_eq!(answer.header("etag"), format!("\"{HELLO_MD5}\""));
    assert_eq!(answer.header("x-carob-cid"), HELLO_CID);
    assert_eq!(answer.header("x-amz-checksum-type"), "FULL_OBJECT");
    // CRC-64/NVME of "hello", computed with the reveng catalogue's parameters.
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, b"hello").to_be_bytes();
    assert_eq!(answer.header("x-amz-checksum-crc64nvme"), base64(&crc));
    let read = server.get("/bucket/key").send().await.expect_status(200);
    assert_eq!(read.body, b"hello");
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap();
            text.push(if place > chunk.len() { '=' } else { char::from(ALPHABET[digit]) });
        }
    }
    text
}

#[tokio::test]
async fn awkward_keys_keep_every_byte() {
    let server = Server::start().await;
    let long = "k".repeat(1024);
    let keys = [
        "a b",
        " lead and trail ",
        "a+b",
        "50%",
        "%2F",
        "é/ü",
        "日本",
        "a//b",
        "a/",
        "/",
        "//",
        ".",
        "..",
        "a/../b",
        "a?b",
        "a#b",
        "a&b=c",
        "<&>\"'",
        "tab\tkey",
        "nul\0key",
        "\u{1}\r\n",
        "\u{ffff}",
        "😀",
        &long,
    ];
    for key in keys {
        let path = format!("/bucket/{key}");
        server.request("PUT", "").path(&path).body(key).send().await.expect_status(200);
    }
    for key in keys {
        let read = server.get("").path(&format!("/bucket/{key}")).send().await.expect_status(200);
        assert_eq!(read.text(), key, "{key:?}");
    }
    assert_eq!(server.state().await.0, u64::try_from(keys.len()).unwrap());
}

#[tokio::test]
async fn a_key_of_1025_bytes_is_too_long() {
    let server = Server::start().await;
    let key = format!("/bucket/{}é", "k".repeat(1023));
    server.put(&key, "x").send().await.expect_error(400, "KeyTooLongError");
}

#[tokio::test]
async fn headers_and_metadata_come_back() {
    let server = Server::start().await;
    let kept = [
        ("content-type", "text/x-test; charset=utf-8"),
        ("cache-control", "max-age=60"),
        ("content-disposition", "attachment; filename=\"a.txt\""),
        ("content-encoding", "gzip"),
        ("content-language", "de"),
        ("expires", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("x-amz-website-redirect-location", "/elsewhere"),
        ("x-amz-meta-colour", "red"),
        ("x-amz-meta-umlaut", "=?UTF-8?B?w6k=?="),
    ];
    let mut put = server.put("/bucket/key", "hello");
    for (name, value) in kept {
        put = put.header(name, value);
    }
    put.header("x-amz-storage-class", "STANDARD").send().await.expect_status(200);
    for request in [server.get("/bucket/key"), server.head("/bucket/key")] {
        let read = request.send().await;
        for (name, value) in kept {
            assert_eq!(read.header(name), value);
        }
        assert_eq!(read.find("x-amz-storage-class"), None, "S3 does not show STANDARD");
    }
}

#[tokio::test]
async fn lists_and_metadata_may_come_in_several_lines() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", "hello").header("x-amz-meta-a", "1").header("x-amz-meta-A", "2");
    let put = put.header("cache-control", "no-cache").header("cache-control", "max-age=60");
    put.send().await.expect_status(200);
    let read = server.head("/bucket/key").send().await.expect_status(200);
    assert_eq!((read.header("x-amz-meta-a"), read.header("cache-control")), ("1,2", "no-cache,max-age=60"));
    let put = server.put("/bucket/key", "hello").presigned(60).unsigned_header("content-encoding", "gzip");
    put.unsigned_header("content-encoding", "aws-chunked").send().await.expect_status(200);
    let read = server.head("/bucket/key").send().await.expect_status(200);
    assert_eq!(read.header("content-encoding"), "gzip");
    let types =
        server.put("/bucket/key", "hello").header("content-type", "a/b").header("content-type", "c/d");
    types.send().await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn without_a_content_type_an_object_is_binary() {
    let server = Server::start().await;
    server.put("/bucket/key", "hello").send().await.expect_status(200);
    assert_eq!(server.head("/bucket/key").send().await.header("content-type"), "binary/octet-stream");
}

#[tokio::test]
async fn aws_chunked_is_decoded_and_not_kept() {
    let server = Server::start().await;
    let body = vec![7; 200_000];
    for (encoding, kept) in [("aws-chunked", None), ("aws-chunked,gzip", Some("gzip"))] {
        let put =
            server.put("/bucket/key", body.clone()).header("content-encoding", encoding).chunked(65_536);
        put.send().await.expect_status(200);
        let read = server.get("/bucket/key").send().await.expect_status(200);
        assert_eq!((read.body.len(), read.find("content-encoding")), (body.len(), kept));
    }
}

#[tokio::test]
async fn every_checksum_is_verified_stored_and_shown() {
    let server = Server::start().await;
    for (name, value) in checksums(b"hello") {
        let put = server.put("/bucket/key", "hello").header(name, &value).send().await.expect_status(200);
        assert_eq!(put.header(name), value);
        let plain = server.head("/bucket/key").send().await.expect_status(200);
        assert_eq!(plain.find(name), None, "not asked for");
        for request in [server.get("/bucket/key"), server.head("/bucket/key")] {
            let read = request.header("x-amz-checksum-mode", "ENABLED").send().await.expect_status(200);
            assert_eq!((read.header(name), read.header("x-amz-checksum-type")), (&*value, "FULL_OBJECT"));
        }
        let before = server.state().await;
        let wrong = server.put("/bucket/key", "hellO").header(name, &value).send().await;
        let wrong = wrong.expect_error(400, "BadDigest");
        let algorithm = name.strip_prefix("x-amz-checksum-").unwrap().to_uppercase();
        assert_eq!(
            wrong.element("Message"),
            format!("The {algorithm} you specified did not match the calculated checksum.")
        );
        assert_eq!(server.state().await, before, "nothing was committed");
    }
}

#[tokio::test]
async fn checksums_in_trailers_are_verified() {
    let server = Server::start().await;
    for (name, value) in checksums(b"hello") {
        for unsigned in [false, true] {
            let put = |body: &str, value: &str| {
                let put = server.put("/bucket/key", body).header("x-amz-sdk-checksum-algorithm", &name[15..]);
                let put = if unsigned { put.unsigned_chunked(3) } else { put.chunked(3) };
                put.trailer(name, value)
            };
            let answer = put("hello", &value).send().await.expect_status(200);
            assert_eq!(answer.header(name), value);
            let before = server.state().await;
            put("hellO", &value).send().await.expect_error(400, "BadDigest");
            put("hello", "xyz").send().await.expect_error(400, "InvalidRequest");
            assert_eq!(server.state().await, before, "nothing was committed");
        }
    }
}

fn checksums(body: &[u8]) -> [(&'static str, String); 10] {
    use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
    use sha1::Digest;
    use xxhash_rust::{xxh3::xxh3_64, xxh3::xxh3_128, xxh64::xxh64};
    let crc = |algorithm| crc_fast::checksum(algorithm, body).to_be_bytes();
    [
        ("x-amz-checksum-crc32", base64(&crc(Crc32IsoHdlc)[4..])),
        ("x-amz-checksum-crc32c", base64(&crc(Crc32Iscsi)[4..])),
        ("x-amz-checksum-crc64nvme", base64(&crc(Crc64Nvme))),
        ("x-amz-checksum-sha1", base64(&sha1::Sha1::digest(body))),
        ("x-amz-checksum-sha256", base64(&sha2::Sha256::digest(body))),
        ("x-amz-checksum-sha512", base64(&sha2::Sha512::digest(body))),
        ("x-amz-checksum-md5", base64(&md5::Md5::digest(body))),
        ("x-amz-checksum-xxhash64", base64(&xxh64(body, 0).to_be_bytes())),
        ("x-amz-checksum-xxhash3", base64(&xxh3_64(body).to_be_bytes())),
        ("x-amz-checksum-xxhash128", base64(&xxh3_128(body).to_be_bytes())),
    ]
}

#[tokio::test]
async fn malformed_checksums_are_invalid_requests() {
    let server = Server::start().await;
    let put = || server.put("/bucket/key", "hello");
    put().header("x-amz-checksum-crc32", "hello").send().await.expect_error(400, "InvalidRequest");
    let two = put().header("x-amz-checksum-crc32", "NhCmhg==").header("x-amz-checksum-crc32c", "mnG7TA==");
    two.send().await.expect_error(400, "InvalidRequest");
    put().header("x-amz-sdk-checksum-algorithm", "CRC32").send().await.expect_error(400, "InvalidRequest");
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn content_md5_is_verified() {
    let server = Server::start().await;
    let put = |md5: &str| server.put("/bucket/key", "hello").header("content-md5", md5).send();
    put("XUFAKrxLKna5cZ2REBfFkg==").await.expect_status(200);
    put("XUFAKrxLKna5cZ2REBfFkw==").await.expect_error(400, "BadDigest");
    put("hello").await.expect_error(400, "InvalidDigest");
}

#[tokio::test]
async fn a_body_other_than_the_signed_one_is_never_committed() {
    let server = Server::start().await;
    let before = server.state().await;
    let put = || server.put("/bucket/key", vec![9; 300_000]);
    put().tampered().send().await.expect_error(400, "XAmzContentSHA256Mismatch");
    put().chunked(65_536).tampered().send().await.expect_error(403, "SignatureDoesNotMatch");
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn a_length_is_required() {
    let server = Server::start().await;
    server.put("/bucket/key", "").length("").send().await.expect_error(411, "MissingContentLength");
    let presigned = server.put("/bucket/key", "").presigned(60).length("");
    presigned.send().await.expect_error(411, "MissingContentLength");
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn an_empty_body_is_an_object() {
    let server = Server::start().await;
    let answer = server.put("/bucket/key", "").send().await.expect_status(200);
    assert_eq!(answer.header("etag"), "\"d41d8cd98f00b204e9800998ecf8427e\"");
    assert_eq!(server.get("/bucket/key").send().await.expect_status(200).header("content-length"), "0");
}

#[tokio::test]
async fn more_than_5_gib_is_refused_before_a_byte_is_read() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", "").unsigned_payload().length("5368709121");
    put.send().await.expect_error(400, "EntityTooLarge");
}

#[tokio::test]
async fn conditions_are_decided_on_write() {
    let server = Server::start().await;
    let put = |name: &str, value: &str| server.put("/bucket/key", "hello").header(name, value).send();
    put("if-match", "*").await.expect_error(404, "NoSuchKey");
    put("if-none-match", "*").await.expect_status(200);
    put("if-none-match", "*").await.expect_error(412, "PreconditionFailed");
    put("if-match", &format!("\"{HELLO_MD5}\"")).await.expect_status(200);
    put("if-match", HELLO_MD5).await.expect_status(200);
    put("if-match", &format!("\"other\", \"{HELLO_MD5}\"")).await.expect_status(200);
    put("if-match", "\"other\"").await.expect_error(412, "PreconditionFailed");
    // Strong comparison: a weak tag never matches.
    put("if-match", &format!("W/\"{HELLO_MD5}\"")).await.expect_error(412, "PreconditionFailed");
    put("if-none-match", "\"other\"").await.expect_status(200);
    // Weak comparison.
    for tag in [format!("\"{HELLO_MD5}\""), format!("\"other\", W/\"{HELLO_MD5}\"")] {
        put("if-none-match", &tag).await.expect_error(412, "PreconditionFailed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_of_an_absent_key_wins() {
    let server = Server::start().await;
    let puts = (0..16).map(|n| server.put("/bucket/key", format!("{n}")).header("if-none-match", "*").send());
    let answers = futures::future::join_all(puts).await;
    let won = answers.iter().filter(|answer| answer.status == 200).count();
    let lost = answers.iter().filter(|answer| answer.status == 412).count();
    assert_eq!((won, lost), (1, 15));
}

#[tokio::test]
async fn storage_classes_are_kept_refused_or_unheard_of() {
    let server = Server::start().await;
    let put = |class: &str| server.put("/bucket/key", "").header("x-amz-storage-class", class).send();
    put("STANDARD").await.expect_status(200);
    for class in ["GLACIER", "DEEP_ARCHIVE", "EXPRESS_ONEZONE", "OUTPOSTS", "SNOW"] {
        put(class).await.expect_error(501, "NotImplemented");
    }
    put("CHEAP").await.expect_error(400, "InvalidStorageClass");
}

#[tokio::test]
async fn metadata_of_more_than_2_kib_is_too_large() {
    let server = Server::start().await;
    let put = |size: usize| server.put("/bucket/key", "").header("x-amz-meta-a", &"v".repeat(size)).send();
    put(2047).await.expect_status(200);
    put(2048).await.expect_error(400, "MetadataTooLarge");
}

#[tokio::test]
async fn a_redirect_must_lead_somewhere() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", "").header("x-amz-website-redirect-location", "elsewhere");
    put.send().await.expect_error(400, "InvalidRedirectLocation");
}

#[tokio::test]
async fn a_bucket_must_exist() {
    let server = Server::start().await;
    server.put("/nowhere/key", "x").send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn presigned_puts_honour_headers_that_were_moved_to_the_query() {
    let server = Server::start().await;
    let put = server.put("/bucket/key?x-amz-meta-colour=red", "hello").presigned(60);
    put.send().await.expect_status(200);
    assert_eq!(server.head("/bucket/key").send().await.header("x-amz-meta-colour"), "red");
    let tagged = server.put("/bucket/key?x-amz-tagging=a%3Db", "hello").presigned(60);
    tagged.send().await.expect_status(200);
    assert_eq!(server.head("/bucket/key").send().await.header("x-amz-tagging-count"), "1");
}
