//! Tenants: what one may do, and that another learns nothing.

use std::time::Duration;

use carob_identity::{AccountNumber, Scope, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::server::{NOW, ROOT};
use crate::tenants::{ALICE, BOB, Tenants, credentials};

/// Every operation that is served, as a request for `bobs` and the key `key` in it.
const OPERATIONS: &[(&str, &str, &str)] = &[
    ("HeadBucket", "HEAD", "/bobs"),
    ("DeleteBucket", "DELETE", "/bobs"),
    ("GetBucketLocation", "GET", "/bobs?location"),
    ("ListObjects", "GET", "/bobs"),
    ("ListObjectsV2", "GET", "/bobs?list-type=2"),
    ("PutObject", "PUT", "/bobs/key"),
    ("GetObject", "GET", "/bobs/key"),
    ("GetObject", "GET", "/bobs/absent"),
    ("HeadObject", "HEAD", "/bobs/key"),
    ("DeleteObject", "DELETE", "/bobs/key"),
    ("CreateMultipartUpload", "POST", "/bobs/key?uploads"),
    ("UploadPart", "PUT", "/bobs/key?partNumber=1&uploadId=UPLOAD"),
    ("UploadPartCopy", "PUT", "/bobs/key?partNumber=1&uploadId=UPLOAD"),
    ("CompleteMultipartUpload", "POST", "/bobs/key?uploadId=UPLOAD"),
    ("AbortMultipartUpload", "DELETE", "/bobs/key?uploadId=UPLOAD"),
    ("ListParts", "GET", "/bobs/key?uploadId=UPLOAD"),
    ("ListMultipartUploads", "GET", "/bobs?uploads"),
    ("RenameObject", "PUT", "/bobs/new?renameObject"),
    ("CopyObject", "PUT", "/bobs/copy"),
    ("GetObjectAttributes", "GET", "/bobs/key?attributes"),
    ("GetBucketAccelerateConfiguration", "GET", "/bobs?accelerate"),
    ("GetBucketAcl", "GET", "/bobs?acl"),
    ("GetBucketCors", "GET", "/bobs?cors"),
    ("PutBucketCors", "PUT", "/bobs?cors"),
    ("DeleteBucketCors", "DELETE", "/bobs?cors"),
    ("GetBucketEncryption", "GET", "/bobs?encryption"),
    ("PutBucketEncryption", "PUT", "/bobs?encryption"),
    ("DeleteBucketEncryption", "DELETE", "/bobs?encryption"),
    ("GetBucketLifecycleConfiguration", "GET", "/bobs?lifecycle"),
    ("PutBucketLifecycleConfiguration", "PUT", "/bobs?lifecycle"),
    ("DeleteBucketLifecycle", "DELETE", "/bobs?lifecycle"),
    ("GetBucketLogging", "GET", "/bobs?logging"),
    ("PutBucketLogging", "PUT", "/bobs?logging"),
    ("GetBucketNotificationConfiguration", "GET", "/bobs?notification"),
    ("GetBucketOwnershipControls", "GET", "/bobs?ownershipControls"),
    ("GetBucketPolicy", "GET", "/bobs?policy"),
    ("GetBucketPolicyStatus", "GET", "/bobs?policyStatus"),
    ("GetBucketReplication", "GET", "/bobs?replication"),
    ("GetBucketRequestPayment", "GET", "/bobs?requestPayment"),
    ("GetBucketTagging", "GET", "/bobs?tagging"),
    ("GetBucketVersioning", "GET", "/bobs?versioning"),
    ("GetBucketWebsite", "GET", "/bobs?website"),
    ("GetBucketAnalyticsConfiguration", "GET", "/bobs?analytics&id=a"),
    ("ListBucketAnalyticsConfigurations", "GET", "/bobs?analytics"),
    ("GetBucketIntelligentTieringConfiguration", "GET", "/bobs?intelligent-tiering&id=a"),
    ("ListBucketIntelligentTieringConfigurations", "GET", "/bobs?intelligent-tiering"),
    ("GetBucketInventoryConfiguration", "GET", "/bobs?inventory&id=a"),
    ("ListBucketInventoryConfigurations", "GET", "/bobs?inventory"),
    ("GetBucketMetricsConfiguration", "GET", "/bobs?metrics&id=a"),
    ("ListBucketMetricsConfigurations", "GET", "/bobs?metrics"),
    ("DeleteBucketReplication", "DELETE", "/bobs?replication"),
    ("DeleteBucketWebsite", "DELETE", "/bobs?website"),
    ("PutBucketNotificationConfiguration", "PUT", "/bobs?notification"),
    ("PutBucketRequestPayment", "PUT", "/bobs?requestPayment"),
    ("GetObjectLockConfiguration", "GET", "/bobs?object-lock"),
    ("GetPublicAccessBlock", "GET", "/bobs?publicAccessBlock"),
    ("GetObjectAcl", "GET", "/bobs/key?acl"),
    ("GetObjectTagging", "GET", "/bobs/key?tagging"),
    ("GetObject", "GET", "/bobs/key?versionId=null"),
    ("DeleteObject", "DELETE", "/bobs/key?versionId=null"),
    ("PutBucketVersioning", "PUT", "/bobs?versioning"),
    ("ListObjectVersions", "GET", "/bobs?versions"),
    ("PutBucketTagging", "PUT", "/bobs?tagging"),
    ("DeleteBucketTagging", "DELETE", "/bobs?tagging"),
    ("PutObjectLockConfiguration", "PUT", "/bobs?object-lock"),
    ("PutObjectTagging", "PUT", "/bobs/key?tagging"),
    ("DeleteObjectTagging", "DELETE", "/bobs/key?tagging"),
    ("GetObjectRetention", "GET", "/bobs/key?retention"),
    ("PutObjectRetention", "PUT", "/bobs/key?retention"),
    ("GetObjectLegalHold", "GET", "/bobs/key?legal-hold"),
    ("PutObjectLegalHold", "PUT", "/bobs/key?legal-hold"),
    ("PutBucketAcl", "PUT", "/bobs?acl"),
    ("PutObjectAcl", "PUT", "/bobs/key?acl"),
    ("PutBucketPolicy", "PUT", "/bobs?policy"),
    ("DeleteBucketPolicy", "DELETE", "/bobs?policy"),
    ("PutPublicAccessBlock", "PUT", "/bobs?publicAccessBlock"),
    ("DeletePublicAccessBlock", "DELETE", "/bobs?publicAccessBlock"),
    ("PutBucketOwnershipControls", "PUT", "/bobs?ownershipControls"),
    ("DeleteBucketOwnershipControls", "DELETE", "/bobs?ownershipControls"),
];

/// ListBuckets, CreateBucket and DeleteObjects, which have tests of their own.
const OTHERS: usize = 3;

#[tokio::test]
async fn every_operation_on_anothers_bucket_is_denied_and_changes_nothing() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/bobs/key", "bobs body").by(BOB).send().await.expect_status(200);
    server.put("/alices/mine", "mine").by(ALICE).send().await.expect_status(200);
    let begun = server.request("POST", "/bobs/key?uploads").by(BOB).send().await.expect_status(200);
    let upload = begun.element("UploadId");
    let bobs = server.space.bucket("bobs").await.unwrap();
    let before = bobs.snapshot().await.unwrap().cid();
    let uploads = server.get("/bobs?uploads").by(BOB).send().await.text();

    for (name, method, target) in OPERATIONS {
        for owner in
            [None, Some(AccountNumber::of(&bobs.info().owner)), Some(AccountNumber::of(&tenants.alice.id))]
        {
            let mut request = server.request(method, &target.replace("UPLOAD", &upload)).by(ALICE);
            if name.ends_with("Copy") || *name == "CopyObject" {
                request = request.header("x-amz-copy-source", "/alices/mine");
            }
            if *name == "RenameObject" {
                request = request.header("x-amz-rename-source", "key");
            }
            if *name == "GetObjectAttributes" {
                request = request.header("x-amz-object-attributes", "ETag,ObjectSize");
            }
            if let Some(owner) = owner {
                request = request.header("x-amz-expected-bucket-owner", &owner.to_string());
            }
            let answer = request.send().await;
            if *method == "HEAD" {
                answer.expect_status(403);
            } else {
                let answer = answer.expect_error(403, "AccessDenied");
                assert!(!answer.text().contains("bobs body"), "{name}");
            }
        }
    }
    assert_eq!(bobs.snapshot().await.unwrap().cid(), before);
    assert_eq!(server.get("/bobs?uploads").by(BOB).send().await.text(), uploads);
    server.get("/bobs/key").by(BOB).send().await.expect_status(200);
}

