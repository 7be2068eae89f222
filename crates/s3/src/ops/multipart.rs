//! What the operations on multipart uploads share.

use carob_bucket::{Bucket, BucketError, Checksum, ChecksumAlgorithm, ChecksumType, UploadId, UploadState};
use s3s::{S3Result, dto, s3_error};

use crate::error::{from_bucket, no_such_upload};

/// Reads an upload's name.
///
/// # Errors
/// NoSuchUpload for what is no name of ours.
pub(super) fn upload_id(text: &str) -> S3Result<UploadId> {
    text.parse().map_err(|_| no_such_upload())
}

/// The upload, if it is under way.
///
/// # Errors
/// What the bucket says, but for NoSuchUpload.
pub(super) async fn under_way(bucket: &Bucket, key: &str, id: UploadId) -> S3Result<Option<UploadState>> {
    match bucket.upload_info(key, id).await {
        Ok(state) => Ok(Some(state)),
        Err(BucketError::NoSuchUpload(_)) => Ok(None),
        Err(error) => Err(from_bucket(error)),
    }
}

/// The algorithm of the checksums that are kept with an upload's parts. S3's own choice, where the client made
/// none, is one whose values can be joined.
pub(super) fn kept_algorithm(state: &UploadState) -> ChecksumAlgorithm {
    state.checksum.map_or(ChecksumAlgorithm::Crc64Nvme, |checksum| checksum.algorithm)
}

pub(super) fn algorithm(checksum: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from_static(checksum.as_str())
}

/// Reads the name of an algorithm.
///
/// # Errors
/// InvalidRequest for what is none.
pub(super) fn named_algorithm(name: &str) -> S3Result<ChecksumAlgorithm> {
    ChecksumAlgorithm::from_name(&name.to_ascii_uppercase()).ok_or_else(|| {
        let mut known = ChecksumAlgorithm::ALL.map(ChecksumAlgorithm::as_str);
        known.sort_unstable();
        s3_error!(
            InvalidRequest,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{}]",
            known.join(", ")
        )
    })
}

/// Reads `x-amz-checksum-type`.
///
/// # Errors
/// InvalidRequest for what is none.
pub(super) fn checksum_type(name: &dto::ChecksumType) -> S3Result<ChecksumType> {
    match name.as_str().to_ascii_uppercase().as_str() {
        dto::ChecksumType::FULL_OBJECT => Ok(ChecksumType::FullObject),
        dto::ChecksumType::COMPOSITE => Ok(ChecksumType::Composite),
        _ => Err(s3_error!(InvalidRequest, "Value for x-amz-checksum-type header is invalid.")),
    }
}

/// A part's checksum as a completion lists it.
///
/// # Errors
/// InvalidPart for a value that is none. For one of another algorithm than is kept, which could not be compared: InvalidPart
/// where none was announced, BadDigest else.
pub(super) fn claimed(
    part: &dto::CompletedPart,
    number: u16,
    state: &UploadState,
) -> S3Result<Option<Checksum>> {
    let kept = kept_algorithm(state);
    let other =
        ChecksumAlgorithm::ALL.into_iter().find(|other| *other != kept && stated(part, *other).is_some());
    if let Some(other) = other {
        return Err(match state.checksum {
            None => from_bucket(BucketError::InvalidPart(number)),
            Some(_) => s3_error!(
                BadDigest,
                "The {} you specified for part {number} did not match what we received.",
                other.as_str().to_ascii_lowercase()
            ),
        });
    }
    let Some(text) = stated(part, kept) else { return Ok(None) };
    let checksum = Checksum::from_base64(kept, text);
    checksum.map(Some).ok_or_else(|| from_bucket(BucketError::InvalidPart(number)))
}

fn stated(part: &dto::CompletedPart, algorithm: ChecksumAlgorithm) -> Option<&str> {
    let text = match algorithm {
        ChecksumAlgorithm::Crc32 => &part.checksum_crc32,
        ChecksumAlgorithm::Crc32c => &part.checksum_crc32c,
        ChecksumAlgorithm::Crc64Nvme => &part.checksum_crc64nvme,
        ChecksumAlgorithm::Sha1 => &part.checksum_sha1,
        ChecksumAlgorithm::Sha256 => &part.checksum_sha256,
        ChecksumAlgorithm::Sha512 => &part.checksum_sha512,
        ChecksumAlgorithm::Md5 => &part.checksum_md5,
        ChecksumAlgorithm::XxHash64 => &part.checksum_xxhash64,
        ChecksumAlgorithm::XxHash3 => &part.checksum_xxhash3,
        ChecksumAlgorithm::XxHash128 => &part.checksum_xxhash128,
    };
    text.as_deref()
}

/// The most entries in a page, and how many it has if nobody says.
const MAX_ENTRIES: i32 = 1000;

/// Reads `max-parts` or `max-uploads`: more than 1,000 is 1,000.
///
/// # Errors
/// InvalidArgument for less than nothing.
pub(super) fn page_size(asked: Option<i32>, name: &str) -> S3Result<usize> {
    usize::try_from(asked.unwrap_or(MAX_ENTRIES).min(MAX_ENTRIES)).map_err(|_| {
        s3_error!(InvalidArgument, "Argument {name} must be an integer between 0 and 2147483647")
    })
}

/// Reads `part-number-marker`: any number, behind the last part if it is too large.
///
/// # Errors
/// InvalidArgument for less than nothing.
pub(super) fn part_marker(asked: Option<i32>) -> S3Result<u16> {
    let asked = u32::try_from(asked.unwrap_or(0)).map_err(|_| {
        s3_error!(InvalidArgument, "Argument part-number-marker must be an integer between 0 and 2147483647")
    })?;
    Ok(u16::try_from(asked).unwrap_or(u16::MAX))
}

/// What a page of parts gives as `NextPartNumberMarker`. S3 gives one with every page, the last page too; a page
/// without parts says 0, unless it was asked for none.
pub(super) fn next_marker(last: Option<u16>, after: u16, truncated: bool) -> u16 {
    last.unwrap_or(if truncated { after } else { 0 })
}
