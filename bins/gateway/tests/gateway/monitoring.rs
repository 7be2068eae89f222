//! What the real binary shows and logs.

use std::io::Write;

use rustix::process::Signal;

use crate::harness::{Gateway, command, refusal, until};
use crate::s3::{S3, receive};

const METRICS: [&str; 2] = ["--metrics", "127.0.0.1:0"];

#[test]
fn metrics_count_what_was_served_and_name_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &METRICS));
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/garden-of-names", b"").status, 200);
    for key in ["first-of-keys", "second"] {
        assert_eq!(s3.send("PUT", &format!("/garden-of-names/{key}"), b"hello").status, 200);
    }
    assert_eq!(s3.send("GET", "/garden-of-names/second", b"").body, b"hello");
    assert_eq!(s3.send("HEAD", "/garden-of-names/absent", b"").status, 404);
    let mut forged = S3::of(&gateway, dir.path());
    forged.signer.secret = "another".into();
    assert_eq!(forged.send("GET", "/garden-of-names/second", b"").status, 403);

    // A request is counted when its last byte is handed over, which may be after the client has it.
    until(|| gateway.metrics().contains("carob_requests_in_flight 0\n"));
    let text = gateway.metrics();
    for line in [
        "carob_requests_total{operation=\"CreateBucket\",status=\"200\",code=\"\"} 1",
        "carob_requests_total{operation=\"PutObject\",status=\"200\",code=\"\"} 2",
        "carob_requests_total{operation=\"GetObject\",status=\"200\",code=\"\"} 1",
        "carob_requests_total{operation=\"HeadObject\",status=\"404\",code=\"NoSuchKey\"} 1",
        "carob_requests_total{operation=\"-\",status=\"403\",code=\"SignatureDoesNotMatch\"} 1",
        "carob_rejected_total{reason=\"signature\"} 1",
        "carob_request_duration_seconds_count{operation=\"PutObject\"} 2",
        "carob_request_first_byte_seconds_count{operation=\"GetObject\"} 1",
        "carob_received_bytes_total 10",
        "carob_group_operations_count 2",
        "carob_store_commit_duration_seconds_count{outcome=\"ok\"} ",
        "carob_store_flush_duration_seconds_count ",
        "carob_index_cache_hits_total ",
        "carob_index_cache_misses_total ",
        "carob_store_blocks ",
        "carob_body_memory_bytes 0",
        "carob_body_memory_limit_bytes 134217728",
        "carob_connections_open ",
        "carob_index_cache_bytes ",
        "carob_ready 1",
        &format!("carob_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} in {text}");
    }
    let memory = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    assert!(memory.unwrap().parse::<u64>().unwrap() > 1 << 20);
    assert!(text.ends_with("# EOF\n"));
    for name in ["garden-of-names", "first-of-keys", &s3.signer.key, &s3.signer.secret, "127.0.0.1"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    // Not to whoever reaches S3.
    assert!(gateway.get("/_carob/metrics").0.starts_with("http/1.1 403"));
}

#[test]
fn metrics_are_shown_to_this_machine_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let line = refusal(&mut command(&data, &["--metrics", "0.0.0.0:0"]));
    assert!(line.contains("not an address of the loopback interface"), "{line}");
    assert!(!data.exists());
}

#[test]
fn an_answer_is_found_in_the_log_by_its_id_and_no_secret_is() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["--log", "trace", "--log-format", "json"];
    let gateway = Gateway::spawn(&mut command(dir.path(), &arguments));
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/garden", b"").status, 200);
    let put = s3.send("PUT", "/garden/key", b"hello");
    let missing = s3.send("GET", "/garden/absent", b"");
    let mut presigned = s3.connect();
    let head = s3.presigned("/garden/key");
    presigned.write_all(head.as_bytes()).unwrap();
    let presigned = receive(presigned);
    assert_eq!((put.status, missing.status, presigned.text().as_str()), (200, 404, "hello"));
    let (status, _, log) = gateway.stop(Signal::TERM);
    assert!(status.success());

    let line = |id: &str| {
        let with_id: Vec<_> = log.lines().filter(|line| line.contains(id)).collect();
        let of_access = with_id.iter().filter(|line| line.contains("\"target\":\"carob_s3::request\""));
        let found: Vec<_> = of_access.collect();
        assert_eq!(found.len(), 1, "{with_id:?}");
        (*found[0]).to_owned()
    };
    let (put, missing) = (line(put.header("x-amz-request-id")), line(missing.header("x-amz-request-id")));
    let key = format!("\"key\":\"{}\"", s3.signer.key);
    for part in [
        "\"remote\":\"127.0.0.1\"",
        "\"method\":\"PUT\"",
        "\"path\":\"/garden/key\"",
        "\"bucket\":\"garden\"",
        "\"op\":\"PutObject\"",
        "\"status\":200",
        "\"code\":\"-\"",
        "\"received\":5",
        "\"micros\":",
        &key,
    ] {
        assert!(put.contains(part), "{part} in {put}");
    }
    assert!(missing.contains("\"status\":404") && missing.contains("\"code\":\"NoSuchKey\""), "{missing}");
    line(presigned.header("x-amz-request-id"));

    let signature = head.split("X-Amz-Signature=").nth(1).unwrap().split(' ').next().unwrap();
    for secret in [&s3.signer.secret, signature, "X-Amz-Signature", "X-Amz-Credential", "Signature="] {
        assert!(!log.contains(secret), "{secret} is logged");
    }
}
