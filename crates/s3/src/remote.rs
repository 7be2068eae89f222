//! Routes that are not S3's, for callers who sign as S3's do: the gateway's own under `/_carob/`.
//!
//! What they do is not known here. This crate verifies the signature, counts the request, and hands it on with a
//! [`SignedCaller`], which knows what the key may do by the same rules as everywhere.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use carob_bucket::{Bucket, BucketError};
use carob_identity::{Action, Did, Resource, Rights};
use http::{Request, Response, Uri};
use parking_lot::Mutex;
use s3s::{Body, S3Error};

use crate::access::{Asker, Deed, Gatekeeper, Here};

/// Where our own routes begin. No bucket can be called so.
const PREFIX: &str = "/_carob/";

/// What answers requests that are signed and not S3's.
#[async_trait]
pub trait SignedRoutes: Send + Sync {
    /// Answers one, whose signature is verified.
    async fn call(&self, request: Request<Body>, caller: SignedCaller) -> Response<Body>;
}

/// The routes, once the gateway has said what answers them.
#[derive(Clone, Default)]
pub(crate) struct Routes(Arc<OnceLock<Arc<dyn SignedRoutes>>>);

impl Routes {
    pub(crate) fn set(&self, routes: Arc<dyn SignedRoutes>) {
        // The first stays.
        _ = self.0.set(routes);
    }

    /// What answers a request for this path, if it is one of ours.
    pub(crate) fn of(&self, uri: &Uri) -> Option<&Arc<dyn SignedRoutes>> {
        self.0.get().filter(|_| uri.path().starts_with(PREFIX))
    }
}

/// Whoever has signed a request: what it may do in which bucket, as long as the request lasts.
pub struct SignedCaller {
    gatekeeper: Gatekeeper,
    asker: Asker,
    /// Each bucket as it was first found: what is decided about one is done in the same.
    found: Mutex<HashMap<String, Arc<Here>>>,
}

impl fmt::Debug for SignedCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedCaller").field("identity", &self.asker.identity).finish_non_exhaustive()
    }
}

impl SignedCaller {
    pub(crate) fn new(gatekeeper: Gatekeeper, asker: Asker) -> Self {
        Self { gatekeeper, asker, found: Mutex::default() }
    }

    /// The account that it acts for.
    pub fn account(&self) -> Option<Did> {
        self.asker.account(&*self.gatekeeper.directory).map(|account| account.id)
    }

    /// A bucket; the same one whenever it is asked for.
    ///
    /// # Errors
    /// [`BucketError::NoSuchBucket`], [`BucketError::Damaged`], [`BucketError::Store`].
    pub async fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        Ok(self.here(name).await?.bucket.clone())
    }

    /// Whether something can be allowed for one key of a bucket and denied for another.
    ///
    /// # Errors
    /// As [`SignedCaller::bucket`].
    pub async fn differs_by_key(&self, name: &str) -> Result<bool, BucketError> {
        Ok(self.here(name).await?.rules.policy.is_some())
    }

    /// Whether it may do this now. What of ours AWS has no name for, no policy gives: only the bucket's own account has it,
    /// by a key that is not narrowed, if nothing keeps it from listing the bucket.
    ///
    /// # Errors
    /// As [`SignedCaller::bucket`].
    pub async fn may(&self, action: Action, resource: Resource<'_>) -> Result<bool, BucketError> {
        let (name, key) = match resource {
            Resource::Space => return Ok(false),
            Resource::Bucket(bucket) if action == Action::CREATE_BUCKET => {
                return Ok(self.gatekeeper.grants(&self.asker, action, Resource::Bucket(bucket), None));
            }
            Resource::Bucket(bucket) => (bucket, None),
            Resource::Object { bucket, key } => (bucket, Some(key)),
        };
        let here = self.here(name).await?;
        let listing = Deed { listed: Some(""), ..Deed::on_bucket(Action::LIST_BUCKET) };
        if action.name().starts_with("carob:") {
            let granted =
                self.gatekeeper.grants(&self.asker, action, resource, Some(&here.bucket.info().owner));
            return Ok(granted && self.gatekeeper.allows(&self.asker, &here, listing));
        }
        let deed = match key {
            Some(key) => Deed::on_key(action, key),
            None if action == Action::LIST_BUCKET => listing,
            None => Deed::on_bucket(action),
        };
        Ok(self.gatekeeper.allows(&self.asker, &here, deed))
    }

    async fn here(&self, name: &str) -> Result<Arc<Here>, BucketError> {
        if let Some(here) = self.found.lock().get(name) {
            return Ok(Arc::clone(here));
        }
        let bucket = self.gatekeeper.space.bucket(name).await?;
        let snapshot = bucket.snapshot().await?;
        let unreadable = |error: S3Error| BucketError::Damaged(Arc::new(error));
        let rules = self.gatekeeper.rules.of(&bucket, snapshot.config()).map_err(unreadable)?;
        let here = Arc::new(Here::new(bucket, snapshot, rules));
        // Who found it first, found it for all.
        Ok(Arc::clone(self.found.lock().entry(name.to_owned()).or_insert(here)))
    }
}

impl Gatekeeper {
    /// Whether a caller may do something whatever a bucket's rules say, as the owner, if there is one.
    fn grants(&self, asker: &Asker, action: Action, resource: Resource<'_>, owner: Option<&Did>) -> bool {
        match self.rights(asker, action, resource, None) {
            Rights::Everything => true,
            Rights::Account { id, granted, .. } => granted && owner.is_none_or(|owner| *owner == id),
            Rights::None => false,
        }
    }
}
