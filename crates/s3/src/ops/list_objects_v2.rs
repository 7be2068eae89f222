//! Amazon S3 API reference, ListObjectsV2.

use carob_bucket::ListStart;
use s3s::dto::{ListObjectsV2Input, ListObjectsV2Output};
use s3s::{S3Request, S3Response, S3Result};

use crate::ops::listing::{self, Owners, Page};
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListObjectsV2Input>,
) -> S3Result<S3Response<ListObjectsV2Output>> {
    let input = request.input;
    let max_keys = listing::max_keys(input.max_keys)?;
    let url = listing::url_encoded(input.encoding_type.as_ref())?;
    let start = match (&input.continuation_token, &input.start_after) {
        // An empty token is where a listing starts.
        (Some(token), _) if token.is_empty() => ListStart::Beginning,
        (Some(token), _) => ListStart::Token(token.clone()),
        (None, Some(key)) if !key.is_empty() => ListStart::After(key.clone()),
        (None, _) => ListStart::Beginning,
    };
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let query = listing::query(input.prefix.as_deref(), input.delimiter.as_deref(), start, max_keys);
    let names = Names::of(&request.extensions, url);
    let owners = Owners::in_bucket(carob, &request.extensions)?;
    let owners = Some(&owners).filter(|_| input.fetch_owner.unwrap_or(false));
    let page = Page::read(&bucket, &query, names, owners).await?;
    let mut response = S3Response::new(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.write(&input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.filter(|d| !d.is_empty()).map(|delimiter| names.write(&delimiter)),
        start_after: input.start_after.map(|key| names.write(&key)),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(max_keys).ok(),
        key_count: Some(page.len()),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next_token.is_some()),
        next_continuation_token: page.next_token,
        common_prefixes: Some(page.prefixes),
        ..ListObjectsV2Output::default()
    });
    response.extensions.insert(page.objects);
    Ok(response)
}
