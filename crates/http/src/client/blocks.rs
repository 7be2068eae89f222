//! What comes as blocks: exports, proofs, commits, slices of bodies.

use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use http::Method;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::error::broken;
use super::route::{encode, encode_path, parameters, route};
use super::{Client, ClientError, Gateway, sigv4};
use crate::api;

/// What to prove.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// What is under this key.
    Key {
        /// The key.
        key: &'a str,
        /// Whether the body shall be part of the proof.
        body: bool,
    },
    /// Which objects have keys that start so.
    Prefix(&'a str),
}

impl Client {
    /// Writes a bucket as a CAR and returns its length. After an error, what was written is not whole.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export(
        &self,
        bucket: &str,
        at: Option<&str>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let at = parameters([("at", at)]);
        self.download(format!("{}?{at}", route(bucket, "export")), "the export broke off", to).await
    }

    /// The same with all past states that are kept.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn export_history(
        &self,
        bucket: &str,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let at = "history=true";
        self.download(format!("{}?{at}", route(bucket, "export")), "the export broke off", to).await
    }

    /// Writes the proof of what is under a key, or of which keys start with it, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn prove(
        &self,
        bucket: &str,
        question: &Question<'_>,
        at: Option<&str>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let question = match question {
            Question::Key { key, body: false } => parameters([("key", Some(*key))]),
            Question::Key { key, body: true } => parameters([("key", Some(*key)), ("body", Some(""))]),
            Question::Prefix(prefix) => parameters([("prefix", Some(*prefix))]),
        };
        let at = parameters([("at", at)]);
        self.download(format!("{}?{question}{at}", route(bucket, "proof")), "the proof broke off", to).await
    }

    /// The newest commit of a bucket, and with `past` those before it that are kept, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn commits(
        &self,
        bucket: &str,
        past: bool,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = self.get(format!("{}?past={past}", route(bucket, "commits"))).await?;
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the commits broke off")(error)))
    }

    /// Blocks of a bucket's states, as a CAR.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn blocks(
        &self,
        bucket: &str,
        wanted: &api::Wanted,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = self.post_for(&route(bucket, "blocks"), wanted).await?;
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the blocks broke off")(error)))
    }

    /// The Bao slices of bytes `range` of an object, as a stream that ends with an error where the connection does.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn slices(
        &self,
        bucket: &str,
        key: &str,
        at: &str,
        range: Range<u64>,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + Send + use<>, ClientError> {
        let response = match &self.gateway {
            Gateway::Socket(_) => {
                let (start, end) = (range.start.to_string(), range.end.to_string());
                let given = [("key", key), ("at", at), ("start", &start), ("end", &end)];
                let given = parameters(given.map(|(name, value)| (name, Some(value))));
                self.get(format!("{}?{given}", route(bucket, "slices"))).await?
            }
            // S3's own read, which keeps to the memory that all bodies have together.
            Gateway::Network(_) => {
                let mut headers = vec![("x-carob-at", at.to_owned()), ("x-carob-verified", "bao".to_owned())];
                if let Some(last) = range.end.checked_sub(1) {
                    headers.push(("range", format!("bytes={}-{last}", range.start)));
                }
                let path = format!("/{}/{}", encode(bucket), encode_path(key));
                self.ask(Method::GET, &path, headers, Full::new(Bytes::new()), &sigv4::payload(b"")).await?
            }
        };
        let bytes = response.into_body().into_data_stream();
        Ok(bytes.map_err(|error| broken("the object broke off")(error)))
    }

    async fn download(
        &self,
        route: String,
        broke_off: &'static str,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ClientError> {
        let response = self.get(route).await?;
        let mut body = response.into_body();
        let mut written = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken(broke_off))?;
            let Ok(data) = frame.into_data() else { continue };
            to.write_all(&data).await.map_err(ClientError::Output)?;
            written += data.len() as u64;
        }
        to.flush().await.map_err(ClientError::Output)?;
        Ok(written)
    }
}