#[test]
fn the_table_above_holds_every_operation_that_is_served() {
    let served = include_str!("../../src/operations/served.rs");
    let names: Vec<_> = served
        .split("on(Scope::")
        .skip(1)
        .filter_map(|row| row.split('"').nth(1).filter(|_| !row.starts_with("Bucket, name")))
        .chain(served.split("configuration(\"").skip(1).filter_map(|row| row.split('"').next()))
        .collect();
    assert!(names.len() > 30, "{names:?}");
    let missing: Vec<_> =
        names.iter().filter(|name| !OPERATIONS.iter().any(|(known, ..)| known == *name)).collect();
    assert_eq!(missing.len(), OTHERS, "{missing:?}");
}

#[tokio::test]
async fn a_copy_reads_nothing_that_its_caller_may_not_read() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/bobs/key", "bobs body").by(BOB).send().await.expect_status(200);
    let begun = server.request("POST", "/alices/up?uploads").by(ALICE).send().await.expect_status(200);
    let part = format!("/alices/up?partNumber=1&uploadId={}", begun.element("UploadId"));
    for (source, status, code) in [
        ("/bobs/key", 403, "AccessDenied"),
        ("/bobs/absent", 403, "AccessDenied"),
        ("/nowhere/key", 404, "NoSuchBucket"),
    ] {
        for target in ["/alices/copy", &part] {
            let copy = server.request("PUT", target).by(ALICE).header("x-amz-copy-source", source);
            copy.send().await.expect_error(status, code);
        }
    }
}

