//! ListObjectsV2.

use crate::server::Server;

const KEYS: [&str; 8] = ["a", "a/b", "b/1", "b/2", "b/c/3", "d", "e/", "f"];

async fn filled() -> Server {
    let server = Server::start().await;
    server.fill(&KEYS).await;
    server
}

#[tokio::test]
async fn keys_come_in_byte_order_with_what_a_sync_needs() {
    let server = filled().await;
    let page = server.get("/bucket?list-type=2").send().await.expect_status(200);
    assert_eq!(page.elements("Key"), KEYS);
    assert_eq!(page.element("Name"), "bucket");
    assert_eq!(page.element("KeyCount"), "8");
    assert_eq!(page.element("MaxKeys"), "1000");
    assert_eq!(page.element("IsTruncated"), "false");
    assert_eq!(page.element("Size"), "1");
    assert_eq!(page.element("ETag"), "\"0cc175b9c0f1b6a831c399e269772661\"");
    assert_eq!(page.element("LastModified"), "2023-11-14T22:13:20.500Z");
    assert_eq!(page.element("StorageClass"), "STANDARD");
    assert_eq!(page.elements("Owner"), Vec::<String>::new());
    assert!(page.text().contains("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
}

#[tokio::test]
async fn delimiters_roll_up() {
    let server = filled().await;
    for (query, keys, prefixes) in [
        ("delimiter=/", vec!["a", "d", "f"], vec!["a/", "b/", "e/"]),
        ("delimiter=/&prefix=b/", vec!["b/1", "b/2"], vec!["b/c/"]),
        ("delimiter=/c/", vec!["a", "a/b", "b/1", "b/2", "d", "e/", "f"], vec!["b/c/"]),
        ("delimiter=", KEYS.to_vec(), vec![]),
        ("prefix=b/c", vec!["b/c/3"], vec![]),
        ("prefix=zzz", vec![], vec![]),
    ] {
        let page = server.get(&format!("/bucket?list-type=2&{query}")).send().await.expect_status(200);
        let rolled: Vec<String> = page.elements("CommonPrefixes");
        let rolled: Vec<_> =
            rolled.iter().map(|p| p.trim_start_matches("<Prefix>").trim_end_matches("</Prefix>")).collect();
        assert_eq!(
            (page.elements("Key"), rolled.clone()),
            (keys.iter().map(|k| (*k).to_owned()).collect(), prefixes)
        );
        assert_eq!(page.element("KeyCount"), (keys.len() + rolled.len()).to_string(), "{query}");
    }
}

#[tokio::test]
async fn pages_of_any_size_give_every_entry_once() {
    let server = filled().await;
    for delimiter in ["", "/"] {
        let all = entries(&server, delimiter, 1000).await;
        for size in 1..=9 {
            assert_eq!(entries(&server, delimiter, size).await, all, "{size} with {delimiter:?}");
        }
    }
}

async fn entries(server: &Server, delimiter: &str, size: usize) -> Vec<String> {
    let mut entries = Vec::new();
    let mut token = None::<String>;
    loop {
        let mut request = server.get(&format!("/bucket?list-type=2&delimiter={delimiter}&max-keys={size}"));
        if let Some(token) = &token {
            request = request.query("continuation-token", token);
        }
        let page = request.send().await.expect_status(200);
        let mut found = page.elements("Key");
        found.extend(page.elements("CommonPrefixes"));
        assert!(found.len() <= size);
        found.sort_by_key(|entry| entry.trim_start_matches("<Prefix>").to_owned());
        entries.append(&mut found);
        if page.element("IsTruncated") == "false" {
            assert_eq!(page.elements("NextContinuationToken"), Vec::<String>::new());
            return entries;
        }
        token = Some(page.element("NextContinuationToken"));
    }
}

#[tokio::test]
async fn start_after_skips_and_a_token_goes_before_it() {
    let server = filled().await;
    let page = server.get("/bucket?list-type=2&start-after=b/2").send().await.expect_status(200);
    assert_eq!(page.elements("Key"), ["b/c/3", "d", "e/", "f"]);
    assert_eq!(page.element("StartAfter"), "b/2");
    let first = server.get("/bucket?list-type=2&max-keys=1").send().await.expect_status(200);
    let token = first.element("NextContinuationToken");
    let both = server.get("/bucket?list-type=2&start-after=e/").query("continuation-token", &token);
    let page = both.send().await.expect_status(200);
    assert_eq!(page.elements("Key")[0], "a/b");
    assert_eq!(page.element("ContinuationToken"), token);
}

#[tokio::test]
async fn max_keys_is_bounded_on_both_sides() {
    let server = filled().await;
    let none = server.get("/bucket?list-type=2&max-keys=0").send().await.expect_status(200);
    assert_eq!((none.elements("Key"), none.element("IsTruncated")), (vec![], "false".into()));
    assert_eq!((none.element("MaxKeys"), none.element("KeyCount")), ("0".into(), "0".into()));
    let many = server.get("/bucket?list-type=2&max-keys=2000").send().await.expect_status(200);
    assert_eq!(many.element("MaxKeys"), "1000");
    for bad in ["-1", "x", "2147483648", "1.5", "\u{1}"] {
        let page = server.get("/bucket?list-type=2").query("max-keys", bad).send().await;
        page.expect_error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours_are_refused() {
    let server = filled().await;
    for token in ["x", "a/b", "AAAA", "\u{1}"] {
        let page = server.get("/bucket?list-type=2").query("continuation-token", token).send().await;
        page.expect_error(400, "InvalidArgument");
    }
}

#[tokio::test]
async fn an_empty_token_is_the_beginning() {
    let server = filled().await;
    let page = server.get("/bucket?list-type=2&continuation-token=").send().await.expect_status(200);
    assert_eq!((page.elements("Key").len(), page.element("ContinuationToken")), (KEYS.len(), String::new()));
}

#[tokio::test]
async fn url_encoding_covers_every_name() {
    let server = Server::start().await;
    server.fill(&["a b/c\u{1}+", "a b/d"]).await;
    let target = "/bucket?list-type=2&encoding-type=url&delimiter=+&prefix=a &start-after=a b";
    let page = server.get("").path("/bucket");
    let page = target.split_once('?').unwrap().1.split('&').fold(page, |page, pair| {
        let (name, value) = pair.split_once('=').unwrap();
        page.query(name, value)
    });
    let page = page.send().await.expect_status(200);
    assert_eq!(page.element("EncodingType"), "url");
    assert_eq!(page.elements("Key"), ["a%20b/d"]);
    assert_eq!(page.element("CommonPrefixes"), "<Prefix>a%20b/c%01%2B</Prefix>");
    assert_eq!(page.element("Prefix"), "a%20");
    assert_eq!((page.element("Delimiter"), page.element("StartAfter")), ("%2B".into(), "a%20b".into()));
    server.get("/bucket?list-type=2&encoding-type=base64").send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn control_characters_are_written_as_references() {
    let server = Server::start().await;
    server.fill(&["a\u{1}b", "c\rd", "e\tf", "<&>", "g\u{ffff}"]).await;
    let page = server.get("/bucket?list-type=2").send().await.expect_status(200);
    assert_eq!(page.elements("Key"), ["&lt;&amp;&gt;", "a&#x1;b", "c&#xD;d", "e\tf", "g&#xFFFF;"]);
}

#[tokio::test]
async fn the_owner_is_shown_on_demand() {
    let server = filled().await;
    let page = server.get("/bucket?list-type=2&fetch-owner=true").send().await.expect_status(200);
    assert_eq!(page.element("ID"), server.space.did().canonical_id());
}

#[tokio::test]
async fn a_bucket_must_exist() {
    let server = Server::start().await;
    server.get("/nowhere?list-type=2").send().await.expect_error(404, "NoSuchBucket");
    let empty = server.get("/bucket?list-type=2").send().await.expect_status(200);
    assert_eq!(empty.element("KeyCount"), "0");
}
