//! Uploads by HTML form.

use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::answer::Response;
use crate::client::Request;
use crate::server::{GUEST, REGION, ROOT, Server};

const BOUNDARY: &str = "----boundary";

/// A form under way; fields come in the order in which they were added, the file last.
#[derive(Clone)]
struct Form {
    fields: Vec<(String, String)>,
    conditions: Vec<String>,
    signer: Option<((&'static str, &'static str), bool)>,
    filename: Option<&'static str>,
    file: Vec<u8>,
    after: &'static str,
}

impl Form {
    fn new(key: &str, file: &[u8]) -> Self {
        let form = Self {
            fields: Vec::new(),
            conditions: vec!["{\"bucket\":\"bucket\"}".to_owned()],
            signer: Some((ROOT, true)),
            filename: Some("photo.jpg"),
            file: file.to_vec(),
            after: "",
        };
        form.field("key", key)
    }

    /// A field that the policy allows to be anything.
    fn field(self, name: &str, value: &str) -> Self {
        self.uncovered(name, value).condition(&format!("[\"starts-with\",\"${name}\",\"\"]"))
    }

    fn uncovered(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    fn condition(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    fn version_2(mut self) -> Self {
        self.signer = Some((ROOT, false));
        self
    }

    fn by_guest(mut self) -> Self {
        self.signer = Some((GUEST, true));
        self
    }

    fn unsigned(mut self) -> Self {
        self.signer = None;
        self
    }

    fn body(&self) -> Vec<u8> {
        let mut form = self.clone();
        if let Some(((key, secret), version_4)) = form.signer {
            let credential = format!("{key}/20231114/{REGION}/s3/aws4_request");
            if version_4 {
                form = form
                    .field("x-amz-algorithm", "AWS4-HMAC-SHA256")
                    .field("x-amz-credential", &credential)
                    .field("x-amz-date", "20231114T221320Z");
            } else {
                form = form.uncovered("AWSAccessKeyId", key);
            }
            let policy = format!(
                "{{\"expiration\":\"2023-11-14T23:00:00.000Z\",\"conditions\":[{}]}}",
                form.conditions.join(",")
            );
            let policy = BASE64.encode(policy.as_bytes());
            if version_4 {
                let seal = |key: &[u8], text: &str| {
                    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
                    mac.update(text.as_bytes());
                    mac.finalize().into_bytes().to_vec()
                };
                let steps = ["20231114", REGION, "s3", "aws4_request"];
                let signing =
                    steps.iter().fold(format!("AWS4{secret}").into_bytes(), |k, step| seal(&k, step));
                form = form.uncovered("x-amz-signature", &HEXLOWER.encode(&seal(&signing, &policy)));
            } else {
                let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap();
                mac.update(policy.as_bytes());
                form = form.uncovered("signature", &BASE64.encode(&mac.finalize().into_bytes()));
            }
            form = form.uncovered("Policy", &policy);
        }
        let mut body = Vec::new();
        for (name, value) in &form.fields {
            let part =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        let filename = form.filename.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"{filename}\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&form.file);
        body.extend_from_slice(format!("\r\n{}--{BOUNDARY}--\r\n", form.after).as_bytes());
        body
    }

    fn request(&self, server: &Server) -> Request {
        post(server, "/bucket", self.body())
    }

    async fn send(&self, server: &Server) -> Response {
        self.request(server).send().await
    }
}

fn post(server: &Server, target: &str, body: Vec<u8>) -> Request {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let request = server.request("POST", target).anonymous().body(body);
    request.unsigned_header("content-type", &content_type)
}

#[tokio::test]
async fn the_address_of_what_was_put_begins_as_clients_reach_the_server() {
    let server = Server::with(|options| options.tls = true).await;
    let answer = Form::new("key", b"x").send(&server).await.expect_status(204);
    assert_eq!(answer.header("location"), format!("https://{}/bucket/key", server.address));
}

#[tokio::test]
async fn version_2_is_not_taken_where_it_is_turned_off() {
    let server = Server::with(|options| options.signature_v2 = false).await;
    let form = Form::new("key", b"x");
    form.clone().version_2().send(&server).await.expect_error(400, "InvalidRequest");
    form.send(&server).await.expect_status(204);
}

#[tokio::test]
async fn a_form_becomes_an_object_with_all_that_it_says() {
    let server = Server::start().await;
    let form = Form::new("user/${filename}", b"pixels")
        .field("Content-Type", "image/jpeg")
        .field("Cache-Control", "max-age=5")
        .field("acl", "private")
        .field("x-amz-meta-Colour", "rot, grün")
        .field("tagging", "<Tagging><TagSet><Tag><Key>a b</Key><Value>1</Value></Tag></TagSet></Tagging>")
        .field("x-amz-storage-class", "STANDARD")
        .uncovered("x-ignore-me", "anything")
        .condition("[\"content-length-range\", 6, 6]");
    let form = Form { filename: Some("C:\\pictures\\photo 1.jpg"), ..form };
    let answer = form.send(&server).await.expect_status(204);
    assert_eq!(answer.header("location"), format!("http://{}/bucket/user%2Fphoto%201.jpg", server.address));
    let object = server.get("/bucket/user/photo 1.jpg").send().await.expect_status(200);
    assert_eq!(object.text(), "pixels");
    assert_eq!(answer.header("etag"), object.header("etag"));
    assert_eq!(object.header("content-type"), "image/jpeg");
    assert_eq!(object.header("cache-control"), "max-age=5");
    assert_eq!(object.header("x-amz-meta-colour"), "=?UTF-8?B?cm90LCBncsO8bg==?=");
    assert_eq!(object.header("x-amz-tagging-count"), "1");
    let tags = server.get("/bucket/user/photo 1.jpg?tagging").send().await;
    assert_eq!(tags.elements("Key"), ["a b"]);
}

#[tokio::test]
async fn a_file_without_a_name_leaves_the_key_as_it_is() {
    let server = Server::start().await;
    let form = Form { filename: None, ..Form::new("user/${filename}", b"pixels") };
    form.send(&server).await.expect_status(204);
    assert_eq!(server.get("/bucket/user/${filename}").send().await.expect_status(200).text(), "pixels");
    let form = Form { filename: Some(""), ..form };
    form.send(&server).await.expect_status(204);
    server.get("/bucket/user/").send().await.expect_status(200);
}

#[tokio::test]
async fn the_browser_is_told_what_it_asked_for() {
    let server = Server::start().await;
    let form = Form::new("a&b", b"x");
    let created = form.clone().field("success_action_status", "201").send(&server).await.expect_status(201);
    assert_eq!(created.elements("Key"), ["a&amp;b"]);
    assert_eq!(created.elements("Bucket"), ["bucket"]);
    assert_eq!(created.element("ETag"), created.header("etag"));
    assert_eq!(created.element("Location"), created.header("location"));
    form.clone().field("success_action_status", "200").send(&server).await.expect_status(200);
    form.clone().field("success_action_status", "404").send(&server).await.expect_status(204);
    for (page, join) in [("https://a.org/done", "?"), ("https://a.org/done?n=1", "&")] {
        let sent = form.clone().field("success_action_redirect", page).field("success_action_status", "200");
        let sent = sent.send(&server).await.expect_status(303);
        let etag = sent.header("etag").trim_matches('"').to_owned();
        assert_eq!(sent.header("location"), format!("{page}{join}bucket=bucket&key=a%26b&etag=%22{etag}%22"));
    }
    form.clone().field("success_action_redirect", "javascript:x").send(&server).await.expect_status(204);
}

#[tokio::test]
async fn version_2_signs_forms_but_nothing_else() {
    let server = Server::start().await;
    Form::new("key", b"x").version_2().send(&server).await.expect_status(204);
    server.get("/bucket/key").send().await.expect_status(200);
    let mut forged = Form::new("key", b"x").version_2();
    forged.signer = Some(((ROOT.0, "another-secret"), false));
    forged.send(&server).await.expect_error(403, "SignatureDoesNotMatch");
}

#[tokio::test]
async fn a_policy_that_somebody_else_signed_is_told_with_what_it_was_signed_as() {
    let server = Server::start().await;
    for version_4 in [true, false] {
        let mut forged = Form::new("key", b"x");
        forged.signer = Some(((ROOT.0, "another-secret"), version_4));
        let answer = forged.send(&server).await.expect_error(403, "SignatureDoesNotMatch");
        assert_eq!(answer.element("AWSAccessKeyId"), ROOT.0);
        assert!(!answer.element("SignatureProvided").is_empty());
        // What is signed is the policy, in base64.
        let policy = data_encoding::BASE64.decode(answer.element("StringToSign").as_bytes()).unwrap();
        assert!(String::from_utf8(policy).unwrap().contains("expiration"));
        assert!(answer.element("StringToSignBytes").starts_with("65 79 "), "{}", answer.text());
        assert!(answer.elements("CanonicalRequest").is_empty());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_named() {
    let server = Server::start().await;
    let good = Form::new("key", b"x");
    let body = String::from_utf8(good.body()).unwrap();
    let credential = format!("{}/20231114/{REGION}/s3/aws4_request", ROOT.0);
    let abroad = credential.replace(REGION, "eu-west-1");
    for (from, to, message, argument) in [
        (&*credential, "odd", "the Credential is mal-formed; expecting", ("x-amz-credential", "odd")),
        (&credential, &abroad, "the region &apos;eu-west-1&apos; is wrong", ("x-amz-credential", &abroad)),
        ("20231114T221320Z", "20231114", "X-Amz-Date must be formated via", ("X-Amz-Date", "20231114")),
        (
            "20231114T221320Z",
            "20231113T221320Z",
            "Invalid credential date",
            ("x-amz-credential", &credential),
        ),
        ("HMAC-SHA256", "SHA256", "Only AWS4-HMAC-SHA256 is supported", ("X-Amz-Algorithm", "AWS4-SHA256")),
        ("\"x-amz-date\"", "\"other\"", "Bucket POST must contain a field named", ("x-amz-date", "")),
        ("\"file\"", "\"other\"", "POST requires exactly one file upload", ("file", "0")),
    ] {
        let answer = post(&server, "/bucket", body.replacen(from, to, 1).into_bytes()).send().await;
        let answer = answer.expect_error(400, "InvalidArgument");
        assert!(answer.element("Message").starts_with(message), "{}", answer.text());
        assert_eq!((&*answer.element("ArgumentName"), &*answer.element("ArgumentValue")), argument);
    }
    let stranger = Form { signer: Some((("NOBODY", "another-secret"), true)), ..good.clone() };
    let answer = stranger.send(&server).await.expect_error(403, "InvalidAccessKeyId");
    assert_eq!(answer.elements("AWSAccessKeyId"), ["NOBODY"]);
    let small = good.clone().condition("[\"content-length-range\",2,9]").send(&server).await;
    let small = small.expect_error(400, "EntityTooSmall");
    assert_eq!((small.element("ProposedSize"), small.element("MinSizeAllowed")), ("1".into(), "2".into()));
    let large = good.condition("[\"content-length-range\",0,0]").send(&server).await;
    assert_eq!(large.expect_error(400, "EntityTooLarge").elements("MaxSizeAllowed"), ["0"]);
}

#[tokio::test]
async fn who_may_not_is_refused_and_nothing_is_kept() {
    let server = Server::start().await;
    let before = server.state().await;
    let good = Form::new("key", b"x");
    for (form, status, code) in [
        (good.clone().unsigned(), 403, "AccessDenied"),
        (
            Form { signer: Some(((ROOT.0, "another-secret"), true)), ..good.clone() },
            403,
            "SignatureDoesNotMatch",
        ),
        (
            Form { signer: Some((("NOBODY", "another-secret"), true)), ..good.clone() },
            403,
            "InvalidAccessKeyId",
        ),
        (Form::new("secret", b"x").by_guest(), 403, "AccessDenied"),
        (good.clone().uncovered("x-amz-meta-a", "1"), 403, "AccessDenied"),
        (good.clone().condition("{\"acl\":\"private\"}"), 403, "AccessDenied"),
        (good.clone().condition("{\"bucket\":\"other\"}"), 403, "AccessDenied"),
        (good.clone().condition("[\"starts-with\",\"acl\",\"\"]"), 403, "AccessDenied"),
        (good.clone().condition("[\"content-length-range\",2,9]"), 400, "EntityTooSmall"),
        (good.clone().condition("[\"content-length-range\",0,0]"), 400, "EntityTooLarge"),
        (good.clone().condition("[\"content-length-range\",0]"), 400, "InvalidPolicyDocument"),
        (good.clone().field("acl", "unheard-of"), 400, "InvalidArgument"),
        (good.clone().field("x-amz-checksum-crc32", "AAAAAA=="), 400, "BadDigest"),
        (good.clone().field("x-amz-write-offset-bytes", "1"), 501, "NotImplemented"),
        (good.clone().field("x-carob-at", "1"), 501, "NotImplemented"),
        (good.clone().field("tagging", "<Tagging"), 400, "MalformedXML"),
        (good.clone().field("key", "again"), 400, "InvalidArgument"),
        (good.clone().field("x-amz-meta-a", &"m".repeat(20 << 10)), 400, "MaxPostPreDataLengthExceeded"),
    ] {
        form.send(&server).await.expect_error(status, code);
    }
    assert_eq!(server.state().await, before);
    good.send(&server).await.expect_status(204);
}

#[tokio::test]
async fn a_form_that_makes_no_sense_is_refused() {
    let server = Server::start().await;
    let good = Form::new("key", b"x");
    let body = String::from_utf8(good.body()).unwrap();
    let without = |name: &str| {
        let parts = body.split("------boundary").filter(|part| !part.contains(&format!("name=\"{name}\"")));
        parts.collect::<Vec<_>>().join("------boundary")
    };
    for name in ["key", "Policy", "x-amz-signature", "x-amz-credential", "file"] {
        let answer = post(&server, "/bucket", without(name).into_bytes()).send().await;
        answer.expect_error(400, "InvalidArgument");
    }
    post(&server, "/bucket", b"no form".to_vec()).send().await.expect_error(400, "MalformedPOSTRequest");
    let unnamed = String::from_utf8(good.body()).unwrap().replace("name=\"file\"", "name=\"\"");
    post(&server, "/bucket", unnamed.into_bytes()).send().await.expect_error(400, "MalformedPOSTRequest");
    let cut = &good.body()[..good.body().len() - 30];
    post(&server, "/bucket", cut.to_vec()).send().await.expect_error(400, "IncompleteBody");
    post(&server, "/bucket/key", good.body()).send().await.expect_error(405, "MethodNotAllowed");
    post(&server, "/", good.body()).send().await.expect_error(405, "MethodNotAllowed");
    assert_eq!(server.state().await.0, 0);
}

#[tokio::test]
async fn what_stands_behind_the_file_is_ignored_and_the_host_may_name_the_bucket() {
    let server = Server::start().await;
    let after = "------boundary\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n";
    let form = Form { after, ..Form::new("key", b"\r\n--almost") };
    form.send(&server).await.expect_status(204);
    assert_eq!(server.get("/bucket/key").send().await.text(), "\r\n--almost");
    let hosted = post(&server, "/", Form::new("hosted", b"x").body()).host("bucket.s3.example.com");
    let answer = hosted.send().await.expect_status(204);
    assert_eq!(answer.header("location"), "http://bucket.s3.example.com/hosted");
    server.get("/bucket/hosted").send().await.expect_status(200);
}

#[tokio::test]
async fn a_file_of_many_leaves_comes_whole() {
    let server = Server::start().await;
    let file: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    Form::new("large", &file).send(&server).await.expect_status(204);
    assert_eq!(server.get("/bucket/large").send().await.body, file);
}

#[tokio::test]
async fn a_form_puts_an_object_and_nothing_else() {
    let server = Server::start().await;
    server.fill(&["secret"]).await;
    let before = server.state().await;
    // A file without a name leaves no key.
    let nameless = Form { filename: Some(""), ..Form::new("${filename}", b"") };
    nameless.send(&server).await.expect_error(400, "InvalidArgument");
    let elsewhere = Form { conditions: vec!["{\"bucket\":\"fresh\"}".to_owned()], ..nameless };
    post(&server, "/fresh", elsewhere.body()).send().await.expect_error(400, "InvalidArgument");
    server.head("/fresh").send().await.expect_status(404);
    for source in ["x-amz-copy-source", "x-amz-rename-source"] {
        let copy = Form::new("stolen", b"x").field(source, "/bucket/secret");
        copy.send(&server).await.expect_error(400, "InvalidArgument");
    }
    assert_eq!(server.state().await, before);
}
