//! What errors say of what they are about, with the elements that Amazon S3 has for it.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use time::{Date, Month};

use crate::answer::Response;
use crate::server::{ROOT, Server};
use crate::signer::hash;

const ABSENT_VERSION: &str = "00000000000000000000000000000000";

#[track_caller]
fn assert_says(answer: &Response, elements: &[(&str, &str)]) {
    for (name, text) in elements {
        assert_eq!(answer.elements(name), [*text], "{}", answer.text());
    }
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::start().await;
    let answer = server.get("/bucket").path("/bucket/a\u{1}&<\u{e9}>").send().await;
    assert_says(&answer.expect_error(404, "NoSuchKey"), &[("Key", "a&#x1;&amp;&lt;\u{e9}&gt;")]);
    let answer = server.get("/no-bucket/key").send().await.expect_error(404, "NoSuchBucket");
    assert_says(&answer, &[("BucketName", "no-bucket")]);
    assert!(answer.elements("Key").is_empty());
    for what in ["policy", "cors", "lifecycle", "tagging", "object-lock", "publicAccessBlock"] {
        let answer = server.get(&format!("/bucket?{what}")).send().await.expect_status(404);
        assert_says(&answer, &[("BucketName", "bucket")]);
    }
    let answer = server.get("/bucket/key").query("uploadId", "none&such").send().await;
    assert_says(&answer.expect_error(404, "NoSuchUpload"), &[("UploadId", "none&amp;such")]);
    let answer = server.get("/bucket/key").query("versionId", ABSENT_VERSION).send().await;
    assert_says(&answer.expect_error(404, "NoSuchVersion"), &[("Key", "key"), ("VersionId", ABSENT_VERSION)]);
}

#[tokio::test]
async fn a_source_that_is_not_there_is_named_and_not_the_target() {
    let server = Server::start().await;
    let begun = server.request("POST", "/bucket/key?uploads").send().await.expect_status(200);
    let part = format!("/bucket/key?partNumber=1&uploadId={}", begun.element("UploadId"));
    for target in ["/bucket/key", &part] {
        let copy = |source: &str| server.request("PUT", target).header("x-amz-copy-source", source);
        let answer = copy("bucket/a%26source").send().await.expect_error(404, "NoSuchKey");
        assert_says(&answer, &[("Key", "a&amp;source")]);
        let version = format!("/bucket/source?versionId={ABSENT_VERSION}");
        let answer = copy(&version).send().await.expect_error(404, "NoSuchVersion");
        assert_says(&answer, &[("Key", "source"), ("VersionId", ABSENT_VERSION)]);
        let answer = copy("no-bucket/source").send().await.expect_error(404, "NoSuchBucket");
        assert_says(&answer, &[("BucketName", "no-bucket")]);
    }
    let copy = server.request("PUT", "/no-target/key").header("x-amz-copy-source", "bucket/source");
    assert_says(&copy.send().await.expect_error(404, "NoSuchBucket"), &[("BucketName", "no-target")]);
    let rename = server.request("PUT", "/bucket/key?renameObject").header("x-amz-rename-source", "source");
    let answer = rename.send().await.expect_error(404, "NoSuchKey");
    assert!(answer.elements("Key").is_empty(), "{}", answer.text());
}

#[tokio::test]
async fn the_condition_that_failed_is_named_if_it_is_the_only_one() {
    let server = Server::start().await;
    server.fill(&["key", "other"]).await;
    let failed = async |method: &str, conditions: &[(&str, &str)]| {
        let mut request = server.request(method, "/bucket/key");
        for (name, value) in conditions {
            request = request.header(name, value);
        }
        request.send().await.expect_error(412, "PreconditionFailed").elements("Condition")
    };
    assert_eq!(failed("GET", &[("if-match", "\"x\"")]).await, ["If-Match"]);
    let before = ("if-unmodified-since", "Tue, 14 Nov 2000 22:13:20 GMT");
    assert_eq!(failed("GET", &[before]).await, ["If-Unmodified-Since"]);
    assert_eq!(failed("PUT", &[("if-none-match", "*")]).await, ["If-None-Match"]);
    let source = ("x-amz-copy-source", "bucket/other");
    let copied = failed("PUT", &[source, ("x-amz-copy-source-if-match", "\"x\"")]).await;
    assert_eq!(copied, ["x-amz-copy-source-If-Match"]);
    let both = failed("GET", &[("if-match", "\"x\""), ("if-none-match", "\"y\"")]).await;
    assert!(both.is_empty(), "{both:?}");
}

