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
    let told = |path: &Path, told: &str| format!("{}: {told}", path.display());
    assert!(error(&cert, &key).starts_with(&told(&cert, "cannot be read: No such file")));
    write(dir.path());
    let absent = dir.path().join("absent");
    assert!(error(&cert, &absent).starts_with(&told(&absent, "cannot be read: No such file")));
    assert!(error(&key, &key).starts_with(&told(&key, "there is no certificate in it")));
    assert!(error(&cert, &cert).starts_with(&told(&cert, "there is no private key in it")));
    let section =
        |name: &str, inside: &str| format!("-----BEGIN {name}-----\n{inside}\n-----END {name}-----\n");
    let broken = "the PEM of the private key is broken: ";
    for (inside, said) in [
        ("no key", "there is no private key in it".to_owned()),
        (
            &section("PRIVATE KEY", "&&&&"),
            format!("{broken}what stands between its first and its last line is not base64"),
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nAAAA\n",
            format!("{broken}its last line, -----END PRIVATE KEY-----, is missing"),
        ),
        (
            "-----BEGIN PRIVATE KEY\nAAAA\n",
            format!("{broken}a line that begins with -----BEGIN does not end so"),
        ),
        (&section("PRIVATE KEY", "AAAA"), "the private key cannot be used: ".to_owned()),
    ] {
        std::fs::write(&key, inside).unwrap();
        let line = error(&cert, &key);
        assert!(line.starts_with(&told(&key, &said)), "{line}");
    }
    write(dir.path());
    for (inside, said) in [
        (section("CERTIFICATE", "&&&&"), "the PEM of the certificate is broken: "),
        (section("CERTIFICATE", "AAAA"), "the certificate cannot be used: "),
    ] {
        std::fs::write(&cert, inside).unwrap();
        let line = error(&cert, &key);
        assert!(line.starts_with(&told(&cert, said)), "{line}");
    }
    write(dir.path());
    // The key of another certificate.
    let other = tempfile::tempdir().unwrap();
    write(other.path());
    let line = error(&cert, &other.path().join("key.pem"));
    assert!(
        line.starts_with(&told(&cert, "the private key in ")) && line.ends_with("is not this certificate's")
    );
}
