//! `impl S3`: one line an operation. What is not here answers 501 in s3s.

use std::sync::Arc;

use carob_bucket::{Bucket, Space};
use carob_identity::Identity;
use http::Extensions;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateBucketInput, CreateBucketOutput,
    CreateMultipartUploadInput, CreateMultipartUploadOutput, DeleteBucketInput, DeleteBucketOutput,
    DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput,
    GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput, GetBucketAclInput,
    GetBucketAclOutput, GetBucketCorsInput, GetBucketCorsOutput, GetBucketEncryptionInput,
    GetBucketEncryptionOutput, GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    GetBucketLocationInput, GetBucketLocationOutput, GetBucketLoggingInput, GetBucketLoggingOutput,
    GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
    GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput, GetBucketPolicyInput,
    GetBucketPolicyOutput, GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput,
    GetBucketReplicationInput, GetBucketReplicationOutput, GetBucketRequestPaymentInput,
    GetBucketRequestPaymentOutput, GetBucketTaggingInput, GetBucketTaggingOutput, GetBucketVersioningInput,
    GetBucketVersioningOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput, GetObjectAclInput,
    GetObjectAclOutput, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectInput,
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetObjectOutput,
    GetObjectTaggingInput, GetObjectTaggingOutput, GetPublicAccessBlockInput, GetPublicAccessBlockOutput,
    HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput, ListBucketsInput,
    ListBucketsOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListObjectsInput,
    ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, ListPartsInput, ListPartsOutput, Payer,
    PutObjectInput, PutObjectOutput, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result};

use crate::access::Gatekeeper;
use crate::error::{access_denied, from_bucket};
use crate::ops::{self, unset};

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

    async fn create_multipart_upload(
        &self,
        r: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        ops::create_multipart_upload::run(self, r).await
    }

    async fn upload_part(&self, r: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        ops::upload_part::run(self, r).await
    }

    async fn upload_part_copy(&self, r: S3Request<UploadPartCopyInput>) -> Answer<UploadPartCopyOutput> {
        ops::upload_part_copy::run(self, r).await
    }

    async fn complete_multipart_upload(
        &self,
        r: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        ops::complete_multipart_upload::run(self, r).await
    }

    async fn abort_multipart_upload(
        &self,
        r: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        ops::abort_multipart_upload::run(self, r).await
    }

    async fn list_parts(&self, r: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        ops::list_parts::run(self, r).await
    }

    async fn list_multipart_uploads(
        &self,
        r: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        ops::list_multipart_uploads::run(self, r).await
    }

    async fn copy_object(&self, r: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        ops::copy_object::run(self, r).await
    }

    async fn get_object_attributes(
        &self,
        r: S3Request<GetObjectAttributesInput>,
    ) -> Answer<GetObjectAttributesOutput> {
        ops::get_object_attributes::run(self, r).await
    }

    async fn get_bucket_cors(&self, r: S3Request<GetBucketCorsInput>) -> Answer<GetBucketCorsOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::CORS).await
    }

    async fn get_bucket_encryption(
        &self,
        r: S3Request<GetBucketEncryptionInput>,
    ) -> Answer<GetBucketEncryptionOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::ENCRYPTION)
            .await
    }

    async fn get_bucket_lifecycle_configuration(
        &self,
        r: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> Answer<GetBucketLifecycleConfigurationOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::LIFECYCLE).await
    }

    async fn get_object_lock_configuration(
        &self,
        r: S3Request<GetObjectLockConfigurationInput>,
    ) -> Answer<GetObjectLockConfigurationOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::OBJECT_LOCK)
            .await
    }

    async fn get_bucket_ownership_controls(
        &self,
        r: S3Request<GetBucketOwnershipControlsInput>,
    ) -> Answer<GetBucketOwnershipControlsOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::OWNERSHIP).await
    }

    async fn get_bucket_policy(&self, r: S3Request<GetBucketPolicyInput>) -> Answer<GetBucketPolicyOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::POLICY).await
    }

    async fn get_bucket_policy_status(
        &self,
        r: S3Request<GetBucketPolicyStatusInput>,
    ) -> Answer<GetBucketPolicyStatusOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::POLICY).await
    }

    async fn get_public_access_block(
        &self,
        r: S3Request<GetPublicAccessBlockInput>,
    ) -> Answer<GetPublicAccessBlockOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::PUBLIC_ACCESS)
            .await
    }

    async fn get_bucket_replication(
        &self,
        r: S3Request<GetBucketReplicationInput>,
    ) -> Answer<GetBucketReplicationOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::REPLICATION)
            .await
    }

    async fn get_bucket_tagging(
        &self,
        r: S3Request<GetBucketTaggingInput>,
    ) -> Answer<GetBucketTaggingOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::TAGS).await
    }

    async fn get_bucket_website(
        &self,
        r: S3Request<GetBucketWebsiteInput>,
    ) -> Answer<GetBucketWebsiteOutput> {
        unset::absent(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), unset::WEBSITE).await
    }

    async fn get_bucket_accelerate_configuration(
        &self,
        r: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> Answer<GetBucketAccelerateConfigurationOutput> {
        let nothing = GetBucketAccelerateConfigurationOutput::default();
        unset::empty(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), nothing).await
    }

    async fn get_bucket_logging(
        &self,
        r: S3Request<GetBucketLoggingInput>,
    ) -> Answer<GetBucketLoggingOutput> {
        let nothing = GetBucketLoggingOutput::default();
        unset::empty(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), nothing).await
    }

    async fn get_bucket_notification_configuration(
        &self,
        r: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> Answer<GetBucketNotificationConfigurationOutput> {
        let nothing = GetBucketNotificationConfigurationOutput::default();
        unset::empty(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), nothing).await
    }

    async fn get_bucket_request_payment(
        &self,
        r: S3Request<GetBucketRequestPaymentInput>,
    ) -> Answer<GetBucketRequestPaymentOutput> {
        let nothing = GetBucketRequestPaymentOutput { payer: Some(Payer::from_static(Payer::BUCKET_OWNER)) };
        unset::empty(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), nothing).await
    }

    async fn get_bucket_versioning(
        &self,
        r: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        let nothing = GetBucketVersioningOutput::default();
        unset::empty(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref(), nothing).await
    }

    async fn get_bucket_acl(&self, r: S3Request<GetBucketAclInput>) -> Answer<GetBucketAclOutput> {
        unset::bucket_acl(self, &r.input.bucket, r.input.expected_bucket_owner.as_deref()).await
    }

    async fn get_object_acl(&self, r: S3Request<GetObjectAclInput>) -> Answer<GetObjectAclOutput> {
        unset::object_acl(self, r).await
    }

    async fn get_object_tagging(
        &self,
        r: S3Request<GetObjectTaggingInput>,
    ) -> Answer<GetObjectTaggingOutput> {
        unset::object_tags(self, r).await
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
