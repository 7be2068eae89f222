//! Amazon S3 API reference, UploadPartCopy.

use std::ops::Range;

use s3s::dto::{CopyPartResult, UploadPartCopyInput, UploadPartCopyOutput};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::checksum::{ChecksumFields, ShowsChecksums};
use crate::encryption::{self, CustomerKey};
use crate::error::{from_bucket, too_large};
use crate::headers;
use crate::locate::Located;
use crate::ops::copying::{self, Copied, Source};
use crate::ops::multipart::{kept_algorithm, upload_id};
use crate::ops::reading::check_part_number;
use crate::table::{Carob, begin_long_work};

/// The largest part (Amazon S3 user guide, "multipart upload limits"), in bytes.
const MAX_PART: u64 = 5 << 30;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = &mut request.input;
    copying::read_plus(&request.headers, &mut input.copy_source)?;
    Source::of(&input.copy_source)?;
    let number = check_part_number(input.part_number)?;
    let asked = input.copy_source_range.as_deref().map(|range| parse_range(range).ok_or_else(bad_range));
    let asked = asked.transpose()?;
    let id = upload_id(&input.upload_id)?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let state = bucket.upload_info(&input.key, id).await.map_err(from_bucket)?;
    let customer = CustomerKey::to_write(&request.headers)?;
    let seal = carob.encryption.part_seal(&state, customer.as_ref()).await?;
    let source_customer = CustomerKey::of_source(&request.headers)?;
    let owner = input.expected_source_bucket_owner.as_deref();
    let Copied { located, .. } =
        copying::find(carob, &mut request.extensions, &input.copy_source, owner).await?;
    let Located { object: source, version_id, .. } = located;
    let source = carob.encryption.open(source, source_customer.as_ref()).await?;
    let range = within(asked, source.record().size)?;

    let kept = kept_algorithm(&state);
    let _until_copied = copying::memory(carob, source.record().size).await?;
    begin_long_work(&request.extensions);
    // Read, since a part's entity tag is their MD5; blocks that are there already are not written again.
    let body = copying::rewrite(&bucket, &source, range, &[kept], seal.as_ref()).await?;
    let checksum = body.checksums().first().cloned();
    let part = bucket.put_part(&input.key, id, number, body, checksum).await.map_err(from_bucket)?;
    let result = CopyPartResult {
        e_tag: Some(headers::part_etag(part.md5)),
        last_modified: Some(headers::timestamp(part.modified)),
        ..CopyPartResult::default()
    };
    let result = result.with_checksums(ChecksumFields::of_part(part.checksum.as_ref()));
    let output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: version_id,
        ..UploadPartCopyOutput::default()
    };
    let encryption = encryption::of_upload(state.encryption.as_ref(), customer.as_ref());
    Ok(S3Response::with_headers(output, encryption))
}

/// `bytes=first-last` and nothing else: both ends must be there.
fn parse_range(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// The bytes that are meant of a source of `size`.
fn within(asked: Option<(u64, u64)>, size: u64) -> S3Result<Range<u64>> {
    let range = match asked {
        None => 0..size,
        Some((first, last)) if last < size => first..last.saturating_add(1),
        Some((first, _)) if first >= size => {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy range is invalid for the source object size"
            ));
        }
        Some(_) => {
            return Err(s3_error!(
                InvalidArgument,
                "Range specified is not valid for source object of size: {size}"
            ));
        }
    };
    if range.end.saturating_sub(range.start) > MAX_PART { Err(too_large()) } else { Ok(range) }
}

/// What a range means of a source of `size`, for fuzzers.
#[cfg(feature = "fuzzing")]
pub(crate) fn part_copy_range(text: &str, size: u64) -> Option<Range<u64>> {
    within(Some(parse_range(text)?), size).ok()
}

fn bad_range() -> S3Error {
    s3_error!(
        InvalidArgument,
        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
         zero-based offsets of the first and last bytes to copy"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_range_are_needed() {
        assert_eq!(parse_range("bytes=0-0"), Some((0, 0)));
        assert_eq!(parse_range("bytes=5-10"), Some((5, 10)));
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-",
            "bytes=-5",
            "bytes=5-4",
            "0-5",
            "Bytes=0-5",
            "bytes=0-5,7-9",
            "bytes= 0-5",
            "bytes=+0-5",
            "bytes=0-0x5",
            "bytes=0-99999999999999999999999",
        ] {
            assert_eq!(parse_range(text), None, "{text}");
        }
    }

    #[test]
    fn a_range_lies_within_its_source() {
        assert_eq!(within(None, 0).unwrap(), 0..0);
        assert_eq!(within(Some((0, 9)), 10).unwrap(), 0..10);
        let code = |range, size| within(Some(range), size).unwrap_err().code().as_str().to_owned();
        assert_eq!(code((0, 10), 10), "InvalidArgument");
        assert_eq!(
            (code((10, 10), 10), code((0, 0), 0)),
            ("InvalidRequest".to_owned(), "InvalidRequest".to_owned())
        );
        assert!(within(Some((0, u64::MAX)), u64::MAX).is_err());
        assert_eq!(within(None, MAX_PART + 1).unwrap_err().code().as_str(), "EntityTooLarge");
    }
}
