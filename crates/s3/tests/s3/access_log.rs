//! Access logs, kept in buckets.

use std::sync::Arc;
use std::time::Duration;

use carob_block::{MemoryStore, Store};

use crate::server::{REGION, Server};

fn logging(inside: &str) -> String {
    format!("<BucketLoggingStatus><LoggingEnabled>{inside}</LoggingEnabled></BucketLoggingStatus>")
}

const TARGET: &str = "<TargetBucket>logs</TargetBucket><TargetPrefix>of-bucket/</TargetPrefix>";

/// What is under a prefix of the target.
async fn delivered(server: &Server) -> Vec<(String, String)> {
    server.frontend.flush_access_logs().await;
    let mut found = Vec::new();
    for key in server.get("/logs?list-type=2").send().await.expect_status(200).elements("Key") {
        let text = server.get(&format!("/logs/{key}")).send().await.expect_status(200).text();
        found.push((key, text));
    }
    found
}

async fn with_target() -> Server {
    let server = Server::start().await;
    server.put("/logs", "").send().await.expect_status(200);
    server
}

#[tokio::test]
async fn every_request_to_the_bucket_is_a_line() {
    let server = with_target().await;
    server.put("/bucket?logging", logging(TARGET)).send().await.expect_status(200);
    let put = server.put("/bucket/a key", "hello").header("user-agent", "a \"test\"").send().await;
    let id = put.expect_status(200).header("x-amz-request-id").to_owned();
    server.get("/bucket/absent").presigned(60).send().await.expect_error(404, "NoSuchKey");
    server.get("/bucket/a key").anonymous().send().await.expect_error(403, "AccessDenied");
    server.put("/logs/other", "x").send().await.expect_status(200);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let delivered = delivered(&server).await;
    let (key, text) = &delivered[0];
    assert!(key.starts_with("of-bucket/2023-11-14-22-13-20-"), "{key}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let owner = server.space.did().canonical_id();
    assert!(
        lines[0].starts_with(&format!("{owner} bucket [14/Nov/2023:22:13:20 +0000] 127.0.0.1 {owner} {id} "))
    );
    for (line, told) in lines.iter().zip([
        ["REST.PUT.OBJECT a%20key \"PUT /bucket/a%20key HTTP/1.1\" 200 - ", " 5 ", "\"a %22test%22\""],
        ["REST.GET.OBJECT absent \"GET /bucket/absent?", " 404 NoSuchKey ", " QueryString "],
        ["REST.GET.OBJECT a%20key", " 403 AccessDenied ", " 127.0.0.1 - "],
    ]) {
        told.iter().for_each(|told| assert!(line.contains(told), "{told} in {line}"));
    }
    assert!(!text.contains("X-Amz-Signature"));
}

#[tokio::test]
async fn a_line_tells_how_it_was_signed_and_what_let_it_in() {
    let server = with_target().await;
    for (key, acl) in [("open", "public-read"), ("shut", "private")] {
        server.put(&format!("/bucket/{key}"), "x").header("x-amz-acl", acl).send().await.expect_status(200);
    }
    server.put("/bucket?logging", logging(TARGET)).send().await.expect_status(200);
    server.get("/bucket/open").anonymous().send().await.expect_status(200);
    server.get("/bucket/shut").send().await.expect_status(200);
    let url = server.get("/bucket/shut").anonymous().query("AWSAccessKeyId", "ROOTKEY").query("Expires", "1");
    url.query("Signature", "secret").send().await.expect_error(403, "AccessDenied");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (_, text) = delivered(&server).await.remove(0);
    let ends: Vec<Vec<&str>> = text.lines().map(|line| line.rsplit(' ').take(7).collect()).collect();
    let host = server.address.to_string();
    // From the last field: whether a list let it in, access point, TLS, host, how and with what it was signed.
    assert_eq!(ends[0], ["Yes", "-", "-", host.as_str(), "-", "-", "-"], "{text}");
    assert_eq!(ends[1], ["-", "-", "-", host.as_str(), "AuthHeader", "-", "SigV4"], "{text}");
    assert_eq!(ends[2], ["-", "-", "-", host.as_str(), "QueryString", "-", "SigV2"], "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn settings_are_checked_shown_and_taken_away() {
    let server = with_target().await;
    let format = "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>DeliveryTime</PartitionDateSource>\
        </PartitionedPrefix></TargetObjectKeyFormat>";
    let document = logging(&format!("{TARGET}{format}"));
    server.put("/bucket?logging", document).send().await.expect_status(200);
    let shown = server.get("/bucket?logging").send().await.expect_status(200);
    assert_eq!(shown.element("TargetPrefix"), "of-bucket/");
    assert_eq!(shown.element("PartitionDateSource"), "DeliveryTime");
    server.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (key, _) = delivered(&server).await.remove(0);
    let account = carob_identity::AccountNumber::of(server.space.did());
    assert!(
        key.starts_with(&format!("of-bucket/{account}/us-east-1/bucket/2023/11/14/2023-11-14-22-13-20-"))
    );

    server.put("/bucket?logging", "<BucketLoggingStatus/>").send().await.expect_status(200);
    let shown = server.get("/bucket?logging").send().await.expect_status(200);
    assert!(shown.elements("TargetBucket").is_empty());
    tokio::time::sleep(Duration::from_millis(50)).await;
    // With the requests that asked for the setting and took it away.
    let before = delivered(&server).await.len();
    server.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(delivered(&server).await.len(), before);

    let grants = "<TargetGrants><Grant><Permission>READ</Permission></Grant></TargetGrants>";
    let both = "<TargetObjectKeyFormat><SimplePrefix/><PartitionedPrefix/></TargetObjectKeyFormat>";
    for (inside, status, code) in [
        (TARGET.replace("logs", "nowhere"), 400, "InvalidTargetBucketForLogging"),
        (format!("{TARGET}{grants}"), 400, "InvalidArgument"),
        (format!("{TARGET}{both}"), 400, "MalformedXML"),
        (format!("{TARGET}{}", format.replace("DeliveryTime", "Someday")), 400, "MalformedXML"),
        (format!("{TARGET}{}", format.replace("DeliveryTime", "EventTime")), 501, "NotImplemented"),
    ] {
        server.put("/bucket?logging", logging(&inside)).send().await.expect_error(status, code);
    }
}

#[tokio::test]
async fn a_bucket_is_logged_after_a_restart_too() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let server = Server::over(Arc::clone(&store), REGION).await;
    server.put("/logs", "").send().await.expect_status(200);
    server.put("/bucket?logging", logging(TARGET)).send().await.expect_status(200);
    // What a gateway does as long as it runs; without any log of its own yet, it learns from the buckets.
    let again = server.again().await;
    let frontend = again.frontend.clone();
    let delivering =
        tokio::spawn(async move { frontend.deliver_access_logs(Duration::from_millis(20)).await });
    for tries in 0.. {
        again.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
        tokio::time::sleep(Duration::from_millis(30)).await;
        if !again.get("/logs?list-type=2").send().await.elements("Key").is_empty() {
            break;
        }
        assert!(tries < 100, "nothing is delivered");
    }
    delivering.abort();
}

#[tokio::test]
async fn lines_are_encrypted_as_their_bucket_says() {
    let server = with_target().await;
    let document = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    server.put("/logs?encryption", document).send().await.expect_status(200);
    server.put("/bucket?logging", logging(TARGET)).send().await.expect_status(200);
    server.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (key, text) = delivered(&server).await.remove(0);
    assert!(text.contains(" REST.GET.OBJECT absent "), "{text}");
    let head = server.head(&format!("/logs/{key}")).send().await.expect_status(200);
    assert_eq!(head.header("x-amz-server-side-encryption"), "AES256");
}

#[tokio::test]
async fn a_prefix_leaves_room_for_the_rest_of_a_key() {
    let server = with_target().await;
    let partitioned = "<TargetObjectKeyFormat><PartitionedPrefix/></TargetObjectKeyFormat>";
    // The time, a hyphen and 16 digits; with the account, the region, the bucket and the day before it.
    let (simple, long) = (19 + 1 + 16, "123456789012/us-east-1/bucket/2023/11/14/".len());
    for (format, rest) in [("", simple), (partitioned, simple + long)] {
        let with = |prefix: usize| {
            let prefix = "p".repeat(prefix);
            logging(&format!(
                "<TargetBucket>logs</TargetBucket><TargetPrefix>{prefix}</TargetPrefix>{format}"
            ))
        };
        let set = |document| server.put("/bucket?logging", document).send();
        set(with(1024 - rest + 1)).await.expect_error(400, "InvalidArgument");
        set(with(1024 - rest)).await.expect_status(200);
        server.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let keys = delivered(&server).await;
        assert!(keys.iter().any(|(key, _)| key.len() == 1024), "{format}");
        for (key, _) in keys {
            server.delete(&format!("/logs/{key}")).send().await.expect_status(204);
        }
    }
}

#[tokio::test]
async fn a_bucket_that_takes_the_name_of_a_deleted_one_is_not_logged() {
    let server = with_target().await;
    server.put("/bucket?logging", logging(TARGET)).send().await.expect_status(200);
    server.delete("/bucket").send().await.expect_status(204);
    server.put("/bucket", "").send().await.expect_status(200);
    server.put("/bucket/key", "x").send().await.expect_status(200);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (_, text) = delivered(&server).await.remove(0);
    assert!(text.contains("REST.DELETE.BUCKET") && !text.contains("REST.PUT."), "{text}");
}
