//! `impl S3`: one line an operation. What is not here answers 501 in s3s.

use std::sync::Arc;

use carob_bucket::{Bucket, Space};
use carob_identity::Identity;
use http::Extensions;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteBucketInput, DeleteBucketOutput, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, GetBucketLocationInput,
    GetBucketLocationOutput, GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::access::Gatekeeper;
use crate::error::{access_denied, from_bucket};
use crate::ops;

/// What the operations work on.
#[derive(Debug)]
pub(crate) struct Carob {
    pub(crate) space: Space,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) region: Arc<str>,
}

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Carob {
    async fn list_buckets(&self, r: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        ops::list_buckets::run(self, r).await
    }

    async fn create_bucket(&self, r: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        ops::create_bucket::run(self, r).await
    }

    async fn head_bucket(&self, r: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        ops::head_bucket::run(self, r).await
    }

    async fn delete_bucket(&self, r: S3Request<DeleteBucketInput>) -> Answer<DeleteBucketOutput> {
        ops::delete_bucket::run(self, r).await
    }

    async fn get_bucket_location(
        &self,
        r: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        ops::get_bucket_location::run(self, r).await
    }

    async fn list_objects(&self, r: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        ops::list_objects::run(self, r).await
    }

    async fn list_objects_v2(&self, r: S3Request<ListObjectsV2Input>) -> Answer<ListObjectsV2Output> {
        ops::list_objects_v2::run(self, r).await
    }

    async fn put_object(&self, r: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        ops::put_object::run(self, r).await
    }

    async fn get_object(&self, r: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        ops::get_object::run(self, r).await
    }

    async fn head_object(&self, r: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        ops::head_object::run(self, r).await
    }

    async fn delete_object(&self, r: S3Request<DeleteObjectInput>) -> Answer<DeleteObjectOutput> {
        ops::delete_object::run(self, r).await
    }

    async fn delete_objects(&self, r: S3Request<DeleteObjectsInput>) -> Answer<DeleteObjectsOutput> {
        ops::delete_objects::run(self, r).await
    }
}

impl Carob {
    /// The bucket, if it is whose the caller says (`x-amz-expected-bucket-owner`).
    ///
    /// # Errors
    /// NoSuchBucket, AccessDenied.
    pub(crate) async fn bucket(&self, name: &str, expected_owner: Option<&str>) -> S3Result<Bucket> {
        let bucket = self.space.bucket(name).await.map_err(from_bucket)?;
        match expected_owner {
            Some(owner) if owner != bucket.info().owner.to_string() => Err(access_denied()),
            _ => Ok(bucket),
        }
    }
}

/// Who was let in.
///
/// # Errors
/// AccessDenied, if nobody was; the gate lets no such request through.
pub(crate) fn identity(extensions: &Extensions) -> S3Result<Identity> {
    extensions.get::<Identity>().cloned().ok_or_else(access_denied)
}
