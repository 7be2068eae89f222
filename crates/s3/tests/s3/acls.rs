//! Access control lists, and whose objects are.

use carob_identity::Scope;

use crate::server::{ROOT, Server};
use crate::tenants::{ALICE, BOB, Tenants};

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";

async fn permissions(server: &Server, target: &str, key: (&str, &str)) -> Vec<String> {
    server.get(target).by(key).send().await.expect_status(200).elements("Permission")
}

async fn bobs_id(tenants: &Tenants) -> String {
    tenants.server.space.bucket("bobs").await.unwrap().info().owner.canonical_id()
}

fn document(owner: &str, grants: &str) -> String {
    format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList></AccessControlPolicy>"
    )
}

fn grant(kind: &str, inside: &str, permission: &str) -> String {
    format!(
        r#"<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="{kind}">{inside}</Grantee><Permission>{permission}</Permission></Grant>"#
    )
}

#[tokio::test]
async fn a_list_is_told_as_it_was_set() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    server.put("/alices/key", "x").by(ALICE).send().await.expect_status(200);
    let (alice, bob) = (tenants.alice.id.canonical_id(), bobs_id(&tenants).await);
    let grants = [
        grant("Group", &format!("<URI>{ALL_USERS}</URI>"), "READ"),
        grant("CanonicalUser", &format!("<ID>{bob}</ID><DisplayName>robert</DisplayName>"), "WRITE_ACP"),
        grant("AmazonCustomerByEmail", "<EmailAddress>bob</EmailAddress>", "READ_ACP"),
    ];
    for target in ["/alices?acl", "/alices/key?acl"] {
        let put = server.put(target, document(&alice, &grants.concat())).by(ALICE);
        put.send().await.expect_status(200);
        let shown = server.get(target).by(ALICE).send().await.expect_status(200);
        assert_eq!(shown.elements("Permission"), ["READ", "WRITE_ACP", "READ_ACP"]);
        assert_eq!(shown.elements("ID"), [&bob, &bob, &alice].map(String::as_str), "{}", shown.text());
        assert_eq!(shown.elements("DisplayName"), ["bob", "bob", "alice"]);
        assert_eq!(shown.elements("URI"), [ALL_USERS]);
        assert!(shown.text().contains("xsi:type=\"Group\""), "{}", shown.text());
        server.get(target).by(BOB).send().await.expect_status(200);
        // Who may write the list may not make the thing its own.
        let steal = server.put(target, document(&bob, "")).by(BOB);
        steal.send().await.expect_error(403, "AccessDenied");
        server.put(target, document(&alice, "")).by(BOB).send().await.expect_status(200);
        server.get(target).by(BOB).send().await.expect_error(403, "AccessDenied");
        assert!(permissions(server, target, ALICE).await.is_empty(), "no grants at all");
        server.put(target, "").by(ALICE).header("x-amz-acl", "private").send().await.expect_status(200);
        assert_eq!(permissions(server, target, ALICE).await, ["FULL_CONTROL"]);
    }
}

#[tokio::test]
async fn a_list_that_is_none_is_refused() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let alice = tenants.alice.id.canonical_id();
    let one = |kind: &str, inside: &str, permission: &str| document(&alice, &grant(kind, inside, permission));
    for (body, code) in [
        (String::new(), "MissingSecurityHeader"),
        ("<AccessControlPolicy>".to_owned(), "MalformedXML"),
        ("<AccessControlPolicy/>".to_owned(), "MalformedACLError"),
        ("<AccessControlPolicy><AccessControlList/></AccessControlPolicy>".to_owned(), "MalformedACLError"),
        (
            format!("<AccessControlPolicy><Owner><ID>{alice}</ID></Owner></AccessControlPolicy>"),
            "MalformedACLError",
        ),
        (one("CanonicalUser", "<ID></ID>", "READ"), "MalformedACLError"),
        (document(&"0d".repeat(32), &grant("Group", "<ID>abc</ID>", "READ")), "MalformedACLError"),
        (one("CanonicalUser", "<ID>abc</ID>", "READ"), "InvalidArgument"),
        (one("CanonicalUser", &format!("<ID>{}</ID>", "0d".repeat(32)), "READ"), "InvalidArgument"),
        (one("Group", "<URI>http://example.com/</URI>", "READ"), "InvalidArgument"),
        (one("Group", "<ID>abc</ID>", "READ"), "MalformedACLError"),
        (one("CanonicalUser", &format!("<ID>{alice}</ID>"), "EAT"), "MalformedACLError"),
        (
            one("AmazonCustomerByEmail", "<EmailAddress>a@b</EmailAddress>", "READ"),
            "UnresolvableGrantByEmailAddress",
        ),
    ] {
        server.put("/alices?acl", body.clone()).by(ALICE).send().await.expect_error(400, code);
    }
    let both = server.put("/alices?acl", document(&alice, "")).by(ALICE).header("x-amz-acl", "private");
    both.send().await.expect_error(400, "UnexpectedContent");
    // However wrong the one in the headers is.
    let both = server.put("/alices?acl", document(&alice, "")).by(ALICE).header("x-amz-grant-read", "bob");
    both.send().await.expect_error(400, "UnexpectedContent");
    let both = server.put("/alices?acl", "").by(ALICE).header("x-amz-acl", "private");
    both.header("x-amz-grant-read", "bob").send().await.expect_error(400, "InvalidRequest");
    let unknown = server.put("/alices/key", "x").by(ALICE).header("x-amz-acl", "public-ready");
    unknown.send().await.expect_error(400, "InvalidArgument");
    assert_eq!(permissions(server, "/alices?acl", ALICE).await, ["FULL_CONTROL"]);
}

