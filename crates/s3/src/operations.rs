//! The operations that are served: what each needs a right to, and which parts of a request it understands.
//!
//! Whatever stands in no row is refused, so that a header or query with a meaning is never ignored.

use carob_identity::Action;

/// What the right is asked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The space.
    Space,
    /// The bucket in the path.
    Bucket,
    /// The object in the path.
    Object,
    /// Each key in the body: the operation asks for itself.
    EachKey,
}

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// S3's name.
    pub(crate) name: &'static str,
    /// The right it takes.
    pub(crate) action: Action,
    pub(crate) scope: Scope,
    /// Sub-resources in the query that it understands, of [`SUBRESOURCES`].
    pub(crate) subresources: &'static [&'static str],
    /// `x-amz-*` headers that it understands besides [`ANY_OPERATION`]; one ending in `-` stands for a family.
    pub(crate) headers: &'static [&'static str],
    pub(crate) payload: Payload,
}

/// What the body of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Object data, to be passed on as it comes.
    Object,
    /// A document, or nothing.
    Document,
    /// A document, while the checksum headers tell of the object that it makes.
    Completion,
}

/// Finds an operation that is served.
pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

/// Headers that every operation may carry. Those about payer, client and transport change nothing here:
/// `x-amz-te` offers to read a trailer that the answer would have to announce, and S3 ignores `x-amz-checksum-type`
/// and `-algorithm` outside multipart uploads.
pub(crate) const ANY_OPERATION: &[&str] = &[
    "x-amz-api-version",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-request-payer",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
    "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32",
    "x-amz-checksum-crc32c",
    "x-amz-checksum-crc64nvme",
    "x-amz-checksum-sha1",
    "x-amz-checksum-sha256",
    "x-amz-checksum-type",
];

const READS: &[&str] = &["x-amz-checksum-mode"];
// No lock exists that could be bypassed, and no bucket asks for a second factor.
const DELETES: &[&str] = &["x-amz-bypass-governance-retention", "x-amz-mfa"];
/// What an object is put with, by whatever operation.
const PUTS: &[&str] = &["x-amz-acl", "x-amz-meta-", "x-amz-storage-class", "x-amz-website-redirect-location"];
// Asks for restore status, of which there is none to report.
const LISTS: &[&str] = &["x-amz-optional-object-attributes"];

