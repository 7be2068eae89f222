//! Which object a request is about, and which version of it.

use s3s::{S3Result, dto, s3_error};

/// An object, as a request names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
    pub(crate) version: Version,
    /// Whose the bucket must be (`x-amz-expected-bucket-owner`).
    pub(crate) expected_owner: Option<&'a str>,
}

/// A version of an object.
///
/// Buckets keep no versions yet: the one there is goes by the name `null`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// Whatever is current.
    Current,
    /// The one that was written while nothing kept versions.
    Null,
}

impl Version {
    /// Reads `versionId`.
    ///
    /// # Errors
    /// InvalidArgument for what is no version id of ours.
    pub(crate) fn parse(id: Option<&str>) -> S3Result<Self> {
        match id {
            None => Ok(Self::Current),
            Some("null") => Ok(Self::Null),
            Some("") => Err(s3_error!(InvalidArgument, "Version id cannot be the empty string")),
            Some(_) => Err(s3_error!(InvalidArgument, "Invalid version id specified")),
        }
    }
}

/// An operation's input that names a version of an object.
pub(crate) trait NamesVersion {
    /// # Errors
    /// As [`Version::parse`].
    fn target(&self) -> S3Result<Target<'_>>;
}

macro_rules! names_version {
    ($($input:ident),+ $(,)?) => {
        $(impl NamesVersion for dto::$input {
            fn target(&self) -> S3Result<Target<'_>> {
                Ok(Target {
                    bucket: &self.bucket,
                    key: &self.key,
                    version: Version::parse(self.version_id.as_deref())?,
                    expected_owner: self.expected_bucket_owner.as_deref(),
                })
            }
        })+
    };
}

names_version! {
    DeleteObjectInput,
    GetObjectAclInput,
    GetObjectAttributesInput,
    GetObjectInput,
    GetObjectTaggingInput,
    HeadObjectInput,
}
