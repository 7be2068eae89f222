//! A service over memory, whose every random number is known, and what every answer must be.
#![allow(dead_code, reason = "each target uses its part")]

#[path = "../../../crates/s3/tests/s3/signer.rs"]
pub mod signer;

use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use carob_block::MemoryStore;
use carob_bucket::{Budget, BudgetOptions, Space, SpaceOptions, System, SystemOptions};
use carob_identity::{
    Account, Clock, Credentials, LimitOptions, ManualClock, MasterKey, RateLimits, RootOnly, SeededEntropy,
    SoleAccount, SpaceKey, Timestamp,
};
use carob_s3::{Body, Domains, S3Frontend, S3Options, service};
use data_encoding::BASE64;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::BodyExt;
use md5::{Digest, Md5};
use quick_xml::Reader;
use quick_xml::events::Event;
use signer::{Signer, ToSign, UNSIGNED};

/// What S3 answers with. 500 is none of them: nothing in memory fails.
const STATUSES: [u16; 12] = [200, 204, 206, 304, 400, 403, 404, 405, 409, 411, 412, 416];
const NOT_THERE: [u16; 2] = [501, 503];

const SECRET: &str = "fuzzing-secret";

pub fn run(work: impl Future<Output = ()>) {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work));
}

/// The pieces between separators.
pub fn split<'a>(mut bytes: &'a [u8], separator: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        match bytes.windows(separator.len()).position(|window| window == separator) {
            Some(at) => {
                let piece = &bytes[..at];
                bytes = &bytes[at + separator.len()..];
                Some(piece)
            }
            None => {
                done = true;
                Some(bytes)
            }
        }
    })
}

pub struct Server {
    space: Space,
    frontend: S3Frontend,
    /// The upload that was begun last, and the version that was written last.
    upload: String,
    version: String,
}

#[derive(Debug)]
pub struct Answer {
    head: bool,
    pub status: u16,
    headers: http::HeaderMap,
    body: Vec<u8>,
}

