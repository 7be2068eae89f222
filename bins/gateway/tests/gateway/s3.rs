//! Signed requests to the real binary, as slow or as broken as a test wants them.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::harness::Gateway;
use crate::signer::{Signer, ToSign, UNSIGNED, canonical_query};

/// Far beyond what any answer takes.
const PATIENCE: Duration = Duration::from_mins(1);

/// Signs with the root key of a data directory.
pub(crate) struct S3 {
    address: SocketAddr,
    pub(crate) signer: Signer,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl S3 {
    pub(crate) fn of(gateway: &Gateway, data: &Path) -> Self {
        let credentials = fs::read_to_string(data.join("credentials")).unwrap();
        let field = |name: &str| {
            let line = credentials.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "));
            line.unwrap().to_owned()
        };
        let signer = Signer {
            key: field("aws_access_key_id"),
            secret: field("aws_secret_access_key"),
            region: "us-east-1".into(),
            service: "s3".into(),
            time: SystemTime::now(),
        };
        Self { address: gateway.address(), signer }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The head of a signed request whose body, of that length, is still to be sent. A query has names alone.
    pub(crate) fn head(&self, method: &str, path: &str, length: usize) -> String {
        self.head_with(method, path, &[], length)
    }

    /// The same with further headers, signed.
    fn head_with(&self, method: &str, path: &str, more: &[(&str, &str)], length: usize) -> String {
        let host = self.address.to_string();
        let headers = [&[("host", host.as_str()), ("x-amz-content-sha256", UNSIGNED)], more].concat();
        let mut headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        headers.push(("x-amz-date".to_owned(), self.signer.date()));
        let (target, (path, query)) = (path, path.split_once('?').unwrap_or((path, "")));
        let names = query.split('&').filter(|name| !name.is_empty());
        let query: Vec<_> = names.map(|name| (name.to_owned(), String::new())).collect();
        let request = ToSign { method, path, query: &query, headers: &headers, payload: UNSIGNED };
        headers.push(("authorization".to_owned(), self.signer.authorization(&request)));
        headers.push(("content-length".to_owned(), length.to_string()));
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{method} {target} HTTP/1.1\r\n{headers}connection: close\r\n\r\n")
    }

    /// The head of a GET by a presigned URL.
    pub(crate) fn presigned(&self, path: &str) -> String {
        let host = self.address.to_string();
        let query = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{}", self.signer.key, self.signer.scope())),
            ("X-Amz-Date", self.signer.date()),
            ("X-Amz-Expires", "60".to_owned()),
            ("X-Amz-SignedHeaders", "host".to_owned()),
        ];
        let mut query: Vec<_> = query.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        let headers = [("host".to_owned(), host.clone())];
        let request = ToSign { method: "GET", path, query: &query, headers: &headers, payload: UNSIGNED };
        let (_, signature) = self.signer.sign(&request);
        query.push(("X-Amz-Signature".to_owned(), signature));
        let query = canonical_query(&query);
        format!("GET {path}?{query} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
    }

    /// A GET with these headers, signed.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(self.head_with("GET", path, headers, 0).as_bytes()).unwrap();
        receive(stream)
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(self.head(method, path, body.len()).as_bytes()).unwrap();
        // Who is refused early may find nobody to send to.
        _ = stream.write_all(body);
        receive(stream)
    }
}

/// Reads an answer that ends with its connection.
pub(crate) fn receive(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let at = at.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&bytes)));
    let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[at + 4..].to_vec() }
}
