//! What S3 has and Carob has not answers 501 and changes nothing.

use crate::server::Server;

#[tokio::test]
async fn operations_that_are_not_there_say_so() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let before = server.state().await;
    for (method, target) in [("POST", "/bucket/key?select&select-type=2"), ("POST", "/bucket/key?restore")] {
        let answer = server.request(method, target).send().await.expect_error(501, "NotImplemented");
        assert!(!answer.element("Message").is_empty());
    }
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn a_subresource_never_falls_back_to_its_resource() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let before = server.state().await;
    for (method, target) in [
        ("DELETE", "/bucket/key?acl"),
        ("DELETE", "/bucket/key?attributes"),
        ("DELETE", "/bucket/key?legal-hold"),
        ("DELETE", "/bucket?acl"),
        ("DELETE", "/bucket?versioning"),
        ("DELETE", "/bucket?uploads"),
        ("PUT", "/bucket/key?torrent"),
        ("PUT", "/bucket/key?append"),
        ("PUT", "/other-bucket?uploads"),
        ("GET", "/bucket?events=s3:ObjectCreated:*"),
        ("HEAD", "/bucket/key?acl"),
        ("HEAD", "/bucket?uploads"),
    ] {
        let answer = server.request(method, target).send().await;
        assert_eq!(answer.status, 501, "{method} {target}: {}", answer.text());
    }
    assert_eq!(server.state().await, before);
    server.head("/other-bucket").send().await.expect_status(404);
}

#[tokio::test]
async fn requests_that_there_are_none_of_are_told_so() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let before = server.state().await;
    for (method, target, status, code, element, text) in [
        ("POST", "/", 405, "MethodNotAllowed", "ResourceType", "SERVICE"),
        ("POST", "/bucket/key", 405, "MethodNotAllowed", "ResourceType", "OBJECT"),
        ("PUT", "/bucket/key?uploadId=x", 405, "MethodNotAllowed", "ResourceType", "UPLOAD"),
        ("POST", "/bucket/key?x-id=x", 405, "MethodNotAllowed", "Method", "POST"),
        (
            "POST",
            "/bucket",
            412,
            "PreconditionFailed",
            "Condition",
            "Bucket POST must be of the enclosure-type multipart/form-data",
        ),
        ("PUT", "/bucket/key?partNumber=1", 400, "InvalidArgument", "ArgumentName", "partNumber"),
        ("PUT", "/bucket/key?partNumber=1", 400, "InvalidArgument", "ArgumentValue", "1"),
        (
            "GET",
            "/bucket/key?uploads",
            400,
            "InvalidRequest",
            "Message",
            "Key is not expected for the GET method ?uploads subresource",
        ),
        (
            "GET",
            "/bucket/key?versions",
            400,
            "InvalidRequest",
            "Message",
            "There is no such thing as the ?versions sub-resource for a key",
        ),
    ] {
        for request in [server.request(method, target), server.request(method, target).anonymous()] {
            let answer = request.send().await.expect_error(status, code);
            assert_eq!(answer.elements(element), [text], "{method} {target}");
        }
    }
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/bucket"),
        ("HEAD", "/bucket/key"),
        ("DELETE", "/bucket/key"),
        ("POST", "/bucket/key?uploadId=x"),
    ] {
        let request = server.request(method, target);
        let copy = request.clone().header("x-amz-copy-source", "bucket/key").send().await;
        assert_eq!(copy.status, 400, "{method} {target}");
        // Nothing is told before the signature is looked at.
        let forged = request.header("x-amz-copy-source", "bucket/key").by((crate::server::ROOT.0, "forged"));
        assert_eq!(forged.send().await.status, 403, "{method} {target}");
        if method != "HEAD" {
            assert_eq!(
                copy.elements("Message"),
                ["You can only specify a copy source header for copy requests."]
            );
            assert_eq!(copy.elements("ArgumentValue"), ["bucket/key"]);
        }
    }
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn headers_with_a_meaning_we_lack_are_named() {
    let server = Server::start().await;
    for (name, value) in [
        ("x-amz-acl", "aws-exec-read"),
        ("x-amz-write-offset-bytes", "0"),
        ("x-amz-checksum-sha3", "x"),
        ("x-carob-unheard-of", "1"),
        ("x-amz-copy-source-range", "bytes=0-1"),
        ("x-amz-metadata-directive", "REPLACE"),
    ] {
        let put = server.put("/bucket/key", "hello").header(name, value).send().await;
        let put = put.expect_error(501, "NotImplemented");
        let message = put.element("Message");
        assert!(message.contains(name), "{name}: {message}");
    }
    assert_eq!(server.state().await.0, 0);
    let harmless = server.put("/bucket/key", "hello").header("x-amz-acl", "bucket-owner-full-control");
    harmless.header("x-amz-request-payer", "requester").send().await.expect_status(200);
}

#[tokio::test]
async fn a_declared_operation_does_not_overrule_the_shape_of_the_request() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    server.get("/bucket/key?x-id=DeleteObject").send().await.expect_status(200);
    server.put("/bucket/key?x-id=PutObject", "x").send().await.expect_status(200);
    assert_eq!(server.state().await.0, 1);
}

#[tokio::test]
async fn forms_that_go_to_no_bucket_are_refused_unread() {
    let server = Server::start().await;
    let post = server
        .request("POST", "/bucket/key")
        .anonymous()
        .unsigned_header("content-type", "multipart/form-data; boundary=x");
    post.length("1000000").send().await.expect_error(405, "MethodNotAllowed");
}

#[tokio::test]
async fn session_tokens_are_invalid() {
    let server = Server::start().await;
    let get = server.get("/").header("x-amz-security-token", "token");
    get.send().await.expect_error(400, "InvalidToken");
}