#[tokio::test]
async fn ranges_methods_and_access_keys_are_repeated() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let answer = server.get("/bucket/key").header("range", "bytes=100-200").send().await;
    assert_says(&answer.expect_error(416, "InvalidRange"), &[("RangeRequested", "bytes=100-200")]);
    let answer = server.get("/bucket").by(("NOBODY", "secret")).send().await;
    assert_says(&answer.expect_error(403, "InvalidAccessKeyId"), &[("AWSAccessKeyId", "NOBODY")]);
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.request("PUT", "/bucket?versioning").body(on).send().await.expect_status(200);
    let marker = server.delete("/bucket/key").send().await.expect_status(204);
    let version = marker.header("x-amz-version-id").to_owned();
    let answer = server.get("/bucket/key").query("versionId", &version).send().await;
    assert_says(&answer.expect_error(405, "MethodNotAllowed"), &[("Method", "GET")]);
}

/// What a client of its own making compares with its own reading: the signer knows nothing of the server's.
#[tokio::test]
async fn a_signature_that_does_not_match_is_told_what_it_was_compared_with() {
    let server = Server::start().await;
    let stranger = (ROOT.0, "another-secret");
    let request = server.put("/bucket", "hello").path("/bucket/a b&\u{e9}").query("x-id", "a/b").by(stranger);
    let headed = request.clone().header("x-amz-meta-a", "two words");
    for request in [headed.clone(), headed.chunked(8192), request.presigned(60)] {
        let answer = request.send().await.expect_error(403, "SignatureDoesNotMatch");
        assert_says(&answer, &[("AWSAccessKeyId", ROOT.0)]);
        let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                       signing method.";
        assert_says(&answer, &[("Message", message)]);
        let (string, canonical) = (plain(&answer, "StringToSign"), plain(&answer, "CanonicalRequest"));
        for (text, element) in [(&string, "StringToSignBytes"), (&canonical, "CanonicalRequestBytes")] {
            let bytes: Vec<_> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(answer.element(element), bytes.join(" "));
        }
        assert!(canonical.starts_with("PUT\n/bucket/a%20b%26%C3%A9\n"), "{canonical}");
        assert!(canonical.contains("x-id=a%2Fb") && canonical.contains("\nhost:"), "{canonical}");
        assert!(canonical.contains("X-Amz-Expires=60") || canonical.contains("\nx-amz-meta-a:two words\n"));
        let mut lines = string.lines();
        assert_eq!(lines.next(), Some("AWS4-HMAC-SHA256"));
        let (time, scope) = (lines.next().unwrap(), lines.next().unwrap());
        assert_eq!(scope, format!("{}/us-east-1/s3/aws4_request", &time[..8]));
        assert_eq!(lines.collect::<Vec<_>>(), [hash(canonical.as_bytes())]);
        // The string is what the client signed.
        let mut signer = server.signer(stranger);
        signer.time = time_of(time);
        assert_eq!(answer.element("SignatureProvided"), signer.seal(&string));
    }
}

#[tokio::test]
async fn a_chunk_that_does_not_match_is_not_taken_for_its_request() {
    let server = Server::start().await;
    let answer = server.put("/bucket/key", "hello").chunked(8192).tampered().send().await;
    let answer = answer.expect_error(403, "SignatureDoesNotMatch");
    assert!(answer.elements("StringToSign").is_empty(), "{}", answer.text());
}

#[tokio::test]
async fn a_signature_of_version_2_is_told_the_string() {
    let server = Server::start().await;
    let date = httpdate::fmt_http_date(SystemTime::now());
    let request = server.get("/bucket/key?acl").anonymous().unsigned_header("date", &date);
    let request = request.unsigned_header("authorization", &format!("AWS {}:AAAA", ROOT.0));
    let answer = request.clone().send().await.expect_error(403, "SignatureDoesNotMatch");
    let string = format!("GET\n\n\n{date}\n/bucket/key?acl");
    assert_says(
        &answer,
        &[("AWSAccessKeyId", ROOT.0), ("StringToSign", &string), ("SignatureProvided", "AAAA")],
    );
    assert!(answer.element("StringToSignBytes").starts_with("47 45 54 0a 0a 0a "));
    let key = request.unsigned_header("x-amz-server-side-encryption-customer-key", "c2VjcmV0").send().await;
    let key = key.expect_error(403, "SignatureDoesNotMatch");
    assert!(key.elements("StringToSign").is_empty() && !key.text().contains("c2VjcmV0"));
}

#[tokio::test]
async fn a_customers_key_is_not_repeated() {
    let server = Server::start().await;
    let key = "x-amz-server-side-encryption-customer-key";
    let request = server.put("/bucket/key", "hello").by((ROOT.0, "another-secret"));
    for request in [request.clone().header(key, "c2VjcmV0"), request.query(key, "c2VjcmV0").presigned(60)] {
        let answer = request.send().await.expect_error(403, "SignatureDoesNotMatch");
        assert!(!answer.elements("StringToSign").is_empty());
        assert!(answer.elements("CanonicalRequest").is_empty() && !answer.text().contains("c2VjcmV0"));
        assert!(answer.elements("CanonicalRequestBytes").is_empty());
    }
}

