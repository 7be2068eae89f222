//! Amazon S3 API reference, GetObject.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use carob_bucket::{Budget, ByteStream};
use futures::{Stream, StreamExt};
use s3s::dto::{GetObjectInput, GetObjectOutput, StreamingBlob};
use s3s::stream::RemainingLength;
use s3s::{S3Request, S3Response, S3Result, StdError, s3_error};

use crate::encryption::{self, CustomerKey};
use crate::error::from_bucket;
use crate::ops::reading::{Selected, select};
use crate::ops::showing::ShowsObject;
use crate::table::Carob;
use crate::verified;

pub(crate) async fn run(
    carob: &Carob,
    mut request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = &request.input;
    encryption::refuse_on_read(&request.headers)?;
    let customer = CustomerKey::to_read(&request.headers)?;
    let mut selected = select(carob, input, customer.as_ref(), &mut request.extensions).await?;
    if verified::asked(&request.headers)? {
        return slices(carob, &selected).await;
    }
    selected.object = carob.encryption.open(selected.object, customer.as_ref()).await?;
    let record = selected.record();
    // s3s puts the `response-*` overrides over these.
    let output = GetObjectOutput {
        body: Some(StreamingBlob::new(Body::of(&selected, &carob.bodies).await?)),
        ..GetObjectOutput::show(&selected, record.headers.clone(), input.checksum_mode.as_ref())
    };
    Ok(S3Response::with_headers(output, encryption::of_record(record, customer.as_ref())))
}

/// The answer that proves itself. No checksum is of its body.
async fn slices(carob: &Carob, selected: &Selected) -> S3Result<S3Response<GetObjectOutput>> {
    if selected.record().sealed.is_some() {
        return Err(s3_error!(
            InvalidRequest,
            "The object is encrypted: its BLAKE3 root is of what is stored, so nothing proves what it opens to."
        ));
    }
    let slices =
        selected.object.slices(selected.range.clone(), Some(&carob.bodies)).await.map_err(from_bucket)?;
    let headers = verified::of(selected, &slices);
    let shown = GetObjectOutput::show(selected, selected.record().headers.clone(), None);
    let output = verified::describe(shown, &slices);
    let body = Body::begun(slices.stream, slices.length).await?;
    let output = GetObjectOutput { body: Some(StreamingBlob::new(body)), ..output };
    Ok(S3Response::with_headers(output, headers))
}

/// An object's bytes on their way out. An error in it ends the connection, so that nobody takes a part for the
/// whole.
struct Body {
    /// The first bytes, which were there before the answer began: what is wrong with them is answered as an error.
    first: Option<Bytes>,
    stream: ByteStream,
    remaining: u64,
}

impl Body {
    async fn of(selected: &Selected, bodies: &Budget) -> S3Result<Self> {
        let remaining = selected.range.end.saturating_sub(selected.range.start);
        let stream = selected.object.read_within(selected.range.clone(), bodies).await;
        Self::begun(stream.map_err(from_bucket)?, remaining).await
    }

    async fn begun(mut stream: ByteStream, remaining: u64) -> S3Result<Self> {
        let first = stream.next().await.transpose().map_err(from_bucket)?;
        Ok(Self { first, stream, remaining })
    }
}

impl Stream for Body {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => self.stream.poll_next_unpin(cx).map_err(StdError::from),
        };
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
