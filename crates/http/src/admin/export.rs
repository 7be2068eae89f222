//! The admin API's export of a bucket.

use bytes::Bytes;
use carob_block::Block;
use carob_bucket::BucketError;
use carob_car::Frame;
use carob_identity::{Action, Resource};
use futures::{StreamExt, stream};
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
    /// The bucket as it durably is now: a CAR whose root is its commit. Blocks go out as they are read.
    pub(super) async fn export(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        Query::parse(query, [])?;
        self.allow(Action::EXPORT, Resource::Bucket(bucket)).await?;
        let snapshot = self.snapshot(bucket).await?;
        let header = carob_car::header(&[snapshot.cid()])
            .map_err(|e| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
        let header = stream::iter([Ok(http_body::Frame::data(Bytes::from(header)))]);
        let name = bucket.to_owned();
        let frames = snapshot.export().flat_map(move |block| stream::iter(frames(&name, block)));
        let mut response = Response::new(boxed(StreamBody::new(header.chain(frames))));
        response.headers_mut().insert(CONTENT_TYPE, CAR);
        Ok(response)
    }
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
