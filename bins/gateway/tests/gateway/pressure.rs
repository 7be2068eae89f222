//! More than there is memory for, and clients that stop halfway.

use std::io::Write;
use std::thread;

use crate::harness::{Gateway, command};
use crate::s3::{S3, receive};

#[test]
fn many_uploads_at_once_within_one_mebibyte_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &["--memory", "1", "--metrics", "127.0.0.1:0"]));
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/bucket", b"").status, 200);
    let body = |n: usize| vec![n as u8; 2_500_000 + n];
    thread::scope(|scope| {
        for n in 0..24 {
            let s3 = &s3;
            scope.spawn(move || {
                let put = s3.send("PUT", &format!("/bucket/{n}"), &body(n));
                assert_eq!(put.status, 200, "{}", put.text());
            });
        }
    });
    thread::scope(|scope| {
        for n in 0..24 {
            let s3 = &s3;
            scope.spawn(move || assert!(s3.send("GET", &format!("/bucket/{n}"), b"").body == body(n), "{n}"));
        }
    });
    assert!(gateway.metrics().contains("carob_body_memory_limit_bytes 1048576\n"));
}

#[test]
fn a_client_that_stops_sending_is_told_and_its_memory_is_free_again() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &["--memory", "1", "--stall-seconds", "1"]));
    let s3 = S3::of(&gateway, dir.path());
    assert_eq!(s3.send("PUT", "/bucket", b"").status, 200);
    let mut stalled = s3.connect();
    stalled.write_all(s3.head("PUT", "/bucket/stalled", 2 << 20).as_bytes()).unwrap();
    stalled.write_all(&[7; 1000]).unwrap();
    // It has to wait for all of the memory.
    let put = s3.send("PUT", "/bucket/patient", &[8; 1 << 20]);
    assert_eq!(put.status, 200, "{}", put.text());
    let told = receive(stalled);
    assert_eq!(told.status, 400);
    assert!(told.text().contains("<Code>RequestTimeout</Code>"), "{}", told.text());
    assert_eq!(s3.send("GET", "/bucket/stalled", b"").status, 404);
}
