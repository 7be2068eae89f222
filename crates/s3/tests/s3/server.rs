//! A server on a free port of the loopback interface over a space in memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use carob_block::{MemoryStore, Store};
use carob_bucket::{Budget, BudgetOptions, Space, SpaceOptions, System, SystemOptions};
use carob_identity::{
    AccessKeyId, AccessKeys, AccessRequest, Account, Action, Authorizer, Clock, Credentials, Decision, Did,
    Identity, IdentityError, LimitOptions, ManualClock, MasterKey, RateLimits, Resource, Rights, SecretKey,
    SeededEntropy, SoleAccount, Source, SpaceKey, Timestamp,
};
use carob_s3::{Domains, Observer, S3Frontend, S3Options, service};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::Request;
use crate::signer::Signer;

pub(crate) const REGION: &str = "us-east-1";
/// Below which buckets may stand.
pub(crate) const DOMAIN: &str = "s3.example.com";
/// May do everything.
pub(crate) const ROOT: (&str, &str) = ("ROOTKEY", "root-secret");
/// May do nothing to keys that start with `secret`, nor read ones that start with `hidden`.
pub(crate) const GUEST: (&str, &str) = ("GUESTKEY", "guest-secret");

/// 2023-11-14T22:13:20Z and a bit, so that cut-off milliseconds show.
pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_500);
pub(crate) const NOW_HTTP: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) space: Space,
    pub(crate) region: String,
    pub(crate) frontend: S3Frontend,
    accepting: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Root and a guest.
#[derive(Debug)]
struct Keys {
    space: Did,
}

#[async_trait]
impl AccessKeys for Keys {
    async fn secret(&self, id: &AccessKeyId) -> Result<Option<SecretKey>, IdentityError> {
        let known = [ROOT, GUEST].into_iter().find(|(key, _)| *key == id.as_str());
        known.map(|(_, secret)| secret.parse()).transpose()
    }
}

#[async_trait]
impl Authorizer for Keys {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, IdentityError> {
        let Some(Identity::AccessKey(id)) = request.identity else { return Ok(Decision::Deny) };
        if id.as_str() == ROOT.0 {
            return Ok(Decision::Allow);
        }
        Ok(if may_as_guest(request) { Decision::Allow } else { Decision::Deny })
    }

    fn rights(&self, request: &AccessRequest<'_>) -> Rights {
        match request.identity {
            Some(Identity::AccessKey(id)) if id.as_str() == ROOT.0 => Rights::Everything,
            Some(_) => Rights::Account { id: self.space, full: false, granted: may_as_guest(request) },
            None => Rights::None,
        }
    }
}

fn may_as_guest(request: &AccessRequest<'_>) -> bool {
    match request.resource {
        Resource::Object { key, .. } if key.starts_with("secret") => false,
        Resource::Object { key, .. }
            if key.starts_with("hidden") && request.action.name() == "s3:GetObject" =>
        {
            false
        }
        // Rights beside those to the object as it is.
        Resource::Object { .. } => {
            !["Version", "Tagging", "Bypass"].iter().any(|kind| request.action.name().contains(kind))
        }
        // To be told that a key is not there.
        Resource::Bucket(_) => {
            let open = |key: &str| !["secret", "hidden"].iter().any(|start| key.starts_with(start));
            request.action == Action::LIST_BUCKET
                && request.listed.is_some_and(|key| !key.is_empty() && open(key))
        }
        Resource::Space => false,
    }
}

async fn system(space: &Space, clock: &Arc<dyn Clock>) -> System {
    let master = MasterKey::generate(&SeededEntropy::new(1));
    let root = Credentials::parse(ROOT.0, ROOT.1).unwrap();
    System::open(space, SystemOptions { root, master, clock: clock.clone() }).await.unwrap()
}

impl Server {
    /// With an empty bucket `bucket`.
    pub(crate) async fn start() -> Self {
        Self::over(Arc::new(MemoryStore::new()), REGION).await
    }

    pub(crate) async fn over(store: Arc<dyn Store>, region: &str) -> Self {
        Self::within(store, region, Budget::new(BudgetOptions::default())).await
    }

    /// With memory for bodies from this budget.
    pub(crate) async fn within(store: Arc<dyn Store>, region: &str, bodies: Budget) -> Self {
        Self::serve(Self::options(store, region, bodies).await).await
    }

    /// One with other options.
    pub(crate) async fn with(change: impl FnOnce(&mut S3Options)) -> Self {
        let bodies = Budget::new(BudgetOptions::default());
        let mut options = Self::options(Arc::new(MemoryStore::new()), REGION, bodies).await;
        change(&mut options);
        Self::serve(options).await
    }

