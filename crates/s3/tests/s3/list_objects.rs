//! ListObjects, version 1.

use crate::server::Server;

const KEYS: [&str; 6] = ["a", "b/1", "b/2", "c", "d/1", "e"];

async fn filled() -> Server {
    let server = Server::start().await;
    server.fill(&KEYS).await;
    server
}

#[tokio::test]
async fn the_first_version_lists_from_a_marker() {
    let server = filled().await;
    let page = server.get("/bucket?marker=b/1&max-keys=2").send().await.expect_status(200);
    assert_eq!(page.elements("Key"), ["b/2", "c"]);
    assert_eq!((page.element("Marker"), page.element("IsTruncated")), ("b/1".into(), "true".into()));
    assert_eq!(page.elements("NextMarker"), Vec::<String>::new(), "only with a delimiter");
    assert_eq!(page.element("ID"), server.space.did().canonical_id(), "with owners");
    assert_eq!(page.elements("KeyCount"), Vec::<String>::new());
}

#[tokio::test]
async fn markers_lead_through_rolled_up_prefixes_once() {
    let server = filled().await;
    let mut seen = Vec::new();
    let mut marker = String::new();
    loop {
        let page = server.get("/bucket?delimiter=/&max-keys=1").query("marker", &marker);
        let page = page.send().await.expect_status(200);
        seen.extend(page.elements("Key"));
        seen.extend(page.elements("CommonPrefixes"));
        if page.element("IsTruncated") == "false" {
            assert_eq!(page.elements("NextMarker"), Vec::<String>::new());
            break;
        }
        marker = page.element("NextMarker");
    }
    assert_eq!(seen, ["a", "<Prefix>b/</Prefix>", "c", "<Prefix>d/</Prefix>", "e"]);
}

#[tokio::test]
async fn names_are_encoded_on_demand() {
    let server = Server::start().await;
    server.fill(&["a b/c", "d e"]).await;
    let page = server.get("/bucket?encoding-type=url&delimiter=/&max-keys=1").send().await.expect_status(200);
    assert_eq!(page.element("NextMarker"), "a%20b/");
    let page =
        server.get("/bucket?encoding-type=url").query("prefix", "a b\n").send().await.expect_status(200);
    assert_eq!(page.element("Prefix"), "a b\n", "left alone, as boto3 expects");
    server.get("/bucket?encoding-type=x").send().await.expect_error(400, "InvalidArgument");
    for (query, name, message) in [
        ("max-keys=blah", "max-keys", "Provided max-keys not an integer or within integer range"),
        (
            "versions&max-keys=2147483648",
            "max-keys",
            "Provided max-keys not an integer or within integer range",
        ),
        (
            "list-type=2&max-keys=-1",
            "maxKeys",
            "Argument maxKeys must be an integer between 0 and 2147483647",
        ),
        (
            "uploads&max-uploads=-1",
            "max-uploads",
            "Argument max-uploads must be an integer between 0 and 2147483647",
        ),
        ("encoding-type=x", "encoding-type", "Invalid Encoding Method specified in Request"),
    ] {
        let answer = server.get(&format!("/bucket?{query}")).send().await;
        let answer = answer.expect_error(400, "InvalidArgument");
        assert_eq!(
            (answer.element("ArgumentName"), answer.element("Message")),
            (name.into(), message.into())
        );
        assert_eq!(answer.element("ArgumentValue"), query.rsplit('=').next().unwrap());
    }
}

#[tokio::test]
async fn max_keys_0_is_an_empty_page() {
    let server = filled().await;
    let page = server.get("/bucket?max-keys=0").send().await.expect_status(200);
    assert_eq!((page.elements("Key"), page.element("IsTruncated")), (vec![], "false".into()));
}

#[tokio::test]
async fn numbers_without_a_value_are_as_if_they_were_not_there() {
    let server = Server::start().await;
    server.fill(&["a", "b"]).await;
    for query in
        ["max-keys=", "max-keys=&marker=&prefix=&delimiter=", "list-type=2&max-keys", "versions&max-keys="]
    {
        let page = server.get(&format!("/bucket?{query}")).send().await.expect_status(200);
        assert_eq!(
            (page.elements("Key"), page.element("MaxKeys")),
            (vec!["a".into(), "b".into()], "1000".into())
        );
    }
    server.get("/bucket?uploads&max-uploads=").send().await.expect_status(200);
    server.get("/?max-buckets=").send().await.expect_status(200);
    server.get("/bucket?max-keys=x").send().await.expect_error(400, "InvalidArgument");
}
