//! Object lock over the wire; what it protects is tested below every surface in `carob-bucket`.

use crate::server::Server;

// The clock of the server stands in November 2023.
const LATER: &str = "2024-01-01T00:00:00Z";
const SOONER: &str = "2023-12-01T00:00:00Z";

async fn locked() -> Server {
    let server = Server::start().await;
    let create = server.put("/locked", "").header("x-amz-bucket-object-lock-enabled", "true");
    create.send().await.expect_status(200);
    server
}

fn retention(mode: &str, until: &str) -> String {
    format!("<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>")
}

async fn put(server: &Server, headers: &[(&str, &str)]) -> String {
    let put =
        headers.iter().fold(server.put("/locked/key", "x"), |put, (name, value)| put.header(name, value));
    put.send().await.expect_status(200).header("x-amz-version-id").to_owned()
}

#[tokio::test]
async fn a_bucket_made_with_object_lock_has_versioning_and_keeps_both() {
    let server = locked().await;
    assert_eq!(server.get("/locked?versioning").send().await.element("Status"), "Enabled");
    let lock = server.get("/locked?object-lock").send().await.expect_status(200);
    assert_eq!(lock.element("ObjectLockEnabled"), "Enabled");
    let suspend = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let refused = server.put("/locked?versioning", suspend).send().await;
    let said = refused.expect_error(409, "InvalidBucketState").element("Message");
    assert!(said.ends_with("so the versioning state cannot be changed."), "{said}");
}

#[tokio::test]
async fn a_protected_version_is_shown_and_kept() {
    let server = locked().await;
    let version = put(
        &server,
        &[
            ("x-amz-object-lock-mode", "COMPLIANCE"),
            ("x-amz-object-lock-retain-until-date", LATER),
            ("x-amz-object-lock-legal-hold", "ON"),
        ],
    )
    .await;
    let head = server.head("/locked/key").send().await.expect_status(200);
    assert_eq!(head.header("x-amz-object-lock-mode"), "COMPLIANCE");
    assert!(head.header("x-amz-object-lock-retain-until-date").starts_with("2024-01-01T00:00:00"));
    assert_eq!(head.header("x-amz-object-lock-legal-hold"), "ON");
    let delete = || server.delete("/locked/key").query("versionId", &version);
    delete().send().await.expect_error(403, "AccessDenied");
    let bypass = delete().header("x-amz-bypass-governance-retention", "true");
    bypass.send().await.expect_error(403, "AccessDenied");
    server.delete("/locked/key").send().await.expect_status(204);
    let full = server.delete("/locked").send().await.expect_error(409, "BucketNotEmpty");
    assert!(full.element("Message").ends_with("You must delete all versions in the bucket."));
    server.get("/locked/key").query("versionId", &version).send().await.expect_status(200);
}

#[tokio::test]
async fn retention_is_read_prolonged_and_not_shortened() {
    let server = locked().await;
    put(&server, &[]).await;
    server.get("/locked/key?retention").send().await.expect_error(404, "NoSuchObjectLockConfiguration");
    server.put("/locked/key?retention", retention("COMPLIANCE", SOONER)).send().await.expect_status(200);
    server.put("/locked/key?retention", retention("COMPLIANCE", LATER)).send().await.expect_status(200);
    let shorter = server.put("/locked/key?retention", retention("COMPLIANCE", SOONER));
    shorter
        .header("x-amz-bypass-governance-retention", "true")
        .send()
        .await
        .expect_error(403, "AccessDenied");
    let found = server.get("/locked/key?retention").send().await.expect_status(200);
    assert_eq!(found.element("Mode"), "COMPLIANCE");
    assert!(found.element("RetainUntilDate").starts_with("2024-01-01T00:00:00"));
    for bad in [
        retention("FOREVER", LATER),
        "<Retention><Mode>GOVERNANCE</Mode></Retention>".to_owned(),
        "<Retention".to_owned(),
    ] {
        server.put("/locked/key?retention", bad).send().await.expect_error(400, "MalformedXML");
    }
    let past = retention("COMPLIANCE", "2020-01-01T00:00:00Z");
    server.put("/locked/key?retention", past).send().await.expect_error(400, "InvalidArgument");
}

