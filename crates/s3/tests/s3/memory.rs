//! More bodies than there is memory for.

use std::sync::Arc;
use std::time::Duration;

use carob_block::MemoryStore;
use carob_bucket::{Budget, BudgetOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::parse;
use crate::delete_objects::{delete, document};
use crate::server::{REGION, Server};

const MIB: usize = 1 << 20;

/// Memory for one leaf; nobody who finds none may wait.
async fn crowded() -> (Server, Budget) {
    let budget = Budget::new(BudgetOptions { bytes: MIB, waiting: 0, patience: Duration::from_secs(20) });
    (Server::within(Arc::new(MemoryStore::new()), REGION, budget.clone()).await, budget)
}

#[tokio::test]
async fn whoever_finds_no_memory_is_told_to_slow_down_before_the_body_is_read() {
    let (server, budget) = crowded().await;
    server.put("/bucket/there", vec![1; 2 * MIB]).send().await.expect_status(200);
    let upload = server.request("POST", "/bucket/parts?uploads").send().await.expect_status(200);
    let part = format!("/bucket/parts?partNumber=1&uploadId={}", upload.element("UploadId"));
    let all = budget.enter(MIB).await.unwrap();
    for request in [
        server.put("/bucket/key", "x"),
        server.put("/bucket/key", "x").chunked(8192),
        server.put(&part, "x"),
        server.put(&part, "").header("x-amz-copy-source", "/bucket/there"),
        server.get("/bucket/there"),
        delete(&server, &document(&["there"], false)),
    ] {
        let slow = request.send().await.expect_error(503, "SlowDown");
        assert_eq!(slow.header("retry-after"), "1");
    }
    // What takes no memory for bodies goes on.
    server.head("/bucket/there").send().await.expect_status(200);
    server.get("/bucket").send().await.expect_status(200);
    drop(all);
    server.put("/bucket/key", "x").send().await.expect_status(200);
    assert_eq!(server.get("/bucket/there").send().await.body, vec![1; 2 * MIB]);
    assert_eq!(budget.taken(), 0);
}

#[tokio::test]
async fn a_client_that_goes_away_halfway_gives_its_memory_back() {
    let (server, budget) = crowded().await;
    let bytes = server.put("/bucket/key", vec![1; MIB / 2]).to_bytes();
    let mut upload = TcpStream::connect(server.address).await.unwrap();
    upload.write_all(&bytes[..bytes.len() - 10]).await.unwrap();
    while budget.taken() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(budget.taken(), MIB / 2);
    drop(upload);
    while budget.taken() > 0 {
        tokio::task::yield_now().await;
    }
    server.put("/bucket/key", "x").send().await.expect_status(200);

    // The same with a body on its way out.
    server.put("/bucket/large", vec![1; 40 * MIB]).send().await.expect_status(200);
    let bytes = server.get("/bucket/large").to_bytes();
    let mut download = TcpStream::connect(server.address).await.unwrap();
    download.write_all(&bytes).await.unwrap();
    download.read_exact(&mut [0; 100]).await.unwrap();
    drop(download);
    while budget.taken() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_body_that_comes_slowly_holds_what_it_said_it_needs() {
    let (server, budget) = crowded().await;
    let bytes = server.put("/bucket/key", vec![1; 1000]).to_bytes();
    let mut upload = TcpStream::connect(server.address).await.unwrap();
    for piece in bytes.chunks(400) {
        upload.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
        assert!(budget.taken() <= 1000);
    }
    upload.shutdown().await.unwrap();
    let mut answer = Vec::new();
    upload.read_to_end(&mut answer).await.unwrap();
    parse(&answer, false).expect_status(200);
}
