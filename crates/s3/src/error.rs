//! What S3 calls our errors. Codes, messages and statuses: Amazon S3 API reference, "Error responses".

use std::borrow::Cow;
use std::fmt;

use carob_bucket::BucketError;
use s3s::{S3Error, S3ErrorCode, StdError, s3_error};

use crate::encryption::key_needed;
use crate::xml::needs_reference;

/// The S3 answer to a bucket's error: the only place where the two meet.
pub(crate) fn from_bucket(error: BucketError) -> S3Error {
    match error {
        BucketError::NoSuchBucket(_) | BucketError::NoSuchSnapshot(_) | BucketError::NotDeleted { .. } => {
            no_such_bucket()
        }
        BucketError::NoSuchState { reason, .. } => {
            s3_error!(NoSuchBucket, "The specified bucket has no such state: {reason}.")
        }
        BucketError::InvalidMoment(_) => s3_error!(
            InvalidBucketName,
            "The specified bucket is not valid: a past state is named as in photos--at-20261121t0930z, \
             photos--snap-NAME or photos--root-CID."
        ),
        // No operation of S3 merges, proves or imports.
        BucketError::Unrelated { .. }
        | BucketError::Conflicts(_)
        | BucketError::TooManyObjects
        | BucketError::Unreachable(_)
        | BucketError::NotPulled { .. }
        | BucketError::TooManyBytes(_)
        | BucketError::Repetitive { .. }
        | BucketError::Untrustworthy(_) => {
            s3_error!(OperationAborted, "A conflicting conditional operation is currently in progress.")
        }
        BucketError::ReadOnly => crate::past::read_only(),
        // To its owner: CreateBucket tells others something else.
        BucketError::BucketExists(_) => s3_error!(
            BucketAlreadyOwnedByYou,
            "Your previous request to create the named bucket succeeded and you already own it."
        ),
        BucketError::BucketNotEmpty(_) => {
            s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty")
        }
        BucketError::InvalidBucketName(_, reason) => {
            s3_error!(InvalidBucketName, "The specified bucket is not valid: {reason}.")
        }
        BucketError::NoSuchKey(_) => no_such_key(),
        // Nothing that S3 knows: past states are ours.
        BucketError::Purged { .. } => custom(
            "ObjectPurged",
            http::StatusCode::GONE,
            "The object was erased from this state of the bucket.",
        ),
        BucketError::NoSuchVersion { .. } => no_such_version(),
        BucketError::IsDeleteMarker(_) => method_not_allowed(),
        BucketError::Locked => {
            s3_error!(AccessDenied, "Access Denied because object protected by object lock.")
        }
        BucketError::LockNotEnabled => {
            s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration")
        }
        BucketError::RetentionDate => {
            s3_error!(InvalidArgument, "The retain until date must be in the future!")
        }
        BucketError::VersioningState(reason) => {
            s3_error!(
                InvalidBucketState,
                "The request is not valid with the current state of the bucket: {reason}."
            )
        }
        // s3s takes a path without a key for the bucket's, so an empty key does not come this far.
        BucketError::KeyLength(_) => s3_error!(KeyTooLongError, "Your key is too long"),
        BucketError::MetadataTooLarge(_) => metadata_too_large(),
        BucketError::Encrypted => key_needed(),
        BucketError::PreconditionFailed(_) => precondition_failed(),
        BucketError::NoSuchUpload(_) => no_such_upload(),
        BucketError::InvalidPart(_) => s3_error!(
            InvalidPart,
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the \
             specified entity tag may not match the part's entity tag."
        ),
        BucketError::InvalidPartOrder => s3_error!(
            InvalidPartOrder,
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        ),
        BucketError::PartTooSmall { .. } => {
            s3_error!(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
        }
        BucketError::PartNumber(_) => bad_part_number(),
        BucketError::ChecksumMismatch => {
            s3_error!(BadDigest, "The checksum you specified did not match the calculated checksum.")
        }
        BucketError::SizeMismatch { expected, actual } => s3_error!(
            InvalidRequest,
            "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {actual}"
        ),
        BucketError::BadToken => bad_token(),
        // No S3 operation makes or removes snapshots.
        BucketError::SnapshotExists(_)
        | BucketError::InvalidSnapshotName(_)
        | BucketError::SnapshotLocked { .. } => internal(error.into()),
        BucketError::Contention => {
            s3_error!(ServiceUnavailable, "Too many concurrent changes of this bucket. Please try again.")
        }
        BucketError::Overloaded => slow_down(),
        // Retryable, as space may be made: there is no S3 code for a full disk.
        BucketError::OutOfSpace => s3_error!(ServiceUnavailable, "The server is out of storage space."),
        BucketError::Damaged(source) => internal(source.into()),
        BucketError::Store(source) => {
            let mut error = s3_error!(ServiceUnavailable, "The storage is unavailable. Please try again.");
            error.set_source(source.into());
            error
        }
    }
}

/// The error with a message that XML can hold. Some messages repeat what the request said, and s3s makes an internal error of
/// one with a control character.
pub(crate) fn sayable(mut error: S3Error) -> S3Error {
    let odd = error.message().filter(|message| message.contains(needs_reference));
    if let Some(said) = odd.map(|message| message.replace(needs_reference, "\u{fffd}")) {
        error.set_message(said);
    }
    error
}

/// 500, with a message that says nothing and a source for the log.
pub(crate) fn internal(source: StdError) -> S3Error {
    let mut error = s3_error!(InternalError, "We encountered an internal error. Please try again.");
    error.set_source(source);
    error
}

/// 503; the answer says when to come back.
pub(crate) fn slow_down() -> S3Error {
    s3_error!(SlowDown, "Please reduce your request rate.")
}

pub(crate) fn no_such_bucket() -> S3Error {
    s3_error!(NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn access_denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

/// 403, with a reason that may be told to whoever asks.
pub(crate) fn access_denied_as(reason: &'static str) -> S3Error {
    s3_error!(AccessDenied, "{reason}")
}

pub(crate) fn no_such_key() -> S3Error {
    s3_error!(NoSuchKey, "The specified key does not exist.")
}

pub(crate) fn no_such_version() -> S3Error {
    s3_error!(NoSuchVersion, "The specified version does not exist.")
}

pub(crate) fn no_such_upload() -> S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed."
    )
}

pub(crate) fn method_not_allowed() -> S3Error {
    s3_error!(MethodNotAllowed, "The specified method is not allowed against this resource.")
}

pub(crate) fn precondition_failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(crate) fn malformed_xml() -> S3Error {
    s3_error!(
        MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema"
    )
}

pub(crate) fn bad_token() -> S3Error {
    s3_error!(InvalidArgument, "The continuation token provided is incorrect")
}

pub(crate) fn bad_part_number() -> S3Error {
    s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
}

pub(crate) fn metadata_too_large() -> S3Error {
    s3_error!(MetadataTooLarge, "Your metadata headers exceed the maximum allowed metadata size")
}

pub(crate) fn too_large() -> S3Error {
    s3_error!(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size")
}

pub(crate) fn incomplete_body() -> S3Error {
    s3_error!(
        IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )
}

/// 501 for something that S3 has and we do not, naming it: it is never ignored.
pub(crate) fn not_implemented(what: &str) -> S3Error {
    s3_error!(
        NotImplemented,
        "A header or query you provided implies functionality that is not implemented: {what}"
    )
}

/// 400 with a code that s3s does not list.
pub(crate) fn bad_request(code: &'static str, message: String) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(http::StatusCode::BAD_REQUEST);
    error
}

/// What an error says beyond its code and its message: elements and their texts.
#[derive(thiserror::Error)]
#[error("{self:?}")]
pub(crate) struct Elements(pub(crate) Vec<(&'static str, String)>);

/// Their names: the texts are what the request said, which need not stand in a log.
impl fmt::Debug for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// The error with elements of its own.
pub(crate) fn detailed(mut error: S3Error, elements: Vec<(&'static str, String)>) -> S3Error {
    error.set_source(Box::new(Elements(elements)));
    error
}

/// 400 about one argument, naming it and what it was given.
pub(crate) fn invalid_argument(
    message: impl Into<Cow<'static, str>>,
    name: &'static str,
    value: &str,
) -> S3Error {
    let error = S3Error::with_message(S3ErrorCode::InvalidArgument, message);
    detailed(error, vec![("ArgumentName", name.to_owned()), ("ArgumentValue", value.to_owned())])
}

/// An error whose code s3s does not list.
pub(crate) fn custom(
    code: &'static str,
    status: http::StatusCode,
    message: impl Into<Cow<'static, str>>,
) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use carob_bucket::{DeleteMarker, UploadId, VersionId, VersionName};
    use carob_identity::Timestamp;

    use super::*;

    #[test]
    fn every_bucket_error_has_its_code_and_status() {
        let name = || "name".to_owned();
        let marker = DeleteMarker { version: VersionId([0; 16]), null: false };
        let table = [
            (BucketError::NoSuchBucket(name()), "NoSuchBucket", 404),
            (BucketError::NoSuchState { bucket: name(), reason: "why" }, "NoSuchBucket", 404),
            (BucketError::NotDeleted { bucket: name(), there: name() }, "NoSuchBucket", 404),
            (BucketError::InvalidMoment(name()), "InvalidBucketName", 400),
            (BucketError::Unrelated { from: name(), into: name() }, "OperationAborted", 409),
            (BucketError::Conflicts(vec![name()]), "OperationAborted", 409),
            (BucketError::TooManyBytes(1), "OperationAborted", 409),
            (BucketError::Repetitive { most: 2, different: 1 }, "OperationAborted", 409),
            (BucketError::Untrustworthy(Arc::new(io::Error::other("x"))), "OperationAborted", 409),
            (BucketError::TooManyObjects, "OperationAborted", 409),
            (BucketError::NotPulled { bucket: name(), reason: "why" }, "OperationAborted", 409),
            (BucketError::ReadOnly, "MethodNotAllowed", 405),
            (BucketError::BucketExists(name()), "BucketAlreadyOwnedByYou", 409),
            (BucketError::BucketNotEmpty(name()), "BucketNotEmpty", 409),
            (BucketError::InvalidBucketName(name(), "why"), "InvalidBucketName", 400),
            (BucketError::NoSuchKey(name()), "NoSuchKey", 404),
            (BucketError::Purged { key: name() }, "ObjectPurged", 410),
            (BucketError::NoSuchVersion { key: name(), version: VersionName::Null }, "NoSuchVersion", 404),
            (BucketError::IsDeleteMarker(marker), "MethodNotAllowed", 405),
            (BucketError::Locked, "AccessDenied", 403),
            (BucketError::LockNotEnabled, "InvalidRequest", 400),
            (BucketError::RetentionDate, "InvalidArgument", 400),
            (BucketError::VersioningState("why"), "InvalidBucketState", 409),
            (BucketError::KeyLength(1025), "KeyTooLongError", 400),
            (BucketError::MetadataTooLarge(2049), "MetadataTooLarge", 400),
            (BucketError::Encrypted, "InvalidRequest", 400),
            (BucketError::PreconditionFailed("If-Match"), "PreconditionFailed", 412),
            (BucketError::NoSuchUpload(UploadId::new(Timestamp(0), [0; 8])), "NoSuchUpload", 404),
            (BucketError::InvalidPart(1), "InvalidPart", 400),
            (BucketError::InvalidPartOrder, "InvalidPartOrder", 400),
            (BucketError::PartTooSmall { number: 1, size: 1 }, "EntityTooSmall", 400),
            (BucketError::PartNumber(0), "InvalidArgument", 400),
            (BucketError::ChecksumMismatch, "BadDigest", 400),
            (BucketError::SizeMismatch { expected: 1, actual: 2 }, "InvalidRequest", 400),
            (BucketError::BadToken, "InvalidArgument", 400),
            (BucketError::Contention, "ServiceUnavailable", 503),
            (BucketError::Overloaded, "SlowDown", 503),
            (BucketError::OutOfSpace, "ServiceUnavailable", 503),
            (BucketError::Damaged(Arc::new(io::Error::other("x"))), "InternalError", 500),
            (BucketError::Store(Arc::new(io::Error::other("x"))), "ServiceUnavailable", 503),
        ];
        for (error, code, status) in table {
            let shown = error.to_string();
            let answer = from_bucket(error);
            let found = answer.status_code().map(|status| status.as_u16());
            assert_eq!((answer.code().as_str(), found), (code, Some(status)), "{shown}");
            assert!(answer.message().is_some_and(|message| !message.is_empty()), "{shown}");
        }
    }

    #[test]
    fn a_message_repeats_what_xml_can_hold() {
        let said =
            |message: &str| sayable(bad_request("Code", message.to_owned())).message().map(str::to_owned);
        assert_eq!(said("a\u{1}b\r\n\u{ffff}").as_deref(), Some("a\u{fffd}b\u{fffd}\n\u{fffd}"));
        assert_eq!(said("plain").as_deref(), Some("plain"));
    }

    #[test]
    fn the_log_has_the_names_of_elements_alone() {
        let error = invalid_argument("Unsupported", "Authorization", "password");
        let logged = format!("{error:?} {}", error.source().unwrap());
        assert!(logged.contains("ArgumentValue") && !logged.contains("password"), "{logged}");
    }

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let damaged = BucketError::Damaged(Arc::new(io::Error::other("block bafy is missing")));
        let answer = from_bucket(damaged);
        assert!(!answer.message().unwrap().contains("bafy"));
        assert!(answer.source().unwrap().to_string().contains("bafy"));
    }
}
