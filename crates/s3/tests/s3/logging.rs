//! What is logged, and what never is.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::server::{ROOT, Server};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The subscriber is the whole process's: what other tests log is told apart by request ids.
#[tokio::test]
async fn each_request_is_one_line_without_secrets() {
    let sink = Sink::default();
    let writer = sink.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_env_filter("carob_s3=trace")
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = Server::start().await;
    let answers = [
        server.put("/bucket/key", "hello").send().await.expect_status(200),
        server.get("/bucket/key?response-content-type=x").send().await.expect_status(200),
        server.get("/bucket/absent").presigned(60).send().await.expect_status(404),
        server.get("/").anonymous().send().await.expect_status(403),
    ];
    // A line is written when the server lets go of the answer, which may be after the client has it.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;

    let log = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    let line = |n: usize| {
        let id = format!("\"request_id\":\"{}\"", answers[n].header("x-amz-request-id"));
        let lines: Vec<_> =
            log.lines().filter(|l| l.contains(&id) && l.contains("carob_s3::request")).collect();
        assert_eq!(lines.len(), 1, "{log}");
        lines[0]
    };
    for part in [
        "\"method\":\"GET\"",
        "\"path\":\"/bucket/key\"",
        "\"op\":\"GetObject\"",
        "\"status\":200",
        "\"bytes\":5",
        "\"micros\":",
        &format!("\"key\":\"{}\"", ROOT.0),
    ] {
        assert!(line(1).contains(part), "{part} in {}", line(1));
    }
    assert!(line(0).contains("PutObject") && line(2).contains("404"));
    assert!(line(3).contains("\"op\":\"ListBuckets\"") && line(3).contains("\"key\":\"-\""));
    for secret in [ROOT.1, "X-Amz-Signature", "X-Amz-Credential", "response-content-type"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