#[tokio::test]
async fn a_request_from_another_time_is_told_both() {
    let server = Server::start().await;
    let mut future = server.get("/bucket");
    future.signer.time += Duration::from_hours(1);
    let date = future.signer.date();
    let dated = SystemTime::now() - Duration::from_hours(1);
    let dated = httpdate::fmt_http_date(dated);
    let version2 = server.get("/bucket").anonymous().unsigned_header("authorization", "AWS ROOTKEY:AAAA");
    for (request, said) in [(future, date.as_str()), (version2.unsigned_header("date", &dated), &dated)] {
        let answer = request.send().await.expect_error(403, "RequestTimeTooSkewed");
        assert_says(&answer, &[("RequestTime", said), ("MaxAllowedSkewMilliseconds", "900000")]);
        let message = "The difference between the request time and the current time is too large.";
        assert_says(&answer, &[("Message", message)]);
        let time = answer.element("ServerTime");
        assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
        let digits: String = time.chars().filter(|c| !"-:".contains(*c)).collect();
        let off = time_of(&digits).duration_since(SystemTime::now()).unwrap_or_else(|error| error.duration());
        assert!(off < Duration::from_mins(1), "{time}");
    }
}

#[tokio::test]
async fn a_url_from_another_time_is_told_when_it_is_good() {
    let server = Server::start().await;
    let (mut old, mut future) = (server.get("/bucket/key"), server.get("/bucket/key"));
    old.signer.time = time_of("20231114T221320Z");
    let old = old.presigned(60).send().await.expect_error(403, "AccessDenied");
    let expected =
        [("Message", "Request has expired"), ("X-Amz-Expires", "60"), ("Expires", "2023-11-14T22:14:20Z")];
    assert_says(&old, &expected);
    assert_eq!(old.element("ServerTime").len(), 20);
    let old = server.get("/bucket/key?AWSAccessKeyId=k&Signature=s&Expires=1700000060").anonymous();
    let old = old.send().await.expect_error(403, "AccessDenied");
    assert_says(&old, &[("Message", "Request has expired"), ("Expires", "2023-11-14T22:14:20Z")]);
    assert_eq!(old.element("ServerTime").len(), 20);
    future.signer.time = time_of("20991114T221320Z");
    let future = future.presigned(60).send().await.expect_error(403, "AccessDenied");
    let expected = [
        ("Message", "Request is not yet valid"),
        ("X-Amz-Date", "4098377600000"),
        ("Expires", "2099-11-14T22:14:20Z"),
    ];
    assert_says(&future, &expected);
    assert_eq!(future.element("ServerTime").len(), 20);
}

#[tokio::test]
async fn headers_that_are_not_signed_are_named_in_order() {
    let server = Server::start().await;
    for request in [server.put("/bucket/key", "x"), server.put("/bucket/key", "x").presigned(60)] {
        let request = request.unsigned_header("x-amz-tagging", "a=b").unsigned_header("x-other", "1");
        let answer = request.unsigned_header("x-amz-acl", "private").send().await;
        let answer = answer.expect_error(403, "AccessDenied");
        assert_says(&answer, &[("HeadersNotSigned", "x-amz-acl, x-amz-tagging")]);
    }
}

#[tokio::test]
async fn an_argument_of_the_signature_is_named_with_what_it_was_given() {
    let server = Server::start().await;
    let get = |value: &str| server.get("/bucket/key").anonymous().unsigned_header("authorization", value);
    for (request, name, value) in [
        (get("odd&"), "Authorization", "odd&amp;"),
        // But for what may be a password.
        (get("Basic cGFzc3dvcmQ="), "Authorization", "Basic"),
        (server.get("/bucket/key").content_sha256("odd"), "x-amz-content-sha256", "odd"),
    ] {
        let answer = request.send().await.expect_error(400, "InvalidArgument");
        assert_says(&answer, &[("ArgumentName", name), ("ArgumentValue", value)]);
    }
    let odd = get("AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature");
    let odd = odd.send().await.expect_error(400, "AuthorizationHeaderMalformed");
    assert!(odd.elements("Region").is_empty(), "{}", odd.text());
}

/// The text of an element whose references are those that everything knows.
fn plain(answer: &Response, name: &str) -> String {
    answer
        .element(name)
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// `20130524T000000Z` as a time.
fn time_of(text: &str) -> SystemTime {
    let number = |range: Range<usize>| text[range].parse::<u8>().unwrap();
    let month = Month::try_from(number(4..6)).unwrap();
    let date = Date::from_calendar_date(text[..4].parse().unwrap(), month, number(6..8)).unwrap();
    date.with_hms(number(9..11), number(11..13), number(13..15)).unwrap().assume_utc().into()
}
