//! The admin API's exports of buckets and proofs of single answers.

use bytes::Bytes;
use carob_block::{Block, Cid};
use carob_bucket::{Answer, BucketError, Question};
use carob_car::Frame;
use carob_identity::{Action, Resource};
use futures::{Stream, StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::StreamBody;

use super::State;
use super::answer::Refusal;
use super::query::Query;
use crate::Body;
use crate::body::{BoxError, boxed};

/// From the IANA registry of media types.
const CAR: HeaderValue = HeaderValue::from_static("application/vnd.ipld.car; version=1");

impl State {
    /// The bucket as it durably is now or was at a moment: a CAR whose root is its commit. Blocks go out as they are read.
    pub(super) async fn export(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [at] = Query::parse(query, ["at"])?.into_values();
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        let snapshot = self.state_at(bucket, at.as_deref()).await?;
        car(bucket, snapshot.cid(), snapshot.export())
    }

    /// What is under a key, or which keys start so, as a CAR whose root is the question: it proves the answer to whoever
    /// knows the space. It shows neighbouring keys, so it takes the right to the whole bucket.
    pub(super) async fn prove(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [key, prefix, body, at] = Query::parse(query, ["key", "prefix", "body", "at"])?.into_values();
        let question = match (key, prefix) {
            (Some(key), None) => Question::Key(key),
            (None, Some(prefix)) => Question::Prefix(prefix),
            _ => return Err(Refusal::bad_request("either a key or a prefix")),
        };
        let body = match body.as_deref() {
            None => false,
            Some("") => true,
            Some(_) => return Err(Refusal::bad_request("body has no value")),
        };
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        let snapshot = self.state_at(bucket, at.as_deref()).await?;
        let proof = snapshot.prove(question, body).await?;
        let root = proof.blocks.first().map(|claim| *claim.cid());
        let root = root.ok_or_else(|| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "an empty proof"))?;
        let body = match proof.answer {
            Answer::Object(record, _) if proof.claim.body => snapshot.body_blocks(*record).left_stream(),
            _ => stream::empty().right_stream(),
        };
        car(bucket, root, stream::iter(proof.blocks.into_iter().map(Ok)).chain(body))
    }
}

/// A CAR of these blocks as they come.
fn car(
    bucket: &str,
    root: Cid,
    blocks: impl Stream<Item = Result<Block, BucketError>> + Send + 'static,
) -> Result<Response<Body>, Refusal> {
    let header = carob_car::header(&[root])
        .map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    let header = stream::iter([Ok(http_body::Frame::data(Bytes::from(header)))]);
    let name = bucket.to_owned();
    let frames = blocks.flat_map(move |block| stream::iter(frames(&name, block)));
    let mut response = Response::new(boxed(StreamBody::new(header.chain(frames))));
    response.headers_mut().insert(CONTENT_TYPE, CAR);
    Ok(response)
}

type BodyFrame = Result<http_body::Frame<Bytes>, BoxError>;

/// The block's prefix, then its data as it is. An error ends the body unfinished, so that the client notices.
fn frames(bucket: &str, block: Result<Block, BucketError>) -> Vec<BodyFrame> {
    match block {
        Ok(block) => {
            let prefix = Bytes::copy_from_slice(Frame::of(&block).prefix());
            vec![Ok(http_body::Frame::data(prefix)), Ok(http_body::Frame::data(block.data().clone()))]
        }
        Err(error) => {
            tracing::error!(bucket, %error, "an export broke off");
            vec![Err(error.into())]
        }
    }
}
