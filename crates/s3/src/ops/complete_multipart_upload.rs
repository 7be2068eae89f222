//! Amazon S3 API reference, CompleteMultipartUpload.

use carob_bucket::{
    BucketError, Checksum, ChecksumAlgorithm, ChecksumType, CompleteOptions, MAX_PARTS, PartClaim, Scheme,
    UploadState,
};
use http::{HeaderMap, HeaderValue, header};
use s3s::dto::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart};
use s3s::{S3Error, S3Request, S3Response, S3Result, s3_error};

use crate::checksum::{ChecksumFields, ShowsChecksums, only_value};
use crate::conditions::Conditional;
use crate::encryption::{self, CustomerKey, key_needed};
use crate::error::{from_bucket, malformed_xml};
use crate::headers;
use crate::locate::{expiration, written_version};
use crate::ops::multipart::{checksum_type, claimed, kept_algorithm, under_way, upload_id};
use crate::ops::reading::check_part_number;
use crate::table::{Carob, begin_long_work};
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let precondition = request.extensions.remove::<Conditional>().unwrap_or_default().for_put();
    let input = &request.input;
    let id = upload_id(&input.upload_id)?;
    let listed =
        input.multipart_upload.as_ref().and_then(|upload| upload.parts.as_deref()).unwrap_or_default();
    if listed.is_empty() || listed.len() > usize::from(MAX_PARTS) {
        return Err(malformed_xml());
    }
    let size = input.mpu_object_size.map(object_size).transpose()?;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    // If it is under way no more, this may be a repetition, which gets the first one's answer.
    let state = under_way(&bucket, &input.key, id).await?;
    let checksum = match &state {
        Some(state) => object_checksum(&request.headers, input, state, listed.len())?,
        None => None,
    };
    let algorithm = state.as_ref().map_or(ChecksumAlgorithm::Crc64Nvme, kept_algorithm);
    let customer = CustomerKey::to_write(&request.headers)?;
    if let Some(state) = &state {
        carob.encryption.admit_part(state, customer.as_ref())?;
        // With an announced checksum S3 wants the key again (API reference, CompleteMultipartUpload).
        let by_customer = state.encryption.as_ref().is_some_and(|e| e.scheme == Scheme::Customer);
        if by_customer && customer.is_none() && state.checksum.is_some() {
            return Err(key_needed());
        }
    }
    let parts = listed.iter().map(|part| claim(part, state.as_ref())).collect::<S3Result<Vec<_>>>()?;
    if state.is_some_and(|state| state.checksum.is_some()) {
        check_consecutive(&parts)?;
    }

    let options = CompleteOptions { parts, checksum, size, precondition };
    begin_long_work(&request.extensions);
    let written = bucket.complete_upload(&input.key, id, options).await.map_err(|error| match error {
        BucketError::ChecksumMismatch => bad_digest(algorithm),
        error => from_bucket(error),
    })?;
    let names = Names::of(&request.extensions, false);
    let record = &written.record;
    let output = CompleteMultipartUploadOutput {
        bucket: Some(input.bucket.clone()),
        key: Some(names.write(&input.key)),
        location: Some(location(carob.scheme, &request.headers, &input.bucket, &input.key)),
        e_tag: Some(headers::etag(record)),
        version_id: written_version(record),
        ..CompleteMultipartUploadOutput::default()
    };
    let output = output.with_checksums(ChecksumFields::of(record));
    let mut shown = encryption::of_record(record, customer.as_ref());
    // s3s writes it in the answers of other operations.
    let expiration = expiration(&bucket, &input.key, record).await;
    if let Some(value) = expiration.and_then(|text| HeaderValue::try_from(text).ok()) {
        shown.insert("x-amz-expiration", value);
    }
    Ok(S3Response::with_headers(output, shown))
}

/// What the client says of one part.
fn claim(part: &CompletedPart, state: Option<&UploadState>) -> S3Result<PartClaim> {
    let number = check_part_number(part.part_number.ok_or_else(malformed_xml)?)?;
    let etag = part.e_tag.as_ref().ok_or_else(malformed_xml)?.value().to_owned();
    let Some(state) = state else { return Ok(PartClaim { number, etag, checksum: None }) };
    let checksum = claimed(part, number, state)?;
    match state.checksum {
        Some(announced) if announced.kind == ChecksumType::Composite && checksum.is_none() => Err(s3_error!(
            InvalidRequest,
            "The upload was created using a {} checksum. The complete request must include the checksum for each \
             part. It was missing for part {number} in the request.",
            announced.algorithm.as_str().to_ascii_lowercase()
        )),
        _ => Ok(PartClaim { number, etag, checksum }),
    }
}

/// Parts of an upload with a checksum are numbered from 1 without a gap (API reference, CompletedPart, PartNumber).
fn check_consecutive(parts: &[PartClaim]) -> S3Result<()> {
    let numbered = parts.iter().zip(1..).all(|(part, number)| part.number == number);
    if numbered { Ok(()) } else { Err(from_bucket(BucketError::InvalidPartOrder)) }
}

/// The object's checksum as the client has computed it: of all bytes, or of the parts' checksums and then perhaps
/// with their number behind it.
fn object_checksum(
    headers: &HeaderMap,
    input: &CompleteMultipartUploadInput,
    state: &UploadState,
    parts: usize,
) -> S3Result<Option<Checksum>> {
    let algorithm = kept_algorithm(state);
    let kind = state.checksum.map_or(ChecksumType::FullObject, |checksum| checksum.kind);
    let stated = headers::checksum_kind(kind);
    let found = only_value(headers)?;
    input.checksum_type.as_ref().map(checksum_type).transpose()?;
    if input.checksum_type.as_ref().is_some_and(|kind| !kind.as_str().eq_ignore_ascii_case(stated.as_str())) {
        return Err(s3_error!(
            InvalidRequest,
            "The upload was created using the {} checksum mode. The complete request must use the same checksum \
             mode.",
            stated.as_str()
        ));
    }
    let Some((declared, value)) = found else { return Ok(None) };
    if declared != algorithm {
        return Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            algorithm.as_str().to_ascii_lowercase(),
            declared.as_str().to_ascii_lowercase()
        ));
    }
    let text = value.to_str().map_err(|_| bad_digest(algorithm))?;
    let (text, count) = match (text.rsplit_once('-'), kind) {
        (Some((text, count)), ChecksumType::Composite) if count.parse::<usize>().is_ok() => {
            (text, Some(count))
        }
        _ => (text, None),
    };
    let value = Checksum::from_base64(algorithm, text);
    let value = value.filter(|_| count.is_none_or(|count| count == parts.to_string()));
    value.map(Some).ok_or_else(|| bad_digest(algorithm))
}

/// # Errors
/// InvalidRequest for less than nothing.
fn object_size(stated: i64) -> S3Result<u64> {
    u64::try_from(stated).map_err(|_| {
        s3_error!(InvalidRequest, "Value for x-amz-mp-object-size header is less than zero: '{stated}'")
    })
}

fn bad_digest(algorithm: ChecksumAlgorithm) -> S3Error {
    s3_error!(BadDigest, "The {} you specified did not match the calculated checksum.", algorithm.as_str())
}

/// Where the object is to be had, as the client has addressed the server.
fn location(scheme: &str, headers: &HeaderMap, bucket: &str, key: &str) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let key = Names::new(None, true).write(key);
    match host.strip_prefix(bucket).is_some_and(|rest| rest.starts_with('.')) {
        true => format!("{scheme}://{host}/{key}"),
        false => format!("{scheme}://{host}/{bucket}/{key}"),
    }
}
