//! The file of a form, on its way to being an object's body.

use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt};
use s3s::{S3Error, StdError, s3_error};
use s3s_multipart::PartDataStream;

use super::fields::{FormStream, from_form};
use crate::context::RequestContext;
use crate::error::{detailed, too_large};

/// Marks a PutObject whose body is a form's file. Its length shows at its end; it is no longer than this.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormFile {
    pub(crate) at_most: u64,
}

/// A file's bytes, held to the sizes that the policy allows. What is wrong with them is left in `context`.
pub(super) struct FileStream {
    pub(super) file: PartDataStream<FormStream>,
    pub(super) sizes: RangeInclusive<u64>,
    pub(super) size: u64,
    pub(super) context: Arc<RequestContext>,
}

impl FileStream {
    fn fail(&self, error: S3Error) -> Poll<Option<Result<Bytes, StdError>>> {
        self.context.set_body_error(error);
        Poll::Ready(Some(Err("the file is not acceptable".into())))
    }
}

impl Stream for FileStream {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.file.poll_next_unpin(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                self.size = self.size.saturating_add(piece.len() as u64);
                if self.size > *self.sizes.end() {
                    let most = self.sizes.end().to_string();
                    self.fail(detailed(too_large(), vec![("MaxSizeAllowed", most)]))
                } else {
                    Poll::Ready(Some(Ok(piece)))
                }
            }
            Poll::Ready(Some(Err(error))) => self.fail(from_form(error)),
            Poll::Ready(None) if self.size < *self.sizes.start() => {
                let needed = *self.sizes.start();
                // Said once: whoever asks again is told that this is the end.
                self.sizes = 0..=u64::MAX;
                let sizes = [("ProposedSize", self.size), ("MinSizeAllowed", needed)];
                self.fail(detailed(
                    s3_error!(
                        EntityTooSmall,
                        "Your proposed upload is smaller than the minimum allowed size"
                    ),
                    sizes.map(|(name, size)| (name, size.to_string())).to_vec(),
                ))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}
