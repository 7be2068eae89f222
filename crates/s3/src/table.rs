//! `impl S3`, as a table: one line an operation. What is not here answers 501 in s3s.

use std::sync::Arc;

use carob_bucket::{Bucket, Budget, Space};
use carob_identity::{Account, AccountNumber, Did, Directory};
use carob_policy::{Acl, Ownership};
use http::Extensions;
use s3s::{S3, S3Request, S3Response, S3Result, dto};

use crate::access::{Gatekeeper, Here, asker, here};
use crate::access_log::AccessLogs;
use crate::context::RequestContext;
use crate::encryption::Encrypter;
use crate::error::{access_denied, bad_request, sayable};
use crate::ops::{self, unset};
use crate::renames::Renames;

/// What the operations work on.
#[derive(Debug)]
pub(crate) struct Carob {
    pub(crate) space: Space,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) encryption: Encrypter,
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) region: Arc<str>,
    /// `http` or `https`, as clients reach us.
    pub(crate) scheme: &'static str,
    pub(crate) bodies: Budget,
    pub(crate) access_logs: Arc<AccessLogs>,
    pub(crate) renames: Renames,
}

type Answer<T> = S3Result<S3Response<T>>;

/// Each method passes its request on: `served` ones to the operation's own file, `absent` and `empty` ones to the
/// answers of what nothing sets: the 404 that is named, or an answer that says nothing.
macro_rules! table {
    (
        served { $($name:ident($in:ident) -> $out:ident;)* }
        absent { $($absent:ident($absent_in:ident) -> $absent_out:ident = $what:ident;)* }
        empty { $($empty:ident($empty_in:ident) -> $empty_out:ident;)* }
    ) => {
        #[async_trait::async_trait]
        impl S3 for Carob {
            $(async fn $name(&self, request: S3Request<dto::$in>) -> Answer<dto::$out> {
                ops::$name::run(self, request).await.map_err(sayable)
            })*
            $(async fn $absent(&self, request: S3Request<dto::$absent_in>) -> Answer<dto::$absent_out> {
                let input = request.input;
                unset::absent(self, &request.extensions, input.expected_bucket_owner.as_deref(), unset::$what).await
            })*
            $(async fn $empty(&self, request: S3Request<dto::$empty_in>) -> Answer<dto::$empty_out> {
                let input = request.input;
                unset::empty(self, &request.extensions, input.expected_bucket_owner.as_deref()).await
            })*
        }
    };
}

table! {
    served {
        list_buckets(ListBucketsInput) -> ListBucketsOutput;
        create_bucket(CreateBucketInput) -> CreateBucketOutput;
        head_bucket(HeadBucketInput) -> HeadBucketOutput;
        delete_bucket(DeleteBucketInput) -> DeleteBucketOutput;
        get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput;
        list_objects(ListObjectsInput) -> ListObjectsOutput;
        list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output;
        put_object(PutObjectInput) -> PutObjectOutput;
        get_object(GetObjectInput) -> GetObjectOutput;
        head_object(HeadObjectInput) -> HeadObjectOutput;
        delete_object(DeleteObjectInput) -> DeleteObjectOutput;
        delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput;
        create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput;
        upload_part(UploadPartInput) -> UploadPartOutput;
        upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput;
        complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput;
        abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput;
        list_parts(ListPartsInput) -> ListPartsOutput;
        list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput;
        copy_object(CopyObjectInput) -> CopyObjectOutput;
        rename_object(RenameObjectInput) -> RenameObjectOutput;
        get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput;
        get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput;
        put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput;
        list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput;
        get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput;
        put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput;
        delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput;
        get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
            -> GetBucketLifecycleConfigurationOutput;
        put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput)
            -> PutBucketLifecycleConfigurationOutput;
        delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput;
        get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput;
        put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput;
        get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput;
        put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput;
        put_bucket_notification_configuration(PutBucketNotificationConfigurationInput)
            -> PutBucketNotificationConfigurationOutput;
        get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput;
        put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput;
        delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput;
        get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput;
        put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput;
        delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput;
        get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput;
        put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput;
        get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput;
        put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput;
        get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput;
        put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput;
        get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput;
        put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput;
        get_object_acl(GetObjectAclInput) -> GetObjectAclOutput;
        put_object_acl(PutObjectAclInput) -> PutObjectAclOutput;
        get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput;
        put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput;
        delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput;
        get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput;
        get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput;
        put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput;
        delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput;
        get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput;
        put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput;
        delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput)
            -> DeleteBucketOwnershipControlsOutput;
        get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput;
        put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput;
        delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput;
    }
    absent {
        get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = REPLICATION;
        get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput)
            -> GetBucketAnalyticsConfigurationOutput = REPORT;
        get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput)
            -> GetBucketIntelligentTieringConfigurationOutput = REPORT;
        get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput)
            -> GetBucketInventoryConfigurationOutput = REPORT;
        get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput)
            -> GetBucketMetricsConfigurationOutput = REPORT;
        get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = WEBSITE;
    }
    empty {
        get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
            -> GetBucketAccelerateConfigurationOutput;
        get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
            -> GetBucketNotificationConfigurationOutput;
        list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput)
            -> ListBucketAnalyticsConfigurationsOutput;
        list_bucket_intelligent_tiering_configurations(ListBucketIntelligentTieringConfigurationsInput)
            -> ListBucketIntelligentTieringConfigurationsOutput;
        list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput)
            -> ListBucketInventoryConfigurationsOutput;
        list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput)
            -> ListBucketMetricsConfigurationsOutput;
        delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput;
        delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput;
    }
}

