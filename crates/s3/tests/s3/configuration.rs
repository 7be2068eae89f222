//! Reads of what can be configured, where nothing is.

use crate::server::Server;

const ABSENT: [(&str, &str); 14] = [
    ("analytics&id=a", "NoSuchConfiguration"),
    ("intelligent-tiering&id=a", "NoSuchConfiguration"),
    ("inventory&id=a", "NoSuchConfiguration"),
    ("metrics&id=a", "NoSuchConfiguration"),
    ("cors", "NoSuchCORSConfiguration"),
    ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("lifecycle", "NoSuchLifecycleConfiguration"),
    ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ("ownershipControls", "OwnershipControlsNotFoundError"),
    ("policy", "NoSuchBucketPolicy"),
    ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("replication", "ReplicationConfigurationNotFoundError"),
    ("tagging", "NoSuchTagSet"),
    ("website", "NoSuchWebsiteConfiguration"),
];

const EMPTY: [(&str, &str); 10] = [
    ("analytics", "ListBucketAnalyticsConfiguration"),
    ("intelligent-tiering", "ListBucketIntelligentTieringConfiguration"),
    ("inventory", "ListInventoryConfigurations"),
    ("metrics", "ListMetricsConfigurations"),
    ("accelerate", "AccelerateConfiguration"),
    ("logging", "BucketLoggingStatus"),
    ("notification", "NotificationConfiguration"),
    ("policyStatus", "<IsPublic>false</IsPublic>"),
    ("requestPayment", "<Payer>BucketOwner</Payer>"),
    ("versioning", "VersioningConfiguration"),
];

#[tokio::test]
async fn what_is_not_set_is_not_found() {
    let server = Server::start().await;
    for (name, code) in ABSENT {
        server.get(&format!("/bucket?{name}")).send().await.expect_error(404, code);
        server.get(&format!("/nowhere?{name}")).send().await.expect_error(404, "NoSuchBucket");
    }
}

#[tokio::test]
async fn what_may_be_empty_is() {
    let server = Server::start().await;
    for (name, found) in EMPTY {
        let answer = server.get(&format!("/bucket?{name}")).send().await.expect_status(200);
        assert!(answer.text().contains(found), "{name}: {}", answer.text());
        assert!(answer.elements("Status").is_empty() && answer.elements("LoggingEnabled").is_empty());
        server.get(&format!("/nowhere?{name}")).send().await.expect_error(404, "NoSuchBucket");
    }
}

#[tokio::test]
async fn the_owner_has_full_control_and_nobody_else_any() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    for target in ["/bucket?acl", "/bucket/key?acl"] {
        let acl = server.get(target).send().await.expect_status(200);
        assert_eq!(acl.elements("Permission"), ["FULL_CONTROL"]);
        let ids = acl.elements("ID");
        assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
        assert_eq!(ids[0], server.space.did().canonical_id());
    }
    server.get("/bucket/absent?acl").send().await.expect_error(404, "NoSuchKey");
    server.get("/nowhere?acl").send().await.expect_error(404, "NoSuchBucket");
}

#[tokio::test]
async fn an_object_has_no_tags_unasked() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let tags = server.get("/bucket/key?tagging").send().await.expect_status(200);
    assert!(tags.text().contains("TagSet") && tags.elements("Tag").is_empty());
    server.get("/bucket/absent?tagging").send().await.expect_error(404, "NoSuchKey");
    server.get("/bucket/key?tagging&versionId=1").send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn each_read_takes_its_own_right() {
    let server = Server::start().await;
    server.fill(&["secret"]).await;
    for name in ABSENT.iter().chain(&EMPTY).map(|(name, _)| *name).chain(["acl"]) {
        server.get(&format!("/bucket?{name}")).by_guest().send().await.expect_error(403, "AccessDenied");
    }
    for name in ["acl", "tagging"] {
        server
            .get(&format!("/bucket/secret?{name}"))
            .by_guest()
            .send()
            .await
            .expect_error(403, "AccessDenied");
    }
}

#[tokio::test]
async fn the_writes_are_not_there() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let before = server.state().await;
    let served = [
        "cors",
        "encryption",
        "lifecycle",
        "logging",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "publicAccessBlock",
        "requestPayment",
        "tagging",
        "versioning",
    ];
    let all = ABSENT.iter().chain(&EMPTY).map(|(name, _)| *name);
    for name in all.filter(|name| !served.contains(name)) {
        for method in ["PUT", "DELETE"] {
            let answer = server.request(method, &format!("/bucket?{name}")).send().await;
            // What is not set can be taken away.
            let gone = method == "DELETE" && ["replication", "website"].contains(&name);
            assert_eq!(answer.status, if gone { 204 } else { 501 }, "{method} {name}: {}", answer.text());
        }
    }
    assert_eq!(server.state().await, before);
}

#[tokio::test]
async fn who_pays_is_kept_and_shown() {
    let server = Server::start().await;
    let document = |payer: &str| {
        format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>")
    };
    for payer in ["Requester", "BucketOwner"] {
        server.put("/bucket?requestPayment", document(payer)).send().await.expect_status(200);
        assert_eq!(server.get("/bucket?requestPayment").send().await.elements("Payer"), [payer]);
    }
    server.put("/bucket?requestPayment", document("Nobody")).send().await.expect_error(400, "MalformedXML");
}

#[tokio::test]
async fn nobody_can_be_notified() {
    let server = Server::start().await;
    server.put("/bucket?notification", "<NotificationConfiguration/>").send().await.expect_status(200);
    let asked = "<NotificationConfiguration><TopicConfiguration><Topic>arn:aws:sns:::t</Topic>\
        <Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>";
    server.put("/bucket?notification", asked).send().await.expect_error(501, "NotImplemented");
}