impl Server {
    /// With a bucket `bucket` and an object `key` in it, and the same in `locked`, which has object lock.
    pub async fn start() -> Self {
        let entropy = Arc::new(SeededEntropy::new(1));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp(1_700_000_000_500)));
        let space = Space::open(SpaceOptions {
            store: Arc::new(MemoryStore::new()),
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: clock.clone(),
            entropy: entropy.clone(),
            cache_bytes: 1 << 20,
        });
        let space = space.await.expect("an empty store");
        let root = Credentials::parse("FUZZ", SECRET).expect("a key");
        let limits = RateLimits::new(LimitOptions::default(), root.id.clone(), &clock);
        let master = MasterKey::generate(&*entropy);
        let system = SystemOptions { root: root.clone(), master, clock: clock.clone() };
        let system = System::open(&space, system).await.expect("an empty store");
        let root = Arc::new(RootOnly::new(root));
        let frontend = service(S3Options {
            space: space.clone(),
            keys: root.clone(),
            authorizer: root,
            encryption_keys: Arc::new(system),
            directory: Arc::new(SoleAccount(Account::root(*space.did()))),
            limits: Arc::new(limits),
            clock,
            entropy,
            region: "us-east-1".to_owned(),
            domains: Domains::default(),
            bodies: Budget::new(BudgetOptions::default()),
            signature_v2: true,
            tls: false,
        });
        let mut server = Self {
            space,
            frontend: frontend.expect("options"),
            upload: String::new(),
            version: String::new(),
        };
        for request in [
            &b"PUT /bucket\n\n"[..],
            b"PUT /bucket/key\n\n0123456789",
            b"PUT /locked\nx-amz-bucket-object-lock-enabled: true\n\n",
            b"PUT /locked/key\n\n0123456789",
        ] {
            let request = server.request(request).expect("a request");
            assert_eq!(server.send(request).await.status, 200);
        }
        server
    }

    pub async fn stop(self) {
        self.space.close().await;
    }

    /// Signs what is a request at all. `@ID` and `@VERSION` stand for the upload and the version that came last,
    /// `@MD5` in a header for what Content-MD5 has to be.
    pub fn request(&self, bytes: &[u8]) -> Option<Request<Body>> {
        let at = bytes.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) = at.map_or((bytes, &b""[..]), |at| (&bytes[..at], &bytes[at + 2..]));
        let known = |text: &str| text.replace("@ID", &self.upload).replace("@VERSION", &self.version);
        let body = std::str::from_utf8(body).map_or_else(|_| body.to_vec(), |text| known(text).into_bytes());
        let md5 = BASE64.encode(&Md5::digest(&body));
        let head = known(&String::from_utf8_lossy(head)).replace("@MD5", &md5);
        self.signed(&head, body, UNSIGNED, |_, _, body| body)
    }

    /// A request whose body `seal` makes out of what it is given, knowing the signature of the head.
    pub fn signed(
        &self,
        head: &str,
        body: Vec<u8>,
        payload: &str,
        seal: impl FnOnce(&Signer, &str, Vec<u8>) -> Vec<u8>,
    ) -> Option<Request<Body>> {
        let mut lines = head.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = signer::encode(path, "/%");
        if !path.starts_with('/') {
            return None;
        }
        let query: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let signer = Signer {
            key: "FUZZ".to_owned(),
            secret: SECRET.to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
            time: SystemTime::now(),
        };
        let mut headers = vec![("host".to_owned(), "localhost".to_owned())];
        headers.push(("x-amz-content-sha256".to_owned(), payload.to_owned()));
        headers.push(("x-amz-date".to_owned(), signer.date()));
        headers.push(("content-length".to_owned(), body.len().to_string()));
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            let name = name.to_ascii_lowercase();
            if !headers.iter().any(|(known, _)| *known == name) {
                headers.push((name, value.trim().to_owned()));
            }
        }
        let to_sign = ToSign { method, path: &path, query: &query, headers: &headers, payload };
        let authorization = signer.authorization(&to_sign);
        let seed = authorization.rsplit('=').next().unwrap_or_default().to_owned();
        headers.push(("authorization".to_owned(), authorization));
        let query = signer::canonical_query(&query);
        let target = if query.is_empty() { path } else { format!("{path}?{query}") };
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            let name = HeaderName::try_from(name).ok()?;
            request = request.header(name, HeaderValue::try_from(value).ok()?);
        }
        request.body(Body::from(seal(&signer, &seed, body))).ok()
    }

    pub async fn send(&mut self, request: Request<Body>) -> Answer {
        let head = request.method() == http::Method::HEAD;
        let (parts, body) = self.frontend.handle(request).await.into_parts();
        let body = body.collect().await.expect("a whole answer").to_bytes().to_vec();
        let answer = Answer { head, status: parts.status.as_u16(), headers: parts.headers, body };
        if let Some(id) = answer.text().split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()) {
            id.clone_into(&mut self.upload);
        }
        if !answer.header("x-amz-version-id").is_empty() {
            answer.header("x-amz-version-id").clone_into(&mut self.version);
        }
        answer
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn check(&self) {
        assert!(
            STATUSES.contains(&self.status) || NOT_THERE.contains(&self.status),
            "{self:?} {}",
            self.text()
        );
        assert_eq!(self.header("x-amz-request-id").len(), 16);
        if self.head || self.status == 204 || self.status == 304 {
            assert!(self.body.is_empty(), "{self:?}");
        } else if self.status >= 400 {
            assert_eq!(self.header("content-type"), "application/xml", "{self:?}");
        }
        if !self.body.is_empty()
            && self.header("content-type") == "application/xml"
            && self.header("etag").is_empty()
        {
            self.check_document();
        }
    }

    /// Well-formed, but for what S3 does itself: references to characters that XML lacks.
    fn check_document(&self) {
        let text = std::str::from_utf8(&self.body).expect("a document is text");
        let raw = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(text.chars().all(raw), "{text:?}");
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let (mut roots, mut depth) = (0, 0);
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{error}: {text}")) {
                Event::Start(_) => {
                    roots += i32::from(depth == 0);
                    depth += 1;
                }
                Event::End(_) => depth -= 1,
                Event::Empty(_) => roots += i32::from(depth == 0),
                Event::GeneralRef(reference) => {
                    let name: &str = &reference;
                    let known = ["amp", "lt", "gt", "quot", "apos"].contains(&name);
                    assert!(known || name.starts_with('#'), "{text}");
                }
                Event::Eof => break,
                _ => {}
            }
        }
        assert_eq!((roots, depth), (1, 0), "{text}");
        if self.status >= 400 {
            assert!(text.contains("<Code>") && text.ends_with("</Error>"), "{text}");
        }
    }
}
