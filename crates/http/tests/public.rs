//! What faces the network, driven over real connections.

use std::collections::HashSet;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use carob_http::{Body, Connections, Limits, Metrics, Public, Readiness, serve};
use carob_identity::SeededEntropy;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::service::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Stands for S3: answers with the path, fails at `/fail`, brings its own ids at `/ids`, takes its time at
/// `/slow`, answers more than sockets buffer at `/big`.
#[derive(Clone)]
struct Echo {
    arrived: Arc<Semaphore>,
    release: Arc<Semaphore>,
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let Self { arrived, release } = self.clone();
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let mut response = Response::new(Full::new(Bytes::from(path.clone())));
            match path.as_str() {
                "/refused" => {
                    *response.status_mut() = StatusCode::FORBIDDEN;
                    return Ok(response);
                }
                "/fail" => return Err(std::io::Error::other("secret detail")),
                "/ids" => {
                    response.headers_mut().insert("x-amz-request-id", "MINE".parse().unwrap());
                }
                "/slow" => {
                    arrived.add_permits(1);
                    release.acquire().await.unwrap().forget();
                }
                "/big" => *response.body_mut() = Full::new(vec![0; 64 << 20].into()),
                _ => {}
            }
            *response.status_mut() = match request.into_body().collect().await {
                Ok(_) => StatusCode::ACCEPTED,
                Err(error) if error.to_string() == "the client stopped sending" => {
                    StatusCode::REQUEST_TIMEOUT
                }
                Err(_) => StatusCode::BAD_REQUEST,
            };
            Ok(response)
        })
    }
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    arrived: Arc<Semaphore>,
    release: Arc<Semaphore>,
    readiness: Readiness,
    metrics: Metrics,
    connections: Connections,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let (arrived, release) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let echo = Echo { arrived: arrived.clone(), release: release.clone() };
        let (readiness, metrics, connections) =
            (Readiness::default(), Metrics::new("0.0.0"), Connections::default());
        let entropy = Arc::new(SeededEntropy::new(1));
        let names_bucket = |host: &str| host.starts_with("bucket.");
        let public = Public::new(echo, entropy, names_bucket, readiness.clone(), metrics.clone());
        let task = tokio::spawn(serve(listener, public, limits, connections.clone(), stop.clone()));
        Self { address, stop, arrived, release, readiness, metrics, connections, task }
    }

    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, method: &str, target: &str) -> Answer {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        receive(self.send(&request).await).await
    }

    async fn ask_host(&self, host: &str, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        receive(self.send(&request).await).await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[derive(Debug)]
struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

async fn receive(mut stream: TcpStream) -> Answer {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned()));
    Answer { status, headers: headers.collect(), body: body.to_owned() }
}

#[tokio::test]
async fn under_the_host_of_a_bucket_every_path_is_a_key() {
    let server = Server::start(Limits::default()).await;
    let ours = server.ask_host("example.com", "/_carob/health").await;
    assert_eq!((ours.status.as_str(), ours.body.as_str()), ("200", ""));
    for target in ["/_carob/health", "/_carob/x", "/_carob", "http://bucket.example.com/_carob/health"] {
        let key = server.ask_host("bucket.example.com", target).await;
        assert_ne!(key.body, "", "{target} reached S3");
    }
    server.stop().await;
}

#[tokio::test]
async fn health_answers_anybody_and_says_nothing_else() {
    let server = Server::start(Limits::default()).await;
    for method in ["GET", "HEAD"] {
        let answer = server.ask(method, "/_carob/health").await;
        assert_eq!((answer.status.as_str(), answer.body.as_str()), ("200", ""));
        let mut names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let expected = ["connection", "content-length", "date", "x-amz-id-2", "x-amz-request-id"];
        assert_eq!(names, expected);
    }
    assert_eq!(server.ask("PUT", "/_carob/health").await.status, "405");
    server.stop().await;
}

