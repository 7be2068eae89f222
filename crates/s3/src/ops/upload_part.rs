//! Amazon S3 API reference, UploadPart.

use carob_bucket::{ChecksumAlgorithm, ChecksumType, UploadState};
use s3s::dto::{UploadPartInput, UploadPartOutput};
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::checksum::{ChecksumFields, Declared, ShowsChecksums};
use crate::encryption::{self, CustomerKey};
use crate::error::from_bucket;
use crate::headers;
use crate::ops::multipart::{kept_algorithm, upload_id};
use crate::ops::put_object::{body_length, receive, signed_chunk};
use crate::ops::reading::check_part_number;
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
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let state = bucket.upload_info(&input.key, id).await.map_err(from_bucket)?;
    check_announced(&state, declared.declared_algorithm())?;
    let customer = CustomerKey::to_write(&request.headers)?;
    let seal = carob.encryption.part_seal(&state, customer.as_ref()).await?;

    let kept = kept_algorithm(&state);
    let mut algorithms = vec![kept];
    algorithms.extend(declared.declared_algorithm().filter(|declared| *declared != kept));
    let upload = bucket.sealed_upload(&algorithms, seal.as_ref());
    let upload = upload.within(&carob.bodies, length, signed_chunk(&request.headers));
    let body = receive(upload, input.body.take(), Some(length)).await?;
    let verified = declared.verify(&body, trailers.as_ref())?;
    let kept = body.checksums().iter().find(|checksum| checksum.algorithm == kept).cloned();

    let part = bucket.put_part(&input.key, id, number, body, kept).await.map_err(from_bucket)?;
    // What the client has declared, it is told; else what it may name at completion.
    let shown = verified.or_else(|| part.checksum.clone());
    let output =
        UploadPartOutput { e_tag: Some(headers::part_etag(part.md5)), ..UploadPartOutput::default() };
    let output = output.with_checksums(ChecksumFields::of_part(shown.as_ref()));
    let encryption = encryption::of_upload(state.encryption.as_ref(), customer.as_ref());
    Ok(S3Response::with_headers(output, encryption))
}

/// A part declares the checksum that was announced for the upload. It may do without where only that of the whole object
/// is kept (user guide, "Checking object integrity in Amazon S3").
fn check_announced(state: &UploadState, declared: Option<ChecksumAlgorithm>) -> S3Result<()> {
    let Some(announced) = state.checksum else { return Ok(()) };
    let fits = match declared {
        Some(declared) => declared == announced.algorithm,
        None => announced.kind == ChecksumType::FullObject,
    };
    if fits {
        return Ok(());
    }
    Err(s3_error!(
        InvalidRequest,
        "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
        announced.algorithm.as_str().to_ascii_lowercase(),
        declared.map_or_else(|| "null".to_owned(), |declared| declared.as_str().to_ascii_lowercase())
    ))
}
