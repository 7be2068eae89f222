//! Told to stop, the gateway finishes what it began, and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;

use rustix::process::Signal;

use crate::harness::{Gateway, command, until};
use crate::s3::{S3, receive};

/// So long that whoever waits for it fails the test.
const DRAIN: [&str; 4] = ["--drain-seconds", "600", "--metrics", "127.0.0.1:0"];

fn body() -> Vec<u8> {
    (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
}

/// An upload that has sent half of its body, to a gateway that waits for it.
fn half_sent(s3: &S3, body: &[u8]) -> TcpStream {
    assert_eq!(s3.send("PUT", "/bucket", b"").status, 200);
    let mut upload = s3.connect();
    let head = s3.head("PUT", "/bucket/key", body.len());
    let head = format!("{}expect: 100-continue\r\n\r\n", head.strip_suffix("\r\n").unwrap());
    upload.write_all(head.as_bytes()).unwrap();
    let mut go_ahead = [0; 25];
    upload.read_exact(&mut go_ahead).unwrap();
    assert!(go_ahead.starts_with(b"HTTP/1.1 100 "));
    upload.write_all(&body[..body.len() / 2]).unwrap();
    upload
}

#[test]
fn an_upload_under_way_is_finished_and_idle_connections_hold_nothing_up() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &DRAIN));
    let (s3, body) = (S3::of(&gateway, dir.path()), body());
    let mut upload = half_sent(&s3, &body);
    let _silent = s3.connect();
    let mut idle = s3.connect();
    idle.write_all(b"GET /_carob/health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0);
    assert!(gateway.ready());

    gateway.signal(Signal::TERM);
    until(|| !gateway.ready());
    until(|| TcpStream::connect(gateway.address()).is_err());
    assert_eq!(idle.read(&mut [0; 1024]).unwrap(), 0, "closed, though the upload goes on");
    upload.write_all(&body[body.len() / 2..]).unwrap();
    let answer = receive(upload);
    assert_eq!((answer.status, answer.header("connection")), (200, "close"));
    let (status, _, log) = gateway.ended();
    assert!(status.success(), "{log}");

    let gateway = Gateway::start(dir.path());
    let read = S3::of(&gateway, dir.path()).send("GET", "/bucket/key", b"");
    assert!(read.status == 200 && read.body == body, "what was answered is there");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &DRAIN));
    let s3 = S3::of(&gateway, dir.path());
    let _upload = half_sent(&s3, &body());
    gateway.signal(Signal::TERM);
    until(|| !gateway.ready());
    let (status, _, log) = gateway.stop(Signal::INT);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("told to stop twice"), "{log}");
    assert!(!dir.path().join("admin.sock").exists());

    let gateway = Gateway::start(dir.path());
    assert_eq!(S3::of(&gateway, dir.path()).send("GET", "/bucket/key", b"").status, 404);
}

#[test]
fn an_upload_that_does_not_end_is_cut_off_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::spawn(&mut command(dir.path(), &["--drain-seconds", "1"]));
    let _upload = half_sent(&S3::of(&gateway, dir.path()), &body());
    let (status, _, log) = gateway.stop(Signal::TERM);
    assert!(status.success(), "{log}");
    assert!(log.contains("requests took too long to finish"), "{log}");
}
