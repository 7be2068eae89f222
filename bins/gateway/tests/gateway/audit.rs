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
