//! Tags of objects and buckets.

use crate::server::Server;

fn document(tags: &[(&str, &str)]) -> String {
    let tag = |(key, value): &(&str, &str)| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let tags: Vec<String> = tags.iter().map(tag).collect();
    format!("<Tagging><TagSet>{}</TagSet></Tagging>", tags.concat())
}

#[tokio::test]
async fn tags_are_put_read_replaced_and_deleted() {
    let server = Server::start().await;
    let put = server.put("/bucket/key", "x").header("x-amz-tagging", "a=1&b%20c=%2B");
    let etag = put.send().await.expect_status(200).header("etag").to_owned();
    let tags = server.get("/bucket/key?tagging").send().await.expect_status(200);
    assert_eq!(
        (tags.elements("Key"), tags.elements("Value")),
        (vec!["a".into(), "b c".into()], vec!["1".into(), "+".into()])
    );
    let head = server.head("/bucket/key").send().await;
    assert_eq!(head.header("x-amz-tagging-count"), "2");

    server.put("/bucket/key?tagging", document(&[("new", "")])).send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key?tagging").send().await.elements("Key"), ["new"]);
    let after = server.head("/bucket/key").send().await;
    assert_eq!((after.header("etag"), after.header("last-modified")), (&*etag, head.header("last-modified")));
    server.delete("/bucket/key?tagging").send().await.expect_status(204);
    assert!(server.get("/bucket/key?tagging").send().await.elements("Key").is_empty());
    assert!(server.head("/bucket/key").send().await.find("x-amz-tagging-count").is_none());
    server.put("/bucket/absent?tagging", document(&[])).send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn tags_that_are_none_change_nothing() {
    let server = Server::start().await;
    server.put("/bucket/key", "x").header("x-amz-tagging", "a=1").send().await.expect_status(200);
    let many: Vec<String> = (0..11).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "v")).collect();
    for bad in [document(&many), document(&[("a", "1"), ("a", "2")]), document(&[("aws:x", "1")])] {
        server.put("/bucket/key?tagging", bad).send().await.expect_error(400, "InvalidTag");
    }
    server.put("/bucket/key?tagging", "<Tagging>").send().await.expect_error(400, "MalformedXML");
    assert_eq!(server.get("/bucket/key?tagging").send().await.elements("Key"), ["a"]);
    for bad in ["a=1&a=2", "=1", "a=%"] {
        let put = server.put("/bucket/other", "x").header("x-amz-tagging", bad).send().await;
        let put = put.expect_error(400, "InvalidArgument");
        assert_eq!(put.element("ArgumentName"), "x-amz-tagging");
        assert_eq!(put.element("ArgumentValue").replace("&amp;", "&"), bad);
    }
    let put = server.put("/bucket/other", "x").header("x-amz-tagging", "a=1,b=2").send().await;
    assert_eq!(
        put.expect_error(400, "InvalidTag").element("Message"),
        "The TagValue you have provided is invalid"
    );
    server.head("/bucket/other").send().await.expect_status(404);
}

#[tokio::test]
async fn a_copy_takes_the_tags_or_gets_its_own() {
    let server = Server::start().await;
    server.put("/bucket/key", "x").header("x-amz-tagging", "a=1").send().await.expect_status(200);
    let copy = |to: &str| server.put(to, "").header("x-amz-copy-source", "bucket/key");
    copy("/bucket/same").send().await.expect_status(200);
    assert_eq!(server.get("/bucket/same?tagging").send().await.elements("Key"), ["a"]);
    let replaced = copy("/bucket/other").header("x-amz-tagging-directive", "REPLACE");
    replaced.header("x-amz-tagging", "b=2").send().await.expect_status(200);
    assert_eq!(server.get("/bucket/other?tagging").send().await.elements("Key"), ["b"]);
}

#[tokio::test]
async fn each_version_has_its_own_tags() {
    let server = Server::start().await;
    crate::versioning::set(&server, "Enabled").await;
    let first = server.put("/bucket/key", "1").header("x-amz-tagging", "a=1").send().await;
    let first = first.header("x-amz-version-id").to_owned();
    server.put("/bucket/key", "2").send().await.expect_status(200);
    let of_first = || server.get("/bucket/key?tagging").query("versionId", &first).send();
    assert_eq!(of_first().await.elements("Key"), ["a"]);
    let put = server.put("/bucket/key?tagging", document(&[("b", "2")])).query("versionId", &first);
    assert_eq!(put.send().await.expect_status(200).header("x-amz-version-id"), first);
    assert_eq!(of_first().await.elements("Key"), ["b"]);
    assert!(server.get("/bucket/key?tagging").send().await.elements("Key").is_empty());
    let marker = server.delete("/bucket/key").send().await.header("x-amz-version-id").to_owned();
    let tags = server.get("/bucket/key?tagging").query("versionId", &marker).send().await;
    tags.expect_error(405, "MethodNotAllowed");
}

