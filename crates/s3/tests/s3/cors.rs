//! Requests from pages elsewhere: what is stored, what a preflight is told, what the answers say.

use crate::answer::Response;
use crate::server::Server;

const RULES: &str = "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <CORSRule><ID>writers</ID><AllowedOrigin>https://*.example.com</AllowedOrigin>\
    <AllowedMethod>PUT</AllowedMethod><AllowedMethod>POST</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-version-id</ExposeHeader>\
    <MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>\
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";

const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

async fn with_rules() -> Server {
    let server = Server::start().await;
    server.put("/bucket?cors", RULES).send().await.expect_status(200);
    server
}

async fn preflight(server: &Server, target: &str, headers: &[(&str, &str)]) -> Response {
    let request = server.request("OPTIONS", target).anonymous();
    headers.iter().fold(request, |request, (name, value)| request.unsigned_header(name, value)).send().await
}

#[tokio::test]
async fn rules_are_kept_shown_and_taken_away() {
    let server = with_rules().await;
    let shown = server.get("/bucket?cors").send().await.expect_status(200);
    assert_eq!(shown.elements("AllowedOrigin"), ["https://*.example.com", "*"]);
    assert_eq!(shown.elements("ExposeHeader"), ["ETag", "x-amz-version-id"]);
    assert_eq!(shown.elements("ID"), ["writers"]);
    assert_eq!(shown.elements("MaxAgeSeconds"), ["3000"]);
    server.delete("/bucket?cors").send().await.expect_status(204);
    server.get("/bucket?cors").send().await.expect_error(404, "NoSuchCORSConfiguration");
    server.delete("/bucket?cors").send().await.expect_status(204);
    server.put("/nowhere?cors", RULES).send().await.expect_error(404, "NoSuchBucket");
    server.put("/bucket?cors", RULES).by_guest().send().await.expect_error(403, "AccessDenied");
    let unknown = RULES.replace("PUT", "PATCH");
    server.put("/bucket?cors", unknown).send().await.expect_error(400, "InvalidRequest");
    let unnamed = RULES.replace("x-amz-*", "x-amz-*, content-type");
    let unnamed = server.put("/bucket?cors", unnamed).send().await.expect_error(400, "InvalidRequest");
    let message = "AllowedHeader &quot;x-amz-*, content-type&quot; contains invalid character.";
    assert_eq!(unnamed.element("Message"), message);
    server.put("/bucket?cors", "<CORSConfiguration/>").send().await.expect_error(400, "MalformedXML");
}

#[tokio::test]
async fn a_preflight_is_answered_by_the_rule_that_fits() {
    let server = with_rules().await;
    let asked = [
        ("Origin", "https://app.example.com"),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "X-Amz-Date, x-amz-meta-a"),
    ];
    let allowed = preflight(&server, "/bucket/key", &asked).await.expect_status(200);
    for (name, value) in [
        ("access-control-allow-origin", "https://app.example.com"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "PUT, POST"),
        ("access-control-allow-headers", "x-amz-date, x-amz-meta-a"),
        ("access-control-expose-headers", "ETag, x-amz-version-id"),
        ("access-control-max-age", "3000"),
        ("vary", VARY),
    ] {
        assert_eq!(allowed.header(name), value, "{name}");
    }
    assert!(!allowed.header("x-amz-request-id").is_empty());
    let anybody = [("Origin", "https://other.org"), ("Access-Control-Request-Method", "GET")];
    let allowed = preflight(&server, "/bucket", &anybody).await.expect_status(200);
    assert_eq!(allowed.header("access-control-allow-origin"), "*");
    assert_eq!(allowed.find("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_preflight_that_no_rule_fits_is_refused_as_s3_does() {
    let server = with_rules().await;
    let origin = ("Origin", "https://app.example.com");
    let put = ("Access-Control-Request-Method", "PUT");
    preflight(&server, "/bucket/key", &[put]).await.expect_error(400, "BadRequest");
    preflight(&server, "/bucket/key", &[put, ("Origin", "")]).await.expect_error(400, "BadRequest");
    for bad in ["x a", "x-amz-date,x:a", "x-a,\u{e9}", "x-a,\tx-b", "x@a"] {
        let asked = [origin, put, ("Access-Control-Request-Headers", bad)];
        let answer = preflight(&server, "/bucket/key", &asked).await.expect_error(400, "BadRequest");
        assert!(answer.element("Message").ends_with(" contains invalid character."), "{}", answer.text());
    }
    preflight(&server, "/bucket/key", &[origin]).await.expect_error(400, "BadRequest");
    for refused in [
        vec![("Origin", "https://other.org"), put],
        vec![origin, put, ("Access-Control-Request-Headers", "content-type")],
        vec![origin, ("Access-Control-Request-Method", "DELETE")],
    ] {
        let answer = preflight(&server, "/bucket/key", &refused).await;
        assert_eq!(answer.elements("ResourceType"), ["OBJECT"]);
        assert_eq!(answer.find("access-control-allow-origin"), None);
        answer.expect_error(403, "AccessForbidden");
    }
    server.delete("/bucket?cors").send().await.expect_status(204);
    for target in ["/bucket", "/nowhere"] {
        let answer = preflight(&server, target, &[origin, put]).await;
        assert_eq!(answer.elements("ResourceType"), ["BUCKET"]);
        assert_eq!(answer.elements("Method"), ["PUT"]);
        answer.expect_error(403, "AccessForbidden");
    }
}

/// A browser does not sign it, but what it is about may be signed, in the past even.
#[tokio::test]
async fn a_preflight_of_a_presigned_url_is_not_asked_for_its_signature() {
    let server = with_rules().await;
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20231114T221320Z&X-Amz-Signature=00";
    let asked = [("Origin", "https://app.example.com"), ("Access-Control-Request-Method", "PUT")];
    preflight(&server, &format!("/bucket/key?{query}"), &asked).await.expect_status(200);
}

#[tokio::test]
async fn every_answer_says_who_may_read_it() {
    let server = with_rules().await;
    let put = server.put("/bucket/key", "x").header("Origin", "https://a.example.com").send().await;
    assert_eq!(put.expect_status(200).header("access-control-expose-headers"), "ETag, x-amz-version-id");
    let denied =
        server.put("/bucket/key", "x").anonymous().unsigned_header("Origin", "https://a.example.com");
    let denied = denied.send().await;
    assert_eq!(denied.header("access-control-allow-origin"), "https://a.example.com");
    assert_eq!(denied.header("vary"), VARY);
    denied.expect_error(403, "AccessDenied");
    let absent = server.get("/bucket/absent").header("Origin", "https://b.org").send().await;
    assert_eq!(absent.header("access-control-allow-origin"), "*");
    absent.expect_error(404, "NoSuchKey");
    let other =
        server.put("/bucket/key", "x").header("Origin", "https://b.org").send().await.expect_status(200);
    assert_eq!((other.find("access-control-allow-origin"), other.find("vary")), (None, None));
    let same = server.get("/bucket/key").send().await.expect_status(200);
    assert_eq!(same.find("access-control-allow-origin"), None);
}