#[tokio::test]
async fn nothing_under_the_prefix_reaches_s3_and_nothing_else_is_kept_from_it() {
    let server = Server::start(Limits::default()).await;
    for target in ["/_carob", "/_carob/", "/_carob/status", "/_carob/health/", "/_carob//health"] {
        assert_eq!(server.ask("GET", target).await.status, "403", "{target}");
    }
    for target in ["/", "/_carobx/health", "/%5Fcarob/health", "/bucket/_carob/health", "//_carob/health"] {
        let answer = server.ask("GET", target).await;
        assert_eq!((answer.status.as_str(), answer.body.as_str()), ("202", target));
    }
    let absolute = server.ask("GET", "http://elsewhere/_carob/status").await;
    assert_eq!(absolute.status, "403");
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_ids_of_its_own() {
    let server = Server::start(Limits::default()).await;
    let mut seen = HashSet::new();
    for target in ["/a", "/a", "/_carob/health", "/_carob/x", "/fail"] {
        let answer = server.ask("GET", target).await;
        let (id, id_2) = (answer.header("x-amz-request-id").unwrap(), answer.header("x-amz-id-2").unwrap());
        assert_eq!((id.len(), id_2.len()), (16, 56));
        assert!(seen.insert(id.to_owned()), "{target}");
    }
    let answer = server.ask("GET", "/ids").await;
    assert_eq!(answer.header("x-amz-request-id"), Some("MINE"), "the inner one is named in bodies and wins");
    server.stop().await;
}

#[tokio::test]
async fn a_failing_s3_service_answers_500_without_its_reason() {
    let server = Server::start(Limits::default()).await;
    let answer = server.ask("GET", "/fail").await;
    assert_eq!(answer.status, "500");
    assert!(answer.body.contains("<Code>InternalError</Code>") && !answer.body.contains("secret"));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_request_head_is_cut_off() {
    let limits = Limits { head_timeout: Duration::from_millis(50), ..Limits::default() };
    let server = Server::start(limits).await;
    let mut stream = server.send("GET / HTTP/1.1\r\nhost: ").await;
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(!rest.starts_with(b"HTTP/1.1 2"));
    server.stop().await;
}

#[tokio::test]
async fn an_oversize_request_head_is_refused() {
    let server = Server::start(Limits { head_bytes: 4096, ..Limits::default() }).await;
    let fits = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\na: {}\r\n\r\n", "x".repeat(4000));
    assert_eq!(receive(server.send(&fits).await).await.status, "202");
    let over = fits.replace("a: ", &format!("a: {}", "x".repeat(100)));
    assert_eq!(receive(server.send(&over).await).await.status, "431");
    server.stop().await;
}

#[tokio::test]
async fn a_request_may_have_hundreds_of_headers() {
    let server = Server::start(Limits { headers: 400, ..Limits::default() }).await;
    let get = |headers: usize| {
        let lines: String = (2..headers).map(|number| format!("x-amz-meta-{number}: x\r\n")).collect();
        format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{lines}\r\n")
    };
    assert_eq!(receive(server.send(&get(400)).await).await.status, "202");
    assert_eq!(receive(server.send(&get(401)).await).await.status, "431");
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_stands_still_or_nearly_so_is_cut_off_and_a_slow_one_is_not() {
    let limits = Limits { body_timeout: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits).await;
    let head = |length| {
        format!("PUT /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
    };
    let still = server.send(&format!("{}abc", head(10))).await;
    let (mut dripping, mut drops) = server.send(&head(20)).await.into_split();
    let drops = tokio::spawn(async move {
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(120)).await;
            // Until it is cut off.
            _ = drops.write_all(b"x").await;
        }
    });
    let mut slow = server.send(&head(40_960)).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(120)).await;
        slow.write_all(&[7; 4096]).await.unwrap();
    }
    assert_eq!(receive(slow).await.status, "202", "1.2 s in all, but never 1 s for 4 KiB");
    let mut answer = Vec::new();
    _ = dripping.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 408"), "a byte now and then");
    drops.await.unwrap();
    assert_eq!(receive(still).await.status, "408");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let write_timeout = Duration::from_millis(100);
    let limits = Limits { write_timeout, connections: 1, surplus: 0, ..Limits::default() };
    let server = Server::start(limits).await;
    let stuck = server.send("GET /big HTTP/1.1\r\nhost: x\r\n\r\n").await;
    // With one connection allowed, this is answered only once the stuck one is gone.
    let answer = tokio::time::timeout(Duration::from_secs(5), server.ask("GET", "/a")).await.unwrap();
    assert_eq!(answer.status, "202");
    drop(stuck);
    server.stop().await;
}

