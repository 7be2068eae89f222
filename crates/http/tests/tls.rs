//! TLS as a client sees it, over the loopback interface.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use carob_http::{Certificate, Connections, Limits, TlsListener, serve};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::CancellationToken;

struct Server {
    address: SocketAddr,
    dir: tempfile::TempDir,
    _tasks: JoinSet<()>,
}

/// Writes a certificate of its own, and gives it.
fn write(dir: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

impl Server {
    async fn start(dir: tempfile::TempDir) -> Self {
        let certificate = Certificate::load(dir.path().join("cert.pem"), dir.path().join("key.pem")).unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let service = service_fn(|request: Request<carob_http::Body>| async move {
            Ok::<_, Infallible>(Response::new(request.into_body()))
        });
        let mut tasks = JoinSet::new();
        let listener = TlsListener::new(tcp, certificate.clone());
        let stop = CancellationToken::new();
        tasks.spawn(serve(listener, service, Limits::default(), Connections::default(), stop));
        tasks.spawn(async move { certificate.follow(Duration::from_millis(10)).await });
        Self { address, dir, _tasks: tasks }
    }

    /// What a client that trusts one certificate is answered.
    async fn ask(&self, trusted: &CertificateDer<'static>) -> Result<String, std::io::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let request =
            Request::post("/").header("host", "localhost").body(Full::<bytes::Bytes>::from("asked"));
        let answer = sender.send_request(request.unwrap()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        drop(sender);
        connection.await.unwrap().unwrap();
        Ok(String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_certificate_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = write(dir.path());
    let other = write(tempfile::tempdir().unwrap().path());
    let server = Server::start(dir).await;
    assert_eq!(server.ask(&certificate).await.unwrap(), "asked");
    assert!(server.ask(&other).await.is_err());
}

#[tokio::test]
async fn whoever_speaks_no_tls_is_not_answered_and_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let certificate = write(dir.path());
    let server = Server::start(dir).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(server.ask(&certificate).await.unwrap(), "asked");
    silent.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_certificate_is_replaced_while_it_serves() {
    let dir = tempfile::tempdir().unwrap();
    let old = write(dir.path());
    let server = Server::start(dir).await;
    assert!(server.ask(&old).await.is_ok());
    // What cannot be used changes nothing.
    std::fs::write(server.dir.path().join("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(server.ask(&old).await.is_ok());
    let new = write(server.dir.path());
    for tries in 0.. {
        if server.ask(&new).await.is_ok() {
            break;
        }
        assert!(tries < 500, "the old certificate is still in use");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(server.ask(&old).await.is_err());
}

#[test]
fn what_is_no_certificate_is_refused_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let error = |cert: &Path, key: &Path| Certificate::load(cert.into(), key.into()).unwrap_err().to_string();
    assert!(error(&cert, &key).contains("cert.pem"));
    write(dir.path());
    assert!(error(&cert, &dir.path().join("absent")).contains("absent"));
    std::fs::write(&key, "no key").unwrap();
    assert!(error(&cert, &key).contains("key.pem"));
    // The key of another certificate.
    let other = tempfile::tempdir().unwrap();
    write(other.path());
    assert!(error(&cert, &other.path().join("key.pem")).contains("cert.pem"));
}