/// Query parameters that choose another operation or another state. One that an operation does not know must not
/// be dropped: `DELETE /bucket/key?acl` is no DELETE of the key.
pub(crate) const SUBRESOURCES: &[&str] = &[
    "abac",
    "accelerate",
    "acl",
    "analytics",
    "annotation",
    "append",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "list-type",
    "location",
    "logging",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "metadataTable",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "select-type",
    "session",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "ListBuckets",
        action: Action::LIST_ALL_MY_BUCKETS,
        scope: Scope::Space,
        subresources: &[],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "CreateBucket",
        action: Action::CREATE_BUCKET,
        scope: Scope::Bucket,
        subresources: &[],
        headers: &["x-amz-acl", "x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"],
        payload: Payload::Document,
    },
    Operation {
        name: "HeadBucket",
        action: Action::LIST_BUCKET,
        scope: Scope::Bucket,
        subresources: &[],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "DeleteBucket",
        action: Action::DELETE_BUCKET,
        scope: Scope::Bucket,
        subresources: &[],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "GetBucketLocation",
        action: Action::GET_BUCKET_LOCATION,
        scope: Scope::Bucket,
        subresources: &["location"],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "ListObjects",
        action: Action::LIST_BUCKET,
        scope: Scope::Bucket,
        subresources: &[],
        headers: LISTS,
        payload: Payload::Document,
    },
    Operation {
        name: "ListObjectsV2",
        action: Action::LIST_BUCKET,
        scope: Scope::Bucket,
        subresources: &["list-type"],
        headers: LISTS,
        payload: Payload::Document,
    },
    Operation {
        name: "PutObject",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &[],
        headers: PUTS,
        payload: Payload::Object,
    },
    Operation {
        name: "GetObject",
        action: Action::GET_OBJECT,
        scope: Scope::Object,
        subresources: &["partNumber", "versionId"],
        headers: READS,
        payload: Payload::Document,
    },
    Operation {
        name: "HeadObject",
        action: Action::GET_OBJECT,
        scope: Scope::Object,
        subresources: &["partNumber", "versionId"],
        headers: READS,
        payload: Payload::Document,
    },
    Operation {
        name: "DeleteObject",
        action: Action::DELETE_OBJECT,
        scope: Scope::Object,
        subresources: &["versionId"],
        headers: DELETES,
        payload: Payload::Document,
    },
    Operation {
        name: "DeleteObjects",
        action: Action::DELETE_OBJECT,
        scope: Scope::EachKey,
        subresources: &["delete"],
        headers: DELETES,
        payload: Payload::Document,
    },
    Operation {
        name: "CreateMultipartUpload",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &["uploads"],
        headers: PUTS,
        payload: Payload::Document,
    },
    Operation {
        name: "UploadPart",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &["partNumber", "uploadId"],
        headers: &[],
        payload: Payload::Object,
    },
    Operation {
        name: "UploadPartCopy",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &["partNumber", "uploadId"],
        headers: &["x-amz-copy-source", "x-amz-copy-source-range", "x-amz-source-expected-bucket-owner"],
        payload: Payload::Document,
    },
    Operation {
        name: "CompleteMultipartUpload",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &["uploadId"],
        headers: &["x-amz-mp-object-size"],
        payload: Payload::Completion,
    },
    Operation {
        name: "AbortMultipartUpload",
        action: Action::new("s3:AbortMultipartUpload"),
        scope: Scope::Object,
        subresources: &["uploadId"],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "ListParts",
        action: Action::new("s3:ListMultipartUploadParts"),
        scope: Scope::Object,
        subresources: &["uploadId"],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "ListMultipartUploads",
        action: Action::new("s3:ListBucketMultipartUploads"),
        scope: Scope::Bucket,
        subresources: &["uploads"],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "CopyObject",
        action: Action::PUT_OBJECT,
        scope: Scope::Object,
        subresources: &[],
        headers: &[
            "x-amz-acl",
            "x-amz-copy-source",
            "x-amz-meta-",
            "x-amz-metadata-directive",
            "x-amz-source-expected-bucket-owner",
            "x-amz-storage-class",
            "x-amz-tagging-directive",
            "x-amz-website-redirect-location",
        ],
        payload: Payload::Document,
    },
    Operation {
        name: "GetObjectAttributes",
        action: Action::GET_OBJECT,
        scope: Scope::Object,
        subresources: &["attributes", "versionId"],
        headers: &["x-amz-max-parts", "x-amz-object-attributes", "x-amz-part-number-marker"],
        payload: Payload::Document,
    },
    configuration("GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", &["accelerate"]),
    configuration("GetBucketAcl", "s3:GetBucketAcl", &["acl"]),
    configuration("GetBucketCors", "s3:GetBucketCORS", &["cors"]),
    configuration("GetBucketEncryption", "s3:GetEncryptionConfiguration", &["encryption"]),
    configuration("GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", &["lifecycle"]),
    configuration("GetBucketLogging", "s3:GetBucketLogging", &["logging"]),
    configuration("GetBucketNotificationConfiguration", "s3:GetBucketNotification", &["notification"]),
    configuration("GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", &["ownershipControls"]),
    configuration("GetBucketPolicy", "s3:GetBucketPolicy", &["policy"]),
    configuration("GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", &["policyStatus"]),
    configuration("GetBucketReplication", "s3:GetReplicationConfiguration", &["replication"]),
    configuration("GetBucketRequestPayment", "s3:GetBucketRequestPayment", &["requestPayment"]),
    configuration("GetBucketTagging", "s3:GetBucketTagging", &["tagging"]),
    configuration("GetBucketVersioning", "s3:GetBucketVersioning", &["versioning"]),
    configuration("GetBucketWebsite", "s3:GetBucketWebsite", &["website"]),
    configuration("GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", &["object-lock"]),
    configuration("GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", &["publicAccessBlock"]),
    Operation {
        name: "GetObjectAcl",
        action: Action::new("s3:GetObjectAcl"),
        scope: Scope::Object,
        subresources: &["acl", "versionId"],
        headers: &[],
        payload: Payload::Document,
    },
    Operation {
        name: "GetObjectTagging",
        action: Action::new("s3:GetObjectTagging"),
        scope: Scope::Object,
        subresources: &["tagging", "versionId"],
        headers: &[],
        payload: Payload::Document,
    },
];

/// A read of what a bucket is configured to.
const fn configuration(
    name: &'static str,
    action: &'static str,
    subresources: &'static [&'static str],
) -> Operation {
    Operation {
        name,
        action: Action::new(action),
        scope: Scope::Bucket,
        subresources,
        headers: &[],
        payload: Payload::Document,
    }
}
