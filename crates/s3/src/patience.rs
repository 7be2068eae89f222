//! Work that takes long: white space keeps the connection open (Amazon S3 API reference, CompleteMultipartUpload,
//! CopyObject and UploadPartCopy).
//!
//! An answer that comes soon has its own status. One that does not begins with 200 and the XML declaration, is filled
//! up with spaces, and ends with the document, which may be an error's.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::unfold;
use http::{HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use s3s::{Body, StdError};
use tokio::time::{sleep, timeout};

use crate::context::RequestContext;

/// How long an answer has its own status, and then the time between two spaces. Clients give up after a minute of
/// silence, load balancers sooner.
const PATIENCE: Duration = Duration::from_secs(10);

const DECLARATION: &[u8] = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Waits for an answer; for as long as it takes, unless the operation says that it may take long
/// ([`RequestContext::begin_long_work`]).
pub(crate) async fn wait(
    answering: impl Future<Output = Response<Body>> + Send + 'static,
    context: &RequestContext,
) -> Response<Body> {
    let mut answering: Answering = Box::pin(answering);
    let tired = async {
        context.long_work_begun().await;
        sleep(PATIENCE).await;
    };
    tokio::select! {
        // An answer that is there counts, however late.
        biased;
        answer = &mut answering => answer,
        () = tired => {
            let document = StreamBody::new(unfold(Step::Declare(answering), step));
            let mut response = Response::new(Body::http_body_unsync(document));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
            response
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

enum Step {
    Declare(Answering),
    Wait(Answering),
    End,
}

type Item = Result<Frame<Bytes>, StdError>;

async fn step(step: Step) -> Option<(Item, Step)> {
    let (data, next) = match step {
        Step::Declare(answering) => (Ok(Bytes::from_static(DECLARATION)), Step::Wait(answering)),
        Step::Wait(mut answering) => match timeout(PATIENCE, &mut answering).await {
            Ok(answer) => (rest(&answer), Step::End),
            Err(_) => (Ok(Bytes::from_static(b" ")), Step::Wait(answering)),
        },
        Step::End => return None,
    };
    Some((data.map(Frame::data), next))
}

/// The document without its declaration, which is sent already.
fn rest(answer: &Response<Body>) -> Result<Bytes, StdError> {
    if !answer.status().is_success() {
        tracing::warn!(status = answer.status().as_u16(), "an error after the answer had begun");
    }
    let document = answer.body().bytes().ok_or("an answer without a document")?;
    let rest = document.strip_prefix(DECLARATION).ok_or("a document without a declaration")?;
    Ok(document.slice_ref(rest))
}
