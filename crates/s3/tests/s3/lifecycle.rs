//! Lifecycle rules: what is stored, what the answers announce, and what is done when the time has come.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use carob_bucket::Space;
use carob_identity::{ManualClock, Timestamp};
use carob_s3::{Lifecycle, Removal, Tally};

use crate::server::{NOW, Server};

const DAY: u64 = 24 * 60 * 60 * 1000;

fn rules(inside: &str) -> String {
    format!(
        "<LifecycleConfiguration><Rule><ID>rule</ID>{inside}<Status>Enabled</Status></Rule></LifecycleConfiguration>"
    )
}

/// What is done at so many days after everything was put.
async fn after(space: &Space, days: u64) -> Tally {
    let clock = Arc::new(ManualClock::new(Timestamp(NOW.0 + days * DAY)));
    Lifecycle::new(space.clone(), clock).run_once().await
}

async fn keys(server: &Server) -> Vec<String> {
    server.get("/bucket?list-type=2").send().await.expect_status(200).elements("Key")
}

#[tokio::test]
async fn rules_are_kept_shown_and_taken_away() {
    let server = Server::start().await;
    let document = "<LifecycleConfiguration><Rule><Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>\
        <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter><Status>Disabled</Status>\
        <Expiration><Days>30</Days></Expiration></Rule></LifecycleConfiguration>";
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    let shown = server.get("/bucket?lifecycle").send().await.expect_status(200);
    assert_eq!(shown.elements("Status"), ["Disabled"]);
    assert_eq!(shown.elements("ObjectSizeGreaterThan"), ["5"]);
    assert!(!shown.element("ID").is_empty(), "a rule without a name gets one");
    assert!(shown.text().contains("<And>"));
    let size = "x-amz-transition-default-minimum-object-size";
    let default = "all_storage_classes_128K";
    assert_eq!(shown.header(size), default);
    for asked in ["varies_by_storage_class", default] {
        let put = server.put("/bucket?lifecycle", document).header(size, asked).send().await;
        assert_eq!(put.expect_status(200).header(size), asked);
        let shown = server.get("/bucket?lifecycle").send().await.expect_status(200);
        assert_eq!((shown.header(size), shown.elements("Status").len()), (asked, 1));
    }
    let put = server.put("/bucket?lifecycle", document).header(size, "none").send().await;
    put.expect_error(400, "InvalidRequest");
    let varies = server.put("/bucket?lifecycle", document).header(size, "varies_by_storage_class");
    varies.send().await.expect_status(200);
    let put = server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    assert_eq!(put.header(size), default, "what is not said again is as at the first time");
    server.put("/bucket?lifecycle", rules("<Prefix/>")).send().await.expect_error(400, "InvalidRequest");
    server.delete("/bucket?lifecycle").send().await.expect_status(204);
    server.get("/bucket?lifecycle").send().await.expect_error(404, "NoSuchLifecycleConfiguration");
    server.put("/bucket?lifecycle", document).by_guest().send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn an_and_joins_two_conditions_or_more() {
    let server = Server::start().await;
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    let filter = |inside: &str| {
        rules(&format!("<Filter><And>{inside}</And></Filter><Expiration><Days>1</Days></Expiration>"))
    };
    for inside in ["", "<Prefix/>", "<Prefix>a</Prefix>", tag, "<ObjectSizeLessThan>9</ObjectSizeLessThan>"] {
        server.put("/bucket?lifecycle", filter(inside)).send().await.expect_error(400, "MalformedXML");
    }
    let two = filter(&format!("<Prefix/>{tag}"));
    server.put("/bucket?lifecycle", two).send().await.expect_status(200);
}

#[tokio::test]
async fn answers_announce_the_end_of_the_current_object() {
    let server = Server::start().await;
    let document = rules("<Filter><Prefix>a/</Prefix></Filter><Expiration><Days>2</Days></Expiration>");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    // Written on the 14th in the evening: two days, and up to the next midnight.
    let expected = "expiry-date=\"Fri, 17 Nov 2023 00:00:00 GMT\", rule-id=\"rule\"";
    let put = server.put("/bucket/a/key", "x").send().await.expect_status(200);
    let get = server.get("/bucket/a/key").send().await.expect_status(200);
    let head = server.head("/bucket/a/key").send().await.expect_status(200);
    let copy = server.put("/bucket/a/copy", "").header("x-amz-copy-source", "/bucket/b");
    server.put("/bucket/b", "x").send().await.expect_status(200);
    let copy = copy.send().await.expect_status(200);
    let begun = server.request("POST", "/bucket/a/parts?uploads").send().await.expect_status(200);
    let upload = format!("/bucket/a/parts?uploadId={}", begun.element("UploadId"));
    let part = server.put(&format!("{upload}&partNumber=1"), "x").send().await.expect_status(200);
    let parts = format!("<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>", part.header("etag"));
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let completed = server.request("POST", &upload).body(document).send().await.expect_status(200);
    for answer in [put, get, head, copy, completed] {
        assert_eq!(answer.header("x-amz-expiration"), expected);
    }
    let other = server.put("/bucket/b", "x").send().await.expect_status(200);
    assert_eq!(other.find("x-amz-expiration"), None);
    let document =
        rules("<Prefix/><Expiration><Days>2</Days></Expiration>").replace("<ID>rule", "<ID>ü \"1\"");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    let named = server.get("/bucket/b").send().await.expect_status(200);
    assert!(named.header("x-amz-expiration").ends_with("rule-id=\"%C3%BC%20%221%22\""));
}

#[tokio::test]
async fn an_end_that_has_no_date_is_the_last_that_has_one() {
    let server = Server::start().await;
    let document = rules("<Prefix/><Expiration><Days>2147483647</Days></Expiration>");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    server.put("/bucket/key", "x").send().await.expect_status(200);
    let get = server.get("/bucket/key").send().await.expect_status(200);
    assert_eq!(
        get.header("x-amz-expiration"),
        "expiry-date=\"Fri, 31 Dec 9999 23:59:59 GMT\", rule-id=\"rule\""
    );
}

#[tokio::test]
async fn answers_announce_when_an_upload_in_parts_is_aborted() {
    let server = Server::start().await;
    let rule = |id: &str, filter: &str, days: &str| {
        format!(
            "<Rule><ID>{id}</ID><Filter>{filter}</Filter><Status>Enabled</Status><AbortIncompleteMultipartUpload>\
             <DaysAfterInitiation>{days}</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>"
        )
    };
    let document = format!(
        "<LifecycleConfiguration>{}{}{}{}</LifecycleConfiguration>",
        rule("slow", "", "2147483647"),
        rule("later", "<Prefix>a/</Prefix>", "7"),
        rule("of a", "<Prefix>a/</Prefix>", "2"),
        rule("off", "", "1").replace("Enabled", "Disabled"),
    );
    let begin = |key: &str| server.request("POST", &format!("/bucket/{key}?uploads")).send();
    assert_eq!(begin("a/key").await.expect_status(200).find("x-amz-abort-date"), None);
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    for (key, date, rule) in
        [("a/key", "Fri, 17 Nov 2023 00:00:00 GMT", "of%20a"), ("b", "Fri, 31 Dec 9999 23:59:59 GMT", "slow")]
    {
        let begun = begin(key).await.expect_status(200);
        let parts = server.get(&format!("/bucket/{key}?uploadId={}", begun.element("UploadId")));
        for answer in [begun, parts.send().await.expect_status(200)] {
            assert_eq!(
                (answer.header("x-amz-abort-date"), answer.header("x-amz-abort-rule-id")),
                (date, rule)
            );
        }
    }
    let document = rules("<Filter/><Expiration><Days>2</Days></Expiration>");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    assert_eq!(begin("b").await.expect_status(200).find("x-amz-abort-rule-id"), None);
}

#[tokio::test]
async fn a_date_with_an_offset_is_kept_as_the_moment_that_it_is() {
    let server = Server::start().await;
    let dated = |date: &str| rules(&format!("<Prefix/><Expiration><Date>{date}</Date></Expiration>"));
    for (date, shown) in [
        ("2030-01-01T01:00:00+01:00", "2030-01-01T00:00:00.000Z"),
        ("2029-12-31T19:00:00-05:00", "2030-01-01T00:00:00.000Z"),
        ("9999-12-31T00:00:00Z", "9999-12-31T00:00:00.000Z"),
    ] {
        server.put("/bucket?lifecycle", dated(date)).send().await.expect_status(200);
        assert_eq!(server.get("/bucket?lifecycle").send().await.expect_status(200).element("Date"), shown);
        let put = server.put("/bucket/key", "x").send().await.expect_status(200);
        assert!(put.find("x-amz-expiration").is_some(), "{date}");
    }
    let late = server.put("/bucket?lifecycle", dated("9999-12-31T23:00:00-01:00")).send().await;
    late.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn objects_expire_when_their_time_has_come() {
    let server = Server::start().await;
    let document = rules("<Filter><Prefix>old/</Prefix></Filter><Expiration><Days>2</Days></Expiration>");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    server.fill(&["kept", "old/1", "old/2"]).await;
    assert_eq!(after(&server.space, 2).await, Tally::default(), "not before midnight");
    assert_eq!(keys(&server).await.len(), 3);
    assert_eq!(after(&server.space, 3).await, Tally { expired: 2, ..Tally::default() });
    assert_eq!(keys(&server).await, ["kept"]);
    assert_eq!(after(&server.space, 4).await, Tally::default());
}

#[tokio::test]
async fn versions_markers_and_uploads_go_by_rules_of_their_own() {
    let server = Server::start().await;
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", versioning).send().await.expect_status(200);
    for _ in 0..5 {
        server.put("/bucket/key", "x").send().await.expect_status(200);
    }
    server.request("POST", "/bucket/up?uploads").send().await.expect_status(200);
    let document = rules(
        "<Filter/><Expiration><Days>5</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
         <NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>\
         <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    );
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    assert_eq!(after(&server.space, 2).await, Tally { removed: 2, aborted: 1, ..Tally::default() });
    let versions = server.get("/bucket?versions").send().await;
    assert_eq!(versions.elements("VersionId").len(), 3);
    assert!(server.get("/bucket?uploads").send().await.elements("UploadId").is_empty());
    assert_eq!(after(&server.space, 6).await, Tally { expired: 1, ..Tally::default() });
    assert!(keys(&server).await.is_empty());
    server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
    assert_eq!(server.get("/bucket?versions").send().await.elements("DeleteMarker").len(), 1);
}

#[tokio::test]
async fn each_deletion_is_told() {
    let server = Server::start().await;
    server.put("/bucket/key", "x").send().await.expect_status(200);
    let begun = server.request("POST", "/bucket/up?uploads").send().await.expect_status(200);
    server.put("/versions", "").send().await.expect_status(200);
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/versions?versioning", versioning).send().await.expect_status(200);
    server.put("/versions/key", "x").send().await.expect_status(200);
    let document = rules(
        "<Filter/><Expiration><Days>1</Days></Expiration>\
         <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    );
    for bucket in ["bucket", "versions"] {
        server.put(&format!("/{bucket}?lifecycle"), document.as_str()).send().await.expect_status(200);
    }
    let told = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&told);
    let clock = Arc::new(ManualClock::new(Timestamp(NOW.0 + 3 * DAY)));
    let lifecycle = Lifecycle::new(server.space.clone(), clock).telling(move |removal: &Removal<'_>| {
        let Removal { operation, bucket, key, version } = removal.clone();
        keep.lock().unwrap().push((operation, bucket.to_owned(), key.to_owned(), version));
    });
    lifecycle.run_once().await;
    let marker = server.get("/versions?versions").send().await.element("DeleteMarker");
    let marker = marker.split("<VersionId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let line = |operation, bucket: &str, key: &str, version: Option<String>| {
        (operation, bucket.to_owned(), key.to_owned(), version)
    };
    let expected = [
        line("S3.EXPIRE.OBJECT", "bucket", "key", None),
        line("S3.DELETE.UPLOAD", "bucket", "up", Some(begun.element("UploadId"))),
        line("S3.CREATE.DELETEMARKER", "versions", "key", Some(marker)),
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_delete_marker_goes_when_nothing_is_left_below() {
    let server = Server::start().await;
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", versioning).send().await.expect_status(200);
    server.put("/bucket/both", "x").send().await.expect_status(200);
    server.delete("/bucket/both").send().await.expect_status(204);
    server.delete("/bucket/alone").send().await.expect_status(204);
    let document = rules(
        "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
    );
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    assert_eq!(after(&server.space, 0).await, Tally { markers: 1, ..Tally::default() });
    let left = server.get("/bucket?versions").send().await;
    assert_eq!(left.elements("Key"), ["both", "both"]);
}

#[tokio::test]
async fn what_object_lock_protects_stays() {
    let server = Server::start().await;
    let create = server.put("/locked", "").header("x-amz-bucket-object-lock-enabled", "true");
    create.send().await.expect_status(200);
    let held = server.put("/locked/key", "x").header("x-amz-object-lock-legal-hold", "ON").send().await;
    let version = held.expect_status(200).header("x-amz-version-id").to_owned();
    server.put("/locked/key", "y").send().await.expect_status(200);
    let document = rules(
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
    );
    server.put("/locked?lifecycle", document).send().await.expect_status(200);
    assert_eq!(after(&server.space, 9).await, Tally { kept: 1, ..Tally::default() });
    let found = server.get(&format!("/locked/key?versionId={version}")).send().await.expect_status(200);
    assert_eq!(found.text(), "x");
}

#[tokio::test]
async fn more_than_a_page_is_gone_through_page_by_page() {
    let server = Server::start().await;
    let versioning = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", versioning).send().await.expect_status(200);
    let bucket = server.space.bucket("bucket").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..2200 {
        let bucket = bucket.clone();
        // One key of more versions than a page has, among others of two.
        let key = if number < 1200 { "middle".to_owned() } else { format!("key-{}", number % 500) };
        tasks.spawn(async move {
            let body = bucket.upload(&[]).finish().await.unwrap();
            bucket.put(&key, body, Default::default()).await.unwrap();
        });
    }
    tasks.join_all().await;
    let document = rules(
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>",
    );
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    assert_eq!(after(&server.space, 3).await, Tally { removed: 1199 + 500, ..Tally::default() });
    let snapshot = bucket.snapshot().await.unwrap();
    assert_eq!((snapshot.objects(), snapshot.noncurrent()), (501, 0));
}

#[tokio::test]
async fn the_worker_works_by_itself_in_days_of_any_length() {
    let server = Server::start().await;
    let document = rules("<Prefix/><Expiration><Days>1</Days></Expiration>");
    server.put("/bucket?lifecycle", document).send().await.expect_status(200);
    server.fill(&["key"]).await;
    let clock = Arc::new(ManualClock::new(NOW));
    let worker =
        Lifecycle::new(server.space.clone(), Arc::clone(&clock) as _).with_day(Duration::from_millis(200));
    let working = tokio::spawn(async move { worker.run().await });
    let mut waited = 0;
    while !keys(&server).await.is_empty() {
        clock.advance(100);
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited += 1;
        assert!(waited < 500, "the object is still there");
    }
    working.abort();
}
