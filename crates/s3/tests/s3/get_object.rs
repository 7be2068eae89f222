//! GetObject and HeadObject.

use carob_identity::AccountNumber;

use crate::server::{NOW_HTTP, Server};

async fn with_object() -> Server {
    let server = Server::start().await;
    server.put("/bucket/key", "0123456789").send().await.expect_status(200);
    server
}

#[tokio::test]
async fn a_get_shows_what_there_is() {
    let server = with_object().await;
    let read = server.get("/bucket/key").send().await.expect_status(200);
    assert_eq!(read.body, b"0123456789");
    assert_eq!(read.header("content-length"), "10");
    assert_eq!(read.header("accept-ranges"), "bytes");
    assert_eq!(read.header("last-modified"), NOW_HTTP);
    assert_eq!(read.header("etag"), "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert!(read.header("x-carob-cid").starts_with("bafkrei"));
    assert_eq!(read.header("server"), "Carob");
    assert!(read.find("date").is_some());
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let server = with_object().await;
    for target in ["/bucket/key", "/bucket/absent", "/nowhere/key"] {
        let (get, head) = (server.get(target).send().await, server.head(target).send().await);
        assert_eq!(get.status, head.status);
        if get.status == 200 {
            for name in
                ["content-length", "etag", "last-modified", "x-carob-cid", "content-type", "accept-ranges"]
            {
                assert_eq!(get.header(name), head.header(name));
            }
        } else {
            assert_eq!(head.find("content-length").unwrap_or("0"), "0");
        }
    }
}

#[tokio::test]
async fn large_objects_stream_back_whole() {
    let server = Server::start().await;
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    server.put("/bucket/key", body.clone()).send().await.expect_status(200);
    let read = server.get("/bucket/key").send().await.expect_status(200);
    assert!(read.body == body);
    let part =
        server.get("/bucket/key").header("range", "bytes=1048570-2097160").send().await.expect_status(206);
    assert!(part.body == body[1_048_570..=2_097_160]);
}

#[tokio::test]
async fn single_ranges_are_served() {
    let server = with_object().await;
    for (range, body, content_range) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=7-99", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
    ] {
        let get = server.get("/bucket/key").header("range", range).send().await.expect_status(206);
        assert_eq!((get.text(), get.header("content-range")), (body.into(), content_range), "{range}");
        let head = server.head("/bucket/key").header("range", range).send().await;
        assert_eq!((head.status, head.header("content-range")), (206, content_range));
        assert_eq!(head.header("content-length"), body.len().to_string());
    }
}

#[tokio::test]
async fn several_ranges_and_nonsense_give_the_whole() {
    let server = with_object().await;
    for range in ["bytes=0-1,3-4", "bytes=a-b", "bytes=4-2", "lines=0-1", "bytes=", "bytes=-"] {
        let get = server.get("/bucket/key").header("range", range).send().await.expect_status(200);
        assert_eq!((get.text().len(), get.find("content-range")), (10, None), "{range}");
    }
}

#[tokio::test]
async fn a_range_without_a_byte_is_not_satisfiable() {
    let server = with_object().await;
    server.put("/bucket/empty", "").send().await.expect_status(200);
    for (key, range, size) in [
        ("key", "bytes=10-", 10),
        ("key", "bytes=10-20", 10),
        ("key", "bytes=-0", 10),
        ("empty", "bytes=0-", 0),
        ("empty", "bytes=-0", 0),
    ] {
        let target = format!("/bucket/{key}");
        let get = server.get(&target).header("range", range).send().await.expect_error(416, "InvalidRange");
        assert_eq!(get.header("content-range"), format!("bytes */{size}"), "{key} {range}");
        assert_eq!(get.header("content-type"), "application/xml");
    }
    for target in [server.get("/bucket/empty"), server.head("/bucket/empty")] {
        let last = target.header("range", "bytes=-1").send().await.expect_status(200);
        assert_eq!((last.header("content-length"), last.find("content-range")), ("0", None));
    }
}

