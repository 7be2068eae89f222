//! Work that takes longer than a silent connection lives. Time stands still here but for waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carob_block::fault::FaultyStore;
use carob_block::{Block, Cid, HeadSwap, Heads, MemoryStore, ReadBlocks, Session, Store, StoreError};
use carob_s3::Body;
use futures::StreamExt;
use http_body_util::BodyExt;

use crate::client::Request;
use crate::server::{REGION, Server};

/// Commits late.
#[derive(Debug)]
struct SlowStore {
    inner: Arc<dyn Store>,
    seconds: AtomicU64,
}

#[async_trait]
impl ReadBlocks for SlowStore {
    async fn get(&self, cid: &Cid) -> Result<Option<Block>, StoreError> {
        self.inner.get(cid).await
    }
}

#[async_trait]
impl Heads for SlowStore {
    async fn head(&self, name: &str) -> Result<Option<Cid>, StoreError> {
        self.inner.head(name).await
    }

    async fn heads(&self, prefix: &str) -> Result<Vec<(String, Cid)>, StoreError> {
        self.inner.heads(prefix).await
    }
}

#[async_trait]
impl Store for SlowStore {
    fn session(&self) -> Box<dyn Session> {
        self.inner.session()
    }

    async fn commit(&self, sessions: &[&dyn Session], swaps: &[HeadSwap]) -> Result<(), StoreError> {
        tokio::time::sleep(Duration::from_secs(self.seconds.load(Ordering::SeqCst))).await;
        self.inner.commit(sessions, swaps).await
    }
}

struct Slow {
    server: Server,
    store: Arc<SlowStore>,
    faults: Arc<FaultyStore>,
}

impl Slow {
    async fn start() -> Self {
        let faults = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let store = Arc::new(SlowStore { inner: Arc::clone(&faults) as _, seconds: AtomicU64::new(0) });
        Self { server: Server::over(Arc::clone(&store) as _, REGION).await, store, faults }
    }

    /// The head of the answer and when each piece of its body came, in seconds.
    async fn send(&self, request: Request) -> (http::response::Parts, Vec<(u64, String)>) {
        let begin = tokio::time::Instant::now();
        let (head, body) = request.direct().into_parts();
        let request = http::Request::from_parts(head, Body::from(body));
        let (head, body) = self.server.frontend.handle(request).await.into_parts();
        let pieces = body.into_data_stream().map(|piece| {
            let text = String::from_utf8(piece.unwrap().to_vec()).unwrap();
            (begin.elapsed().as_secs(), text)
        });
        (head, pieces.collect().await)
    }

    /// An upload with one part, and the request that completes it.
    async fn upload(&self) -> Request {
        let (_, begun) = self.send(self.server.request("POST", "/bucket/key?uploads")).await;
        let id = begun[0].1.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        let part = self.server.put("/bucket/key", "part").query("partNumber", "1").query("uploadId", &id);
        let (head, _) = self.send(part).await;
        let etag = head.headers["etag"].to_str().unwrap();
        let list = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
        let document = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
        self.server.request("POST", "/bucket/key").query("uploadId", &id).body(document)
    }
}

fn text(pieces: &[(u64, String)]) -> String {
    pieces.iter().map(|(_, text)| text.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_takes_long_keeps_its_connection_open() {
    let slow = Slow::start().await;
    let complete = slow.upload().await;
    slow.store.seconds.store(35, Ordering::SeqCst);
    let (head, pieces) = slow.send(complete).await;
    assert_eq!(
        (head.status.as_u16(), &head.headers["content-type"]),
        (200, &"application/xml".parse().unwrap())
    );
    assert!(head.headers.contains_key("x-amz-request-id"));
    assert!(!head.headers.contains_key("content-length"));
    let times: Vec<u64> = pieces.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [10, 20, 30, 35]);
    let text = text(&pieces);
    assert!(
        text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>  <CompleteMultipartUploadResult"),
        "{text}"
    );
    assert!(text.ends_with("</CompleteMultipartUploadResult>"), "{text}");
    assert_eq!(text.matches("<?xml").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_answer_has_begun_is_its_document() {
    let slow = Slow::start().await;
    let complete = slow.upload().await;
    slow.store.seconds.store(15, Ordering::SeqCst);
    for call in 1..20 {
        slow.faults.fail_call(call);
        let (head, pieces) = slow.send(complete.clone()).await;
        let text = text(&pieces);
        assert!(text.contains("<Code>ServiceUnavailable</Code>"), "call {call}: {text}");
        assert!(text.contains("<RequestId>") && text.ends_with("</Error>"), "{text}");
        if head.status == 200 {
            assert_eq!(pieces.iter().map(|(time, _)| *time).collect::<Vec<_>>(), [10, 15]);
            return;
        }
        assert_eq!(head.status, 503);
    }
    panic!("no commit failed late");
}

#[tokio::test(start_paused = true)]
async fn a_completion_that_is_soon_done_or_soon_wrong_has_its_own_status() {
    let slow = Slow::start().await;
    let complete = slow.upload().await;
    slow.store.seconds.store(9, Ordering::SeqCst);
    let (head, _) = slow.send(complete.clone().query("uploadId", "none")).await;
    assert_ne!(head.status, 200);
    let (head, pieces) = slow.send(complete).await;
    assert_eq!((head.status.as_u16(), pieces.len(), pieces[0].0), (200, 1, 9));
    assert!(head.headers.contains_key("x-carob-cid"), "headers that are known only at the end");
}

#[tokio::test(start_paused = true)]
async fn copies_are_kept_open_and_other_work_is_waited_for() {
    let slow = Slow::start().await;
    slow.send(slow.server.put("/bucket/source", "body")).await;
    slow.store.seconds.store(25, Ordering::SeqCst);
    let copy = slow.server.put("/bucket/copy", "").header("x-amz-copy-source", "bucket/source");
    let (head, pieces) = slow.send(copy).await;
    assert_eq!(head.status, 200);
    assert_eq!(pieces.iter().map(|(time, _)| *time).collect::<Vec<_>>(), [10, 20, 25]);
    assert!(text(&pieces).contains("<CopyObjectResult"));
    // The answer to a PUT has no document that could hold an error.
    let (head, _) = slow.send(slow.server.put("/bucket/key", "body")).await;
    assert_eq!(head.status, 200);
    assert!(head.headers.contains_key("etag"));
}
