//! What the two listings share.

use std::sync::Arc;

use carob_bucket::{Bucket, ListEntry, ListPage, ListQuery, ListStart, Record};
use s3s::dto::{ChecksumAlgorithm, CommonPrefix, EncodingType, Initiator, Object, ObjectStorageClass, Owner};
use s3s::{S3Result, s3_error};

use crate::error::from_bucket;
use crate::headers;
use crate::xml::Names;

/// The most entries in a page, and how many it has if nobody says.
const MAX_KEYS: usize = 1000;

/// Reads `max-keys`: more than 1,000 is 1,000.
///
/// # Errors
/// InvalidArgument for less than nothing.
pub(crate) fn max_keys(asked: Option<i32>) -> S3Result<usize> {
    let Some(asked) = asked else { return Ok(MAX_KEYS) };
    let asked = usize::try_from(asked).map_err(|_| {
        s3_error!(InvalidArgument, "Argument maxKeys must be an integer between 0 and 2147483647")
    })?;
    Ok(asked.min(MAX_KEYS))
}

/// Whether names are to be percent-encoded.
///
/// # Errors
/// InvalidArgument for another encoding than `url`.
pub(crate) fn url_encoded(asked: Option<&EncodingType>) -> S3Result<bool> {
    match asked {
        None => Ok(false),
        Some(encoding) if encoding.as_str() == "url" => Ok(true),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid Encoding Method specified in Request")),
    }
}

pub(crate) async fn page(
    bucket: &Bucket,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    start: ListStart,
    max_keys: usize,
) -> S3Result<ListPage> {
    let query = ListQuery {
        prefix: prefix.unwrap_or_default().to_owned(),
        delimiter: delimiter.filter(|delimiter| !delimiter.is_empty()).map(str::to_owned),
        start,
        max_keys,
    };
    bucket.list(&query).await.map_err(from_bucket)
}

/// Splits a page into S3's two lists. `owner` is shown with each object if given.
pub(crate) fn split(
    page: Vec<ListEntry>,
    names: Names<'_>,
    owner: Option<&Owner>,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page {
        match entry {
            ListEntry::Object { key, record } => objects.push(object(&key, &record, names, owner)),
            ListEntry::Prefix(prefix) => prefixes.push(CommonPrefix { prefix: Some(names.write(&prefix)) }),
        }
    }
    (objects, prefixes)
}

fn object(key: &str, record: &Arc<Record>, names: Names<'_>, owner: Option<&Owner>) -> Object {
    let checksum = record.checksum.as_ref();
    Object {
        key: Some(names.write(key)),
        last_modified: Some(headers::timestamp(record.modified)),
        e_tag: Some(headers::etag(record)),
        size: Some(headers::size(record.size)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        checksum_algorithm: checksum.map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.as_str())]),
        checksum_type: checksum.map(|_| headers::checksum_type(record)),
        owner: owner.cloned(),
        ..Object::default()
    }
}

/// Whoever began an upload did it for the bucket's owner: nobody else may.
pub(crate) fn initiator(owner: &Owner) -> Initiator {
    Initiator { id: owner.id.clone(), display_name: owner.display_name.clone() }
}