#[tokio::test]
async fn a_part_of_an_object_has_no_checksum_of_the_whole() {
    let server = with_object().await;
    let get = server.get("/bucket/key").header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-4");
    assert_eq!(get.send().await.expect_status(206).find("x-amz-checksum-crc64nvme"), None);
    let whole =
        server.get("/bucket/key").header("x-amz-checksum-mode", "ENABLED").header("range", "bytes=0-");
    assert!(whole.send().await.expect_status(206).find("x-amz-checksum-crc64nvme").is_some());
}

#[tokio::test]
async fn an_object_that_was_put_whole_has_one_part() {
    let server = with_object().await;
    let one = server.get("/bucket/key?partNumber=1").send().await.expect_status(206);
    assert_eq!((one.text().len(), one.header("content-range")), (10, "bytes 0-9/10"));
    assert_eq!(one.find("x-amz-mp-parts-count"), None);
    server.get("/bucket/key?partNumber=2").send().await.expect_error(416, "InvalidPartNumber");
    for bad in ["0", "-1", "10001", "x"] {
        let target = format!("/bucket/key?partNumber={bad}");
        server.get(&target).send().await.expect_error(400, "InvalidArgument");
    }
    let both = server.get("/bucket/key?partNumber=1").header("range", "bytes=0-1");
    both.send().await.expect_error(400, "InvalidRequest");
}

#[tokio::test]
async fn response_headers_can_be_overridden() {
    let server = with_object().await;
    let wanted = [
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
        ("content-disposition", "attachment; filename=\"x\""),
        ("content-encoding", "br"),
        ("content-language", "fr"),
        ("expires", "Thu, 01 Dec 1994 16:00:00 GMT"),
    ];
    for method in ["GET", "HEAD"] {
        let mut request = server.request(method, "/bucket/key");
        for (name, value) in wanted {
            request = request.query(&format!("response-{name}"), value);
        }
        let read = request.send().await;
        assert_eq!(read.status, 200, "{}", read.text());
        for (name, value) in wanted {
            assert_eq!(read.header(name), value, "{method}");
        }
    }
    server
        .get("/bucket/key?response-content-type=x")
        .anonymous()
        .send()
        .await
        .expect_error(400, "InvalidRequest");
    let split = server.head("/bucket/key").query("response-content-type", "a\r\nb: c").send().await;
    assert_eq!(split.status, 400);
}

#[tokio::test]
async fn only_the_null_version_exists() {
    let server = with_object().await;
    server.get("/bucket/key?versionId=null").send().await.expect_status(200);
    for id in ["", "x", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"] {
        server.get("/bucket/key").query("versionId", id).send().await.expect_error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = with_object().await;
    let absent = server.get("/bucket/absent").send().await.expect_error(404, "NoSuchKey");
    assert_eq!(absent.element("Message"), "The specified key does not exist.");
    assert_eq!(absent.element("Resource"), "/bucket/absent");
    assert_eq!(absent.element("RequestId"), absent.header("x-amz-request-id"));
    assert_eq!(absent.element("HostId"), absent.header("x-amz-id-2"));
    server.get("/nowhere/key").send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn the_expected_owner_is_compared() {
    let server = with_object().await;
    let did = server.space.did().to_string();
    let get = |owner: &str| server.get("/bucket/key").header("x-amz-expected-bucket-owner", owner).send();
    get(&did).await.expect_status(200);
    get(&AccountNumber::of(server.space.did()).to_string()).await.expect_status(200);
    for other in ["111122223333", "did:key:z6Mk", &"0".repeat(64)] {
        get(other).await.expect_error(403, "AccessDenied");
    }
    for nobody in ["0000", "abcd", "1111222233334"] {
        get(nobody).await.expect_error(400, "InvalidBucketOwnerAWSAccountID");
    }
}

#[tokio::test]
async fn reads_see_the_object_that_was_last_acknowledged() {
    let server = with_object().await;
    for n in 0..20 {
        server.put("/bucket/key", format!("state {n}")).send().await.expect_status(200);
        assert_eq!(server.get("/bucket/key").send().await.text(), format!("state {n}"));
    }
}
