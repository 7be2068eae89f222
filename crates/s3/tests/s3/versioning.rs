//! Versions, as the Amazon S3 user guide describes them ("How S3 Versioning works").

use md5::{Digest, Md5};

use crate::answer::Response;
use crate::put_object::base64;
use crate::server::Server;

pub(crate) async fn set(server: &Server, status: &str) {
    let document = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    server.put("/bucket?versioning", document).send().await.expect_status(200);
}

async fn put(server: &Server, body: &str) -> String {
    let put = server.put("/bucket/key", body).send().await.expect_status(200);
    put.header("x-amz-version-id").to_owned()
}

async fn get(server: &Server, version: &str) -> Response {
    server.get("/bucket/key").query("versionId", version).send().await
}

#[tokio::test]
async fn the_state_is_what_was_set() {
    let server = Server::start().await;
    assert!(server.get("/bucket?versioning").send().await.elements("Status").is_empty());
    for status in ["Enabled", "Suspended", "Enabled"] {
        set(&server, status).await;
        assert_eq!(server.get("/bucket?versioning").send().await.element("Status"), status);
    }
    for (bad, code) in [
        ("<Status>Off</Status>", "MalformedXML"),
        ("", "IllegalVersioningConfigurationException"),
        ("<Status>Unversioned</Status>", "MalformedXML"),
    ] {
        let document = format!("<VersioningConfiguration>{bad}</VersioningConfiguration>");
        server.put("/bucket?versioning", document).send().await.expect_error(400, code);
    }
    let mfa = "<VersioningConfiguration><Status>Enabled</Status><MfaDelete>Enabled</MfaDelete></VersioningConfiguration>";
    server.put("/bucket?versioning", mfa).send().await.expect_error(501, "NotImplemented");
    server.put("/bucket?versioning", "").by_guest().send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn every_version_is_read_by_its_id() {
    let server = Server::start().await;
    server.put("/bucket/key", "null").send().await.expect_status(200);
    assert!(server.head("/bucket/key").send().await.find("x-amz-version-id").is_none());
    set(&server, "Enabled").await;
    assert_eq!(server.head("/bucket/key").send().await.header("x-amz-version-id"), "null");
    let (first, second) = (put(&server, "first").await, put(&server, "second").await);
    for (version, body) in [("null", "null"), (&first, "first"), (&second, "second")] {
        let found = get(&server, version).await.expect_status(200);
        assert_eq!((found.text().as_str(), found.header("x-amz-version-id")), (body, version));
    }
    let current = server.get("/bucket/key").send().await;
    assert_eq!((current.text().as_str(), current.header("x-amz-version-id")), ("second", &*second));
    get(&server, &"0".repeat(32)).await.expect_error(404, "NoSuchVersion");
    get(&server, "nonsense").await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn a_delete_marker_hides_the_versions_and_goes_away_by_its_id() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    let version = put(&server, "body").await;
    let deleted = server.delete("/bucket/key").send().await.expect_status(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let marker = deleted.header("x-amz-version-id").to_owned();

    let gone = server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
    assert_eq!((gone.header("x-amz-delete-marker"), gone.header("x-amz-version-id")), ("true", &*marker));
    let named = get(&server, &marker).await.expect_error(405, "MethodNotAllowed");
    assert_eq!((named.header("x-amz-delete-marker"), named.header("allow")), ("true", "DELETE"));
    assert!(named.find("last-modified").is_some());
    let head = server.head("/bucket/key").send().await.expect_status(404);
    assert_eq!(head.header("x-amz-delete-marker"), "true");
    assert_eq!(get(&server, &version).await.text(), "body");
    let copy =
        server.put("/bucket/copy", "").header("x-amz-copy-source", &format!("bucket/key?versionId={marker}"));
    copy.send().await.expect_error(400, "InvalidRequest");

    let undone = server.delete("/bucket/key").query("versionId", &marker).send().await.expect_status(204);
    assert_eq!((undone.header("x-amz-delete-marker"), undone.header("x-amz-version-id")), ("true", &*marker));
    assert_eq!(server.get("/bucket/key").send().await.text(), "body");
}

#[tokio::test]
async fn a_suspended_bucket_replaces_its_null_version_alone() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    let version = put(&server, "kept").await;
    set(&server, "Suspended").await;
    for body in ["one", "two"] {
        let put = server.put("/bucket/key", body).send().await.expect_status(200);
        assert!(put.find("x-amz-version-id").is_none());
    }
    assert_eq!(get(&server, "null").await.text(), "two");
    assert_eq!(get(&server, &version).await.text(), "kept");
    let deleted = server.delete("/bucket/key").send().await.expect_status(204);
    assert_eq!(deleted.header("x-amz-version-id"), "null");
    get(&server, "null").await.expect_error(405, "MethodNotAllowed");
    assert_eq!(get(&server, &version).await.text(), "kept");
}

#[tokio::test]
async fn a_version_is_copied_and_restored_onto_its_own_key() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    let first = put(&server, "first").await;
    put(&server, "second").await;
    let source = format!("/bucket/key?versionId={first}");
    let restored = server.put("/bucket/key", "").header("x-amz-copy-source", &source);
    let restored = restored.send().await.expect_status(200);
    assert_eq!(restored.header("x-amz-copy-source-version-id"), first);
    let current = server.get("/bucket/key").send().await;
    assert_eq!(current.text(), "first");
    assert_eq!(current.header("x-amz-version-id"), restored.header("x-amz-version-id"));
    assert_ne!(restored.header("x-amz-version-id"), first);
}

