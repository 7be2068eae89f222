//! Authorization: every operation asks before it does anything, and before its body is read.

use std::sync::Arc;

use carob_bucket::{BucketError, Moment, Space};
use carob_identity::{AccessRequest, Action, Authorizer, Clock, Decision, Identity, Resource};
use http::Uri;
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};

use crate::context::RequestContext;
use crate::error::{access_denied, internal, no_such_bucket};
use crate::operations::{self, Scope};
use crate::{past, refuse};

/// Asks the authorizer.
#[derive(Debug, Clone)]
pub(crate) struct Gatekeeper {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Tells what is denied from what is not there.
    pub(crate) space: Space,
}

impl Gatekeeper {
    /// Lets `identity` do `action` on `resource` now.
    ///
    /// # Errors
    /// AccessDenied, or NoSuchBucket where there is nothing that could be denied: bucket names are one name space for
    /// all, and Amazon S3 tells everyone with a key which are taken. InternalError if nobody can tell.
    pub(crate) async fn require(
        &self,
        identity: &Identity,
        action: Action,
        resource: Resource<'_>,
        listed: Option<&str>,
    ) -> S3Result<()> {
        if self.decide(identity, action, resource, listed).await? {
            return Ok(());
        }
        let bucket = match past::present(resource).0 {
            Resource::Bucket(bucket) | Resource::Object { bucket, .. } => bucket,
            Resource::Space => return Err(access_denied()),
        };
        match self.space.bucket(bucket).await {
            Err(BucketError::NoSuchBucket(_)) if action != Action::CREATE_BUCKET => Err(no_such_bucket()),
            _ => Err(access_denied()),
        }
    }

    /// Whether `identity` may do `action` on `resource` now.
    ///
    /// # Errors
    /// InternalError if nobody can tell.
    pub(crate) async fn allows(
        &self,
        identity: &Identity,
        action: Action,
        resource: Resource<'_>,
    ) -> S3Result<bool> {
        self.decide(identity, action, resource, None).await
    }

    async fn decide(
        &self,
        identity: &Identity,
        action: Action,
        resource: Resource<'_>,
        listed: Option<&str>,
    ) -> S3Result<bool> {
        // Nobody makes a bucket of such a name, whatever its past would be.
        let (resource, in_past) = match action {
            Action::CREATE_BUCKET => (resource, false),
            _ => past::present(resource),
        };
        if in_past && !self.reads_history(identity, resource).await? {
            return Ok(false);
        }
        self.ask(identity, action, resource, listed).await
    }

    /// Whether `identity` may see what was in a bucket before.
    async fn reads_history(&self, identity: &Identity, resource: Resource<'_>) -> S3Result<bool> {
        match past::present(resource).0 {
            Resource::Bucket(bucket) | Resource::Object { bucket, .. } => {
                self.ask(identity, Action::READ_HISTORY, Resource::Bucket(bucket), None).await
            }
            Resource::Space => Ok(false),
        }
    }

    async fn ask(
        &self,
        identity: &Identity,
        action: Action,
        resource: Resource<'_>,
        listed: Option<&str>,
    ) -> S3Result<bool> {
        let now = self.clock.now();
        let request = AccessRequest { identity: Some(identity), action, resource, listed, now };
        let decision =
            self.authorizer.authorize(&request).await.map_err(|error| internal(Box::new(error)))?;
        Ok(decision == Decision::Allow)
    }
}

#[async_trait::async_trait]
impl S3Access for Gatekeeper {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let identity = cx.extensions_mut().get::<Identity>().cloned().ok_or_else(access_denied)?;
        let bucket = match cx.s3_path() {
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Some(bucket.to_string()),
            S3Path::Root => None,
        };
        if let (Some(bucket), Some(context)) = (bucket, cx.extensions_mut().get::<Arc<RequestContext>>()) {
            context.set_bucket(&bucket);
        }
        let Some(operation) = operations::find(cx.s3_op().name()) else {
            return Err(s3_error!(
                NotImplemented,
                "{} is not implemented. See the list of limits in the documentation.",
                cx.s3_op().name()
            ));
        };
        if let Some(context) = cx.extensions_mut().get::<Arc<RequestContext>>() {
            context.set_operation(operation);
        }
        let named = match cx.s3_path() {
            S3Path::Bucket { bucket } | S3Path::Object { bucket, .. } => Moment::in_name(bucket).is_some(),
            S3Path::Root => false,
        };
        if named && !past::reads(operation.name) && operation.action != Action::CREATE_BUCKET {
            return Err(past::read_only());
        }
        let resource = match (operation.scope, cx.s3_path()) {
            (Scope::EachKey, _) => None,
            (Scope::Space, _) => Some(Resource::Space),
            (Scope::Object, S3Path::Object { bucket, key }) => Some(Resource::Object { bucket, key }),
            (Scope::Bucket, S3Path::Bucket { bucket }) => Some(Resource::Bucket(bucket)),
            // The router matches operations to the shape of the path.
            (Scope::Object | Scope::Bucket, _) => return Err(access_denied()),
        };
        if let Some(resource) = resource {
            let listed = operation.lists_keys().then(|| listed_prefix(cx.uri()));
            self.require(&identity, operation.action_for(cx.uri()), resource, listed.as_deref()).await?;
            if cx.headers().contains_key(past::AT) && !self.reads_history(&identity, resource).await? {
                return Err(access_denied());
            }
        }
        refuse::check(operation, cx.uri(), cx.headers())
    }
}

/// The prefix that a listing asks for; given twice, all keys, as nobody can tell which one counts.
fn listed_prefix(uri: &Uri) -> String {
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let mut prefixes = query.filter(|(name, _)| name == "prefix").map(|(_, value)| value.into_owned());
    match (prefixes.next(), prefixes.next()) {
        (Some(prefix), None) => prefix,
        _ => String::new(),
    }
}
