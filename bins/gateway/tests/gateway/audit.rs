//! The audit log that the real binary keeps.

use std::path::Path;

use carob_audit::{FILE, Link, verify};
use rustix::process::Signal;

use crate::harness::{Gateway, command};
use crate::s3::S3;

fn text(data: &Path) -> String {
    std::fs::read_to_string(data.join("audit").join(FILE)).unwrap()
}

#[test]
fn what_changes_something_or_is_denied_is_written_down_and_nothing_secret() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/garden", b"").status, 200);
    assert_eq!(s3.send("PUT", "/garden/rose", b"the body of it").status, 200);
    assert_eq!(s3.send("GET", "/garden/rose", b"").status, 200);
    assert_eq!(s3.send("PUT", "/No_Name", b"").status, 400);
    assert!(gateway.get("/garden/rose?unsigned=0123abc").0.contains(" 403 "));
    let (key, secret) = (s3.signer.key.clone(), s3.signer.secret.clone());
    gateway.stop(Signal::TERM);

    let chain = verify(&dir.path().join("audit").join(FILE), Some(&Link::default())).unwrap();
    let text = text(dir.path());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((chain.lines, lines.len()), (4, 4), "{text}");
    for (line, told) in lines.iter().zip([
        ["\"operation\":\"CreateBucket\"", "\"status\":200", "\"path\":\"/garden\""],
        ["\"operation\":\"PutObject\"", "\"received\":14", "\"bucket\":\"garden\""],
        ["\"path\":\"/No_Name\"", "\"status\":400", "\"code\":\"InvalidBucketName\""],
        ["\"method\":\"GET\"", "\"status\":403", "\"remote\":\"127.0.0.1\""],
    ]) {
        told.iter().for_each(|told| assert!(line.contains(told), "{told} in {line}"));
    }
    assert!(lines[1].contains(&format!("\"key\":\"{key}\"")));
    for secret in [secret.as_str(), "0123abc", "Signature", "the body of it"] {
        assert!(!text.contains(secret), "{secret}");
    }

    // It goes on where it was.
    let gateway = Gateway::start(dir.path());
    assert_eq!(S3::of(&gateway, dir.path()).send("DELETE", "/garden/rose", b"").status, 204);
    gateway.stop(Signal::TERM);
    assert_eq!(verify(&dir.path().join("audit").join(FILE), Some(&Link::default())).unwrap().lines, 5);
}

#[test]
fn without_an_audit_log_there_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &["--audit-mib", "0"]));
    assert_eq!(S3::of(&gateway, dir.path()).send("PUT", "/garden", b"").status, 200);
    gateway.stop(Signal::TERM);
    assert!(!dir.path().join("audit").exists());
}

#[test]
fn what_the_operator_changes_is_written_down_with_what_it_was_about() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/garden", b"").status, 200);
    assert_eq!(s3.send("PUT", "/garden/rose", b"petals").status, 200);
    assert_eq!(s3.send("PUT", "/gone", b"").status, 200);
    assert_eq!(s3.send("DELETE", "/gone", b"").status, 204);
    let ask = |method: &str, path: &str, body: &str| {
        let socket = dir.path().join("admin.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        let length = body.len();
        let request = format!(
            "{method} /_carob{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
    };
    let account = r#"{"name": "ada", "access_key": "ADASKEY00", "secret_key": "adas-secret-of-some-length"}"#;
    for (method, path, body, status) in [
        ("POST", "/accounts", account, 200),
        ("POST", "/accounts", account, 409),
        ("DELETE", "/keys?id=ADASKEY00", "", 200),
        ("POST", "/encryption-keys", r#"{"name": "vault"}"#, 200),
        ("POST", "/buckets/garden/snapshots", r#"{"name": "spring"}"#, 200),
        ("DELETE", "/buckets/garden/snapshots?name=spring", "", 200),
        ("POST", "/buckets/garden/purge", r#"{"key": "rose", "dry_run": true}"#, 200),
        ("POST", "/buckets/garden/purge", r#"{"key": "rose", "dry_run": false}"#, 200),
        ("POST", "/buckets/gone/undelete", r#"{"name": "garden"}"#, 409),
        ("POST", "/buckets/gone/undelete", r#"{"name": "back"}"#, 200),
        ("GET", "/deleted-buckets", "", 200),
        ("GET", "/accounts", "", 200),
        ("POST", "/gc?dry-run=true", "", 200),
    ] {
        assert_eq!(ask(method, path, body), status, "{method} {path} {body}");
    }
    gateway.stop(Signal::TERM);

    verify(&dir.path().join("audit").join(FILE), Some(&Link::default())).unwrap();
    let text = text(dir.path());
    let by_operator: Vec<&str> = text.lines().filter(|line| line.contains("\"by\":\"operator\"")).collect();
    let expected = [
        ("carob:CreateAccount", "ada", 200),
        ("carob:CreateAccount", "ada", 409),
        ("carob:RevokeKey", "ADASKEY00", 200),
        ("carob:CreateEncryptionKey", "vault", 200),
        ("carob:CreateSnapshot", "spring", 200),
        ("carob:RemoveSnapshot", "spring", 200),
        ("carob:Purge", "rose", 200),
        ("carob:Undelete", "garden", 409),
        ("carob:Undelete", "back", 200),
    ];
    assert_eq!(by_operator.len(), expected.len(), "{text}");
    for (line, (operation, subject, status)) in by_operator.iter().zip(expected) {
        for told in [
            format!("\"operation\":\"{operation}\""),
            format!("\"subject\":\"{subject}\""),
            format!("\"status\":{status}"),
        ] {
            assert!(line.contains(&told), "{told} in {line}");
        }
        assert_eq!(
            line.contains("\"bucket\":\"garden\""),
            operation.contains("Snapshot") || operation.contains("Purge")
        );
    }
    assert!(!text.contains("adas-secret"), "{text}");
}

#[test]
fn what_a_policy_decided_is_explained() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/garden", b"").status, 200);
    let policy =
        br#"{"Version": "2012-10-17", "Statement": [{"Sid": "NoWriting", "Effect": "Deny", "Principal": "*",
        "Action": "s3:PutObject", "Resource": "arn:aws:s3:::garden/*"}]}"#;
    assert_eq!(s3.send("PUT", "/garden?policy", policy).status, 204);
    assert!(gateway.get("/garden/rose").0.contains(" 403 "));
    gateway.stop(Signal::TERM);
    let text = text(dir.path());
    let denied = text.lines().last().unwrap();
    assert!(denied.contains("\"decision\":\"deny s3:GetObject: "), "{denied}");
}
