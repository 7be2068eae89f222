//! Request bodies: what is wrong with one, in S3's words, and small ones read whole.

use std::error::Error;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use carob_bucket::Budget;
use futures::{FutureExt, StreamExt, TryStreamExt};
use http::{HeaderMap, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use s3s::stream::aws_chunked_stream::AwsChunkedStreamError;
use s3s::stream::upload_stream::UploadStreamError;
use s3s::{Body, BodySizeLimitExceeded, S3Error, S3Result, StdError, TrailingHeaders, s3_error};

use crate::checksum::Declared;
use crate::context::RequestContext;
use crate::error::{custom, incomplete_body, internal, slow_down, too_large};
use crate::operations::Payload;
use crate::xml;

/// The largest body of a request that carries no object. 10,000 parts with SHA-512 checksums fit, which take 2.1 MB, and 1,000
/// keys of 1,024 bytes even when half their characters are escaped.
pub(crate) const MAX_SMALL_BODY: usize = 4 << 20;

/// The S3 answer to a body that broke off or is not what was signed.
pub(crate) fn from_body(error: StdError) -> S3Error {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(found) = cause {
        if let Some(known) = classify(found) {
            return known;
        }
        cause = found.source();
    }
    internal(error)
}

fn classify(error: &(dyn Error + 'static)) -> Option<S3Error> {
    if error.is::<BodySizeLimitExceeded>() {
        return Some(too_large());
    }
    if let Some(error) = error.downcast_ref::<UploadStreamError>() {
        return match error {
            UploadStreamError::Sha256Mismatch => Some(hash_mismatch()),
            UploadStreamError::LengthMismatch | UploadStreamError::Incomplete => Some(incomplete_body()),
            UploadStreamError::Underlying(_) => None,
        };
    }
    if let Some(error) = error.downcast_ref::<AwsChunkedStreamError>() {
        return match error {
            AwsChunkedStreamError::Underlying(_) => None,
            AwsChunkedStreamError::SignatureMismatch => Some(s3_error!(
                SignatureDoesNotMatch,
                "The request signature we calculated does not match the signature you provided. Check your key \
                 and signing method."
            )),
            AwsChunkedStreamError::ChunkMetaTooLarge(..) | AwsChunkedStreamError::ChunkDataTooLarge(..) => {
                Some(s3_error!(InvalidRequest, "A chunk of the aws-chunked body is too large."))
            }
            _ => Some(incomplete_body()),
        };
    }
    // Whoever carries the body here gives up on a client that sends nothing.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
        return Some(s3_error!(
            RequestTimeout,
            "Your socket connection to the server was not read from or written to within the timeout period."
        ));
    }
    // The connection broke off, or what came was no HTTP: the body is not complete either way.
    (error.is::<hyper::Error>() || error.is::<io::Error>()).then(incomplete_body)
}

fn hash_mismatch() -> S3Error {
    custom(
        "XAmzContentSHA256Mismatch",
        StatusCode::BAD_REQUEST,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    )
}

/// The body as operations see it. An object's is passed on as it comes. Any other is read whole, checked against
/// its declared hashes, and given on in one piece.
///
/// Which it is shows when it is first asked for: by then the operation is known and authorized, so whoever is
/// turned away did not have to send it. What is wrong with a body read whole is left in `context`, because s3s
/// would call all of it an internal error.
pub(crate) fn checked(
    body: Body,
    headers: &HeaderMap,
    trailers: Option<TrailingHeaders>,
    context: Arc<RequestContext>,
    bodies: Budget,
) -> Body {
    let (declared, md5) = (Declared::parse(headers), Declared::md5_alone(headers));
    let length = small_length(headers);
    let begun = async move {
        let declared = match context.operation().map(|operation| operation.payload) {
            Some(Payload::Object) => return body.map_ok(Frame::data).left_stream(),
            Some(Payload::Completion) => md5,
            Some(Payload::Document) | None => declared,
        };
        let whole = match bodies.enter(length).await {
            Some(_until_read) => read_whole(body, declared, trailers).await,
            None => Err(slow_down()),
        };
        let whole = whole.map(|bytes| Frame::data(xml::admit_references(bytes))).map_err(|error| {
            context.set_body_error(error);
            StdError::from("the body is not acceptable")
        });
        futures::stream::once(std::future::ready(whole)).right_stream()
    };
    Body::http_body_unsync(StreamBody::new(begun.into_stream().flatten()))
}

/// The most memory that a body read whole may take.
fn small_length(headers: &HeaderMap) -> usize {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.map_or(MAX_SMALL_BODY, |length: usize| length.min(MAX_SMALL_BODY))
}

async fn read_whole(
    mut body: Body,
    declared: S3Result<Declared>,
    trailers: Option<TrailingHeaders>,
) -> S3Result<Bytes> {
    let declared = declared?;
    let mut whole = BytesMut::new();
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(from_body)?;
        if whole.len().saturating_add(piece.len()) > MAX_SMALL_BODY {
            return Err(s3_error!(MaxMessageLengthExceeded, "Your request was too big."));
        }
        whole.extend_from_slice(&piece);
    }
    let whole = whole.freeze();
    declared.verify_document(whole.clone(), trailers.as_ref()).await?;
    // s3s drops CDATA from element text, so a key in it would name another object.
    if whole.windows(9).any(|window| window == b"<![CDATA[") {
        return Err(s3_error!(MalformedXML, "CDATA sections are not supported."));
    }
    Ok(whole)
}