#[tokio::test]
async fn what_another_account_writes_is_that_accounts() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let bob = bobs_id(&tenants).await;
    server
        .put("/alices?acl", "")
        .by(ALICE)
        .header("x-amz-acl", "public-read-write")
        .send()
        .await
        .expect_status(200);
    server.put("/alices/bobs", "x").by(BOB).send().await.expect_status(200);
    server
        .put("/alices/shared", "x")
        .by(BOB)
        .header("x-amz-acl", "bucket-owner-read")
        .send()
        .await
        .expect_status(200);
    server.put("/alices/alices", "x").by(ALICE).send().await.expect_status(200);
    for (key, target, status) in [
        (ALICE, "/alices/bobs", 403),
        (ALICE, "/alices/bobs?acl", 403),
        (ALICE, "/alices/shared", 200),
        (ALICE, "/alices/alices", 200),
        (BOB, "/alices/bobs", 200),
        (BOB, "/alices/bobs?acl", 200),
        (BOB, "/alices/alices", 403),
        (ROOT, "/alices/bobs", 200),
    ] {
        let answer = server.get(target).by(key).send().await;
        assert_eq!(answer.status, status, "{} {target}: {}", key.0, answer.text());
    }
    let copy = server.request("PUT", "/alices/copy").by(ALICE).header("x-amz-copy-source", "/alices/bobs");
    copy.send().await.expect_error(403, "AccessDenied");
    let listed = server.get("/alices").by(ALICE).send().await;
    assert_eq!(listed.elements("ID"), [&tenants.alice.id.canonical_id(), &bob, &bob].map(String::as_str));
    // The root key writes for the bucket's owner.
    server.put("/alices/roots", "x").by(ROOT).send().await.expect_status(200);
    server.get("/alices/roots").by(ALICE).send().await.expect_status(200);
    // An upload in parts, and a copy.
    let begun = server.request("POST", "/alices/up?uploads").by(BOB).send().await.expect_status(200);
    let id = begun.element("UploadId");
    let part = server.put(&format!("/alices/up?partNumber=1&uploadId={id}"), "part").by(BOB).send().await;
    let done = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        part.header("etag")
    );
    server
        .request("POST", &format!("/alices/up?uploadId={id}"))
        .by(BOB)
        .body(done)
        .send()
        .await
        .expect_status(200);
    server.get("/alices/up").by(ALICE).send().await.expect_error(403, "AccessDenied");
    // The bucket's owner may take away what it may not read.
    server.delete("/alices/up").by(ALICE).send().await.expect_status(204);
    server.delete("/alices/bobs").by(ALICE).send().await.expect_status(204);
}

