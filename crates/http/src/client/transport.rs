//! Requests and answers on the wire.

use std::io::{ErrorKind, Read};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::error::broken;
use super::{Client, ClientError, Gateway, sigv4, stream};
use crate::{PREFIX, api};

/// Far above a page of a thousand of the longest keys.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

impl Client {
    pub(super) async fn json<T: DeserializeOwned>(&self, route: String) -> Result<T, ClientError> {
        understood(self.get(route).await?).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        understood(self.post_for(route, body).await?).await
    }

    pub(super) async fn post_for(
        &self,
        route: &str,
        body: &impl Serialize,
    ) -> Result<Response<Incoming>, ClientError> {
        let body = serde_json::to_vec(body).map_err(broken("not a request that can be sent"))?;
        let payload = sigv4::payload(&body);
        self.send(Method::POST, route.to_owned(), Full::new(Bytes::from(body)), &payload).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(&self, route: String) -> Result<T, ClientError> {
        let payload = sigv4::payload(b"");
        understood(self.send(Method::DELETE, route, Full::new(Bytes::new()), &payload).await?).await
    }

    pub(super) async fn get(&self, route: String) -> Result<Response<Incoming>, ClientError> {
        self.send(Method::GET, route, Full::new(Bytes::new()), &sigv4::payload(b"")).await
    }

    pub(super) async fn send(
        &self,
        method: Method,
        route: String,
        body: impl Body<Data = Bytes, Error: Into<AnyError>> + Send + Unpin + 'static,
        payload: &str,
    ) -> Result<Response<Incoming>, ClientError> {
        if self.is_remote() && !route.starts_with("/buckets/") {
            return Err(ClientError::OnlyBySocket);
        }
        self.ask(method, &format!("{PREFIX}{route}"), Vec::new(), body, payload).await
    }

    /// Sends one request for `target` on a connection of its own; `payload` is what is signed of the body.
    pub(super) async fn ask(
        &self,
        method: Method,
        target: &str,
        mut headers: Vec<(&'static str, String)>,
        body: impl Body<Data = Bytes, Error: Into<AnyError>> + Send + Unpin + 'static,
        payload: &str,
    ) -> Result<Response<Incoming>, ClientError> {
        let (stream, headers) = match &self.gateway {
            Gateway::Socket(socket) => {
                headers.push(("host", "carob".to_owned()));
                (connect(socket).await?, headers)
            }
            Gateway::Network(endpoint) => {
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                headers.push(("host", endpoint.authority.clone()));
                let request = sigv4::ToSign { method: method.as_str(), path, query, headers, payload };
                (endpoint.connect().await?, endpoint.access.sign(request))
            }
        };
        let lost = "the connection to the gateway was lost";
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken(lost))?;
        // Ends by itself: with the answer's body, or when that is dropped.
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(target);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let request = request.body(body).map_err(broken("not a request that can be sent"))?;
        let response = sender.send_request(request).await.map_err(broken(lost))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        let status = response.status();
        let text = collect(response).await?;
        let message = match serde_json::from_slice::<api::Failure>(&text) {
            Ok(failure) => failure.error,
            Err(_) => in_xml(&text).unwrap_or_else(|| format!("the gateway answered {status}")),
        };
        Err(ClientError::Refused { status: status.as_u16(), message })
    }
}

async fn connect(socket: &Path) -> Result<stream::Stream, ClientError> {
    let connected = UnixStream::connect(socket).await.map_err(|source| match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ClientError::NotRunning(socket.to_owned()),
        _ => ClientError::Connect { path: socket.to_owned(), source },
    });
    Ok(Box::new(connected?))
}

/// What an error of S3 says to people: a bad signature or an object that is not there is answered so.
fn in_xml(text: &[u8]) -> Option<String> {
    let (_, rest) = std::str::from_utf8(text).ok()?.split_once("<Message>")?;
    let mut message = rest.split_once("</Message>")?.0.to_owned();
    for (reference, character) in
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
    {
        message = message.replace(reference, character);
    }
    Some(message)
}

/// A file as the body of a request. Reading it blocks: for a program that does nothing else meanwhile.
pub(super) struct FileBody(pub(super) std::fs::File);

impl Body for FileBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let mut piece = vec![0; 256 * 1024];
        Poll::Ready(match self.0.read(&mut piece) {
            Ok(0) => None,
            Ok(count) => {
                piece.truncate(count);
                Some(Ok(Frame::data(piece.into())))
            }
            Err(error) => Some(Err(error)),
        })
    }
}

/// Reads an answer of one value a line to its end.
pub(super) async fn lines<T: DeserializeOwned>(
    response: Response<Incoming>,
    broke_off: &'static str,
    mut each: impl FnMut(T) -> Result<(), ClientError>,
) -> Result<(), ClientError> {
    let mut body = response.into_body();
    let mut rest = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(broken(broke_off))?.into_data() else { continue };
        rest.extend_from_slice(&data);
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            each(serde_json::from_slice(&line).map_err(broken("the gateway's answer is not understood"))?)?;
        }
    }
    Ok(())
}

pub(super) async fn understood<T: DeserializeOwned>(response: Response<Incoming>) -> Result<T, ClientError> {
    let text = collect(response).await?;
    serde_json::from_slice(&text).map_err(broken("the gateway's answer is not understood"))
}

async fn collect(response: Response<Incoming>) -> Result<Bytes, ClientError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let source = |source| ClientError::Broken { context: "the gateway's answer broke off", source };
    Ok(body.map_err(source)?.to_bytes())
}
