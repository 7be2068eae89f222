//! Amazon S3 API reference, UploadPart.

use carob_bucket::{ChecksumAlgorithm, ETag, UploadState};
use s3s::dto::{self, UploadPartInput, UploadPartOutput};
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::checksum::Declared;
use crate::error::from_bucket;
use crate::ops::multipart::{kept_algorithm, upload_id};
use crate::ops::put_object::{body_length, receive};
use crate::ops::reading::{ChecksumFields, check_part_number};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let input = &mut request.input;
    let length = body_length(input.content_length)?;
    let number = check_part_number(input.part_number)?;
    let declared = Declared::parse(&request.headers)?;
    let trailers = request.extensions.remove::<TrailingHeaders>();
    let id = upload_id(&input.upload_id)?;
    let bucket = carob.bucket(&input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let state = bucket.upload_info(&input.key, id).await.map_err(from_bucket)?;
    check_announced(&state, declared.declared_algorithm())?;

    let kept = kept_algorithm(&state);
    let mut algorithms = vec![kept];
    algorithms.extend(declared.declared_algorithm().filter(|declared| *declared != kept));
    let body = receive(bucket.upload(&algorithms), input.body.take(), length).await?;
    let verified = declared.verify(&body, trailers.as_ref())?;
    let kept = body.checksums().iter().find(|checksum| checksum.algorithm == kept).cloned();

    let part = bucket.put_part(&input.key, id, number, body, kept).await.map_err(from_bucket)?;
    // What the client has declared, it is told; else what it may name at completion.
    let shown = verified.or_else(|| part.checksum.clone());
    let sums = shown.as_ref().map(ChecksumFields::one).unwrap_or_default();
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(dto::ETag::Strong(ETag { md5: part.md5, parts: None }.to_string())),
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        ..UploadPartOutput::default()
    }))
}

/// A part that declares a checksum must declare the one that was announced for the upload.
fn check_announced(state: &UploadState, declared: Option<ChecksumAlgorithm>) -> S3Result<()> {
    match (state.checksum, declared) {
        (Some(announced), Some(declared)) if announced.algorithm != declared => Err(s3_error!(
            InvalidRequest,
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            announced.algorithm.as_str().to_ascii_lowercase(),
            declared.as_str().to_ascii_lowercase()
        )),
        _ => Ok(()),
    }
}
