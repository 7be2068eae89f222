//! Amazon S3 API reference, ListBuckets.

use data_encoding::BASE64URL_NOPAD;
use s3s::dto::{Bucket, ListBucketsInput, ListBucketsOutput};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use crate::error::{bad_token, from_bucket};
use crate::headers;
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListBucketsInput>,
) -> S3Result<S3Response<ListBucketsOutput>> {
    let input = request.input;
    let most = match input.max_buckets {
        None => usize::MAX,
        Some(most) => {
            usize::try_from(most).ok().filter(|most| (1..=10_000).contains(most)).ok_or_else(|| {
                s3_error!(InvalidArgument, "Argument max-buckets must be an integer between 1 and 10000")
            })?
        }
    };
    let after = input.continuation_token.as_deref().map(from_token).transpose()?;
    let elsewhere = input.bucket_region.as_deref().is_some_and(|region| region != &*carob.region);
    let prefix = input.prefix.as_deref().unwrap_or_default();

    let account = carob.account(&request.extensions)?;
    let found = if elsewhere { Vec::new() } else { carob.space.buckets().await.map_err(from_bucket)? };
    let mut buckets = found
        .into_iter()
        .filter(|bucket| {
            bucket.owner == account.id
                && bucket.name.starts_with(prefix)
                && after.as_ref().is_none_or(|after| bucket.name > *after)
        })
        .peekable();
    let mut shown = Vec::new();
    let mut last = None;
    while shown.len() < most {
        let Some(bucket) = buckets.next() else { break };
        last = Some(bucket.name.clone());
        shown.push(Bucket {
            name: Some(bucket.name),
            creation_date: Some(headers::timestamp(bucket.created)),
            bucket_region: Some(carob.region.to_string()),
            ..Bucket::default()
        });
    }
    let more = buckets.peek().is_some();
    let names = Names::of(&request.extensions, false);
    Ok(S3Response::new(ListBucketsOutput {
        buckets: Some(shown),
        continuation_token: last.filter(|_| more).map(|name| BASE64URL_NOPAD.encode(name.as_bytes())),
        owner: Some(carob.owner(&account.id)),
        prefix: input.prefix.map(|prefix| names.write(&prefix)),
    }))
}

fn from_token(token: &str) -> S3Result<String> {
    let name = BASE64URL_NOPAD.decode(token.as_bytes()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(bad_token)
}
