//! Past states, read by whoever could read S3: by name and by header.

use carob_identity::Scope;

use crate::answer::Response;
use crate::client::Request;
use crate::tenants::{ALICE, BOB, Tenants};

/// A second after the first object was written, and a minute before the next.
const THEN: &str = "alices--at-20231114t221321z";
const THEN_RFC3339: &str = "2023-11-14T23:13:21+01:00";
const READER: (&str, &str) = ("READER", "readers-secret");

/// `k` was `one` and is `two`, `gone` is gone, and `new` was not there yet.
async fn changed() -> (Tenants, String) {
    let tenants = Tenants::start().await;
    for key in ["gone", "k"] {
        put(&tenants, key, "one").await;
    }
    let commit =
        tenants.server.space.bucket("alices").await.unwrap().snapshot().await.unwrap().cid().to_string();
    tenants.clock.advance(60_000);
    for key in ["k", "new"] {
        put(&tenants, key, "two").await;
    }
    tenants.server.delete("/alices/gone").by(ALICE).send().await.expect_status(204);
    (tenants, commit)
}

async fn put(tenants: &Tenants, key: &str, body: &str) -> Response {
    let request = tenants.server.put(&format!("/alices/{key}"), body).header("x-amz-meta-n", body).by(ALICE);
    request.send().await.expect_status(200)
}

fn get(tenants: &Tenants, target: &str) -> Request {
    tenants.server.get(target).by(ALICE)
}

#[tokio::test]
async fn every_form_of_a_name_reads_the_past() {
    let (tenants, commit) = changed().await;
    let (short, whole) =
        (format!("alices--root-{}", &commit[..20]), format!("alices--root-{}", &commit[..50]));
    for name in [THEN, "alices--at-20231114t2214z", &short, &whole] {
        let read = get(&tenants, &format!("/{name}/k")).send().await.expect_status(200);
        assert_eq!((read.text().as_str(), read.header("x-amz-meta-n")), ("one", "one"), "{name}");
        let part = get(&tenants, &format!("/{name}/gone")).header("range", "bytes=1-").send().await;
        assert_eq!(part.expect_status(206).text(), "ne");
        let head = tenants.server.head(&format!("/{name}/gone")).by(ALICE).send().await.expect_status(200);
        assert_eq!(head.header("content-length"), "3");
        get(&tenants, &format!("/{name}/new")).send().await.expect_error(404, "NoSuchKey");
        for list in ["", "?list-type=2", "?versions"] {
            let listed = get(&tenants, &format!("/{name}{list}")).send().await.expect_status(200);
            assert_eq!(
                (listed.elements("Key"), listed.element("Name")),
                (vec!["gone".into(), "k".into()], name.into())
            );
        }
        let presigned = get(&tenants, &format!("/{name}/k")).presigned(60).send().await;
        assert_eq!(presigned.expect_status(200).text(), "one");
    }
    assert_eq!(get(&tenants, "/alices/k").send().await.text(), "two");
}

#[tokio::test]
async fn a_listing_of_the_past_goes_on_where_its_page_ended() {
    let (tenants, _) = changed().await;
    let first = get(&tenants, &format!("/{THEN}?list-type=2&max-keys=1")).send().await.expect_status(200);
    let next = get(&tenants, &format!("/{THEN}?list-type=2"))
        .query("continuation-token", &first.element("NextContinuationToken"));
    assert_eq!(
        (first.elements("Key"), next.send().await.elements("Key")),
        (vec!["gone".into()], vec!["k".into()])
    );
}