#[tokio::test]
async fn the_tags_of_an_upload_are_its_objects() {
    let server = Server::start().await;
    let begin = server.request("POST", "/bucket/key?uploads").header("x-amz-tagging", "a=1").send().await;
    let id = begin.expect_status(200).element("UploadId");
    let part = server.put("/bucket/key?partNumber=1", "x").query("uploadId", &id).send().await;
    let etag = part.expect_status(200).header("etag").to_owned();
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    );
    let complete = server.request("POST", "/bucket/key").query("uploadId", &id).body(parts);
    complete.send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key?tagging").send().await.elements("Key"), ["a"]);
}

#[tokio::test]
async fn a_bucket_has_tags_of_its_own() {
    let server = Server::start().await;
    server.get("/bucket?tagging").send().await.expect_error(404, "NoSuchTagSet");
    server.put("/bucket?tagging", document(&[("team", "a")])).send().await.expect_status(204);
    for half in ["<Key>team</Key>", "<Value>a</Value>"] {
        let half = format!("<Tagging><TagSet><Tag>{half}</Tag></TagSet></Tagging>");
        server.put("/bucket?tagging", half).send().await.expect_error(400, "MalformedXML");
    }
    assert_eq!(server.get("/bucket?tagging").send().await.element("Value"), "a");
    server.delete("/bucket?tagging").send().await.expect_status(204);
    server.get("/bucket?tagging").send().await.expect_error(404, "NoSuchTagSet");
    let tags = "<CreateBucketConfiguration><Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags></CreateBucketConfiguration>";
    server.put("/tagged", tags).send().await.expect_status(200);
    assert_eq!(server.get("/tagged?tagging").send().await.elements("Key"), ["a"]);
}

#[tokio::test]
async fn tags_take_rights_of_their_own() {
    let server = Server::start().await;
    server.put("/bucket/open", "x").header("x-amz-tagging", "a=1").send().await.expect_status(200);
    let get = server.get("/bucket/open").by_guest().send().await.expect_status(200);
    assert!(get.find("x-amz-tagging-count").is_none());
    server
        .put("/bucket/open?tagging", document(&[]))
        .by_guest()
        .send()
        .await
        .expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn a_delete_marker_has_no_tags_and_takes_no_list() {
    let server = Server::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", enabled).send().await.expect_status(200);
    let marker = server.delete("/bucket/key").send().await.expect_status(204);
    let version = format!("&versionId={}", marker.header("x-amz-version-id"));
    for named in ["", &version] {
        let target = format!("/bucket/key?tagging{named}");
        for request in [server.get(&target), server.put(&target, document(&[])), server.delete(&target)] {
            let refused = request.send().await.expect_error(405, "MethodNotAllowed");
            assert_eq!(refused.header("x-amz-delete-marker"), "true");
        }
        let list = server.put(&format!("/bucket/key?acl{named}"), "").header("x-amz-acl", "private");
        list.send().await.expect_error(405, "MethodNotAllowed");
    }
    // Read, the list is as absent as the object.
    server.get("/bucket/key?acl").send().await.expect_error(404, "NoSuchKey");
    server.get("/bucket/other?tagging").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn tags_that_met_a_delete_marker_are_not_acknowledged_for_an_object_put_meanwhile() {
    let server = Server::start().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/bucket?versioning", enabled).send().await.expect_status(200);
    for round in 0..50 {
        server.delete("/bucket/key").send().await.expect_status(204);
        let (tagged, put) = tokio::join!(
            server.put("/bucket/key?tagging", document(&[("a", "1")])).send(),
            server.put("/bucket/key", "x").send()
        );
        put.expect_status(200);
        let tags = server.get("/bucket/key?tagging").send().await.elements("Key");
        assert_eq!(tagged.status == 200, tags == ["a"], "round {round}: {} and {tags:?}", tagged.status);
    }
}