#[tokio::test]
async fn governance_gives_way_to_whoever_may_and_says_so() {
    let server = locked().await;
    let headers = [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", LATER)];
    let version = put(&server, &headers).await;
    let delete = || server.delete("/locked/key").query("versionId", &version);
    delete().send().await.expect_error(403, "AccessDenied");
    let bypass = delete().header("x-amz-bypass-governance-retention", "true");
    bypass.clone().by_guest().send().await.expect_error(403, "AccessDenied");
    bypass.send().await.expect_status(204);
}

#[tokio::test]
async fn a_legal_hold_goes_on_and_off() {
    let server = locked().await;
    let version = put(&server, &[]).await;
    let status = |on: &str| format!("<LegalHold><Status>{on}</Status></LegalHold>");
    let never = server.get("/locked/key?legal-hold").send().await;
    never.expect_error(404, "NoSuchObjectLockConfiguration");
    assert_eq!(server.head("/locked/key").send().await.find("x-amz-object-lock-legal-hold"), None);
    for (set, answer) in [("ON", 403), ("OFF", 204)] {
        server.put("/locked/key?legal-hold", status(set)).send().await.expect_status(200);
        assert_eq!(server.get("/locked/key?legal-hold").send().await.element("Status"), set);
        assert_eq!(server.head("/locked/key").send().await.header("x-amz-object-lock-legal-hold"), set);
        server.delete("/locked/key").query("versionId", &version).send().await.expect_status(answer);
    }
    put(&server, &[]).await;
    server.put("/locked/key?legal-hold", status("MAYBE")).send().await.expect_error(400, "MalformedXML");
}

#[tokio::test]
async fn the_default_retention_is_set_and_given() {
    let server = locked().await;
    let rule = |rule: &str| {
        let rule = format!("<Rule><DefaultRetention>{rule}</DefaultRetention></Rule>");
        format!(
            "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        )
    };
    let set = |text: String| server.put("/locked?object-lock", text).send();
    set(rule("<Mode>GOVERNANCE</Mode><Days>30</Days>")).await.expect_status(200);
    assert_eq!(server.get("/locked?object-lock").send().await.element("Days"), "30");
    put(&server, &[]).await;
    assert_eq!(server.head("/locked/key").send().await.header("x-amz-object-lock-mode"), "GOVERNANCE");
    for (bad, code) in [
        ("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode>", "MalformedXML"),
        ("<Mode>NONE</Mode><Days>1</Days>", "MalformedXML"),
        ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidRetentionPeriod"),
        ("<Mode>GOVERNANCE</Mode><Years>-1</Years>", "InvalidRetentionPeriod"),
        ("<Mode>GOVERNANCE</Mode><Days>36501</Days>", "InvalidArgument"),
    ] {
        set(rule(bad)).await.expect_error(400, code);
    }
    assert_eq!(server.get("/locked?object-lock").send().await.element("Days"), "30");
}

#[tokio::test]
async fn without_object_lock_nothing_of_it_is_accepted() {
    let server = Server::start().await;
    server.fill(&["key"]).await;
    let lock =
        "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>";
    let unversioned = server.put("/bucket?object-lock", lock).send().await;
    let said = unversioned.expect_error(409, "InvalidBucketState").element("Message");
    assert!(
        said.contains("must be &apos;Enabled&apos; on the bucket") || said.contains("must be 'Enabled'"),
        "{said}"
    );
    server.put("/bucket?object-lock", "").send().await.expect_error(400, "MissingRequestBodyError");
    server.get("/bucket/key?retention").send().await.expect_error(400, "InvalidRequest");
    server.get("/bucket/key?legal-hold").send().await.expect_error(400, "InvalidRequest");
    server.get("/bucket/absent?retention").send().await.expect_error(404, "NoSuchKey");
    server.get("/bucket/absent?legal-hold").send().await.expect_error(404, "NoSuchKey");
    let put = server.put("/bucket/key?retention", retention("GOVERNANCE", LATER)).send().await;
    put.expect_error(400, "InvalidRequest");
    let hold = server.put("/bucket/other", "x").header("x-amz-object-lock-legal-hold", "ON").send().await;
    let said = hold.expect_error(400, "InvalidRequest").element("Message");
    assert_eq!(said, "Bucket is missing ObjectLockConfiguration");
    let past = server.put("/bucket/other", "x").header("x-amz-object-lock-mode", "GOVERNANCE");
    let past = past.header("x-amz-object-lock-retain-until-date", "2020-01-01T00:00:00Z").send().await;
    past.expect_error(400, "InvalidArgument");
    let upload = server.request("POST", "/bucket/other?uploads").header("x-amz-object-lock-legal-hold", "ON");
    upload.send().await.expect_error(400, "InvalidRequest");
    for stated in ["true", "false"] {
        let bypass = server.delete("/bucket/key").header("x-amz-bypass-governance-retention", stated);
        bypass.send().await.expect_error(400, "InvalidArgument");
    }
    crate::versioning::set(&server, "Enabled").await;
    server.put("/bucket?object-lock", lock).send().await.expect_status(200);
}

#[tokio::test]
async fn a_date_is_one_and_lies_ahead() {
    let server = locked().await;
    for (date, said) in [
        ("soon", "The retain until date must be provided in ISO 8601 format"),
        ("2020-01-01T00:00:00Z", "The retain until date must be in the future!"),
    ] {
        for request in [server.put("/locked/key", "x"), server.request("POST", "/locked/key?uploads")] {
            let request = request.header("x-amz-object-lock-mode", "GOVERNANCE");
            let request = request.header("x-amz-object-lock-retain-until-date", date);
            let refused = request.send().await.expect_error(400, "InvalidArgument");
            assert_eq!(refused.element("Message"), said);
            assert_eq!(refused.element("ArgumentName"), "x-amz-object-lock-retain-until-date");
            assert_eq!(refused.element("ArgumentValue"), date);
        }
    }
}

#[tokio::test]
async fn mode_and_date_come_together() {
    let server = locked().await;
    for (name, value) in
        [("x-amz-object-lock-mode", "GOVERNANCE"), ("x-amz-object-lock-retain-until-date", LATER)]
    {
        let put = server.put("/locked/key", "x").header(name, value).send().await;
        put.expect_error(400, "InvalidArgument");
    }
    let put = server.put("/locked/key", "x").header("x-amz-object-lock-legal-hold", "MAYBE").send().await;
    put.expect_error(400, "InvalidArgument");
}