#[tokio::test]
async fn the_header_means_the_same_when_it_is_signed() {
    let (tenants, commit) = changed().await;
    for moment in [THEN_RFC3339, &commit, &commit[..20]] {
        let read = get(&tenants, "/alices/k").header("x-carob-at", moment).send().await;
        assert_eq!(read.expect_status(200).text(), "one", "{moment}");
        let listed = get(&tenants, "/alices").header("x-carob-at", moment).send().await.expect_status(200);
        assert_eq!((listed.elements("Key").len(), listed.element("Name").as_str()), (2, "alices"));
    }
    let unsigned = get(&tenants, "/alices/k").unsigned_header("x-carob-at", THEN_RFC3339);
    unsigned.send().await.expect_error(403, "AccessDenied");
    let presigned = get(&tenants, "/alices/k").presigned(60).unsigned_header("x-carob-at", THEN_RFC3339);
    presigned.send().await.expect_error(403, "AccessDenied");
    get(&tenants, "/alices/k")
        .header("x-carob-at", "Yesterday")
        .send()
        .await
        .expect_error(400, "InvalidArgument");
    let both = get(&tenants, &format!("/{THEN}/k")).header("x-carob-at", THEN_RFC3339);
    both.send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn nothing_of_the_past_can_be_changed() {
    let (tenants, _) = changed().await;
    for (method, rest) in [
        ("PUT", "/k"),
        ("DELETE", "/k"),
        ("DELETE", ""),
        ("POST", "?delete"),
        ("POST", "/k?uploads"),
        ("PUT", "/k?partNumber=1&uploadId=00000000000000000000000000000000"),
        ("PUT", "/k?tagging"),
        ("PUT", "?versioning"),
        ("PUT", "?tagging"),
        ("GET", "?uploads"),
        ("GET", "?policy"),
    ] {
        let request = |target: String| tenants.server.request(method, &target).body("").by(ALICE);
        let named = request(format!("/{THEN}{rest}")).send().await.expect_error(405, "MethodNotAllowed");
        let asked = request(format!("/alices{rest}")).header("x-carob-at", THEN_RFC3339).send().await;
        let asked = asked.expect_error(405, "MethodNotAllowed");
        assert_eq!(asked.element("Message"), named.element("Message"));
    }
    assert_eq!(get(&tenants, "/alices/k").send().await.text(), "two");
    let copy = tenants.server.put("/alices/copy", "").header("x-amz-copy-source", "/alices/k").by(ALICE);
    copy.header("x-carob-at", THEN_RFC3339).send().await.expect_error(405, "MethodNotAllowed");
    let create = tenants.server.put("/another", "").header("x-carob-at", THEN_RFC3339).by(ALICE);
    create.send().await.expect_error(405, "MethodNotAllowed");
    get(&tenants, "/another").send().await.expect_error(404, "NoSuchBucket");
    let all = get(&tenants, "/").header("x-carob-at", THEN_RFC3339);
    all.send().await.expect_error(501, "NotImplemented");
    let create = tenants.server.put(&format!("/{THEN}"), "").by(ALICE);
    create.send().await.expect_error(400, "InvalidBucketName");
}

#[tokio::test]
async fn the_past_takes_a_right_of_its_own() {
    let (tenants, _) = changed().await;
    let scope = Scope { buckets: vec!["alices".into()], write: false, ..Scope::default() };
    tenants.alices_key(READER, scope).await;
    let server = &tenants.server;
    server.get("/alices/k").by(READER).send().await.expect_status(200);
    for target in
        [format!("/{THEN}/k"), format!("/{THEN}"), format!("/{THEN}?versions"), format!("/{THEN}?location")]
    {
        for key in [READER, BOB] {
            server.get(&target).by(key).send().await.expect_error(403, "AccessDenied");
        }
        server.get(&target).anonymous().send().await.expect_error(403, "AccessDenied");
    }
    server
        .get("/alices/k")
        .header("x-carob-at", THEN_RFC3339)
        .by(READER)
        .send()
        .await
        .expect_error(403, "AccessDenied");
    for key in [READER, BOB] {
        let copy = server.put("/bobs/copy", "").header("x-amz-copy-source", &format!("/{THEN}/k")).by(key);
        copy.send().await.expect_error(403, "AccessDenied");
    }
    server.get("/nobodys--at-20231114t2213z").by(BOB).send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn what_was_is_copied_into_what_is() {
    let (tenants, _) = changed().await;
    let copy = tenants
        .server
        .put("/alices/gone", "")
        .header("x-amz-copy-source", &format!("/{THEN}/gone"))
        .by(ALICE);
    copy.send().await.expect_status(200);
    assert_eq!(get(&tenants, "/alices/gone").send().await.expect_status(200).text(), "one");
}

#[tokio::test]
async fn a_moment_that_never_was_is_told_so() {
    let (tenants, _) = changed().await;
    let early = get(&tenants, "/alices--at-20231114t2213z").send().await.expect_error(404, "NoSuchBucket");
    assert!(early.element("Message").contains("its history begins later"));
    for name in ["alices--snap-absent", "alices--root-bafyreiaaaa"] {
        get(&tenants, &format!("/{name}/k")).send().await.expect_error(404, "NoSuchBucket");
        tenants.server.head(&format!("/{name}")).by(ALICE).send().await.expect_status(404);
    }
    get(&tenants, "/alices--at-noon").send().await.expect_error(400, "InvalidBucketName");
    let buckets = get(&tenants, "/").send().await.expect_status(200).elements("Name");
    assert_eq!(buckets, ["alices"]);
}

#[tokio::test]
async fn a_branch_lets_nobody_in_whom_an_object_of_the_bucket_did() {
    let (tenants, _) = changed().await;
    let server = &tenants.server;
    let public = server.put("/alices/public", "read me").header("x-amz-acl", "public-read").by(ALICE);
    public.send().await.expect_status(200);
    server.get("/alices/public").anonymous().send().await.expect_status(200);
    let alices = server.space.bucket("alices").await.unwrap();
    let state = alices.snapshot().await.unwrap();
    server.space.branch(&alices, &state, "draft", *server.space.did()).await.unwrap();
    for key in [ALICE, BOB] {
        server.get("/draft/public").by(key).send().await.expect_error(403, "AccessDenied");
    }
    server.get("/draft/public").anonymous().send().await.expect_error(403, "AccessDenied");
    server.get("/draft/public").send().await.expect_status(200);
    let shown = server.get("/draft?ownershipControls").send().await.expect_status(200);
    assert_eq!(shown.element("ObjectOwnership"), "BucketOwnerEnforced");
}
