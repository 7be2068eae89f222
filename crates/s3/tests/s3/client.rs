//! A client that sends exactly what it is told to: one connection a request, HTTP/1.1, nothing added unasked but
//! the signature.

use std::net::SocketAddr;

use crate::answer::{Response, exchange};
use crate::server::{GUEST, ROOT, Server};
use crate::signer::{Signer, ToSign, UNSIGNED, canonical_query, encode, hash};

#[derive(Clone)]
pub(crate) struct Request {
    address: SocketAddr,
    host: String,
    pub(crate) signer: Signer,
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    unsigned_headers: Vec<(String, String)>,
    body: Vec<u8>,
    payload: Payload,
    length: Option<String>,
    signature: bool,
    /// Whether `x-amz-date` is sent.
    pub(crate) dated: bool,
}

#[derive(Clone)]
enum Payload {
    /// The hash of the body.
    Hashed,
    /// Whatever `x-amz-content-sha256` is to say.
    Given(String),
    /// aws-chunked, in pieces of that many bytes, with trailers.
    Chunked { signed: bool, size: usize, trailers: Vec<(String, String)>, tamper: bool },
}

impl Request {
    pub(crate) fn new(server: &Server, method: &str, target: &str) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        });
        Self {
            address: server.address,
            host: server.address.to_string(),
            signer: server.signer(ROOT),
            method: method.to_owned(),
            path: encode(path, "/"),
            query: query.collect(),
            headers: Vec::new(),
            unsigned_headers: Vec::new(),
            body: Vec::new(),
            payload: Payload::Hashed,
            length: None,
            signature: true,
            dated: true,
        }
    }

    pub(crate) fn path(mut self, path: &str) -> Self {
        self.path = encode(path, "/");
        self
    }

    /// A path that is sent as it stands.
    pub(crate) fn raw_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// What `Host` says; the connection goes to the server all the same.
    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn unsigned_header(mut self, name: &str, value: &str) -> Self {
        self.unsigned_headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What `Content-Length` says instead of the truth; empty for no such header.
    pub(crate) fn length(mut self, length: &str) -> Self {
        self.length = Some(length.to_owned());
        self
    }

    pub(crate) fn content_sha256(mut self, value: &str) -> Self {
        self.payload = Payload::Given(value.to_owned());
        self
    }

    pub(crate) fn unsigned_payload(self) -> Self {
        self.content_sha256(UNSIGNED)
    }

    pub(crate) fn chunked(mut self, size: usize) -> Self {
        self.payload = Payload::Chunked { signed: true, size, trailers: Vec::new(), tamper: false };
        self
    }

    pub(crate) fn unsigned_chunked(mut self, size: usize) -> Self {
        self.payload = Payload::Chunked { signed: false, size, trailers: Vec::new(), tamper: false };
        self
    }

    pub(crate) fn trailer(mut self, name: &str, value: &str) -> Self {
        if let Payload::Chunked { trailers, .. } = &mut self.payload {
            trailers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Changes a byte of the body after it is signed.
    pub(crate) fn tampered(mut self) -> Self {
        match &mut self.payload {
            Payload::Chunked { tamper, .. } => *tamper = true,
            Payload::Hashed => {
                self.payload = Payload::Given(hash(&self.body));
                self.body[0] ^= 1;
            }
            Payload::Given(_) => self.body[0] ^= 1,
        }
        self
    }

    pub(crate) fn by_guest(self) -> Self {
        self.by(GUEST)
    }

    pub(crate) fn by(mut self, (key, secret): (&str, &str)) -> Self {
        (self.signer.key, self.signer.secret) = (key.to_owned(), secret.to_owned());
        self
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.signature = false;
        self
    }

    pub(crate) async fn send(self) -> Response {
        let head = self.method == "HEAD";
        let bytes = self.to_bytes();
        exchange(self.address, &bytes, head).await
    }

    /// The bytes on the wire.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (head, body) = self.parts();
        [head.into_bytes(), body].concat()
    }

    /// The same request without a connection.
    pub(crate) fn direct(&self) -> http::Request<Vec<u8>> {
        let (head, body) = self.parts();
        let mut lines = head.trim_end().lines();
        let mut first = lines.next().unwrap().split(' ');
        let mut request = http::Request::builder().method(first.next().unwrap()).uri(first.next().unwrap());
        for (name, value) in lines.map(|line| line.split_once(": ").unwrap()) {
            request = request.header(name, value);
        }
        request.body(body).unwrap()
    }

    /// The head with its empty line, and the body as it is sent.
    pub(crate) fn parts(&self) -> (String, Vec<u8>) {
        let mut headers = vec![("host".to_owned(), self.host.clone())];
        let payload = match &self.payload {
            Payload::Hashed => hash(&self.body),
            Payload::Given(value) => value.clone(),
            Payload::Chunked { signed, trailers, .. } => {
                headers.push(("x-amz-decoded-content-length".into(), self.body.len().to_string()));
                headers.push(("content-encoding".into(), "aws-chunked".into()));
                if !trailers.is_empty() {
                    let names: Vec<_> = trailers.iter().map(|(name, _)| name.as_str()).collect();
                    headers.push(("x-amz-trailer".into(), names.join(",")));
                }
                match (signed, trailers.is_empty()) {
                    (true, true) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD".into(),
                    (true, false) => "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER".into(),
                    (false, _) => "STREAMING-UNSIGNED-PAYLOAD-TRAILER".into(),
                }
            }
        };
        for (name, value) in &self.headers {
            if name.eq_ignore_ascii_case("content-encoding") {
                headers.retain(|(name, _)| name != "content-encoding");
            }
            headers.push((name.clone(), value.clone()));
        }
        let mut seed = String::new();
        let mut sent = Vec::new();
        if self.signature {
            headers.push(("x-amz-content-sha256".into(), payload.clone()));
            if self.dated {
                headers.push(("x-amz-date".into(), self.signer.date()));
            }
            let to_sign = ToSign {
                method: &self.method,
                path: &self.path,
                query: &self.query,
                headers: &headers,
                payload: &payload,
            };
            seed = self.signer.sign(&to_sign).1;
            sent.push(("authorization".to_owned(), self.signer.authorization(&to_sign)));
        }
        let body = match &self.payload {
            Payload::Chunked { signed, size, trailers, tamper } => {
                self.chunks(*signed, *size, trailers, *tamper, seed)
            }
            _ => self.body.clone(),
        };
        sent.splice(0..0, headers);
        sent.extend(self.unsigned_headers.iter().cloned());
        match &self.length {
            Some(length) if length.is_empty() => {}
            Some(length) => sent.push(("content-length".into(), length.clone())),
            None if body.is_empty() && self.method != "PUT" && self.method != "POST" => {}
            None => sent.push(("content-length".into(), body.len().to_string())),
        }
        sent.push(("connection".into(), "close".into()));
        let query = canonical_query(&self.query);
        let target = if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) };
        let mut head = format!("{} {target} HTTP/1.1\r\n", self.method);
        for (name, value) in sent {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        (head, body)
    }

    /// Amazon S3 API reference, "Transferring payload in multiple chunks".
    fn chunks(
        &self,
        signed: bool,
        size: usize,
        trailers: &[(String, String)],
        tamper: bool,
        seed: String,
    ) -> Vec<u8> {
        let mut previous = seed;
        let mut sent = Vec::new();
        let scope = format!("{}\n{}", self.signer.date(), self.signer.scope());
        let last: &[u8] = &[];
        for chunk in self.body.chunks(size).chain([last]) {
            let mut line = format!("{:x}", chunk.len());
            if signed {
                let text =
                    format!("AWS4-HMAC-SHA256-PAYLOAD\n{scope}\n{previous}\n{}\n{}", hash(b""), hash(chunk));
                previous = self.signer.seal(&text);
                line.push_str(&format!(";chunk-signature={previous}"));
            }
            sent.extend_from_slice(line.as_bytes());
            sent.extend_from_slice(b"\r\n");
            if !chunk.is_empty() {
                let mut chunk = chunk.to_vec();
                chunk[0] ^= u8::from(tamper);
                sent.extend_from_slice(&chunk);
                sent.extend_from_slice(b"\r\n");
            }
        }
        let mut canonical = String::new();
        for (name, value) in trailers {
            sent.extend_from_slice(format!("{name}:{value}\r\n").as_bytes());
            canonical.push_str(&format!("{name}:{value}\n"));
        }
        if signed && !trailers.is_empty() {
            let text =
                format!("AWS4-HMAC-SHA256-TRAILER\n{scope}\n{previous}\n{}", hash(canonical.as_bytes()));
            sent.extend_from_slice(
                format!("x-amz-trailer-signature:{}\r\n", self.signer.seal(&text)).as_bytes(),
            );
        }
        sent.extend_from_slice(b"\r\n");
        sent
    }

    /// The target of a presigned URL: everything is in the query, and only `host` is signed.
    pub(crate) fn presigned(&self, expires: u32) -> Self {
        let mut request = self.clone();
        request.signature = false;
        request.query.extend([
            ("X-Amz-Algorithm".to_owned(), "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential".to_owned(), format!("{}/{}", self.signer.key, self.signer.scope())),
            ("X-Amz-Date".to_owned(), self.signer.date()),
            ("X-Amz-Expires".to_owned(), expires.to_string()),
            ("X-Amz-SignedHeaders".to_owned(), "host".to_owned()),
        ]);
        let host = [("host".to_owned(), self.host.clone())];
        let to_sign = ToSign {
            method: &self.method,
            path: &self.path,
            query: &request.query,
            headers: &host,
            payload: UNSIGNED,
        };
        let signature = self.signer.sign(&to_sign).1;
        request.query.push(("X-Amz-Signature".to_owned(), signature));
        request
    }
}
