//! A server with accounts: Alice and Bob, each with a bucket and keys.

use std::sync::Arc;

use carob_block::MemoryStore;
use carob_bucket::{Budget, BudgetOptions, Config, Space, SpaceOptions, System, SystemOptions};
use carob_identity::{
    Account, Clock, Credentials, LimitOptions, ManualClock, MasterKey, RateLimits, Scope, SeededEntropy,
    SpaceKey,
};
use carob_s3::{Domains, S3Options};

use crate::server::{NOW, REGION, ROOT, Server};

pub(crate) const ALICE: (&str, &str) = ("ALICE", "alices-secret");
pub(crate) const BOB: (&str, &str) = ("BOBBY", "bobbys-secret");

pub(crate) struct Tenants {
    pub(crate) server: Server,
    pub(crate) system: System,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) alice: Account,
}

impl Tenants {
    /// Alice owns `alices`, Bob `bobs`; both are empty.
    pub(crate) async fn start() -> Self {
        Self::limited(LimitOptions::default()).await
    }

    pub(crate) async fn limited(limits: LimitOptions) -> Self {
        let entropy = Arc::new(SeededEntropy::new(77));
        let clock = Arc::new(ManualClock::new(NOW));
        let shared: Arc<dyn Clock> = clock.clone();
        let options = SpaceOptions {
            store: Arc::new(MemoryStore::new()),
            signer: Arc::new(SpaceKey::generate(&*entropy)),
            clock: shared.clone(),
            entropy: entropy.clone(),
            cache_bytes: 1 << 20,
        };
        let space = Space::open(options).await.unwrap();
        let root = credentials(ROOT);
        let limits = Arc::new(RateLimits::new(limits, root.id.clone(), &shared));
        let master = MasterKey::generate(&*entropy);
        let system =
            System::open(&space, SystemOptions { root, master, clock: shared.clone() }).await.unwrap();
        let (alice, _) = system.create_account("alice", Some(credentials(ALICE))).await.unwrap();
        let (bob, _) = system.create_account("bob", Some(credentials(BOB))).await.unwrap();
        space.create_bucket_with("alices", alice.id, &Config::default()).await.unwrap();
        space.create_bucket_with("bobs", bob.id, &Config::default()).await.unwrap();
        let server = Server::serve(S3Options {
            space,
            keys: system.table().clone(),
            authorizer: system.table().clone(),
            encryption_keys: Arc::new(system.clone()),
            directory: system.table().clone(),
            limits,
            clock: shared,
            entropy,
            region: REGION.to_owned(),
            domains: Domains::new(Vec::new()).unwrap(),
            bodies: Budget::new(BudgetOptions::default()),
            signature_v2: true,
            tls: false,
        });
        Self { server: server.await, system, clock, alice }
    }

    /// Another key for Alice.
    pub(crate) async fn alices_key(&self, key: (&str, &str), scope: Scope) {
        self.system.create_key("alice", scope, None, Some(credentials(key))).await.unwrap();
    }
}

pub(crate) fn credentials((id, secret): (&str, &str)) -> Credentials {
    Credentials::parse(id, secret).unwrap()
}
