//! The admin API: what the operator asks through the socket in the data directory.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

use carob_bucket::{Bucket, Collector, Space, System};
use carob_identity::{Action, Authorizer, Clock, Resource, Timestamp};
use http::{Method, Request, Response, StatusCode};
use hyper::service::Service;

use crate::body::only_reads;
use crate::{Body, PREFIX};
use accounts::{read as read_body, read_up_to};
use answer::Refusal;
use caller::Operator;
use deeds::{Deed, Listener};
use told::Told;

mod accounts;
mod answer;
mod caller;
mod deeds;
mod encryption_keys;
mod export;
mod history;
mod import;
mod keep;
mod pull;
mod query;
mod read;
mod remote;
mod slices;
mod socket;
mod told;
mod undelete;

pub use caller::Caller;
pub use deeds::OperatorDeed;
pub use remote::Remote;
pub use socket::{SocketError, bind};

/// What the admin API answers from.
pub struct AdminOptions {
    /// The buckets.
    pub space: Space,
    /// Accounts and access keys.
    pub system: System,
    /// Decides what the operator may do.
    pub authorizer: Arc<dyn Authorizer>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// The gateway's version.
    pub version: &'static str,
    /// Collects garbage.
    pub collector: Collector,
    /// The store's figures now, by name.
    pub store: Box<dyn Fn() -> BTreeMap<String, u64> + Send + Sync>,
}

impl fmt::Debug for AdminOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AdminOptions").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Answers the admin API to whoever could connect, as [`Identity::Operator`]: for the private socket alone.
#[derive(Debug, Clone)]
pub struct Admin {
    shared: Arc<Shared>,
    listener: Option<Listener>,
}

#[derive(Debug)]
struct Shared {
    options: AdminOptions,
    started: Timestamp,
}

/// What one request is answered from.
#[derive(Debug)]
struct State {
    shared: Arc<Shared>,
    caller: Arc<dyn Caller>,
    told: Told,
}

impl Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Admin {
    /// Uptime counts from here.
    pub fn new(options: AdminOptions) -> Self {
        let started = options.clock.now();
        Self { shared: Arc::new(Shared { options, started }), listener: None }
    }

    /// Tells of everything that the operator has changed, or was denied.
    #[must_use]
    pub fn telling(self, listener: impl Fn(&OperatorDeed<'_>) + Send + Sync + 'static) -> Self {
        Self { listener: Some(Listener::new(listener)), ..self }
    }

    /// The part of it that callers on the network can ask.
    pub fn remote(&self) -> Remote {
        Remote(Arc::clone(&self.shared))
    }
}

impl Service<Request<Body>> for Admin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Body>) -> Self::Future {
        let AdminOptions { space, authorizer, clock, .. } = &self.shared.options;
        let caller =
            Operator { space: space.clone(), authorizer: Arc::clone(authorizer), clock: Arc::clone(clock) };
        let state =
            State { shared: Arc::clone(&self.shared), caller: Arc::new(caller), told: Told::default() };
        let deed = Deed::of(state, self.listener.clone(), &request);
        Box::pin(async move { Ok(deed.answer(request).await) })
    }
}

impl State {
    async fn respond(&self, request: Request<Body>) -> Result<Response<Body>, Refusal> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path(), head.uri.query());
        let route = path.strip_prefix(PREFIX).unwrap_or_default();
        match (&head.method, route) {
            (&Method::GET, _) => self.answer(path, query).await,
            (&Method::POST, _) if route.starts_with("/buckets/") => self.change(path, query, body).await,
            (&Method::POST, "/accounts") => self.create_account(body).await,
            (&Method::DELETE, "/accounts") => self.remove_account(query).await,
            (&Method::POST, "/keys") => self.create_key(body).await,
            (&Method::DELETE, "/keys") => self.revoke_key(query).await,
            (&Method::POST, "/gc") => self.collect(query).await,
            (&Method::POST, "/encryption-keys") => self.create_encryption_key(body).await,
            (&Method::POST, "/encryption-keys/disable") => self.disable_encryption_key(body, true).await,
            (&Method::POST, "/encryption-keys/enable") => self.disable_encryption_key(body, false).await,
            (&Method::DELETE, _) => match *segments(path) {
                ["buckets", bucket, "snapshots"] => self.remove_snapshot(bucket, query).await,
                _ => Ok(only_reads()),
            },
            _ => Ok(only_reads()),
        }
    }

    async fn answer(&self, path: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        match *segments(path) {
            ["status"] => self.status(query).await,
            ["accounts"] => self.accounts(query).await,
            ["keys"] => self.keys(query).await,
            ["encryption-keys"] => self.encryption_keys(query).await,
            ["buckets"] => self.buckets(query).await,
            ["deleted-buckets"] => self.deleted_buckets(query).await,
            ["buckets", bucket, "objects"] => self.objects(bucket, query).await,
            ["buckets", bucket, "usage"] => self.usage(bucket, query).await,
            ["buckets", bucket, "stat"] => self.stat(bucket, query).await,
            ["buckets", bucket, "log"] => self.log(bucket, query).await,
            ["buckets", bucket, "diff"] => self.diff(bucket, query).await,
            ["buckets", bucket, "slices"] => self.slices(bucket, query).await,
            ["buckets", bucket, "proof"] => self.prove(bucket, query).await,
            ["buckets", bucket, "retention"] => self.retention(bucket, query).await,
            ["buckets", bucket, "snapshots"] => self.snapshots(bucket, query).await,
            ["buckets", bucket, "commits"] => self.commits(bucket, query).await,
            ["buckets", bucket, "export"] => self.export(bucket, query).await,
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is no such route")),
        }
    }

    async fn change(&self, path: &str, query: Option<&str>, body: Body) -> Result<Response<Body>, Refusal> {
        match *segments(path) {
            ["buckets", bucket, "retention"] => self.set_retention(bucket, body).await,
            ["buckets", bucket, "snapshots"] => self.create_snapshot(bucket, body).await,
            ["buckets", bucket, "restore"] => self.restore(bucket, body).await,
            ["buckets", bucket, "branch"] => self.branch(bucket, body).await,
            ["buckets", bucket, "import"] => self.import(bucket, query, body).await,
            ["buckets", bucket, "merge"] => self.merge(bucket, body).await,
            ["buckets", bucket, "blocks"] => self.blocks(bucket, body).await,
            ["buckets", bucket, "pull"] => self.pull(bucket, body).await,
            ["buckets", bucket, "purge"] => self.purge(bucket, body).await,
            ["buckets", bucket, "undelete"] => self.undelete(bucket, body).await,
            _ => Ok(only_reads()),
        }
    }

    async fn allow(&self, action: Action, resource: Resource<'_>) -> Result<(), Refusal> {
        let may = self.caller.may(action, resource).await?;
        if may { Ok(()) } else { Err(Refusal::new(StatusCode::FORBIDDEN, "access denied")) }
    }

    async fn bucket(&self, name: &str) -> Result<Bucket, Refusal> {
        Ok(self.caller.bucket(name).await?)
    }
}

/// What a path names below the prefix.
fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix(PREFIX).unwrap_or_default().split('/').skip(1).collect()
}
