//! Amazon S3 API reference, GetObject.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use carob_bucket::ByteStream;
use futures::{Stream, StreamExt};
use s3s::dto::{GetObjectInput, GetObjectOutput, StreamingBlob};
use s3s::stream::RemainingLength;
use s3s::{S3Request, S3Response, S3Result, StdError};

use crate::conditions::Conditional;
use crate::headers;
use crate::ops::reading::{ReadRequest, Selected, select};
use crate::table::Carob;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = &request.input;
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
    let (length, body) = (selected.length(), Body::of(&selected));
    let record = selected.record();
    let kept = record.headers.clone();
    let cid = headers::cid(record);
    // s3s puts the `response-*` overrides over these.
    let output = GetObjectOutput {
        body: Some(StreamingBlob::new(body)),
        content_length: Some(length),
        accept_ranges: Some("bytes".to_owned()),
        e_tag: Some(headers::etag(record)),
        last_modified: Some(headers::timestamp(record.modified)),
        metadata: Some(record.metadata.clone().into_iter().collect()),
        content_type: Some(kept.content_type.unwrap_or_else(|| headers::DEFAULT_CONTENT_TYPE.to_owned())),
        cache_control: kept.cache_control,
        content_disposition: kept.content_disposition,
        content_encoding: kept.content_encoding,
        content_language: kept.content_language,
        expires: kept.expires,
        website_redirect_location: kept.website_redirect_location,
        checksum_type: sums.kind,
        checksum_crc32: sums.crc32,
        checksum_crc32c: sums.crc32c,
        checksum_crc64nvme: sums.crc64nvme,
        checksum_sha1: sums.sha1,
        checksum_sha256: sums.sha256,
        parts_count: selected.parts_count,
        content_range: selected.content_range,
        ..GetObjectOutput::default()
    };
    Ok(S3Response::with_headers(output, cid))
}

/// An object's bytes on their way out. An error in it ends the connection, so that nobody takes a part for the
/// whole.
struct Body {
    stream: ByteStream,
    remaining: u64,
}

impl Body {
    fn of(selected: &Selected) -> Self {
        let remaining = selected.range.end.saturating_sub(selected.range.start);
        Self { stream: selected.object.read(selected.range.clone()), remaining }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.stream.poll_next_unpin(cx).map_err(StdError::from);
        if let Poll::Ready(Some(Ok(chunk))) = &polled {
            self.remaining = self.remaining.saturating_sub(chunk.len() as u64);
        }
        polled
    }
}

impl s3s::stream::ByteStream for Body {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.remaining)
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}
