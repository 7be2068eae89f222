//! Which object a request is about, and which version of it.

use carob_bucket::VersionName;
use s3s::{S3Result, dto, s3_error};

/// An object in the bucket of the request, as it names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) key: &'a str,
    /// `None` is whatever is current.
    pub(crate) version: Option<VersionName>,
    /// Whose the bucket must be (`x-amz-expected-bucket-owner`).
    pub(crate) expected_owner: Option<&'a str>,
}

/// Reads `versionId`; `None` is whatever is current.
///
/// # Errors
/// InvalidArgument for what is no version id of ours.
pub(crate) fn parse_version(id: Option<&str>) -> S3Result<Option<VersionName>> {
    match id {
        None => Ok(None),
        Some("") => Err(s3_error!(InvalidArgument, "Version id cannot be the empty string")),
        Some(id) => match id.parse() {
            Ok(name) => Ok(Some(name)),
            Err(_) => Err(s3_error!(InvalidArgument, "Invalid version id specified")),
        },
    }
}

/// An operation's input that names a version of an object.
pub(crate) trait NamesVersion {
    /// # Errors
    /// As [`parse_version`].
    fn target(&self) -> S3Result<Target<'_>>;
}

macro_rules! names_version {
    ($($input:ident),+ $(,)?) => {
        $(impl NamesVersion for dto::$input {
            fn target(&self) -> S3Result<Target<'_>> {
                Ok(Target {
                    key: &self.key,
                    version: parse_version(self.version_id.as_deref())?,
                    expected_owner: self.expected_bucket_owner.as_deref(),
                })
            }
        })+
    };
}

names_version! {
    DeleteObjectInput,
    DeleteObjectTaggingInput,
    GetObjectAclInput,
    GetObjectAttributesInput,
    GetObjectInput,
    GetObjectLegalHoldInput,
    GetObjectRetentionInput,
    GetObjectTaggingInput,
    HeadObjectInput,
    PutObjectAclInput,
    PutObjectLegalHoldInput,
    PutObjectRetentionInput,
    PutObjectTaggingInput,
}
