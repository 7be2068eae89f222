//! The names of what can be done, and patterns of them.

use crate::error::Malformed;
use crate::pattern::like_ignoring_case;

/// An action as a statement names it: `s3:GetObject`, with `*` and `?`, in letters of either case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActionPattern(String);

impl ActionPattern {
    /// Reads a pattern, which must be of an action that S3 has.
    pub(crate) fn parse(text: String) -> Result<Self, Malformed> {
        let known = || KNOWN.iter().any(|name| like_ignoring_case(&text, &format!("s3:{name}")));
        if text.is_ascii() && known() {
            Ok(Self(text))
        } else {
            Err(Malformed::new("Policy has invalid action"))
        }
    }

    pub(crate) fn matches(&self, action: &str) -> bool {
        like_ignoring_case(&self.0, action)
    }
}

/// Amazon S3's actions on buckets and objects (Service Authorization Reference, "Actions, resources, and condition keys
/// for Amazon S3").
const KNOWN: &[&str] = &[
    "AbortMultipartUpload",
    "BypassGovernanceRetention",
    "CreateBucket",
    "CreateBucketMetadataTableConfiguration",
    "DeleteBucket",
    "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketOwnershipControls",
    "DeleteBucketPolicy",
    "DeleteBucketWebsite",
    "DeleteObject",
    "DeleteObjectTagging",
    "DeleteObjectVersion",
    "DeleteObjectVersionTagging",
    "GetAccelerateConfiguration",
    "GetAnalyticsConfiguration",
    "GetBucketAcl",
    "GetBucketCORS",
    "GetBucketLocation",
    "GetBucketLogging",
    "GetBucketMetadataTableConfiguration",
    "GetBucketNotification",
    "GetBucketObjectLockConfiguration",
    "GetBucketOwnershipControls",
    "GetBucketPolicy",
    "GetBucketPolicyStatus",
    "GetBucketPublicAccessBlock",
    "GetBucketRequestPayment",
    "GetBucketTagging",
    "GetBucketVersioning",
    "GetBucketWebsite",
    "GetEncryptionConfiguration",
    "GetIntelligentTieringConfiguration",
    "GetInventoryConfiguration",
    "GetLifecycleConfiguration",
    "GetMetricsConfiguration",
    "GetObject",
    "GetObjectAcl",
    "GetObjectAttributes",
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectTagging",
    "GetObjectTorrent",
    "GetObjectVersion",
    "GetObjectVersionAcl",
    "GetObjectVersionAttributes",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
    "GetObjectVersionTorrent",
    "GetReplicationConfiguration",
    "InitiateReplication",
    "ListBucket",
    "ListBucketMultipartUploads",
    "ListBucketVersions",
    "ListMultipartUploadParts",
    "ObjectOwnerOverrideToBucketOwner",
    "PauseReplication",
    "PutAccelerateConfiguration",
    "PutAnalyticsConfiguration",
    "PutBucketAcl",
    "PutBucketCORS",
    "PutBucketLogging",
    "PutBucketNotification",
    "PutBucketObjectLockConfiguration",
    "PutBucketOwnershipControls",
    "PutBucketPolicy",
    "PutBucketPublicAccessBlock",
    "PutBucketRequestPayment",
    "PutBucketTagging",
    "PutBucketVersioning",
    "PutBucketWebsite",
    "PutEncryptionConfiguration",
    "PutIntelligentTieringConfiguration",
    "PutInventoryConfiguration",
    "PutLifecycleConfiguration",
    "PutMetricsConfiguration",
    "PutObject",
    "PutObjectAcl",
    "PutObjectLegalHold",
    "PutObjectRetention",
    "PutObjectTagging",
    "PutObjectVersionAcl",
    "PutObjectVersionTagging",
    "PutReplicationConfiguration",
    "ReplicateDelete",
    "ReplicateObject",
    "ReplicateTags",
    "RestoreObject",
    "UpdateBucketMetadataInventoryTableConfiguration",
    "UpdateBucketMetadataJournalTableConfiguration",
    "UpdateObjectEncryption",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_s3_in_either_case() {
        for good in ["s3:GetObject", "S3:getobject", "s3:*", "*", "s3:Get*", "s3:GetObject?cl", "s3:Put*Acl"]
        {
            assert!(ActionPattern::parse(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "GetObject", "s3:", "s3:Fetch", "ec2:*", "s3:GetObjects", "s3:Get Object", "s3:Gét*"]
        {
            assert!(ActionPattern::parse(bad.to_owned()).is_err(), "{bad}");
        }
        let pattern = ActionPattern::parse("s3:Get*".to_owned()).unwrap();
        assert!(pattern.matches("s3:GetBucketAcl") && !pattern.matches("s3:PutObject"));
    }
}