#[tokio::test]
async fn where_the_bucket_owner_owns_everything_lists_mean_nothing() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let controls = |name: &str| {
        let rule = format!("<Rule><ObjectOwnership>{name}</ObjectOwnership></Rule>");
        let document = format!("<OwnershipControls>{rule}</OwnershipControls>");
        server.put("/alices?ownershipControls", document).by(ALICE).send()
    };
    server
        .put("/alices?acl", "")
        .by(ALICE)
        .header("x-amz-acl", "public-read-write")
        .send()
        .await
        .expect_status(200);
    server.put("/alices/bobs", "x").by(BOB).send().await.expect_status(200);
    let preferred = server.put("/alices/given", "x").by(BOB).header("x-amz-acl", "bucket-owner-full-control");
    controls("BucketOwnerPreferred").await.expect_status(200);
    preferred.send().await.expect_status(200);
    assert_eq!(
        server.get("/alices/given?acl").by(ALICE).send().await.elements("DisplayName"),
        ["alice", "alice"]
    );
    controls("BucketOwnerEnforced").await.expect_error(400, "InvalidBucketAclWithObjectOwnership");
    controls("Nobody").await.expect_error(400, "MalformedXML");
    server.put("/alices?acl", "").by(ALICE).header("x-amz-acl", "private").send().await.expect_status(200);
    controls("BucketOwnerEnforced").await.expect_status(200);
    let shown = server.get("/alices?ownershipControls").by(ALICE).send().await;
    assert_eq!(shown.element("ObjectOwnership"), "BucketOwnerEnforced");
    // What was another's is the bucket owner's now.
    server.get("/alices/bobs").by(ALICE).send().await.expect_status(200);
    server.get("/alices/bobs").by(BOB).send().await.expect_error(403, "AccessDenied");
    for put in [
        server.put("/alices?acl", "").header("x-amz-acl", "private"),
        server.put("/alices/bobs?acl", "").header("x-amz-acl", "private"),
        server.put("/alices/new", "x").header("x-amz-acl", "public-read"),
    ] {
        put.by(ALICE).send().await.expect_error(400, "AccessControlListNotSupported");
    }
    for target in ["/alices?acl", "/alices/bobs?acl"] {
        let none = server.put(target, "").by(ALICE).header("x-amz-grant-read", "bob").send().await;
        none.expect_error(400, "AccessControlListNotSupported");
    }
    let full = server.put("/alices/new", "x").by(ALICE).header("x-amz-acl", "bucket-owner-full-control");
    full.send().await.expect_status(200);
    server.delete("/alices?ownershipControls").by(ALICE).send().await.expect_status(204);
    let gone = server.get("/alices?ownershipControls").by(ALICE);
    gone.send().await.expect_error(404, "OwnershipControlsNotFoundError");
    server.get("/alices/bobs").by(ALICE).send().await.expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn a_new_bucket_has_the_list_and_the_ownership_that_it_was_made_with() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let open = server.request("PUT", "/open").by(ALICE).header("x-amz-acl", "public-read");
    open.send().await.expect_status(200);
    server.get("/open").by(BOB).send().await.expect_status(200);
    let enforced =
        server.request("PUT", "/mine").by(ALICE).header("x-amz-object-ownership", "BucketOwnerEnforced");
    enforced.clone().send().await.expect_status(200);
    let shown = server.get("/mine?ownershipControls").by(ALICE).send().await;
    assert_eq!(shown.element("ObjectOwnership"), "BucketOwnerEnforced");
    let both = server.request("PUT", "/both").by(ALICE).header("x-amz-acl", "public-read");
    let both = both.header("x-amz-object-ownership", "BucketOwnerEnforced");
    both.send().await.expect_error(400, "InvalidBucketAclWithObjectOwnership");
    let unknown = server.request("PUT", "/both").by(ALICE).header("x-amz-object-ownership", "Nobody");
    unknown.send().await.expect_error(400, "InvalidArgument");
    server.head("/both").by(ALICE).send().await.expect_status(404);
}

#[tokio::test]
async fn public_lists_are_blocked_or_ignored_where_that_is_set() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let public = |put: crate::client::Request| put.by(ALICE).header("x-amz-acl", "public-read").send();
    public(server.put("/alices?acl", "")).await.expect_status(200);
    public(server.put("/alices/key", "x")).await.expect_status(200);
    server.get("/alices/key").anonymous().send().await.expect_status(200);
    let set = |name: &str| {
        let document =
            format!("<PublicAccessBlockConfiguration><{name}>true</{name}></PublicAccessBlockConfiguration>");
        server.put("/alices?publicAccessBlock", document).by(ALICE).send()
    };
    set("IgnorePublicAcls").await.expect_status(200);
    server.get("/alices/key").anonymous().send().await.expect_error(403, "AccessDenied");
    server.get("/alices").by(BOB).send().await.expect_error(403, "AccessDenied");
    set("BlockPublicAcls").await.expect_status(200);
    server.get("/alices/key").anonymous().send().await.expect_status(200);
    for put in [
        server.put("/alices?acl", ""),
        server.put("/alices/key?acl", ""),
        server.put("/alices/new", "x"),
        server.request("POST", "/alices/new?uploads"),
        server.request("PUT", "/alices/new").header("x-amz-copy-source", "/alices/key"),
    ] {
        public(put).await.expect_error(403, "AccessDenied");
    }
}