#[tokio::test]
async fn deleting_many_of_anothers_keys_denies_each() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/bobs/key", "x").by(BOB).send().await.expect_status(200);
    let document = "<Delete><Object><Key>key</Key></Object><Object><Key>absent</Key></Object></Delete>";
    let request = server.request("POST", "/bobs?delete").by(ALICE).body(document);
    let request = request.header("x-amz-checksum-sha256", &sha256(document));
    let answer = request.send().await.expect_status(200);
    assert_eq!(answer.elements("Code"), ["AccessDenied", "AccessDenied"]);
    assert!(answer.elements("Deleted").is_empty());
    server.get("/bobs/key").by(BOB).send().await.expect_status(200);
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    data_encoding::BASE64.encode(&sha2::Sha256::digest(text))
}

#[tokio::test]
async fn names_are_shared_and_contents_are_not() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.request("PUT", "/bobs").by(ALICE).send().await.expect_error(409, "BucketAlreadyExists");
    server.request("PUT", "/bobs").by(BOB).send().await.expect_status(200);
    server.request("PUT", "/news").by(ALICE).send().await.expect_status(200);
    for (method, target) in [("GET", "/nowhere"), ("GET", "/nowhere/key"), ("PUT", "/nowhere/key")] {
        server.request(method, target).by(ALICE).send().await.expect_error(404, "NoSuchBucket");
    }
    server.head("/nowhere").by(ALICE).send().await.expect_status(404);
    server.get("/nowhere").anonymous().send().await.expect_error(404, "NoSuchBucket");
    server.get("/bobs").anonymous().send().await.expect_error(403, "AccessDenied");
    let list = async |key| server.get("/").by(key).send().await.expect_status(200);
    assert_eq!(list(ALICE).await.elements("Name"), ["alices", "news"]);
    assert_eq!(list(BOB).await.elements("Name"), ["bobs"]);
    assert!(list(ROOT).await.elements("Name").is_empty());
    server.put("/bobs/key", "x").by(ROOT).send().await.expect_status(200);
}

#[tokio::test]
async fn answers_name_the_owner_of_the_bucket() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let begun = server.request("POST", "/alices/up?uploads").by(ALICE).send().await.expect_status(200);
    let id = tenants.alice.id.canonical_id();
    assert_eq!(id.len(), 64);
    let parts = format!("/alices/up?uploadId={}", begun.element("UploadId"));
    for target in [
        "/",
        "/alices",
        "/alices?list-type=2&fetch-owner=true",
        "/alices?uploads",
        "/alices?acl",
        "/alices/key?acl",
        &parts,
    ] {
        let answer = server.get(target).by(ALICE).send().await.expect_status(200);
        assert!(answer.elements("ID").iter().all(|found| *found == id), "{target}: {}", answer.text());
        assert_eq!(answer.element("DisplayName"), "alice", "{target}");
    }
    let by_root = server.get("/alices?acl").by(ROOT).send().await;
    assert_eq!(by_root.element("ID"), id, "whoever asks");
}

