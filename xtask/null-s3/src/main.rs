//! An S3 server that keeps nothing but the names and lengths of its objects, in memory.
//!
//! It reads requests, verifies their signatures and answers them with the same libraries as the gateway, and does
//! nothing else: no digest, no file. What it reaches is a ceiling for any server built on these libraries.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures::{StreamExt, stream};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::dto::{
    CreateBucketInput, CreateBucketOutput, DeleteObjectInput, DeleteObjectOutput, ETag, GetObjectInput,
    GetObjectOutput, ListObjectsV2Input, ListObjectsV2Output, Object, PutObjectInput, PutObjectOutput,
    StreamingBlob,
};
use s3s::service::S3ServiceBuilder;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

/// What every body is a run of.
static PIECE: [u8; 1 << 20] = [0x5a; 1 << 20];

#[derive(Debug, Default, Clone)]
struct Null {
    lengths: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Null {
    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, u64>) -> T) -> T {
        act(&mut self.lengths.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn name(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

fn etag() -> ETag {
    ETag::Strong("00000000000000000000000000000000".to_owned())
}

fn body(length: u64) -> StreamingBlob {
    let piece = PIECE.len() as u64;
    let pieces = (0..length.div_ceil(piece)).map(move |n| {
        let rest = (length - n * piece).min(piece) as usize;
        std::io::Result::Ok(Bytes::from_static(&PIECE[..rest]))
    });
    StreamingBlob::wrap(stream::iter(pieces))
}

#[async_trait::async_trait]
impl S3 for Null {
    async fn create_bucket(
        &self,
        _: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        Ok(S3Response::new(CreateBucketOutput::default()))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let mut length = 0;
        if let Some(mut body) = input.body {
            while let Some(piece) = body.next().await {
                length += piece.map_err(|_| s3_error!(IncompleteBody))?.len() as u64;
            }
        }
        self.with(|lengths| lengths.insert(name(&input.bucket, &input.key), length));
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(etag()), ..PutObjectOutput::default() }))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let found = self.with(|lengths| lengths.get(&name(&input.bucket, &input.key)).copied());
        let length = found.ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(GetObjectOutput {
            body: Some(body(length)),
            content_length: i64::try_from(length).ok(),
            e_tag: Some(etag()),
            ..GetObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.with(|lengths| lengths.remove(&name(&request.input.bucket, &request.input.key)));
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let most = usize::try_from(input.max_keys.unwrap_or(1000)).unwrap_or(1000);
        let before = name(&input.bucket, "");
        let after = name(&input.bucket, input.continuation_token.as_deref().unwrap_or(""));
        let mut contents: Vec<_> = self.with(|lengths| {
            let range = lengths.range((Bound::Excluded(after), Bound::Unbounded));
            let ours = range.map_while(|(name, length)| Some((name.strip_prefix(&before)?, *length)));
            ours.take(most + 1).map(|(key, length)| (key.to_owned(), length)).collect()
        });
        let truncated = contents.len() > most;
        contents.truncate(most);
        let next = contents.last().filter(|_| truncated).map(|(key, _)| key.clone());
        let object = |(key, length)| Object {
            key: Some(key),
            size: i64::try_from(length).ok(),
            e_tag: Some(etag()),
            ..Object::default()
        };
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(truncated),
            next_continuation_token: next,
            contents: Some(contents.into_iter().map(object).collect()),
            ..ListObjectsV2Output::default()
        }))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("arguments: ADDRESS ACCESS_KEY SECRET_KEY");
    let (address, access_key, secret_key) = (next()?, next()?, next()?);
    let mut builder = S3ServiceBuilder::new(Null::default());
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind(&address).await?;
    loop {
        let (connection, _) = listener.accept().await?;
        connection.set_nodelay(true)?;
        // A client that goes away in the middle of a request is no concern of ours.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service.clone()));
    }
}