#[tokio::test]
async fn a_narrowed_key_does_not_let_others_in() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let writer = ("WRITER", "writers-secret");
    tenants.alices_key(writer, Scope { read: false, ..Scope::default() }).await;
    let put = |list: &str| server.put("/alices/key", "x").by(writer).header("x-amz-acl", list);
    put("public-read").send().await.expect_error(403, "AccessDenied");
    put("private").send().await.expect_status(200);
    put("bucket-owner-full-control").send().await.expect_status(200);
    server
        .put("/alices/key?acl", "")
        .by(writer)
        .header("x-amz-acl", "public-read")
        .send()
        .await
        .expect_error(403, "AccessDenied");
}

#[tokio::test]
async fn each_version_has_a_list_of_its_own() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    server.put("/alices?versioning", on).by(ALICE).send().await.expect_status(200);
    let version = async |list: &str| {
        let put = server.put("/alices/key", "x").by(ALICE).header("x-amz-acl", list).send().await;
        put.header("x-amz-version-id").to_owned()
    };
    let (open, shut) = (version("public-read").await, version("private").await);
    let get = |version: &str| server.get(&format!("/alices/key?versionId={version}")).anonymous().send();
    get(&open).await.expect_status(200);
    get(&shut).await.expect_error(403, "AccessDenied");
    server.get("/alices/key").anonymous().send().await.expect_error(403, "AccessDenied");
    // Named twice, it is not the one that was let in that is read.
    let twice =
        server.get(&format!("/alices/key?versionId={shut}&versionId={open}")).anonymous().send().await;
    assert!(twice.status >= 400, "{}", twice.text());
    let set =
        server.put(&format!("/alices/key?acl&versionId={open}"), "").by(ALICE).header("x-amz-acl", "private");
    set.send().await.expect_status(200);
    get(&open).await.expect_error(403, "AccessDenied");
    assert_eq!(
        permissions(server, &format!("/alices/key?acl&versionId={open}"), ALICE).await,
        ["FULL_CONTROL"]
    );
}

/// The right to write is not the right to let others read.
#[tokio::test]
async fn a_policy_that_gives_writing_gives_no_list() {
    let tenants = Tenants::start().await;
    let server = &tenants.server;
    let bob = bobs_id(&tenants).await;
    let alice = tenants.alice.id.canonical_id();
    let allow = |actions: &str| {
        format!(
            r#"{{"Effect": "Allow", "Principal": {{"CanonicalUser": "{bob}"}}, "Action": [{actions}], "Resource": "arn:aws:s3:::alices/*"}}"#
        )
    };
    let deny = r#", {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::alices/*"}"#;
    let policy = |statements: String| format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
    let put = async |key, header: (&'static str, &str)| {
        server.put("/alices/key", "x").by(key).header(header.0, header.1).send().await.status
    };
    let public = ("x-amz-acl", "public-read");
    let everybody = format!("uri={ALL_USERS}");
    let owner = format!("id={alice}");

    let writes = policy(allow("\"s3:PutObject\""));
    server.put("/alices?policy", writes).by(ALICE).send().await.expect_status(204);
    assert_eq!(put(BOB, public).await, 403);
    assert_eq!(put(BOB, ("x-amz-grant-read", &everybody)).await, 403);
    assert_eq!(put(BOB, ("x-amz-grant-full-control", &owner)).await, 200, "it is the bucket owner's anyway");
    assert_eq!(put(BOB, ("x-amz-acl", "private")).await, 200);
    assert_eq!(put(ALICE, public).await, 200);

    let both = policy(allow("\"s3:PutObject\", \"s3:PutObjectAcl\""));
    server.put("/alices?policy", both).by(ALICE).send().await.expect_status(204);
    assert_eq!(put(BOB, public).await, 200);

    let denied = policy(allow("\"s3:PutObject\", \"s3:PutObjectAcl\"") + deny);
    server.put("/alices?policy", denied).by(ALICE).send().await.expect_status(204);
    assert_eq!(put(BOB, public).await, 403);
    assert_eq!(put(ALICE, public).await, 403, "nor the owner's keys");
    assert_eq!(put(ALICE, ("x-amz-acl", "private")).await, 200);
}
