//! Amazon S3 API reference, PutObject.

use carob_bucket::{Bucket, Precondition, PutOptions, Upload, Uploaded};
use futures::StreamExt;
use http::{HeaderMap, HeaderValue};
use s3s::dto::{PutObjectInput, PutObjectOutput, StreamingBlob};
use s3s::{S3Request, S3Response, S3Result, TrailingHeaders, s3_error};

use crate::body::from_body;
use crate::checksum::{ChecksumFields, Declared, ShowsChecksums};
use crate::conditions::Conditional;
use crate::encryption::{self, Asked, Wanted};
use crate::error::{from_bucket, incomplete_body};
use crate::form::FormFile;
use crate::headers::{self, Kept, given};
use crate::locate::{expiration, written_version};
use crate::options::MAX_CHUNK;
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let input = &mut request.input;
    let form = request.extensions.remove::<FormFile>();
    let length = form.map_or_else(|| body_length(input.content_length), |file| Ok(file.at_most))?;
    let declared = Declared::parse(&request.headers)?;
    let trailers = request.extensions.remove::<TrailingHeaders>();
    let precondition = request.extensions.remove::<Conditional>().unwrap_or_default().for_put();
    let asked = Asked::parse(&request.headers)?;
    let kept = given!(input).checked()?;
    let kept = kept.authorized(carob, &request.extensions, &request.headers, &input.key)?;
    let Kept { headers, metadata, tags, lock, access } = kept;
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    check_early(&bucket, &input.key, &precondition).await?;
    let wanted = carob.encryption.wanted(asked, &bucket).await?;
    let seal = carob.encryption.new_seal(wanted.as_ref()).await?;

    let beside = signed_chunk(&request.headers);
    let upload =
        bucket.sealed_upload(&[declared.algorithm()], seal.as_ref()).within(&carob.bodies, length, beside);
    let body = receive(upload, input.body.take(), form.is_none().then_some(length)).await?;
    let checksum = declared.verify(&body, trailers.as_ref())?;

    let options =
        PutOptions { headers, metadata, checksum, tags, lock, access, resealed: None, precondition };
    let written = bucket.put(&input.key, body, options).await.map_err(from_bucket)?;
    let record = &written.record;
    let output = PutObjectOutput {
        e_tag: Some(headers::etag(record)),
        version_id: written_version(record),
        expiration: expiration(&bucket, &input.key, record).await,
        ..PutObjectOutput::default()
    };
    let output = output.with_checksums(ChecksumFields::of(record));
    let customer = wanted.as_ref().and_then(Wanted::customer);
    Ok(S3Response::with_headers(output, encryption::of_record(record, customer)))
}

/// Spares the client a body whose condition fails already. The committer decides, as things may change meanwhile.
pub(super) async fn check_early(bucket: &Bucket, key: &str, precondition: &Precondition) -> S3Result<()> {
    if precondition.is_none() {
        return Ok(());
    }
    let present = bucket.get(key).await.map_err(from_bucket)?.map(|object| object.record().etag);
    precondition.check(key, present).map_err(from_bucket)
}

/// # Errors
/// MissingContentLength.
pub(super) fn body_length(length: Option<i64>) -> S3Result<u64> {
    length
        .and_then(|length| u64::try_from(length).ok())
        .ok_or_else(|| s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))
}

/// What is held of a body beside what was taken of it: a chunk, until its signature is checked.
pub(super) fn signed_chunk(headers: &HeaderMap) -> usize {
    let payload = headers.get("x-amz-content-sha256").map(HeaderValue::as_bytes).unwrap_or_default();
    if payload.starts_with(b"STREAMING-AWS4-") { MAX_CHUNK } else { 0 }
}

/// Takes the body to its end, where it has this length if that is known beforehand: what is wrong with it may show in its last item.
pub(super) async fn receive(
    mut upload: Upload,
    body: Option<StreamingBlob>,
    length: Option<u64>,
) -> S3Result<Uploaded> {
    if let Some(mut body) = body {
        loop {
            // Before it is read: what nobody has room for stays with the client.
            upload.ready().await.map_err(from_bucket)?;
            let Some(chunk) = body.next().await else { break };
            upload.write(chunk.map_err(from_body)?).await.map_err(from_bucket)?;
        }
    }
    if length.is_some_and(|length| length != upload.written()) {
        return Err(incomplete_body());
    }
    upload.finish().await.map_err(from_bucket)
}
