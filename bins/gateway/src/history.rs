//! The history of buckets over the network: S3's side knows who asks, the admin API knows the answers.

use std::sync::Arc;

use async_trait::async_trait;
use carob_bucket::{Bucket, BucketError};
use carob_http::{Caller, Remote};
use carob_identity::{Action, Did, Resource};
use carob_s3::{Body, SignedCaller, SignedRoutes};
use http::{Request, Response};

/// What answers signed requests under `/_carob/`.
pub(crate) struct History(pub(crate) Remote);

#[async_trait]
impl SignedRoutes for History {
    async fn call(&self, request: Request<Body>, caller: SignedCaller) -> Response<Body> {
        self.0.answer(request, Arc::new(Signed(caller))).await.map(Body::http_body_unsync)
    }
}

#[derive(Debug)]
struct Signed(SignedCaller);

#[async_trait]
impl Caller for Signed {
    async fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        self.0.bucket(name).await
    }

    async fn may(&self, action: Action, resource: Resource<'_>) -> Result<bool, BucketError> {
        self.0.may(action, resource).await
    }

    async fn differs_by_key(&self, bucket: &str) -> Result<bool, BucketError> {
        self.0.differs_by_key(bucket).await
    }

    fn is_operator(&self) -> bool {
        false
    }

    fn account(&self) -> Option<Did> {
        self.0.account()
    }
}
