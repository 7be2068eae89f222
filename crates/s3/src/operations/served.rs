//! The rows: one operation each.

use carob_identity::Action;

use super::{Operation, Payload, Scope, on};

const READS: &[&str] = &[
    "x-amz-checksum-mode",
    // Of the headers of writes, which a read may not have, S3 says that they are not supported.
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-",
];
// No bucket asks for a second factor.
/// What an object is put with, by whatever operation.
const PUTS: &[&str] = &[
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-meta-",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
];
const ACLS: &[&str] = &["x-amz-acl", "x-amz-grant-"];
/// What a part is put with. How the upload is encrypted was said when it was begun: S3's clients repeat it.
const PARTS: &[&str] = &["x-amz-server-side-encryption", "x-amz-server-side-encryption-"];
// Asks for restore status, of which there is none to report.
const LISTS: &[&str] = &["x-amz-optional-object-attributes"];

pub(super) const OPERATIONS: &[Operation] = &[
    on(Scope::Space, "ListBuckets", Action::LIST_ALL_MY_BUCKETS),
    on(Scope::Bucket, "CreateBucket", Action::CREATE_BUCKET).headers(&[
        "x-amz-acl",
        "x-amz-bucket-object-lock-enabled",
        "x-amz-grant-",
        "x-amz-object-ownership",
    ]),
    on(Scope::Bucket, "HeadBucket", Action::LIST_BUCKET),
    on(Scope::Bucket, "DeleteBucket", Action::DELETE_BUCKET),
    on(Scope::Bucket, "GetBucketLocation", Action::GET_BUCKET_LOCATION).subresources(&["location"]),
    on(Scope::Bucket, "ListObjects", Action::LIST_BUCKET).headers(LISTS),
    on(Scope::Bucket, "ListObjectsV2", Action::LIST_BUCKET).subresources(&["list-type"]).headers(LISTS),
    on(Scope::Object, "PutObject", Action::PUT_OBJECT).headers(PUTS).payload(Payload::Object),
    on(Scope::Object, "GetObject", Action::GET_OBJECT)
        .of_version(Action::GET_OBJECT_VERSION)
        .subresources(&["partNumber", "versionId"])
        .headers(READS),
    on(Scope::Object, "HeadObject", Action::GET_OBJECT)
        .of_version(Action::GET_OBJECT_VERSION)
        .subresources(&["partNumber", "versionId"])
        .headers(READS),
    on(Scope::Object, "DeleteObject", Action::DELETE_OBJECT)
        .of_version(Action::DELETE_OBJECT_VERSION)
        .subresources(&["versionId"])
        .headers(&[
            "x-amz-bypass-governance-retention",
            "x-amz-if-match-last-modified-time",
            "x-amz-if-match-size",
            "x-amz-mfa",
        ]),
    on(Scope::EachKey, "DeleteObjects", Action::DELETE_OBJECT)
        .subresources(&["delete"])
        .headers(&["x-amz-bypass-governance-retention", "x-amz-mfa"]),
    on(Scope::Object, "CreateMultipartUpload", Action::PUT_OBJECT).subresources(&["uploads"]).headers(PUTS),
    on(Scope::Object, "UploadPart", Action::PUT_OBJECT)
        .subresources(&["partNumber", "uploadId"])
        .headers(PARTS)
        .payload(Payload::Object),
    on(Scope::Object, "UploadPartCopy", Action::PUT_OBJECT)
        .subresources(&["partNumber", "uploadId"])
        .headers(&[
            "x-amz-copy-source",
            "x-amz-copy-source-range",
            "x-amz-copy-source-server-side-encryption-customer-",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-",
            "x-amz-source-expected-bucket-owner",
        ]),
    on(Scope::Object, "CompleteMultipartUpload", Action::PUT_OBJECT)
        .subresources(&["uploadId"])
        .headers(&["x-amz-mp-object-size", "x-amz-server-side-encryption", "x-amz-server-side-encryption-"])
        .payload(Payload::Completion),
    on(Scope::Object, "AbortMultipartUpload", Action::new("s3:AbortMultipartUpload"))
        .subresources(&["uploadId"]),
    on(Scope::Object, "ListParts", Action::new("s3:ListMultipartUploadParts"))
        .subresources(&["uploadId"])
        .headers(&["x-amz-server-side-encryption-customer-"]),
    on(Scope::Bucket, "ListMultipartUploads", Action::new("s3:ListBucketMultipartUploads"))
        .subresources(&["uploads"]),
    on(Scope::Object, "CopyObject", Action::PUT_OBJECT).headers(&[
        "x-amz-acl",
        "x-amz-copy-source",
        "x-amz-grant-",
        "x-amz-copy-source-server-side-encryption-customer-",
        "x-amz-meta-",
        "x-amz-metadata-directive",
        "x-amz-object-lock-legal-hold",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-",
        "x-amz-source-expected-bucket-owner",
        "x-amz-storage-class",
        "x-amz-tagging",
        "x-amz-tagging-directive",
        "x-amz-website-redirect-location",
    ]),
    on(Scope::Object, "RenameObject", Action::PUT_OBJECT)
        .subresources(&["renameObject"])
        .headers(&["x-amz-client-token", "x-amz-rename-source"]),
    on(Scope::Object, "GetObjectAttributes", Action::GET_OBJECT)
        .of_version(Action::GET_OBJECT_VERSION)
        .subresources(&["attributes", "versionId"])
        .headers(&[
            "x-amz-max-parts",
            "x-amz-object-attributes",
            "x-amz-part-number-marker",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-",
        ]),
    configuration("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", &["accelerate"]),
    configuration("GetBucketAcl", "s3:GetBucketAcl", &["acl"]),
    configuration("GetBucketCors", "s3:GetBucketCORS", &["cors"]),
    configuration("PutBucketCors", "s3:PutBucketCORS", &["cors"]),
    configuration("DeleteBucketCors", "s3:PutBucketCORS", &["cors"]),
    configuration("GetBucketEncryption", "s3:GetEncryptionConfiguration", &["encryption"]),
    configuration("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", &["lifecycle"]),
    // What the header says is shown again. It is about moves to other storage classes, of which there are none.
    configuration("PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", &["lifecycle"])
        .headers(&["x-amz-transition-default-minimum-object-size"]),
    configuration("DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", &["lifecycle"]),
    configuration("GetBucketLogging", "s3:GetBucketLogging", &["logging"]),
    configuration("PutBucketLogging", "s3:PutBucketLogging", &["logging"]),
    configuration("GetBucketNotificationConfiguration", "s3:GetBucketNotification", &["notification"]),
    configuration("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", &["ownershipControls"]),
    configuration("GetBucketPolicy", "s3:GetBucketPolicy", &["policy"]),
    configuration("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", &["policyStatus"]),
    configuration("GetBucketReplication", "s3:GetReplicationConfiguration", &["replication"]),
    configuration("GetBucketRequestPayment", "s3:GetBucketRequestPayment", &["requestPayment"]),
    configuration("GetBucketTagging", "s3:GetBucketTagging", &["tagging"]),
    configuration("GetBucketVersioning", "s3:GetBucketVersioning", &["versioning"]),
    configuration("GetBucketWebsite", "s3:GetBucketWebsite", &["website"]),
    configuration("GetBucketAnalyticsConfiguration", "s3:GetAnalyticsConfiguration", &["analytics"]),
    configuration("ListBucketAnalyticsConfigurations", "s3:GetAnalyticsConfiguration", &["analytics"]),
    configuration(
        "GetBucketIntelligentTieringConfiguration",
        "s3:GetIntelligentTieringConfiguration",
        &["intelligent-tiering"],
    ),
    configuration(
        "ListBucketIntelligentTieringConfigurations",
        "s3:GetIntelligentTieringConfiguration",
        &["intelligent-tiering"],
    ),
    configuration("GetBucketInventoryConfiguration", "s3:GetInventoryConfiguration", &["inventory"]),
    configuration("ListBucketInventoryConfigurations", "s3:GetInventoryConfiguration", &["inventory"]),
    configuration("GetBucketMetricsConfiguration", "s3:GetMetricsConfiguration", &["metrics"]),
    configuration("ListBucketMetricsConfigurations", "s3:GetMetricsConfiguration", &["metrics"]),
    configuration("DeleteBucketReplication", "s3:PutReplicationConfiguration", &["replication"]),
    configuration("DeleteBucketWebsite", "s3:DeleteBucketWebsite", &["website"]),
    configuration("PutBucketNotificationConfiguration", "s3:PutBucketNotification", &["notification"])
        .headers(&["x-amz-skip-destination-validation"]),
    configuration("PutBucketRequestPayment", "s3:PutBucketRequestPayment", &["requestPayment"]),
    configuration("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", &["object-lock"]),
    configuration("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", &["publicAccessBlock"]),
    configuration("PutBucketAcl", "s3:PutBucketAcl", &["acl"]).headers(ACLS),
    configuration("PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", &["ownershipControls"]),
    configuration("DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", &["ownershipControls"]),
    configuration("PutBucketPolicy", "s3:PutBucketPolicy", &["policy"])
        .headers(&["x-amz-confirm-remove-self-bucket-access"]),
    configuration("DeleteBucketPolicy", "s3:DeleteBucketPolicy", &["policy"]),
    configuration("PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", &["publicAccessBlock"]),
    configuration("DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", &["publicAccessBlock"]),
    configuration("PutBucketVersioning", "s3:PutBucketVersioning", &["versioning"]).headers(&["x-amz-mfa"]),
    configuration("ListObjectVersions", "s3:ListBucketVersions", &["versions"]).headers(LISTS),
    configuration("PutBucketEncryption", "s3:PutEncryptionConfiguration", &["encryption"]),
    configuration("DeleteBucketEncryption", "s3:PutEncryptionConfiguration", &["encryption"]),
    configuration("PutBucketTagging", "s3:PutBucketTagging", &["tagging"]),
    configuration("DeleteBucketTagging", "s3:PutBucketTagging", &["tagging"]),
    configuration("PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", &["object-lock"]),
    on(Scope::Object, "GetObjectAcl", Action::new("s3:GetObjectAcl"))
        .of_version(Action::new("s3:GetObjectVersionAcl"))
        .subresources(&["acl", "versionId"]),
    on(Scope::Object, "PutObjectAcl", Action::new("s3:PutObjectAcl"))
        .of_version(Action::new("s3:PutObjectVersionAcl"))
        .subresources(&["acl", "versionId"])
        .headers(ACLS),
    on(Scope::Object, "GetObjectTagging", Action::GET_OBJECT_TAGGING)
        .of_version(Action::new("s3:GetObjectVersionTagging"))
        .subresources(&["tagging", "versionId"]),
    on(Scope::Object, "PutObjectTagging", Action::PUT_OBJECT_TAGGING)
        .of_version(Action::new("s3:PutObjectVersionTagging"))
        .subresources(&["tagging", "versionId"]),
    on(Scope::Object, "DeleteObjectTagging", Action::new("s3:DeleteObjectTagging"))
        .of_version(Action::new("s3:DeleteObjectVersionTagging"))
        .subresources(&["tagging", "versionId"]),
    on(Scope::Object, "GetObjectRetention", Action::GET_OBJECT_RETENTION)
        .subresources(&["retention", "versionId"]),
    on(Scope::Object, "PutObjectRetention", Action::PUT_OBJECT_RETENTION)
        .subresources(&["retention", "versionId"])
        .headers(&["x-amz-bypass-governance-retention"]),
    on(Scope::Object, "GetObjectLegalHold", Action::GET_OBJECT_LEGAL_HOLD)
        .subresources(&["legal-hold", "versionId"]),
    on(Scope::Object, "PutObjectLegalHold", Action::PUT_OBJECT_LEGAL_HOLD)
        .subresources(&["legal-hold", "versionId"]),
];

/// A read or write of what a bucket is configured to.
const fn configuration(
    name: &'static str,
    action: &'static str,
    subresources: &'static [&'static str],
) -> Operation {
    on(Scope::Bucket, name, Action::new(action)).subresources(subresources)
}