#[tokio::test]
async fn readiness_is_told_to_anybody_and_health_goes_on_without_it() {
    let server = Server::start(Limits::default()).await;
    for (ready, status) in [(false, "503"), (true, "200"), (false, "503")] {
        server.readiness.set_serving(ready);
        for method in ["GET", "HEAD"] {
            let answer = server.ask(method, "/_carob/ready").await;
            assert_eq!((answer.status.as_str(), answer.body.as_str()), (status, ""));
        }
        assert_eq!(server.ask("GET", "/_carob/health").await.status, "200");
    }
    assert_eq!(server.ask("PUT", "/_carob/ready").await.status, "405");
    assert_eq!(server.ask("GET", "/_carob/metrics").await.status, "403", "shown elsewhere");
    server.stop().await;
}

#[tokio::test]
async fn a_connection_too_many_is_told_to_slow_down_at_once_and_health_still_answers() {
    let server = Server::start(Limits { connections: 1, surplus: 1, ..Limits::default() }).await;
    server.readiness.set_serving(true);
    let slow = slow_request(&server).await;
    assert_eq!(server.connections.open(), 1);
    // Without `connection: close` of its own.
    let refused = receive(server.send("GET /a HTTP/1.1\r\nhost: x\r\n\r\n").await).await;
    assert_eq!((refused.status.as_str(), refused.header("retry-after")), ("503", Some("1")));
    assert_eq!(refused.header("connection"), Some("close"));
    assert!(refused.body.contains("<Code>SlowDown</Code>"), "{}", refused.body);
    let upload = "PUT /a HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
    assert_eq!(receive(server.send(upload).await).await.status, "503");
    for target in ["/_carob/health", "/_carob/ready"] {
        assert_eq!(server.ask("GET", target).await.status, "200", "{target}");
    }
    assert!(server.metrics.text().contains("carob_rejected_total{reason=\"connections\"} 2\n"));
    server.release.add_permits(1);
    drop(slow);
    // Noticed by whoever accepts the next one.
    while server.ask("GET", "/a").await.status != "202" {}
    server.stop().await;
}

/// Whoever opens connections and says nothing keeps nobody out, nor does whoever comes lose a request to make room.
#[tokio::test]
async fn silent_connections_make_room_for_others() {
    let server = Server::start(Limits { connections: 3, surplus: 0, ..Limits::default() }).await;
    let slow = slow_request(&server).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /a HT").await.unwrap();
        silent.push(stream);
        assert_eq!(server.ask("GET", "/a").await.status, "202");
    }
    let mut oldest = silent.swap_remove(0);
    let ended = oldest.read(&mut [0; 64]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "it was answered");
    server.stop.cancel();
    server.release.add_permits(1);
    assert_eq!(receive(slow).await.status, "202");
    server.stop().await;
}

