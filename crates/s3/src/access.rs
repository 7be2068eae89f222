//! Authorization: every operation asks before it does anything, and before its body is read.

use std::sync::Arc;

use carob_identity::{AccessRequest, Action, Authorizer, Clock, Decision, Identity, Resource};
use s3s::access::{S3Access, S3AccessContext};
use s3s::path::S3Path;
use s3s::{S3Result, s3_error};

use crate::context::RequestContext;
use crate::error::{access_denied, internal};
use crate::operations::{self, Scope};
use crate::refuse;

/// Asks the authorizer.
#[derive(Debug, Clone)]
pub(crate) struct Gatekeeper {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Gatekeeper {
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
        let request = AccessRequest { identity: Some(identity), action, resource, now: self.clock.now() };
        let decision =
            self.authorizer.authorize(&request).await.map_err(|error| internal(Box::new(error)))?;
        Ok(decision == Decision::Allow)
    }
}

#[async_trait::async_trait]
impl S3Access for Gatekeeper {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let identity = cx.extensions_mut().get::<Identity>().cloned().ok_or_else(access_denied)?;
        let Some(operation) = operations::find(cx.s3_op().name()) else {
            return Err(s3_error!(
                NotImplemented,
                "{} is not implemented. See the list of limits in the documentation.",
                cx.s3_op().name()
            ));
        };
        let resource = match (operation.scope, cx.s3_path()) {
            (Scope::EachKey, _) => None,
            (Scope::Space, _) => Some(Resource::Space),
            (Scope::Object, S3Path::Object { bucket, key }) => Some(Resource::Object { bucket, key }),
            (Scope::Bucket, S3Path::Bucket { bucket }) => Some(Resource::Bucket(bucket)),
            // The router matches operations to the shape of the path.
            (Scope::Object | Scope::Bucket, _) => return Err(access_denied()),
        };
        if let Some(resource) = resource
            && !self.allows(&identity, operation.action_for(cx.uri()), resource).await?
        {
            return Err(access_denied());
        }
        refuse::check(operation, cx.uri(), cx.headers())?;
        if let Some(context) = cx.extensions_mut().get::<Arc<RequestContext>>() {
            context.set_operation(operation);
        }
        Ok(())
    }
}
