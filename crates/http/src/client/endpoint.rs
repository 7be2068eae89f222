//! Gateways on the network.

use std::fmt;
use std::io;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::ClientError;
use super::sigv4::Access;
use super::stream::{Io, Stream};
use super::trust;

/// A gateway's address, and the access key to sign with.
#[derive(Clone)]
pub struct Endpoint {
    /// `host:port`, as it goes into `Host`.
    pub(super) authority: String,
    host: String,
    port: u16,
    tls: Option<TlsConnector>,
    pub(super) access: Access,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A gateway at `url`: `http://host:port` or `https://host`, the latter with a certificate that leads to one of
    /// `roots`, in PEM, or is one.
    ///
    /// # Errors
    /// [`ClientError::Endpoint`].
    pub fn new(url: &str, access: Access, roots: &[u8]) -> Result<Self, ClientError> {
        let wrong = |reason: &str| ClientError::Endpoint { url: url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() || !matches!(uri.path(), "" | "/") {
            return Err(wrong("it is more than a scheme, a host and a port"));
        }
        let (tls, usual) = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => (None, 80),
            Some(scheme) if *scheme == Scheme::HTTPS => {
                let config = trust::config(roots).map_err(|error| wrong(&error.to_string()))?;
                (Some(TlsConnector::from(Arc::new(config))), 443)
            }
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let port = authority.port_u16().unwrap_or(usual);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // As every client has it: the usual port goes without saying.
        let authority =
            if port == usual { authority.host().to_owned() } else { authority.as_str().to_owned() };
        Ok(Self { authority, host, port, tls, access })
    }

    pub(super) async fn connect(&self) -> Result<Stream, ClientError> {
        let failed = |source| ClientError::Unreachable { endpoint: self.authority.clone(), source };
        let tcp = TcpStream::connect((&*self.host, self.port)).await.map_err(failed)?;
        tcp.set_nodelay(true).map_err(failed)?;
        let Some(tls) = &self.tls else { return Ok(boxed(tcp)) };
        let name =
            ServerName::try_from(self.host.clone()).map_err(|error| failed(io::Error::other(error)))?;
        Ok(boxed(tls.connect(name, tcp).await.map_err(failed)?))
    }
}

fn boxed(io: impl Io + 'static) -> Stream {
    Box::new(io)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, ClientError> {
        let access = Access {
            id: "id".into(),
            secret: "secret".into(),
            region: "r".into(),
            now: Arc::new(|| SystemTime::UNIX_EPOCH),
        };
        Endpoint::new(url, access, b"")
    }

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_a_port() {
        for (url, authority, host, port) in [
            ("http://localhost:9000", "localhost:9000", "localhost", 9000),
            ("http://example.com/", "example.com", "example.com", 80),
            ("http://example.com:80", "example.com", "example.com", 80),
            ("http://[::1]:9000", "[::1]:9000", "::1", 9000),
        ] {
            let found = endpoint(url).unwrap();
            assert_eq!((&*found.authority, &*found.host, found.port), (authority, host, port), "{url}");
            assert!(!format!("{found:?}").contains("secret"));
        }
        for bad in
            ["", "localhost:9000", "ftp://x", "http://", "http://x/bucket", "http://x?a", "http://u:p@x"]
        {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
        let unsafe_one = endpoint("https://example.com").unwrap_err().to_string();
        assert!(unsafe_one.contains("no certificates to trust"), "{unsafe_one}");
    }
}
