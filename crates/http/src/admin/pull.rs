//! The admin API's pull of a bucket from another gateway.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use carob_bucket::{BucketError, Pull, PullFigures, PullOptions, Pulled, Wanted};
use carob_identity::{Action, Clock, Resource};
use futures::{Stream, StreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::sync::mpsc;

use super::State;
use super::answer::Refusal;
use super::read_up_to;
use crate::body::{BoxError, boxed};
use crate::car_stream::{CarStream, CarStreamError};
use crate::client::{Access, Client, ClientError, Endpoint};
use crate::{Body, api};

/// The most bytes of a request: a bundle of certificates is among it.
const MAX_REQUEST: usize = 4 << 20;

/// How often it is told how far it is.
const PERIOD: Duration = Duration::from_millis(200);

/// How long the other gateway may say nothing. It looks up what it is asked for before it begins.
const STALL: Duration = Duration::from_mins(5);

/// Why a pull came to nothing.
#[derive(Debug, thiserror::Error)]
enum PullError {
    #[error("the other gateway said nothing for {} seconds", STALL.as_secs())]
    Stalled,
    #[error("the other gateway: {0}")]
    Asked(#[from] ClientError),
    #[error("what the other gateway sends: {0}")]
    Received(#[from] CarStreamError),
    #[error(transparent)]
    Bucket(#[from] BucketError),
}

impl State {
    /// Makes a bucket what another gateway's is. How far it is comes as lines; the work ends with the answer, if that is given
    /// up.
    pub(super) async fn pull(&self, name: &str, body: Body) -> Result<Response<Body>, Refusal> {
        self.allow(Action::CREATE_BUCKET, Resource::Bucket(name)).await?;
        let asked: api::Pull = read_up_to(body, MAX_REQUEST).await?;
        let space = asked.space.as_deref().map(str::parse).transpose();
        let space = space.map_err(|_| Refusal::bad_request("the space is no did:key"))?;
        let access = Access {
            id: asked.access_key,
            secret: asked.secret_key,
            region: asked.region,
            now: now(&self.options.clock),
        };
        let roots = asked.roots.unwrap_or_default();
        let endpoint = Endpoint::new(&asked.endpoint, access, roots.as_bytes());
        let source = Client::over(endpoint.map_err(|error| Refusal::bad_request(error.to_string()))?);
        self.told.about(&format!("{}/{}", asked.endpoint, asked.bucket));
        let options =
            PullOptions { name: name.to_owned(), space, history: asked.history, max_bytes: asked.max_bytes };
        let pull = self.options.space.pull(options).await?;
        let (lines, told) = mpsc::channel(4);
        let (bucket, history) = (asked.bucket, asked.history);
        let work = async move {
            let last = match Box::pin(run(pull, &source, &bucket, history, &lines)).await {
                Ok(pulled) => api::PullLine::Done(shown(pulled)),
                Err(error) => {
                    tracing::warn!(bucket, %error, "a pull failed");
                    api::PullLine::Failed(error_line(&error))
                }
            };
            // Who asked may have gone.
            _ = lines.send(last).await;
        };
        let told = stream::unfold(told, |mut told| async move { told.recv().await.map(|line| (line, told)) });
        // It goes on only while the answer is taken.
        let work = stream::once(work).filter_map(|()| async { None });
        let lines = stream::select(told, work).map(|line| {
            let mut text = serde_json::to_vec(&line)?;
            text.push(b'\n');
            Ok::<_, BoxError>(Frame::data(Bytes::from(text)))
        });
        let mut response = Response::new(boxed(StreamBody::new(lines)));
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        Ok(response)
    }
}

/// Each cause once.
fn error_line(error: &PullError) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line
}

fn now(clock: &Arc<dyn Clock>) -> Arc<dyn Fn() -> SystemTime + Send + Sync> {
    let clock = Arc::clone(clock);
    Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_millis(clock.now().millis()))
}

async fn run(
    mut pull: Pull,
    source: &Client,
    bucket: &str,
    history: bool,
    lines: &mpsc::Sender<api::PullLine>,
) -> Result<Pulled, PullError> {
    let commits = in_time(source.commits(bucket, history)).await?;
    let (mut car, root) = in_time(CarStream::open(Box::pin(commits))).await?;
    while let Some(block) = in_time(car.next()).await? {
        pull.offer(block).await?;
    }
    if pull.begin(root).await? {
        let mut told = tokio::time::Instant::now();
        loop {
            let wanted = pull.wanted().await?;
            if wanted.blocks.is_empty() {
                break;
            }
            let blocks = in_time(source.blocks(bucket, &asked(&wanted))).await?;
            let taken = take(&mut pull, Box::pin(blocks), &mut told, lines).await;
            let received = pull.received().await;
            taken?;
            received?;
        }
        _ = lines.send(api::PullLine::Progress(progress(pull.figures()))).await;
    }
    Ok(pull.finish().await?)
}

/// What the other gateway says next, unless it keeps us waiting.
async fn in_time<T, E>(next: impl Future<Output = Result<T, E>>) -> Result<T, PullError>
where
    PullError: From<E>,
{
    Ok(tokio::time::timeout(STALL, next).await.map_err(|_| PullError::Stalled)??)
}

async fn take(
    pull: &mut Pull,
    blocks: impl Stream<Item = Result<Bytes, ClientError>> + Unpin,
    told: &mut tokio::time::Instant,
    lines: &mpsc::Sender<api::PullLine>,
) -> Result<(), PullError> {
    let (mut car, _) = in_time(CarStream::open(blocks)).await?;
    while let Some(block) = in_time(car.next()).await? {
        pull.add(block).await?;
        if told.elapsed() >= PERIOD {
            *told = tokio::time::Instant::now();
            _ = lines.send(api::PullLine::Progress(progress(pull.figures()))).await;
        }
    }
    Ok(())
}

fn asked(wanted: &Wanted) -> api::Wanted {
    let Wanted { steps, blocks } = wanted;
    api::Wanted {
        steps: steps.iter().map(|(cid, before)| (cid.to_string(), *before)).collect(),
        blocks: blocks.iter().map(|(cid, before)| (cid.to_string(), *before)).collect(),
    }
}

fn progress(figures: PullFigures) -> api::PullProgress {
    let PullFigures { fetched, bytes, skipped, left } = figures;
    api::PullProgress { fetched, bytes, skipped, left }
}

fn shown(pulled: Pulled) -> api::Pulled {
    let Pulled { bucket, state, from, space, commits, figures } = pulled;
    api::Pulled {
        name: bucket.name,
        id: bucket.id.to_string(),
        space: space.to_string(),
        from: from.to_string(),
        commit: state.cid().to_string(),
        commits,
        objects: state.objects(),
        blocks: progress(figures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_says_nothing_is_not_waited_for_forever() {
        let late = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, ClientError>(())
        };
        in_time(late(299)).await.unwrap();
        assert!(matches!(in_time(late(301)).await, Err(PullError::Stalled)));
    }
}
