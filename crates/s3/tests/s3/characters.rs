//! Characters that XML lacks, wherever an answer repeats them.

use md5::{Digest, Md5};

use crate::put_object::base64;
use crate::server::Server;

#[tokio::test]
async fn tags_may_hold_space_that_xml_has_no_character_for() {
    let server = Server::start().await;
    let xml = "<Tagging><TagSet><Tag><Key>a&#11;b</Key><Value>&#13;&#xC;</Value></Tag></TagSet></Tagging>";
    server.put("/bucket/key", "").header("x-amz-tagging", "a%0Bb=%0D%0C").send().await.expect_status(200);
    for target in ["/bucket/key?tagging", "/bucket?tagging"] {
        let md5 = base64(&Md5::digest(xml));
        let put = server.request("PUT", target).header("content-md5", &md5).body(xml);
        let get = || server.get(target).send();
        if target.contains("key") {
            assert_eq!(get().await.expect_status(200).element("Value"), "&#xD;&#xC;");
        }
        assert!(put.send().await.status < 300);
        let tags = get().await.expect_status(200);
        assert_eq!((tags.element("Key"), tags.element("Value")), ("a&#xB;b".into(), "&#xD;&#xC;".into()));
    }
}

#[tokio::test]
async fn a_parameter_that_an_error_cannot_repeat_is_refused() {
    let server = Server::start().await;
    for odd in ["\u{1}", "\u{ffff}", "x\u{fffe}"] {
        for name in ["max-keys", "encoding-type", "marker", "list-type", "key-marker"] {
            let answer = server.get("/bucket").query(name, odd).send().await;
            assert!([200, 400, 501].contains(&answer.status), "{name}={odd:?}: {}", answer.status);
            assert!(!answer.text().contains(odd), "{}", answer.text());
        }
        server.get("/bucket").query("max-keys", odd).send().await.expect_error(400, "InvalidArgument");
        // A marker of an upload is nothing without a key's.
        let uploads = server.get("/bucket?uploads").query("upload-id-marker", odd).send();
        assert_eq!(uploads.await.expect_status(200).element("UploadIdMarker"), "");
    }
}

#[tokio::test]
async fn an_object_is_no_answer_to_be_finished() {
    let server = Server::start().await;
    let body = "<Error>\u{1}\u{ffff}</Error>";
    server.put("/bucket/key", body).header("content-type", "application/xml").send().await.expect_status(200);
    assert_eq!(server.get("/bucket/key").send().await.expect_status(200).text(), body);
}

#[tokio::test]
async fn a_setting_with_a_character_that_no_answer_can_show_is_refused() {
    let server = Server::start().await;
    let cors = |id: &str, origin: &str, method: &str, exposed: &str| {
        format!(
            "<CORSConfiguration><CORSRule><ID>{id}</ID><AllowedOrigin>{origin}</AllowedOrigin>\
             <AllowedMethod>{method}</AllowedMethod><ExposeHeader>{exposed}</ExposeHeader></CORSRule></CORSConfiguration>"
        )
    };
    let lifecycle = |id: &str, prefix: &str| {
        format!(
            "<LifecycleConfiguration><Rule><ID>{id}</ID><Filter><Prefix>{prefix}</Prefix></Filter><Status>Enabled</Status>\
             <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
        )
    };
    let logging = |prefix: &str| {
        format!(
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>bucket</TargetBucket>\
             <TargetPrefix>{prefix}</TargetPrefix></LoggingEnabled></BucketLoggingStatus>"
        )
    };
    for odd in ["&#1;", "&#0;", "\u{1}", "&#xFFFF;"] {
        let key = format!(
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
             <KMSMasterKeyID>{odd}</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        );
        for (setting, document, code) in [
            ("cors", cors(odd, "*", "GET", "etag"), "MalformedXML"),
            ("cors", cors("id", odd, "GET", "etag"), "MalformedXML"),
            ("cors", cors("id", "*", odd, "etag"), "InvalidRequest"),
            ("cors", cors("id", "*", "GET", odd), "InvalidRequest"),
            ("lifecycle", lifecycle(odd, ""), "MalformedXML"),
            ("lifecycle", lifecycle("id", odd), "MalformedXML"),
            ("logging", logging(odd), "MalformedXML"),
            ("encryption", key, "KMS.NotFoundException"),
        ] {
            let put = server.put(&format!("/bucket?{setting}"), document).send().await;
            put.expect_error(400, code);
            let get = server.get(&format!("/bucket?{setting}")).send().await;
            assert!([200, 404].contains(&get.status), "{setting} {odd:?}: {}", get.text());
        }
    }
    let name = cors("id", "*", "GET", "x-one&#13;&#10;x-two");
    server.put("/bucket?cors", name).send().await.expect_error(400, "InvalidRequest");
    let policy = "{\"Statement\":[{\"Effect\":\"\\u0001\",\"Principal\":\"*\",\"Action\":\"s3:*\",\
        \"Resource\":\"arn:aws:s3:::bucket/*\"}]}";
    server.put("/bucket?policy", policy).send().await.expect_error(400, "MalformedPolicy");
}
