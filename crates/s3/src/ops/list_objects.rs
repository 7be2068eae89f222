//! Amazon S3 API reference, ListObjects (version 1).

use carob_bucket::ListStart;
use s3s::dto::{ListObjectsInput, ListObjectsOutput};
use s3s::{S3Request, S3Response, S3Result};

use crate::ops::listing::{self, Owners, Page};
use crate::table::Carob;
use crate::xml::Names;

pub(crate) async fn run(
    carob: &Carob,
    request: S3Request<ListObjectsInput>,
) -> S3Result<S3Response<ListObjectsOutput>> {
    let input = request.input;
    let max_keys = listing::max_keys(input.max_keys)?;
    let url = listing::url_encoded(input.encoding_type.as_ref())?;
    let start = match &input.marker {
        Some(marker) if !marker.is_empty() => ListStart::After(marker.clone()),
        _ => ListStart::Beginning,
    };
    let bucket = carob.bucket(&request.extensions, input.expected_bucket_owner.as_deref())?;
    let query = listing::query(input.prefix.as_deref(), input.delimiter.as_deref(), start, max_keys);
    let names = Names::of(&request.extensions, url);
    let owners = Owners::in_bucket(carob, &request.extensions)?;
    let page = Page::read(&bucket, &query, names, Some(&owners)).await?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    // Without a delimiter the client goes on behind the last key itself.
    let next_marker = page.last.filter(|_| page.next_token.is_some() && delimiter.is_some());
    let mut response = S3Response::new(ListObjectsOutput {
        name: Some(input.bucket),
        // Not encoded, whatever the reference says: boto3, which asks for encoding unasked, does not decode it.
        prefix: Some(names.plain(&input.prefix.unwrap_or_default())),
        marker: Some(names.write(&input.marker.unwrap_or_default())),
        next_marker,
        delimiter: delimiter.map(|delimiter| names.write(&delimiter)),
        encoding_type: input.encoding_type,
        max_keys: i32::try_from(max_keys).ok(),
        is_truncated: Some(page.next_token.is_some()),
        common_prefixes: Some(page.prefixes),
        ..ListObjectsOutput::default()
    });
    response.extensions.insert(page.objects);
    Ok(response)
}
