//! The admin API's verified reads: bytes of objects as Bao slices.

use carob_identity::{Action, Resource};
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::StreamBody;

use super::State;
use super::answer::Refusal;
use super::query::Query;
use crate::Body;
use crate::body::boxed;

/// The media type that GetObject gives slices.
const BAO: HeaderValue = HeaderValue::from_static("application/vnd.carob.bao");

impl State {
    /// The slices of bytes `start` to before `end` of an object.
    pub(super) async fn slices(&self, bucket: &str, query: Option<&str>) -> Result<Response<Body>, Refusal> {
        let [key, start, end, at] = Query::parse(query, ["key", "start", "end", "at"])?.into_values();
        let key = key.ok_or_else(|| Refusal::bad_request("key is missing"))?;
        self.allow(Action::GET_OBJECT, Resource::Object { bucket, key: &key }).await?;
        let object = self.state_at(bucket, at.as_deref()).await?.get(&key).await?;
        let object = object
            .ok_or_else(|| Refusal::new(StatusCode::NOT_FOUND, format!("there is no object {key:?}")))?;
        if object.record().sealed.is_some() {
            return Err(Refusal::bad_request("the object is encrypted: nothing proves what it opens to"));
        }
        let number = |name, value: Option<String>| {
            let value = value.and_then(|value| value.parse::<u64>().ok());
            value.ok_or_else(|| Refusal::bad_request(format!("{name} is missing or no number")))
        };
        let (start, end) = (number("start", start)?, number("end", end)?);
        if start > end || end > object.record().size {
            return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "the object has no such bytes"));
        }
        let slices = object.slices(start..end, None).await?;
        let frames = slices.stream.map(|bytes| bytes.map(http_body::Frame::data));
        let mut response = Response::new(boxed(StreamBody::new(frames)));
        response.headers_mut().insert(CONTENT_TYPE, BAO);
        response.headers_mut().insert(CONTENT_LENGTH, slices.length.into());
        Ok(response)
    }
}
