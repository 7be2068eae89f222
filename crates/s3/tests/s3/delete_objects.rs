//! DeleteObjects.

use md5::{Digest, Md5};

use crate::client::Request;
use crate::put_object::base64;
use crate::server::{NOW_HTTP, Server};

pub(crate) fn delete(server: &Server, xml: &str) -> Request {
    let md5 = base64(&Md5::digest(xml));
    server.request("POST", "/bucket?delete").header("content-md5", &md5).body(xml)
}

pub(crate) fn document(keys: &[&str], quiet: bool) -> String {
    let objects: String = keys.iter().map(|key| format!("<Object><Key>{key}</Key></Object>")).collect();
    format!("<Delete><Quiet>{quiet}</Quiet>{objects}</Delete>")
}

#[tokio::test]
async fn listed_keys_are_deleted_in_one_commit() {
    let server = Server::start().await;
    server.fill(&["a", "b", "c"]).await;
    let answer =
        delete(&server, &document(&["a", "absent", "c", "a"], false)).send().await.expect_status(200);
    assert_eq!(answer.elements("Key"), ["a", "absent", "c", "a"]);
    assert_eq!(answer.elements("Error"), Vec::<String>::new());
    assert!(answer.text().contains("<DeleteResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
    let log = server.space.bucket("bucket").await.unwrap().snapshot().await.unwrap().log(10).await.unwrap();
    assert_eq!(log.iter().map(|entry| entry.objects).collect::<Vec<_>>(), [1, 3, 2, 1, 0]);
}

#[tokio::test]
async fn quiet_tells_errors_alone() {
    let server = Server::start().await;
    server.fill(&["a"]).await;
    let long = "k".repeat(1025);
    let answer = delete(&server, &document(&["a", &long], true)).send().await.expect_status(200);
    assert_eq!(answer.elements("Deleted"), Vec::<String>::new());
    assert_eq!((answer.element("Key"), answer.elements("Code")), (long, vec!["KeyTooLongError".to_owned()]));
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn more_than_a_thousand_keys_or_none_are_malformed() {
    let server = Server::start().await;
    server.fill(&["k0"]).await;
    let keys: Vec<_> = (0..1001).map(|n| format!("k{n}")).collect();
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    delete(&server, &document(&keys, false)).send().await.expect_error(400, "MalformedXML");
    delete(&server, &document(&[], false)).send().await.expect_error(400, "MalformedXML");
    delete(&server, &document(&[""], false)).send().await.expect_error(400, "MalformedXML");
    assert_eq!(server.state().await.0, 1);
    delete(&server, &document(&keys[..1000], false)).send().await.expect_status(200);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn the_body_must_come_with_a_hash_and_match_it() {
    let server = Server::start().await;
    server.fill(&["a"]).await;
    let xml = document(&["a"], false);
    let bare = || server.request("POST", "/bucket?delete").body(xml.as_str());
    bare().send().await.expect_error(400, "InvalidRequest");
    bare().header("content-md5", &base64(&Md5::digest("x"))).send().await.expect_error(400, "BadDigest");
    bare().header("x-amz-checksum-crc32", "AAAAAA==").send().await.expect_error(400, "BadDigest");
    delete(&server, &xml).tampered().send().await.expect_error(400, "XAmzContentSHA256Mismatch");
    assert_eq!(server.state().await.0, 1);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, xml.as_bytes()).to_be_bytes();
    let right = bare().header("x-amz-checksum-crc32", &base64(&crc[4..]));
    right.send().await.expect_status(200);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn a_chunked_body_with_a_trailing_checksum_will_do() {
    let server = Server::start().await;
    server.fill(&["a"]).await;
    let xml = document(&["a"], false);
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, xml.as_bytes()).to_be_bytes();
    let request = || server.request("POST", "/bucket?delete").body(xml.as_str()).chunked(10);
    request().trailer("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=").send().await.expect_error(400, "BadDigest");
    assert_eq!(server.state().await.0, 1);
    request().trailer("x-amz-checksum-crc64nvme", &base64(&crc)).send().await.expect_status(200);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn keys_are_taken_as_they_are_written() {
    let server = Server::start().await;
    let keys = [" a ", "a", "<&>\"'", "a\u{1}b", "line\nbreak", "tab\t", "é", "cr\rlf", "😀"];
    server.fill(&keys).await;
    for (written, left) in [
        ("&#128512;", 8),
        ("&lt;&amp;&gt;&quot;&apos;", 7),
        (" a ", 6),
        ("a&#x1;b", 5),
        ("line\nbreak", 4),
        ("tab&#9;", 3),
        ("&#xE9;", 2),
        ("cr&#13;lf", 1),
    ] {
        let answer = delete(&server, &document(&[written], false)).send().await.expect_status(200);
        assert_eq!(answer.elements("Error"), Vec::<String>::new(), "{written}");
        assert_eq!(server.state().await.0, left, "{written}");
    }
    server.get("/bucket/a").send().await.expect_status(200);
}

#[tokio::test]
async fn answers_refer_to_control_characters() {
    let server = Server::start().await;
    let answer = delete(&server, &document(&["a&#x1;b&#13;"], false)).send().await.expect_status(200);
    assert_eq!(answer.element("Key"), "a&#x1;b&#xD;");
    // No characters of XML, written as they are: a reader of XML stops at them, so the answer refers to them.
    let long = format!("{}&#0;", "k".repeat(1024));
    let keys = ["\u{ffff}", "a\u{1}", "a&#xFFFE;\u{ffff}", "\u{7f}\u{85}", &long];
    let answer = delete(&server, &document(&keys, false)).send().await.expect_status(200);
    let (shown, refused) = (answer.elements("Key"), format!("{}&#x0;", "k".repeat(1024)));
    assert_eq!(shown, ["&#xFFFF;", "a&#x1;", "a&#xFFFE;&#xFFFF;", "\u{7f}\u{85}", &refused]);
    assert_eq!(answer.elements("Code"), ["KeyTooLongError"]);
    // As a listing writes them.
    server.fill(&["\u{ffff}", "a\u{1}", "a\u{fffe}\u{ffff}"]).await;
    let listed = server.get("/bucket").send().await.expect_status(200).elements("Key");
    assert_eq!(listed, ["a&#x1;", "a&#xFFFE;&#xFFFF;", "&#xFFFF;"]);
    let quiet = document(&["\u{ffff}", "a\u{1}", "a&#xFFFE;\u{ffff}"], true);
    delete(&server, &quiet).send().await.expect_status(200);
    assert_eq!(server.state().await.0, 0, "what was named is what was deleted");
}

#[tokio::test]
async fn a_key_in_cdata_is_refused_rather_than_misread() {
    let server = Server::start().await;
    server.fill(&["a", "ab"]).await;
    let xml = document(&["a<![CDATA[b]]>"], false);
    delete(&server, &xml).send().await.expect_error(400, "MalformedXML");
    assert_eq!(server.state().await.0, 2);
}

#[tokio::test]
async fn conditions_hold_for_each_key() {
    let server = Server::start().await;
    server.fill(&["a", "b", "c", "d", "e"]).await;
    let tag = hex::encode(Md5::digest("a"));
    let xml = format!(
        "<Delete><Object><Key>a</Key><ETag>\"{tag}\"</ETag></Object>\
         <Object><Key>b</Key><ETag>\"{tag}\"</ETag></Object>\
         <Object><Key>absent</Key><ETag>\"{tag}\"</ETag></Object>\
         <Object><Key>c</Key><Size>1</Size></Object><Object><Key>d</Key><Size>2</Size></Object>\
         <Object><Key>e</Key><LastModifiedTime>{NOW_HTTP}</LastModifiedTime></Object></Delete>"
    );
    let answer = delete(&server, &xml).send().await.expect_status(200);
    assert_eq!(answer.elements("Code"), ["PreconditionFailed", "PreconditionFailed"]);
    let deleted: Vec<_> =
        answer.elements("Deleted").iter().map(|entry| entry.contains("<Key>absent")).collect();
    assert_eq!(deleted, [false, true, false, false]);
    assert_eq!(server.state().await.0, 2);
}

#[tokio::test]
async fn other_versions_are_not_there() {
    let server = Server::start().await;
    server.fill(&["a"]).await;
    let xml = "<Delete><Object><Key>a</Key><VersionId>x</VersionId></Object></Delete>";
    let answer = delete(&server, xml).send().await.expect_status(200);
    assert_eq!((answer.element("Code"), answer.element("VersionId")), ("NoSuchVersion".into(), "x".into()));
    assert_eq!(server.state().await.0, 1);
    let xml = "<Delete><Object><Key>a</Key><VersionId>null</VersionId></Object></Delete>";
    delete(&server, xml).send().await.expect_status(200);
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn each_key_takes_the_right_to_delete_it() {
    let server = Server::start().await;
    server.fill(&["open", "secret"]).await;
    let answer =
        delete(&server, &document(&["secret", "open"], false)).by_guest().send().await.expect_status(200);
    assert_eq!(answer.elements("Code"), ["AccessDenied"]);
    assert!(answer.element("Error").contains("<Key>secret</Key>"));
    server.get("/bucket/secret").send().await.expect_status(200);
    server.get("/bucket/open").send().await.expect_error(404, "NoSuchKey");
}

#[tokio::test]
async fn malformed_documents_are_refused() {
    let server = Server::start().await;
    server.fill(&["a"]).await;
    for xml in [
        "",
        "x",
        "<Delete>",
        "<Other/>",
        "<Delete><Object></Object></Delete>",
        "<Delete><Object><Key>a</Key>",
    ] {
        let answer = delete(&server, xml).send().await;
        assert_eq!(answer.status, 400, "{xml}");
        let said = answer.element("Message").to_lowercase();
        assert!(
            said.starts_with("the xml you provided was not") || said == "request body is empty",
            "{said}"
        );
    }
    assert_eq!(server.state().await.0, 1);
}

#[tokio::test]
async fn a_body_of_more_than_4_mib_is_too_big() {
    let server = Server::start().await;
    let xml = format!("<Delete><!--{}--></Delete>", "x".repeat(4 << 20));
    delete(&server, &xml).send().await.expect_error(400, "MaxMessageLengthExceeded");
}

#[tokio::test]
async fn entities_are_not_expanded() {
    let server = Server::start().await;
    let xml = "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>\
               <Delete><Object><Key>&b;</Key></Object></Delete>";
    delete(&server, xml).send().await.expect_error(400, "MalformedXML");
}