    async fn options(store: Arc<dyn Store>, region: &str, bodies: Budget) -> S3Options {
        // Each server draws other request ids, so that their logs can be told apart.
        static SEED: AtomicU64 = AtomicU64::new(7);
        let entropy = Arc::new(SeededEntropy::new(SEED.fetch_add(1 << 32, Ordering::SeqCst)));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        let space = Space::open(SpaceOptions {
            store,
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: clock.clone(),
            entropy: entropy.clone(),
            cache_bytes: 1 << 20,
        })
        .await
        .unwrap();
        space.create_bucket("bucket").await.unwrap();
        let root = ROOT.0.parse().unwrap();
        S3Options {
            encryption_keys: Arc::new(system(&space, &clock).await),
            space: space.clone(),
            keys: Arc::new(Keys { space: *space.did() }),
            authorizer: Arc::new(Keys { space: *space.did() }),
            directory: Arc::new(SoleAccount(Account::root(*space.did()))),
            limits: Arc::new(RateLimits::new(LimitOptions::default(), root, &clock)),
            clock,
            entropy,
            region: region.to_owned(),
            domains: Domains::new(vec![DOMAIN.to_owned()]).unwrap(),
            bodies,
            signature_v2: true,
            tls: false,
        }
    }

    /// A server with these options.
    pub(crate) async fn serve(options: S3Options) -> Self {
        let (space, region) = (options.space.clone(), options.region.clone());
        Self::accept(service(options).unwrap(), space, region).await
    }

    /// The same buckets behind a listener of their own, which an observer is told of.
    pub(crate) async fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        let frontend = self.frontend.clone().observed_by(observer);
        Self::accept(frontend, self.space.clone(), self.region.clone()).await
    }

    /// The same buckets behind another service, which knows nothing that the first one remembers.
    pub(crate) async fn again(&self) -> Self {
        let entropy = Arc::new(SeededEntropy::new(3));
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW));
        let options = S3Options {
            encryption_keys: Arc::new(system(&self.space, &clock).await),
            space: self.space.clone(),
            keys: Arc::new(Keys { space: *self.space.did() }),
            authorizer: Arc::new(Keys { space: *self.space.did() }),
            directory: Arc::new(SoleAccount(Account::root(*self.space.did()))),
            limits: Arc::new(RateLimits::new(LimitOptions::default(), ROOT.0.parse().unwrap(), &clock)),
            clock,
            entropy,
            region: self.region.clone(),
            domains: Domains::new(vec![DOMAIN.to_owned()]).unwrap(),
            bodies: Budget::new(BudgetOptions::default()),
            signature_v2: true,
            tls: false,
        };
        Self::serve(options).await
    }

    async fn accept(frontend: S3Frontend, space: Space, region: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = frontend.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let served = served.clone();
                let sourced = service_fn(move |mut request: http::Request<Incoming>| {
                    request.extensions_mut().insert(Source(peer.ip()));
                    served.call(request)
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .half_close(true)
                    .serve_connection(TokioIo::new(stream), sourced);
                tokio::spawn(connection);
            }
        });
        Self { address, space, region, frontend, accepting }
    }

    pub(crate) fn signer(&self, (key, secret): (&str, &str)) -> Signer {
        let credentials = Credentials::parse(key, secret).unwrap();
        Signer {
            key: credentials.id.to_string(),
            secret: credentials.secret.expose().to_owned(),
            region: self.region.clone(),
            service: "s3".to_owned(),
            time: SystemTime::now(),
        }
    }

    /// A request by root; `target` is a path, and a query if there is one, neither of them encoded.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self, method, target)
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    pub(crate) fn head(&self, target: &str) -> Request {
        self.request("HEAD", target)
    }

    pub(crate) fn delete(&self, target: &str) -> Request {
        self.request("DELETE", target)
    }

    pub(crate) fn put(&self, target: &str, body: impl Into<Vec<u8>>) -> Request {
        self.request("PUT", target).body(body)
    }

    /// Puts objects into `bucket`, each with its key as its body.
    pub(crate) async fn fill(&self, keys: &[&str]) {
        for key in keys {
            let path = format!("/bucket/{key}");
            self.request("PUT", "").path(&path).body(*key).send().await.expect_status(200);
        }
    }

    /// How many objects `bucket` holds, and at which commit it is.
    pub(crate) async fn state(&self) -> (u64, String) {
        let snapshot = self.space.bucket("bucket").await.unwrap().snapshot().await.unwrap();
        (snapshot.objects(), snapshot.cid().to_string())
    }
}