#[tokio::test]
async fn versions_are_listed_newest_first_in_pages() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    for key in ["a", "b/1", "b/2", "c"] {
        for body in ["1", "2"] {
            server.put(&format!("/bucket/{key}"), body).send().await.expect_status(200);
        }
    }
    server.delete("/bucket/c").send().await.expect_status(204);
    let all = server.get("/bucket?versions").send().await.expect_status(200);
    assert_eq!(all.elements("VersionId").len(), 9);
    assert_eq!(all.elements("Key"), ["a", "a", "b/1", "b/1", "b/2", "b/2", "c", "c", "c"]);
    assert_eq!(all.elements("IsLatest").iter().filter(|latest| *latest == "true").count(), 4);
    assert_eq!(all.text().matches("<DeleteMarker>").count(), 1);

    let mut found = Vec::new();
    let mut markers: Option<(String, String)> = None;
    loop {
        let mut page = server.get("/bucket?versions&max-keys=2");
        if let Some((key, version)) = &markers {
            page = page.query("key-marker", key).query("version-id-marker", version);
        }
        let page = page.send().await.expect_status(200);
        found.extend(page.elements("VersionId"));
        if page.element("IsTruncated") == "false" {
            break;
        }
        markers = Some((page.element("NextKeyMarker"), page.element("NextVersionIdMarker")));
    }
    found.sort();
    let mut expected = all.elements("VersionId");
    expected.sort();
    assert_eq!(found, expected);

    let rolled = server.get("/bucket?versions&delimiter=/").send().await.expect_status(200);
    assert_eq!(rolled.elements("Prefix").iter().filter(|prefix| *prefix == "b/").count(), 1);
    let lone = server.get("/bucket?versions&version-id-marker=null").send().await;
    lone.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn delete_markers_stand_among_the_versions_in_a_listing() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    for key in ["a", "b"] {
        server.put(&format!("/bucket/{key}"), "body").send().await.expect_status(200);
        server.delete(&format!("/bucket/{key}")).send().await.expect_status(204);
    }
    server.put("/bucket/a", "body").send().await.expect_status(200);
    let listed = server.get("/bucket?versions").send().await.expect_status(200).text();
    let mut kinds: Vec<_> = ["<Version>", "<DeleteMarker>", "<Key>a<", "<Key>b<"]
        .iter()
        .flat_map(|tag| listed.match_indices(tag))
        .collect();
    kinds.sort_unstable();
    let kinds: Vec<_> = kinds.into_iter().map(|(_, tag)| tag.trim_matches(['<', '>'])).collect();
    let expected = ["Version", "Key>a", "DeleteMarker", "Key>a", "Version", "Key>a"];
    assert_eq!(kinds[..6], expected);
    assert_eq!(kinds[6..], ["DeleteMarker", "Key>b", "Version", "Key>b"]);
}

#[tokio::test]
async fn many_versions_are_deleted_in_one_request() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    let (first, second) = (put(&server, "first").await, put(&server, "second").await);
    let document = format!(
        "<Delete><Object><Key>key</Key><VersionId>{first}</VersionId></Object><Object><Key>key</Key></Object>\
         <Object><Key>key</Key><VersionId>nonsense</VersionId></Object></Delete>"
    );
    let answer = server.request("POST", "/bucket?delete").body(document.clone());
    let answer = answer.header("content-md5", &base64(&Md5::digest(&document)));
    let answer = answer.send().await.expect_status(200);
    assert_eq!(answer.elements("DeleteMarker"), ["true"]);
    assert_eq!(answer.elements("DeleteMarkerVersionId").len(), 1);
    assert_eq!(answer.elements("Code"), ["NoSuchVersion"]);
    get(&server, &first).await.expect_error(404, "NoSuchVersion");
    assert_eq!(get(&server, &second).await.text(), "second");
    server.get("/bucket/key").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn naming_a_version_takes_a_right_of_its_own() {
    let server = Server::start().await;
    server.fill(&["open"]).await;
    server.get("/bucket/open").by_guest().send().await.expect_status(200);
    server.get("/bucket/open?versionId=null").by_guest().send().await.expect_error(403, "AccessDenied");
    server.delete("/bucket/open?versionId=null").by_guest().send().await.expect_error(403, "AccessDenied");
    server.get("/bucket?versions").by_guest().send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn a_condition_looks_at_what_is_current() {
    let server = Server::start().await;
    set(&server, "Enabled").await;
    put(&server, "body").await;
    let create = || server.put("/bucket/key", "x").header("if-none-match", "*").send();
    create().await.expect_error(412, "PreconditionFailed");
    server.delete("/bucket/key").send().await.expect_status(204);
    create().await.expect_status(200);
}