impl Carob {
    /// The bucket that the request was let into, or the past state of it that is asked for, if it is whose the caller
    /// says (`x-amz-expected-bucket-owner`).
    ///
    /// # Errors
    /// AccessDenied.
    pub(crate) fn bucket(&self, extensions: &Extensions, expected_owner: Option<&str>) -> S3Result<Bucket> {
        let bucket = &here(extensions)?.bucket;
        check_owner(bucket, expected_owner)?;
        Ok(bucket.clone())
    }

    /// The account that a request acts for.
    ///
    /// # Errors
    /// AccessDenied, if it is gone.
    pub(crate) fn account(&self, extensions: &Extensions) -> S3Result<Account> {
        asker(extensions)?.account(&*self.directory).ok_or_else(access_denied)
    }

    /// An account, as S3 shows an owner. One that is gone has no name but its id.
    pub(crate) fn owner(&self, id: &Did) -> dto::Owner {
        let canonical = id.canonical_id();
        let name = self.directory.name_of(id).map_or_else(|| canonical.clone(), |name| name.to_string());
        dto::Owner { id: Some(canonical), display_name: Some(name) }
    }

    /// The account of a canonical id, as S3 shows an owner.
    pub(crate) fn owner_of_id(&self, id: &str) -> dto::Owner {
        match Did::from_canonical_id(id) {
            Some(did) => self.owner(&did),
            None => dto::Owner { id: Some(id.to_owned()), display_name: None },
        }
    }

    /// The owner of an object, as S3 shows it.
    pub(crate) fn owner_of_object(&self, access: Option<&str>, here: &Here) -> dto::Owner {
        let foreign = access.filter(|_| here.rules.ownership != Ownership::BucketOwnerEnforced);
        match foreign.and_then(Acl::from_text) {
            Some(acl) => self.owner_of_id(&acl.owner),
            None => self.owner(&here.bucket.info().owner),
        }
    }
}

/// Says that a request is complete and checked, and that its work may take long: the connection is to be kept open.
pub(crate) fn begin_long_work(extensions: &Extensions) {
    if let Some(context) = RequestContext::of(extensions) {
        context.begin_long_work();
    }
}

/// The length of a canonical id.
const CANONICAL: usize = 64;

/// Whether a bucket is whose the caller says.
///
/// # Errors
/// AccessDenied if it is not, InvalidBucketOwnerAWSAccountID for what can be nobody's. Accounts have longer names, too, a DID
/// and a canonical id.
pub(crate) fn check_owner(bucket: &Bucket, expected: Option<&str>) -> S3Result<()> {
    let owner = &bucket.info().owner;
    let is_owner = |text: &str| text == AccountNumber::of(owner).to_string() || text == owner.to_string();
    let is_account = |text: &str| {
        let is_number = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number || text.starts_with("did:") || text.len() >= CANONICAL
    };
    match expected {
        Some(text) if !is_account(text) => Err(bad_request(
            "InvalidBucketOwnerAWSAccountID",
            format!("The value of the expected bucket owner parameter must be an AWS Account ID... [{text}]"),
        )),
        Some(text) if !is_owner(text) => Err(access_denied()),
        _ => Ok(()),
    }
}
