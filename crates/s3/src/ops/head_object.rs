//! Amazon S3 API reference, HeadObject.

use s3s::dto::{HeadObjectInput, HeadObjectOutput, Timestamp, TimestampFormat};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::answer::PartialContent;
use crate::conditions::Conditional;
use crate::headers;
use crate::ops::reading::{ReadRequest, select};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = request.input;
    let selected = select(
        carob,
        ReadRequest {
            bucket: &input.bucket,
            key: &input.key,
            expected_owner: input.expected_bucket_owner.as_deref(),
            version_id: input.version_id.as_deref(),
            part_number: input.part_number,
            conditional: request.extensions.remove::<Conditional>().unwrap_or_default(),
        },
    )
    .await?;
    let sums = selected.checksums(input.checksum_mode.as_ref());
    let length = selected.length();
    let record = selected.record();
    let kept = record.headers.clone();
    let cid = headers::cid(record);
    let partial = selected.content_range.is_some();
    let output = HeadObjectOutput {
        content_length: Some(length),
        accept_ranges: Some("bytes".to_owned()),
        e_tag: Some(headers::etag(record)),
        last_modified: Some(headers::timestamp(record.modified)),
        metadata: Some(record.metadata.clone().into_iter().collect()),
        content_type: overridden(input.response_content_type, kept.content_type)?
            .or_else(|| Some(headers::DEFAULT_CONTENT_TYPE.to_owned())),
        cache_control: overridden(input.response_cache_control, kept.cache_control)?,
        content_disposition: overridden(input.response_content_disposition, kept.content_disposition)?,
        content_encoding: overridden(input.response_content_encoding, kept.content_encoding)?,
        content_language: overridden(input.response_content_language, kept.content_language)?,
        expires: overridden(input.response_expires.as_ref().map(http_date).transpose()?, kept.expires)?,
        website_redirect_location: kept.website_redirect_location,
        checksum_type: sums.kind,
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        parts_count: selected.parts_count,
        content_range: selected.content_range,
        ..HeadObjectOutput::default()
    };
    let mut response = S3Response::with_headers(output, cid);
    if partial {
        // s3s knows no other success of HEAD than 200.
        response.extensions.insert(PartialContent);
    }
    Ok(response)
}

/// A `response-*` value, if it is given and can be a header; else the kept one.
fn overridden(given: Option<String>, kept: Option<String>) -> S3Result<Option<String>> {
    match given {
        Some(value) if http::HeaderValue::from_str(&value).is_err() => {
            Err(s3_error!(InvalidRequest, "A response header override is not a valid header value."))
        }
        Some(value) => Ok(Some(value)),
        None => Ok(kept),
    }
}

fn http_date(time: &Timestamp) -> S3Result<String> {
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::HttpDate, &mut text);
    match (written, String::from_utf8(text)) {
        (Ok(()), Ok(text)) => Ok(text),
        _ => Err(s3_error!(InvalidArgument, "response-expires is not a date")),
    }
}