/// Clients keep connections for later; those of some are no reason to turn others away.
#[tokio::test]
async fn connections_between_two_requests_make_room_for_others() {
    let server = Server::start(Limits { connections: 3, surplus: 0, ..Limits::default() }).await;
    let slow = slow_request(&server).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"/a") && stream.read_buf(&mut answer).await.unwrap_or(0) > 0 {}
        answer.starts_with(b"HTTP/1.1 202")
    };
    let mut kept = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        assert!(ask(&mut stream).await);
        kept.push(stream);
    }
    let (oldest, newest) = (0, kept.len() - 1);
    assert!(ask(&mut kept[newest]).await, "there was an older one");
    assert_eq!(kept[oldest].read(&mut [0; 64]).await.unwrap(), 0, "ended in order");
    server.stop.cancel();
    server.release.add_permits(1);
    assert_eq!(receive(slow).await.status, "202");
    server.stop().await;
}

/// A connection whose `/slow` request is being worked on.
async fn slow_request(server: &Server) -> TcpStream {
    let stream = server.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.arrived.acquire().await.unwrap().forget();
    stream
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_closes_idle_connections() {
    let server = Server::start(Limits::default()).await;
    let mut idle = server.send("GET /a HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(idle.read(&mut [0; 4096]).await.unwrap() > 0);
    let slow = slow_request(&server).await;
    server.stop.cancel();
    assert_eq!(idle.read(&mut [0; 4096]).await.unwrap(), 0, "closed while the other is still worked on");
    assert!(TcpStream::connect(server.address).await.is_err(), "no longer listening");
    server.release.add_permits(1);
    assert_eq!(receive(slow).await.status, "202");
    server.task.await.unwrap();
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_may() {
    let server =
        Server::start(Limits { drain_timeout: Duration::from_millis(50), ..Limits::default() }).await;
    let mut slow = slow_request(&server).await;
    server.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), server.task).await.unwrap().unwrap();
    let mut rest = Vec::new();
    _ = slow.read_to_end(&mut rest).await;
    assert!(rest.is_empty(), "cut, not answered");
}

#[tokio::test]
async fn a_client_refused_before_its_body_is_read_still_hears_why_and_keeps_its_connection() {
    let server = Server::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        let head = "PUT /refused HTTP/1.1\r\nhost: x\r\ncontent-length: 3000000\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(&vec![7; 3_000_000]).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"/refused") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection stays open");
        }
        assert!(answer.starts_with(b"HTTP/1.1 403"));
    }
}

#[tokio::test]
async fn a_client_that_waits_for_the_go_ahead_is_not_asked_for_a_body_nobody_wants() {
    let server = Server::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /refused HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 403"), "no 100 before it");
    let answer = String::from_utf8(answer).unwrap().to_lowercase();
    assert!(answer.contains("\r\nconnection: close\r\n"), "the client must not reuse it: {answer}");
}

#[tokio::test]
async fn an_empty_body_that_waits_for_the_go_ahead_ends_its_connection_and_says_so() {
    let server = Server::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"));
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_was_told_to_go_ahead_keeps_its_connection() {
    let server = Server::start(Limits::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..2 {
        let head = "PUT /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"100 Continue\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        stream.write_all(b"body").await.unwrap();
        while !answer.ends_with(b"/x") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection stays open");
        }
    }
}

#[tokio::test]
async fn a_request_of_http_1_1_names_its_host() {
    let server = Server::start(Limits::default()).await;
    for target in ["/a", "http://somewhere/a", "/_carob/health"] {
        let request = |version: &str, host: &str| {
            format!("GET {target} HTTP/{version}\r\n{host}connection: close\r\n\r\n")
        };
        let answer = receive(server.send(&request("1.1", "")).await).await;
        assert!(answer.status.contains("400"), "{target}: {answer:?}");
        assert!(answer.body.contains("<Code>BadRequest</Code>"), "{answer:?}");
        assert!(answer.header("x-amz-request-id").is_some());
        for (version, host) in [("1.1", "host: x\r\n"), ("1.1", "host:\r\n"), ("1.0", "")] {
            let answer = receive(server.send(&request(version, host)).await).await;
            assert!(answer.status.contains("20"), "{version} {host}: {answer:?}");
        }
    }
}
