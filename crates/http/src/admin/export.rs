//! The admin API's exports of buckets and proofs of single answers.

use bytes::Bytes;
use carob_block::{Block, Cid};
use carob_bucket::{Answer, BucketError, KeptStates, Question, Wanted};
use carob_car::Frame;
use carob_identity::{Action, Resource};
use futures::{Stream, StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::StreamBody;

use super::State;
use super::answer::Refusal;
use super::query::{Query, flag};
use super::read_up_to;
use crate::body::{BoxError, boxed};
use crate::{Body, api};

/// From the IANA registry of media types.
const CAR: HeaderValue = HeaderValue::from_static("application/vnd.ipld.car; version=1");

/// The most bytes of a request for blocks.
const MAX_WANTED: usize = 4 << 20;

impl State {
    /// The bucket as it durably is now or was at a moment, or all that is kept of it: a CAR whose root is its commit. Blocks
    /// go out as they are read.
    pub(super) async fn export(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [at, history] = Query::parse(query, ["at", "history"])?.into_values();
        let history = flag("history", history)?;
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        if history {
            if at.is_some() {
                return Err(Refusal::bad_request("either one moment or the history"));
            }
            self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
            let states = self.bucket(bucket).await?.kept_states().await?;
            return car(bucket, states.newest.cid(), states.export());
        }
        let snapshot = self.state_at(bucket, at.as_deref()).await?;
        // Before the first byte, where there is a status to say so.
        snapshot.check_whole().await?;
        car(bucket, snapshot.cid(), snapshot.export())
    }

    /// The newest commit, or with `past` all that are kept, as a CAR without what they reach: where a pull begins.
    pub(super) async fn commits(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [past] = Query::parse(query, ["past"])?.into_values();
        let past = flag("past", past)?;
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        let bucket_now = self.bucket(bucket).await?;
        let states = if past {
            self.allow(Action::READ_HISTORY, Resource::Bucket(bucket)).await?;
            bucket_now.kept_states().await?
        } else {
            KeptStates { newest: bucket_now.snapshot().await?, past: Vec::new() }
        };
        car(bucket, states.newest.cid(), states.commits())
    }

    /// Blocks that the bucket's states reach, each with the way that leads to it. That one knows a CID gives nothing.
    pub(super) async fn blocks(&self, bucket: &str, body: Body) -> Result<Response<Body>, Refusal> {
        self.told.dry_run(true);
        for action in [Action::EXPORT, Action::READ_HISTORY] {
            self.allow(action, Resource::Bucket(bucket)).await?;
        }
        let api::Wanted { steps, blocks } = read_up_to(body, MAX_WANTED).await?;
        let cid =
            |text: &str| text.parse::<Cid>().map_err(|_| Refusal::bad_request(format!("{text:?} is no CID")));
        let mut wanted = Wanted::default();
        for (text, before) in &steps {
            wanted.steps.push((cid(text)?, *before));
        }
        for (text, before) in &blocks {
            wanted.blocks.push((cid(text)?, *before));
        }
        let first = wanted.blocks.first().map(|(cid, _)| *cid);
        let root = first.ok_or_else(|| Refusal::bad_request("nothing is wanted"))?;
        car(bucket, root, self.bucket(bucket).await?.reach(&wanted).await?)
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