#[tokio::test]
async fn a_revoked_key_is_unknown_to_the_next_request() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let presigned = server.get("/alices/key").by(ALICE).presigned(604_800);
    presigned.clone().send().await.expect_status(200);
    let begun = server.request("POST", "/alices/up?uploads").by(ALICE).send().await;
    let part = format!("/alices/up?partNumber=1&uploadId={}", begun.element("UploadId"));

    // A body that is under way while the key is revoked: it was let in when it began.
    let (head, body) = server.put("/alices/slow", vec![7; 300_000]).by(ALICE).chunked(65_536).parts();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    slow.write_all(&body[..100_000]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    tenants.system.revoke_key(ALICE.0.parse().unwrap()).await.unwrap();

    for request in [
        server.get("/").by(ALICE),
        server.get("/alices/key").by(ALICE),
        server.put(&part, "part").by(ALICE),
        server.put("/alices/other", vec![1; 100_000]).by(ALICE).chunked(8192),
        server.get("/alices/key").by((ALICE.0, "another-secret")),
        presigned,
    ] {
        request.send().await.expect_error(403, "InvalidAccessKeyId");
    }
    slow.write_all(&body[100_000..]).await.unwrap();
    let mut answer = Vec::new();
    slow.read_to_end(&mut answer).await.unwrap();
    crate::answer::parse(&answer, false).expect_status(200);
    server.get("/alices/other").by(ROOT).send().await.expect_error(404, "NoSuchKey");
    server.get("/bobs").by(BOB).send().await.expect_status(200);
}

#[tokio::test]
async fn an_expired_key_is_unknown_and_a_wrong_secret_is_not() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let brief = ("BRIEF", "brief-secret");
    let expires = Some(Timestamp(NOW.0 + 1000));
    let made = tenants.system.create_key("alice", Scope::default(), expires, Some(credentials(brief)));
    made.await.unwrap();
    let presigned = server.get("/alices").by(brief).presigned(604_800);
    tenants.clock.advance(999);
    presigned.clone().send().await.expect_status(200);
    let forged = server.get("/alices").by((brief.0, "another-secret"));
    forged.clone().send().await.expect_error(403, "SignatureDoesNotMatch");
    tenants.clock.advance(1);
    presigned.send().await.expect_error(403, "InvalidAccessKeyId");
    forged.send().await.expect_error(403, "InvalidAccessKeyId");
    server.get("/alices").by(brief).send().await.expect_error(403, "InvalidAccessKeyId");
    server.get("/alices").by(ALICE).send().await.expect_status(200);
}

#[tokio::test]
async fn a_key_for_a_prefix_sees_and_changes_nothing_beside_it() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let (reader, writer) = (("READER", "readers-secret"), ("WRITER", "writers-secret"));
    let scope = Scope { buckets: vec!["alices".into()], prefix: "photos/".into(), ..Scope::default() };
    tenants.alices_key(reader, Scope { write: false, ..scope.clone() }).await;
    tenants.alices_key(writer, Scope { read: false, ..scope }).await;
    for key in ["photos/1", "private"] {
        server.put(&format!("/alices/{key}"), "x").by(ALICE).send().await.expect_status(200);
    }
    for (key, method, target, status) in [
        (reader, "GET", "/alices/photos/1", 200),
        (reader, "HEAD", "/alices/photos/1", 200),
        (reader, "GET", "/alices?list-type=2&prefix=photos/", 200),
        (reader, "GET", "/alices?prefix=photos/2024&delimiter=/", 200),
        (reader, "HEAD", "/alices", 200),
        (reader, "GET", "/alices?location", 200),
        (reader, "GET", "/alices/private", 403),
        (reader, "GET", "/alices/photos", 403),
        (reader, "GET", "/alices", 403),
        (reader, "GET", "/alices?list-type=2&prefix=photos", 403),
        (reader, "GET", "/alices?prefix=photos/&prefix=", 403),
        (reader, "GET", "/alices?acl", 403),
        (reader, "GET", "/", 403),
        (reader, "PUT", "/alices/photos/2", 403),
        (reader, "DELETE", "/alices/photos/1", 403),
        (reader, "POST", "/alices/photos/2?uploads", 403),
        (reader, "PUT", "/another", 403),
        (reader, "DELETE", "/alices", 403),
        (writer, "PUT", "/alices/photos/2", 200),
        (writer, "POST", "/alices/photos/2?uploads", 200),
        (writer, "GET", "/alices?uploads&prefix=photos/", 200),
        (writer, "GET", "/alices?uploads", 403),
        (writer, "PUT", "/alices/private", 403),
        (writer, "GET", "/alices/photos/1", 403),
        (writer, "GET", "/alices?prefix=photos/", 403),
        (writer, "DELETE", "/alices/photos/2", 204),
        (writer, "PUT", "/bobs/photos/1", 403),
    ] {
        let answer = server.request(method, target).by(key).send().await;
        assert_eq!(answer.status, status, "{} {method} {target}: {}", key.0, answer.text());
    }
    let copy =
        server.request("PUT", "/alices/photos/3").by(writer).header("x-amz-copy-source", "/alices/private");
    copy.send().await.expect_error(403, "AccessDenied");
}
